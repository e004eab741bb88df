/* Native threads that sample one GIL, and the sums and segments they keep.
 *
 * They have no thread state and touch no Python object: monitor.c turns a copy
 * of what they keep into objects.
 */

#ifndef GILDEMO_WATCH_H
#define GILDEMO_WATCH_H

#include "gil_state.h"
#include "sampling_plan.h"
#include "history.h"

#include <stdint.h>

typedef struct Watch Watch;

/* Watches the GIL of `gil`. Call it attached. Returns NULL if there is no
   memory or no native thread for it; errno says which. */
Watch *watch_start(const GilState *gil, Intervals intervals);
/* Take no more samples; then wait for the native threads, as lookouts.h says.
 */
void watch_halt(Watch *watch);
void watch_join(Watch *watch);
/* Fills in a copy of what was seen so far, to be freed by tables_free().
   Returns 0, or -1 if there is no memory. */
int watch_copy(Watch *watch, WatchTables *copy);
/* Returns for how long a thread held the GIL so far, in ns of sums->watched.
 */
int64_t watch_held_by(Watch *watch, unsigned long native_id, WatchSums *sums);
/* Frees what watch_start() returned, once it is stopped, or in the child of a
   fork(), where its native threads do not exist. */
void watch_free(Watch *watch);

#endif /* GILDEMO_WATCH_H */
