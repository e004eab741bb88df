/* Builds trees of calls, small ones and one far beyond its size, and checks
 * what is left of them. test_c_units.py builds and runs it.
 */

#include "check.h"
#include "profile.h"

#include <math.h>
#include <string.h>

static Text
text_of(const char *string)
{
    return (Text){string, strlen(string)};
}

static int32_t
code_named(Profile *p, const char *name)
{
    return code_table_add(&p->codes, text_of(name), text_of("file.py"),
                          text_of(""), 1);
}

static void
push(FrameStack *stack, int32_t code, int32_t instruction)
{
    stack->frames[stack->n++] = (Frame){code, instruction};
}

/* The sum over the tree, and that all parents come first. */
static int64_t
held_by_all(const Profile *p)
{
    int64_t held = 0;
    for (int32_t i = 0; i < p->n_nodes; i++) {
        CHECK(p->nodes[i].parent < i);
        held += p->nodes[i].held;
    }
    return held;
}

static const ProfileNode *
last_node(const Profile *p)
{
    return &p->nodes[p->n_nodes - 1];
}

static void
check_tree(void)
{
    static FrameStack stack;
    Profile p, copy;
    CHECK(profile_init(&p, 1) == 0);
    const int32_t f = code_named(&p, "f"), g = code_named(&p, "g");
    CHECK(code_named(&p, "f") == f);

    /* g called by f, at another instruction the second time. */
    stack = (FrameStack){.complete = 1};
    push(&stack, g, 5);
    push(&stack, f, 1);
    profile_add(&p, 3, &stack, 1000, 2);
    CHECK(p.n_nodes == 4);
    CHECK(p.nodes[1].parent == NO_NODE && p.nodes[1].code == NO_CODE
          && p.nodes[1].instruction == 3);
    CHECK(p.nodes[2].parent == 1 && p.nodes[2].code == f);
    CHECK(p.nodes[3].parent == 2 && p.nodes[3].code == g);
    CHECK(p.nodes[3].instruction == 5);
    profile_add(&p, 3, &stack, 3000, 0);
    CHECK(p.n_nodes == 4);
    CHECK(p.nodes[3].held == 4000 && p.nodes[3].caused == 2000);
    CHECK(p.nodes[3].samples == 2 && p.nodes[3].squared_weights == 1e6 + 9e6);
    stack.frames[1].instruction = 2;
    profile_add(&p, 3, &stack, 1000, 0);
    CHECK(p.n_nodes == 6);

    /* What is not known counts for the thread alone. */
    profile_add(&p, 3, NULL, 500, 1);
    CHECK(p.nodes[1].held == 500 && p.nodes[1].caused == 500);

    /* What is too deep has other callers above it. */
    stack.complete = 0;
    profile_add(&p, 3, &stack, 1000, 0);
    CHECK(p.n_nodes == 9);
    CHECK(p.nodes[6].parent == 1 && p.nodes[6].code == OTHER_CODE);
    CHECK(p.nodes[7].parent == 6 && p.nodes[7].code == f);

    CHECK(profile_copy(&p, &copy) == 0);
    profile_add(&p, 3, &stack, 1000, 0);
    CHECK(held_by_all(&copy) == 6500);
    CHECK(copy.codes.n_codes == p.codes.n_codes);
    const Text name = code_table_text(&copy.codes, copy.codes.codes[g].name);
    CHECK(name.size == 1 && name.bytes[0] == 'g');
    profile_free(&copy);
    profile_free(&p);
}

/* The innermost frame stays the innermost, each instruction is there once, and
   what is called in between is no direct recursion. */
static void
check_recursion(void)
{
    static FrameStack stack;
    Profile p;
    CHECK(profile_init(&p, 1) == 0);
    const int32_t f = code_named(&p, "f"), g = code_named(&p, "g");
    stack = (FrameStack){.complete = 1};
    const int32_t instructions[] = {1, 2, 1, 1, 2, 3, 1};
    for (int i = 0; i < 7; i++) {
        push(&stack, f, instructions[i]);
    }
    push(&stack, g, 9);
    push(&stack, f, 1);
    profile_add(&p, 1, &stack, 1000, 0);
    /* From the outermost on: f 1, g 9, f 3, f 2, f 1. */
    const int32_t expected[] = {1, 9, 3, 2, 1};
    CHECK(p.n_nodes == 2 + 5);
    for (int i = 0; i < 5; i++) {
        CHECK(p.nodes[2 + i].instruction == expected[i]);
        CHECK(p.nodes[2 + i].code == (i == 1 ? g : f));
    }
    CHECK(last_node(&p)->held == 1000);
    profile_free(&p);
}

