/* Walks through frames made by hand, and through random memory.
 * test_c_units.py builds and runs it together with frame_walk.c.
 */

#include "check.h"
#include "frame_walk.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

typedef struct MadeFrame {
    struct MadeFrame *previous;
    uintptr_t code;
    uintptr_t instruction;
    char owner;
} MadeFrame;

typedef struct {
    MadeFrame *current;
} MadeCFrame;

typedef struct {
    uint64_t id;
    MadeFrame *current;
    MadeCFrame *cframe;
    char *chunk;
} MadeThread;

enum { BY_THREAD, BY_GENERATOR, BY_C, LAST_OWNER = BY_C };

static FrameLayout
layout(int indirect)
{
    return (FrameLayout){
        .current = indirect ? offsetof(MadeThread, cframe)
                            : offsetof(MadeThread, current),
        .indirect = indirect,
        .in_cframe = offsetof(MadeCFrame, current),
        .chunk = offsetof(MadeThread, chunk),
        .id = offsetof(MadeThread, id),
        .previous = offsetof(MadeFrame, previous),
        .code = offsetof(MadeFrame, code),
        .instruction = offsetof(MadeFrame, instruction),
        .owner = offsetof(MadeFrame, owner),
        .first_c_owner = BY_C,
        .last_owner = LAST_OWNER,
        .tstate_begin = 0,
        .tstate_end = sizeof(MadeThread),
        .frame_size = sizeof(MadeFrame),
    };
}

#define MAX_MADE (MAX_FRAMES + 100)
#define GAP 1024 /* frames that are a stack, or so far apart */

static FrameWalk walk;
static SafeCopy copy;
static MadeFrame stack[MAX_MADE];
static MadeFrame heap[MAX_MADE * (GAP / sizeof(MadeFrame) + 1)];

/* n frames in a row, `step` apart, the innermost last. Frame i has the code
   8 * (i + 1), with a tag, and every tenth is an entry from C. */
static MadeThread
make_frames(MadeFrame *frames, int n, int step)
{
    for (int i = 0; i < n; i++) {
        frames[i * step] = (MadeFrame){
            .previous = i > 0 ? &frames[(i - 1) * step] : NULL,
            .code = (uintptr_t)(8 * (i + 1)) | 1,
            .instruction = (uintptr_t)(1000 + i),
            .owner = i % 10 == 9 ? BY_C : BY_THREAD,
        };
    }
    return (MadeThread){
        .id = 7,
        .current = n > 0 ? &frames[(n - 1) * step] : NULL,
        .chunk = (char *)frames,
    };
}

static void
check_walk(const MadeThread *thread, int n)
{
    CHECK(frame_walk(&walk, &copy, (uintptr_t)thread, 7) == WALK_DONE);
    int found = 0;
    for (int i = n - 1; i >= 0 && found < MAX_FRAMES; i--) {
        if (i % 10 != 9) {
            CHECK(walk.frames[found].code == (uintptr_t)(8 * (i + 1)));
            CHECK(walk.frames[found].instruction == (uintptr_t)(1000 + i));
            found++;
        }
    }
    CHECK(walk.n == found);
    CHECK(walk.complete == (n - n / 10 <= MAX_FRAMES));
}

static void
check_frames(MadeFrame *frames, int step, int indirect)
{
    /* From one depth to another, so that what is expected is often wrong. */
    const int depths[] = {1,  2,  1,   20,  20,       19,       0, 3,
                          60, 60, 500, 500, MAX_MADE, MAX_MADE, 5, 5};
    memset(&walk, 0, sizeof(walk));
    walk.layout = layout(indirect);
    MadeThread thread;
    MadeCFrame cframes[2];
    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        thread = make_frames(frames, depths[i], step);
        thread.cframe = &cframes[i % 3 / 2];
        thread.cframe->current = thread.current;
        if (indirect) {
            thread.current = NULL;
        }
        check_walk(&thread, depths[i]);
    }
    CHECK(frame_walk(&walk, &copy, (uintptr_t)&thread, 8) == WALK_GONE);
    CHECK(frame_walk(&walk, &copy, 4096, 7) == WALK_GONE);
}

static void
check_what_is_torn(void)
{
    memset(&walk, 0, sizeof(walk));
    walk.layout = layout(0);
    MadeThread thread = make_frames(stack, 20, 1);
    const uintptr_t at = (uintptr_t)&thread;
    stack[5].previous = (MadeFrame *)64;
    CHECK(frame_walk(&walk, &copy, at, 7) == WALK_TORN);
    stack[5].previous = (MadeFrame *)(UINTPTR_MAX - 7);
    CHECK(frame_walk(&walk, &copy, at, 7) == WALK_TORN);
    stack[5].previous = &stack[4];
    stack[5].owner = LAST_OWNER + 1;
    CHECK(frame_walk(&walk, &copy, at, 7) == WALK_TORN);
    stack[5].owner = BY_GENERATOR;
    stack[5].code = 1;
    CHECK(frame_walk(&walk, &copy, at, 7) == WALK_TORN);
    stack[5].code = 8 * 6;
    check_walk(&thread, 20);
    /* Two entries from C that call each other. */
    stack[0].previous = &stack[1];
    stack[0].owner = BY_C;
    stack[1].owner = BY_C;
    CHECK(frame_walk(&walk, &copy, at, 7) == WALK_TORN);
}

static uint64_t
random_word(void)
{
    static uint64_t random = 88172645463325252;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
}

/* Wherever random pointers lead, the walk comes to an end. */
static void
check_random_memory(void)
{
    static uintptr_t memory[1 << 12];
    const size_t n = sizeof(memory) / sizeof(memory[0]);
    memset(&walk, 0, sizeof(walk));
    for (int i = 0; i < 200000; i++) {
        walk.layout = layout(i / 1000 % 2);
        const uint64_t random = random_word();
        uintptr_t word = (uintptr_t)&memory[random / 16 % (n - 8)];
        switch (random % 16) {
        case 0:
            word = (uintptr_t)random;
            break;
        case 1:
            word = UINTPTR_MAX - random / 16 % 128;
            break;
        case 2:
            word = random / 16 % 4096;
            break;
        default:
            break;
        }
        memory[random_word() % n] = word;
        MadeThread *thread = (MadeThread *)&memory[random_word() % (n - 8)];
        thread->id = 7;
        (void)frame_walk(&walk, &copy, (uintptr_t)thread, 7);
        CHECK(walk.n >= 0 && walk.n <= MAX_FRAMES);
    }
}

/* In a thread of its own: see safe_copy_open(). */
static void *
check_all(void *arg)
{
    (void)arg;
    CHECK(safe_copy_open(&copy) == NULL);
    for (int indirect = 0; indirect <= 1; indirect++) {
        check_frames(stack, 1, indirect);
        check_frames(heap, GAP / sizeof(MadeFrame) + 1, indirect);
    }
    check_what_is_torn();
    check_random_memory();
    safe_copy_close(&copy);
    return NULL;
}

int
main(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, check_all, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}
