/* See profile.h. */

#include "profile.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(MAX_NODES * (sizeof(ProfileNode) + sizeof(int32_t))
                       + NODE_SLOTS * sizeof(int32_t)
                       + MAX_CODES * sizeof(Code) + MAX_TEXT_BYTES
                       + (CODE_SLOTS + TEXT_SLOTS) * sizeof(int32_t)
                       + CODE_CACHE_SETS * CODE_CACHE_SET_SIZE
                             * sizeof(KnownCode)
                   <= 16 << 20,
               "the tree, the code table and the code cache fit in 16 MiB");

static int64_t
random_moment(Profile *p)
{
    /* xorshift64, as in spin.c. */
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (int64_t)((double)(p->random >> 11) * 0x1p-53 * STACK_NS);
}

int
profile_init(Profile *profile, uint64_t seed)
{
    *profile = (Profile){
        .nodes = malloc(MAX_NODES * sizeof(ProfileNode)),
        .slots = malloc(NODE_SLOTS * sizeof(int32_t)),
        .new_nodes = malloc(MAX_NODES * sizeof(int32_t)),
        .random = seed | 1, /* xorshift can't leave 0 */
    };
    if (code_table_init(&profile->codes) < 0 || profile->nodes == NULL
        || profile->slots == NULL || profile->new_nodes == NULL) {
        return -1;
    }
    memset(profile->slots, -1, NODE_SLOTS * sizeof(int32_t));
    profile->nodes[OTHER_NODE] =
        (ProfileNode){.parent = NO_NODE, .code = OTHER_CODE};
    profile->n_nodes = OTHER_NODE + 1;
    profile->moment = random_moment(profile);
    return 0;
}

int
profile_copy(const Profile *profile, Profile *copy)
{
    const size_t size = (size_t)profile->n_nodes * sizeof(ProfileNode);
    *copy = *profile;
    copy->slots = NULL;
    copy->new_nodes = NULL;
    copy->nodes = malloc(size);
    if (copy->nodes == NULL) {
        return -1;
    }
    if (code_table_copy(&profile->codes, &copy->codes) < 0) {
        free(copy->nodes);
        return -1;
    }
    memcpy(copy->nodes, profile->nodes, size);
    return 0;
}

void
profile_free(Profile *profile)
{
    free(profile->nodes);
    free(profile->slots);
    free(profile->new_nodes);
    code_table_free(&profile->codes);
}

int64_t
profile_weight(Profile *p, int64_t sample_weight)
{
    if (sample_weight >= STACK_NS) {
        return sample_weight;
    }
    int64_t weight = 0;
    p->position += sample_weight;
    while (p->moment < p->position) {
        weight += STACK_NS;
        const int64_t stratum = p->moment / STACK_NS;
        p->moment = (stratum + 1) * STACK_NS + random_moment(p);
    }
    return weight;
}

/* Returns the node of this frame below its caller's, or OTHER_NODE if there is
   no room. Adds it if it is new. */
static int32_t
add_node(Profile *p, int32_t parent, int32_t code, int32_t instruction)
{
    const uint64_t key = (uint64_t)(uint32_t)code << 32 | (uint32_t)parent;
    uint64_t i =
        hash_word(hash_word(key) + (uint32_t)instruction) % NODE_SLOTS;
    for (; p->slots[i] >= 0; i = (i + 1) % NODE_SLOTS) {
        const ProfileNode *node = &p->nodes[p->slots[i]];
        if (node->parent == parent && node->code == code
            && node->instruction == instruction) {
            return p->slots[i];
        }
    }
    if (p->n_nodes == MAX_NODES) {
        return OTHER_NODE;
    }
    p->nodes[p->n_nodes] = (ProfileNode){
        .parent = parent,
        .code = code,
        .instruction = instruction,
    };
    p->slots[i] = p->n_nodes;
    return p->n_nodes++;
}

/* Direct recursion would add a branch to the tree for each depth. So among
   consecutive frames of the same code, those with the same instruction become
   one, the innermost of them: the leaf and the set of lines stay the same.
   Returns how many frames are left. */
static int
fold_recursion(const FrameStack *stack, Frame *folded)
{
    int n = 0;
    int run = 0; /* the first index in `folded` with this code */
    for (int i = 0; i < stack->n; i++) {
        const Frame frame = stack->frames[i];
        if (n > 0 && folded[n - 1].code != frame.code) {
            run = n;
        }
        int k = run;
        while (k < n && folded[k].instruction != frame.instruction) {
            k++;
        }
        if (k == n) {
            folded[n++] = frame;
        }
    }
    return n;
}

int32_t
profile_add(Profile *p, int32_t thread, const FrameStack *stack,
            int64_t weight, int waiters)
{
    int32_t at = add_node(p, NO_NODE, NO_CODE, thread);
    if (stack != NULL) {
        Frame folded[MAX_FRAMES];
        int n = fold_recursion(stack, folded);
        if (!stack->complete && at != OTHER_NODE) {
            at = add_node(p, at, OTHER_CODE, 0);
        }
        while (n > 0 && at != OTHER_NODE) {
            n--;
            at = add_node(p, at, folded[n].code, folded[n].instruction);
        }
    }
    ProfileNode *node = &p->nodes[at];
    node->held += weight;
    node->caused += weight * waiters;
    node->samples++;
    node->squared_weights += (double)weight * (double)weight;
    return at;
}

const int32_t *
profile_renumber(Profile *p, const int32_t *new_indexes)
{
    /* Builds the tree again in the same memory: the new index of a node is not
       larger than the old one, and its parent comes before it. */
    int32_t *new_nodes = p->new_nodes;
    const int32_t n_nodes = p->n_nodes;
    p->n_nodes = OTHER_NODE + 1;
    new_nodes[OTHER_NODE] = OTHER_NODE;
    memset(p->slots, -1, NODE_SLOTS * sizeof(int32_t));
    for (int32_t i = OTHER_NODE + 1; i < n_nodes; i++) {
        const ProfileNode old = p->nodes[i];
        if (old.parent == NO_NODE) {
            new_nodes[i] =
                add_node(p, NO_NODE, old.code, new_indexes[old.instruction]);
        }
        else {
            new_nodes[i] =
                add_node(p, new_nodes[old.parent], old.code, old.instruction);
        }
        ProfileNode *node = &p->nodes[new_nodes[i]];
        node->held += old.held;
        node->caused += old.caused;
        node->samples += old.samples;
        node->squared_weights += old.squared_weights;
    }
    return new_nodes;
}
