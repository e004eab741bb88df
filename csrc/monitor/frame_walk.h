/* Follows the frames of a thread state through memory that may change and
 * vanish meanwhile.
 *
 * No Python object and no lock is touched here.
 */

#ifndef GILDEMO_FRAME_WALK_H
#define GILDEMO_FRAME_WALK_H

#include "safe_copy.h"

#include <stddef.h>
#include <stdint.h>

/* Of a deeper stack, these are found from the innermost on. */
#define MOST_FRAMES 1024

/* Where a thread state and a frame have what, as offsets. */
typedef struct {
    size_t current;   /* the pointer to the innermost frame; or, */
    int indirect;     /* before 3.13, to a _PyCFrame that has it */
    size_t in_cframe; /* here */
    size_t chunk;     /* of the stack that the frames of functions are in */
    size_t id;
    size_t previous;
    size_t code;
    size_t instruction;
    size_t owner;
    int first_c_owner; /* owners from this on are entries from C */
    int last_owner;
    /* What has to be copied, of a thread state and of a frame. */
    size_t tstate_begin;
    size_t tstate_end;
    size_t frame_size;
} FrameLayout;

/* A frame as it is in memory. */
typedef struct {
    uintptr_t code;
    uintptr_t instruction;
} RawFrame;

/* Where a thread's frames were the last time. Most still are, so all that is
   there is copied at once, and then only what is missing. */
#define MOST_PREDICTED (SAFE_COPY_RANGES / 2)

typedef struct {
    uintptr_t tstate;  /* 0: of no thread */
    uintptr_t current; /* where the pointer to the innermost frame is, or 0 */
    int n;
    size_t size;
    struct iovec ranges[MOST_PREDICTED];
} Prediction;

/* For so many threads that take turns. */
#define PREDICTED_THREADS 8

typedef struct {
    FrameLayout layout;
    Prediction predictions[PREDICTED_THREADS];
    int next_prediction;
    int n;
    int complete;                 /* the last one is the outermost frame */
    RawFrame frames[MOST_FRAMES]; /* the innermost first */
} FrameWalk;

typedef enum {
    WALK_DONE,
    WALK_TORN, /* the frames changed meanwhile */
    WALK_GONE, /* the thread state is not the one with this id */
} WalkOutcome;

/* Fills in the frames of a thread state. */
WalkOutcome frame_walk(FrameWalk *walk, SafeCopy *copy, uintptr_t tstate,
                       uint64_t id);

#endif /* GILDEMO_FRAME_WALK_H */
