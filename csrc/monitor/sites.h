/* Where the GIL is held: reads the holder's stack at some of the samples, and
 * adds it to a profile together with the number of threads that wait.
 *
 * No lock.
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
    const void *tstate; /* the address of its thread state */
    uint64_t id;        /* of the thread state; 0 if unknown */
    int64_t weight;     /* ns of time that the sample stands for */
    int64_t held_since; /* when this hold began; ns */
    int waiters;        /* how many threads wait now; -1 if unknown */
} HeldSample;

typedef struct {
    const char *unavailable; /* why no stack can be read, or NULL */
    int waiters_known;       /* 0 if samples do not say how many wait */
    int64_t stacks;          /* how many stacks were to be read */
    int64_t torn;            /* how many changed each time they were read */
} SitesSums;

typedef struct {
    SitesSums sums;
    Profile profile;
    Frames frames;
    FrameStack stack;   /* scratch */
    int64_t held_since; /* of the newest sample */
    int waiters;        /* how many threads wait in its hold */
} Sites;

/* Must be called attached. If stacks can't be read, sums.unavailable is set.
   Returns 0, or -1 if there is no memory, with nothing to be freed. */
int sites_open(Sites *sites, int waiters_known, uint64_t seed);
/* Releases what is needed to read stacks; the sums and the profile stay. Must
   be called once, attached, in the same interpreter. */
void sites_close(Sites *sites);
void sites_free(Sites *sites);

/* `copy` was opened by the calling thread, or is NULL. Returns the node of the
   holder's stack, or NO_NODE if that was not read. */
int32_t sites_add_sample(Sites *sites, SafeCopy *copy,
                         const HeldSample *sample);
/* Returns 1 if a thread that sleeps has no work: its innermost frame is in
   threading, queue, concurrent.futures or multiprocessing. Returns 0 if it is
   elsewhere, and -1 if that is unknown. */
int sites_is_idle(Sites *sites, SafeCopy *copy, const void *tstate,
                  uint64_t id);

#endif /* GILDEMO_SITES_H */
