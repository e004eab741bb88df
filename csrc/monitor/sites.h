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
    int wanted; /* otherwise all functions do nothing */
    SitesSums sums;
    Profile profile;
    Frames frames;
    FrameStack stack;   /* scratch */
    int64_t held_since; /* of the newest sample, */
    int waiters;        /* and how many wait in this hold */
} Sites;

/* Call it attached. Without a way to read stacks, sums.unavailable says why.
   Returns 0, or -1 if there is no memory, with nothing to be freed. */
int sites_open(Sites *sites, int wanted, int waiters_known, uint64_t seed);
/* Reads no more stacks. Call it attached, once. */
void sites_close(Sites *sites);
void sites_free(Sites *sites);

/* Whether there is something to be read from memory that may be gone. */
int sites_read_stacks(const Sites *sites);
/* With the means of the calling thread, or NULL if it has none. */
void sites_add_sample(Sites *sites, SafeCopy *copy, const HeldSample *sample);
/* Thread i has become new_indexes[i]. */
void sites_renumber(Sites *sites, const int32_t *new_indexes);

typedef struct {
    int wanted; /* otherwise the rest is not set */
    SitesSums sums;
    Profile profile;
} SitesCopy;

/* Returns 0, or -1 if there is no memory, with nothing to be freed. */
int sites_copy(const Sites *sites, SitesCopy *copy);
void sites_copy_free(SitesCopy *copy);

#endif /* GILDEMO_SITES_H */
