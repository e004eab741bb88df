/* Samples one GIL from native threads, and keeps what the samples show. This
 * owns the lock that protects the sums.
 *
 * The native threads have no thread state and touch no Python object.
 */

#ifndef GILDEMO_SAMPLER_H
#define GILDEMO_SAMPLER_H

#include "gil_state.h"
#include "history.h"
#include "profile.h"
#include "sampling_plan.h"
#include "sites.h"

#include <stdint.h>

typedef struct Sampler Sampler;

/* Must be called attached. Returns NULL with errno set if there is no memory,
   or no native thread can be started. */
Sampler *sampler_start(const GilState *gil, Intervals intervals,
                       int with_sites);
/* Takes no more samples. Returns at once. */
void sampler_halt(Sampler *sampler);
/* Then waits for the native threads to end, for about 20 ms. They never take
   the GIL, so the caller may hold it. */
void sampler_join(Sampler *sampler);
/* Then, once, releases what was used to read stacks. Must be called attached.
 */
void sampler_close_sites(Sampler *sampler);

/* What was seen so far. */
typedef struct {
    History history;
    int has_sites; /* 0 if the rest is not set */
    SitesSums sites;
    Profile profile;
} SamplerCopy;

/* Returns 0, or -1 if there is no memory, with nothing to be freed. */
int sampler_copy(Sampler *sampler, SamplerCopy *copy);
void sampler_copy_free(SamplerCopy *copy);
/* Returns for how long a thread has held the GIL so far, in ns, and stores the
   sums of which that is a part. */
int64_t sampler_held_by(Sampler *sampler, unsigned long native_id, Sums *sums);
/* Frees a sampler whose threads have been joined and whose sites are closed.
 */
void sampler_free(Sampler *sampler);
/* Frees one that was started before a fork(), in the child. */
void sampler_free_in_child(Sampler *sampler);

#endif /* GILDEMO_SAMPLER_H */
