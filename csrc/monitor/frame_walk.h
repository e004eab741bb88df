/* Walks the frames of a thread state, while they may change or be freed.
 *
 * No lock, and no Python object but through copies of its memory.
 */

#ifndef GILDEMO_FRAME_WALK_H
#define GILDEMO_FRAME_WALK_H

#include "safe_copy.h"

#include <stddef.h>
#include <stdint.h>

/* Of a deeper stack, the walk reads this many frames from the innermost on. */
#define MAX_FRAMES 1024

/* Offsets in a thread state and in a frame. */
typedef struct {
    /* In a thread state. */
    size_t current;   /* the address of the innermost frame; before 3.13 */
    int indirect;     /* (`indirect`) that of a _PyCFrame, which has it */
    size_t in_cframe; /* at this offset */
    size_t chunk;     /* the address of the newest chunk of its data stack */
    size_t id;

    /* In a frame. */
    size_t previous; /* the address of the caller's frame */
    size_t code;
    size_t instruction;
    size_t owner;

    /* The values of `owner`. */
    int first_c_owner; /* from here on it is an entry from C, without code */
    int last_owner;

    /* What has to be copied. */
    size_t tstate_begin; /* of a thread state, from here */
    size_t tstate_end;   /* to here */
    size_t frame_size;   /* of a frame */
} FrameLayout;

/* What was read of a frame. */
typedef struct {
    uintptr_t code;        /* the address of the code object */
    uintptr_t instruction; /* the address in it of the last instruction */
} RawFrame;

/* Where the frames of a thread were at the last walk. Most of them still are
   there, so all these ranges are copied at once, and then what is missing. */
#define MAX_PREDICTED (SAFE_COPY_RANGES / 2)

typedef struct {
    uintptr_t tstate;  /* the address of the thread state; 0 for none */
    uintptr_t current; /* where its innermost frame's address is; 0: unknown */
    int n;             /* how many ranges there are */
    size_t size;       /* the sum of their sizes */
    struct iovec ranges[MAX_PREDICTED];
} Prediction;

/* For this many threads that take turns. */
#define PREDICTED_THREADS 8

typedef struct {
    FrameLayout layout;
    Prediction predictions[PREDICTED_THREADS];
    int next_prediction; /* which one is overwritten next */

    /* The result of the last walk. */
    int n;
    int complete; /* whether the last frame is the outermost one */
    RawFrame frames[MAX_FRAMES]; /* the innermost first */
} FrameWalk;

typedef enum {
    WALK_DONE,
    WALK_TORN, /* the frames changed while they were read */
    WALK_GONE, /* the thread state is not the one with this id */
} WalkOutcome;

/* Walks the frames of the thread state at this address. */
WalkOutcome frame_walk(FrameWalk *walk, SafeCopy *copy, uintptr_t tstate,
                       uint64_t id);

#endif /* GILDEMO_FRAME_WALK_H */
