/* Where the GIL is held: at some of the samples, the holder's stack is read,
 * and added to a profile together with the number of threads that wait.
 */

#ifndef GILDEMO_SITES_H
#define GILDEMO_SITES_H

#include "frames.h"
#include "profile.h"
#include "safe_copy.h"

#include <stdint.h>

/* A sample with a holder. */
typedef struct {
    int32_t thread;     /* an index in History.threads */
    const void *tstate; /* its thread state, */
    uint64_t id;        /* and the id of that; 0 if it is unknown */
    int64_t weight;     /* ns of time that the sample stands for */
    int64_t held_since; /* tells one hold from another */
    int waiters;        /* how many threads wait now; -1 if unknown */
} HeldSample;

typedef struct {
    const char *unavailable; /* why no stack can be read, or NULL */
    int waiters_known;
    int64_t stacks; /* how many were to be read */
    int64_t torn;   /* how many of them changed each time */
} SitesSums;

typedef struct {
    SitesSums sums;
    Profile profile;
    Frames frames;
    FrameStack stack;   /* scratch */
    int64_t held_since; /* of the newest sample, */
    int waiters;        /* and how many wait in this hold */
} Sites;

/* Call it attached. Without a way to read stacks, sums.unavailable says why.
   Returns 0, or -1 if there is no memory, with nothing to be freed. */
int sites_open(Sites *sites, int waiters_known, uint64_t seed);
/* Reads no more stacks. Call it attached, once. */
void sites_close(Sites *sites);
void sites_free(Sites *sites);

/* With the copy of the calling thread, or NULL if it has none. Returns the
   node of the holder's stack, or NO_NODE if the stack was not read. */
int32_t sites_add_sample(Sites *sites, SafeCopy *copy,
                         const HeldSample *sample);
/* Whether a thread that sleeps has nothing to do: its innermost frame is in
   threading, queue, concurrent.futures or multiprocessing. Returns -1 if that
   is unknown. */
int sites_is_idle(Sites *sites, SafeCopy *copy, const void *tstate,
                  uint64_t id);

#endif /* GILDEMO_SITES_H */
