/* A native thread that samples one GIL, and the sums and segments it keeps.
 *
 * It has no thread state and touches no Python object: monitor.c turns a copy
 * of what it keeps into objects.
 */

#ifndef GILDEMO_WATCH_H
#define GILDEMO_WATCH_H

#include "gil_state.h"
#include "tables.h"

#include <stdint.h>

typedef struct Watch Watch;

/* There is one sample in each slice of time. The slices get shorter while the
   GIL's holder is often found to be another one, and longer while it stays. */
typedef struct {
    double shortest; /* ns */
    double longest;
} SliceLengths;

/* Watches the GIL of `gil`. Call it attached. Returns NULL if there is no
   memory or no native thread for it; errno says which. */
Watch *watch_start(const GilState *gil, SliceLengths lengths);
/* Ends the native thread and waits for that, for at most LONGEST_SLEEP_NS. It
   never waits for the GIL, so the caller may hold it or not. */
void watch_stop(Watch *watch);
/* Fills in a copy of what was seen so far, to be freed by tables_free().
   Returns 0, or -1 if there is no memory. */
int watch_copy(Watch *watch, WatchTables *copy);
/* Between the two the native thread holds none of CPython's locks, so that the
   child of a fork() does not find one locked for ever. */
void watch_pause(Watch *watch);
void watch_resume(Watch *watch);
/* Returns for how long a thread held the GIL so far, in ns of sums->watched.
 */
int64_t watch_held_by(Watch *watch, unsigned long native_id, WatchSums *sums);
/* Frees what watch_start() returned, once it is stopped, or in the child of a
   fork(), where its native thread does not exist. */
void watch_free(Watch *watch);

#endif /* GILDEMO_WATCH_H */
