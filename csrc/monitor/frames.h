/* The Python frames of a thread, read by another thread that is not attached,
 * while the first one continues to run.
 *
 * What changes while it is read does not fit together, and is read again.
 *
 * Only frames.c and gil_state.c define Py_BUILD_CORE_MODULE and include
 * internal headers of CPython.
 */

#ifndef GILDEMO_FRAMES_H
#define GILDEMO_FRAMES_H

#include "code_cache.h"
#include "code_table.h"
#include "frame_walk.h"
#include "safe_copy.h"

#include <stdint.h>

typedef struct {
    int n;
    int complete;             /* whether the last frame is the outermost one */
    Frame frames[MAX_FRAMES]; /* the innermost first */
} FrameStack;

typedef enum {
    FRAMES_READ,
    FRAMES_TORN, /* they changed each time that they were read */
    FRAMES_GONE, /* the thread state is not the one with this id */
} FramesOutcome;

typedef struct {
    FrameWalk walk;
    CodeCache codes;
} Frames;

/* Must be called attached. Prepares to read frames of threads of this
   interpreter, and adds their code to `table`. Returns NULL, or the reason why
   they can't be read: it reads the frames of the caller as a test. */
const char *frames_open(Frames *frames, CodeTable *table);
/* Must be called attached, in the same interpreter. */
void frames_close(Frames *frames);
/* Reads the frames of the thread state at this address, if it still has this
   id. Must be called by one thread at a time, with a SafeCopy that the calling
   thread has opened. */
FramesOutcome frames_read(Frames *frames, SafeCopy *copy, const void *tstate,
                          uint64_t id, FrameStack *stack);

#endif /* GILDEMO_FRAMES_H */
