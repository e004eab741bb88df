/* Samples one GIL from native threads, and keeps what the samples show.
 *
 * The native threads have no thread state and touch no Python object.
 */

#ifndef GILDEMO_SAMPLER_H
#define GILDEMO_SAMPLER_H

#include "gil_state.h"
#include "history.h"
#include "sampling_plan.h"

#include <stdint.h>

typedef struct Sampler Sampler;

/* The calling thread must be attached. Returns NULL with errno set if there is
   no memory, or no native thread can be started. */
Sampler *sampler_start(const GilState *gil, Intervals intervals);
/* Takes no more samples. Returns at once. */
void sampler_halt(Sampler *sampler);
/* Then waits for the native threads to end, for about 20 ms. They never take
   the GIL, so the caller may hold it. */
void sampler_join(Sampler *sampler);
/* Copies what was seen so far; history_free() frees the copy. Returns 0, or -1
   if there is no memory. */
int sampler_copy_history(Sampler *sampler, History *copy);
/* Returns for how long a thread has held the GIL so far, in ns, and stores the
   sums of which that is a part. */
int64_t sampler_held_by(Sampler *sampler, unsigned long native_id, Sums *sums);
/* Frees a sampler whose threads have been joined. */
void sampler_free(Sampler *sampler);
/* Frees one that was started before a fork(), in the child. */
void sampler_free_in_child(Sampler *sampler);

#endif /* GILDEMO_SAMPLER_H */
