/* What is done with a sample of the GIL: finds its holder and its weight, and
 * adds it to the history and the profile. Some samples come with a scan of the
 * threads.
 *
 * No lock: sampler.c has it. No Python object.
 */

#ifndef GILDEMO_RECORDER_H
#define GILDEMO_RECORDER_H

#include "gil_state.h"
#include "history.h"
#include "known_threads.h"
#include "safe_copy.h"
#include "sampling_plan.h"
#include "sites.h"
#include "thread_scan.h"

#include <stdint.h>

typedef struct {
    GilState gil;
    SamplingPlan plan;
    History history;
    KnownThreads known;
    Sites *sites;                     /* NULL if stacks are not wanted */
    ThreadScan scan;                  /* uses the three above */
    int32_t new_indexes[MAX_THREADS]; /* scratch */
} Recorder;

/* Must be called attached. Begins with the threads that are there now. Returns
   0, or -1 if there is no memory, with nothing to be freed. */
int recorder_init(Recorder *recorder, const GilState *gil, Intervals intervals,
                  int with_sites);
/* Releases what is needed to read stacks; the sums and the profile stay. Must
   be called once, attached. */
void recorder_close_sites(Recorder *recorder);
void recorder_free(Recorder *recorder);

/* Whether samples are to be added with means to copy memory. */
int recorder_reads_stacks(const Recorder *recorder);
/* Adds a sample that was taken at `now`, later than all others. `copy` was
   opened by the calling thread, or is NULL. */
void recorder_add_sample(Recorder *recorder, const GilSample *seen,
                         int64_t now, SafeCopy *copy);

#endif /* GILDEMO_RECORDER_H */