/* Many more calls than there is room for. */
static void
check_full(void)
{
    static FrameStack stack;
    Profile p;
    CHECK(profile_init(&p, 1) == 0);
    const int32_t f = code_named(&p, "f");
    int64_t held = 0;
    for (int i = 0; i < 3 * MAX_NODES; i++) {
        stack = (FrameStack){.complete = i % 7 != 0};
        push(&stack, f, i);
        push(&stack, f, i % 100);
        profile_add(&p, i % 5, &stack, 1000 + i, 1);
        held += 1000 + i;
        CHECK(p.n_nodes <= MAX_NODES);
    }
    CHECK(p.n_nodes == MAX_NODES);
    CHECK(held_by_all(&p) == held);
    CHECK(p.nodes[OTHER_NODE].held > held / 3);
    CHECK(p.nodes[OTHER_NODE].parent == NO_NODE);
    /* What is there already is still told apart. */
    stack = (FrameStack){.complete = 1};
    push(&stack, f, 1);
    push(&stack, f, 1);
    const int64_t other = p.nodes[OTHER_NODE].held;
    profile_add(&p, 1, &stack, 1000, 0);
    CHECK(p.nodes[OTHER_NODE].held == other);
    profile_free(&p);
}

/* Threads 2 and 4 become others, and 3 gets the index 2. */
static void
check_renumbered_threads(void)
{
    static FrameStack stack;
    Profile p;
    CHECK(profile_init(&p, 1) == 0);
    const int32_t f = code_named(&p, "f");
    for (int32_t thread = 1; thread <= 4; thread++) {
        stack = (FrameStack){.complete = 1};
        push(&stack, f, 1);
        push(&stack, f, thread == 4 ? 3 : 2);
        profile_add(&p, thread, &stack, thread * 1000, 1);
    }
    CHECK(p.n_nodes == 1 + 4 * 3);
    const int32_t new_indexes[] = {0, 1, 0, 2, 0};
    profile_renumber(&p, new_indexes);
    CHECK(held_by_all(&p) == 10000);
    /* Of 2 and 4 the thread is one node, but they were called elsewhere. */
    CHECK(p.n_nodes == 1 + 2 * 3 + 5);
    int64_t held[3] = {0};
    for (int32_t i = 1; i < p.n_nodes; i++) {
        int32_t root = i;
        while (p.nodes[root].parent != NO_NODE) {
            root = p.nodes[root].parent;
        }
        CHECK(p.nodes[root].code == NO_CODE);
        held[p.nodes[root].instruction] += p.nodes[i].held;
    }
    CHECK(held[0] == 6000 && held[1] == 1000 && held[2] == 3000);
    /* They are found where they are now. */
    const int32_t n_nodes = p.n_nodes;
    profile_add(&p, 0, &stack, 1000, 0);
    CHECK(p.n_nodes == n_nodes);
    profile_free(&p);
}

/* On average, and here exactly, samples count for as long as they last,
   whatever their length; and each of those of one length is as likely to be
   chosen. */
static void
check_weights(void)
{
    Profile p;
    CHECK(profile_init(&p, 12345) == 0);
    int64_t length = 0, weight = 0;
    int stacks = 0;
    double odd = 0.0, even = 0.0;
    const int samples = 400000;
    for (int i = 0; i < samples; i++) {
        const int64_t w = profile_weight(&p, 190000);
        CHECK(w == 0 || w == STACK_NS || w == 2 * STACK_NS);
        length += 190000;
        weight += w;
        stacks += w > 0;
        *(i % 2 ? &odd : &even) += (double)w;
    }
    CHECK(llabs(weight - length) <= STACK_NS);
    CHECK(stacks <= length / STACK_NS + 1);
    /* Half of 76,000 strata: their difference is some hundreds of them. */
    CHECK(fabs(odd - even) < 2000.0 * STACK_NS);

    CHECK(profile_weight(&p, STACK_NS) == STACK_NS);
    CHECK(profile_weight(&p, 5 * STACK_NS + 1) == 5 * STACK_NS + 1);
    profile_free(&p);
}

int
main(void)
{
    check_tree();
    check_recursion();
    check_full();
    check_renumbered_threads();
    check_weights();
    return 0;
}
