/* Which Python code a thread executes, read by a thread that is not attached,
 * while it goes on executing.
 *
 * All is copied in a way that can't fault (safe_copy.h), and may change while
 * it is. What does not fit together is read again.
 */

#ifndef GILDEMO_FRAMES_H
#define GILDEMO_FRAMES_H

#include "code_cache.h"
#include "code_table.h"
#include "frame_walk.h"
#include "safe_copy.h"

#include <stdint.h>

/* The innermost first. */
typedef struct {
    int n;
    int complete; /* the last one is the outermost frame */
    Frame frames[MOST_FRAMES];
} FrameStack;

typedef enum {
    FRAMES_READ,
    FRAMES_TORN, /* they changed each time that they were read */
    FRAMES_GONE, /* that thread state is no longer there */
} FramesOutcome;

typedef struct {
    FrameWalk walk;
    CodeCache codes;
} Frames;

/* Call it attached. Frames are those of threads of this interpreter; their
   code is added to `table`. Returns NULL, or why none can be read, which it
   tries with those of the caller. */
const char *frames_open(Frames *frames, CodeTable *table);
/* Call it attached. */
void frames_close(Frames *frames);
/* Reads the frames of a thread state, if it still is the one with this id. One
   thread at a time may do so, with a copy that it opened. */
FramesOutcome frames_read(Frames *frames, SafeCopy *copy, const void *tstate,
                          uint64_t id, FrameStack *stack);

#endif /* GILDEMO_FRAMES_H */
