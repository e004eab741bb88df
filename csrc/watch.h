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

/* Watches the GIL of `gil`, with a sample every `interval` ns on average. Call
   it attached. Returns NULL if there is no memory or no native thread for it;
   errno says which. */
Watch *watch_start(const GilState *gil, double interval);
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
/* Counts the samples so far, and those that found a thread holding the GIL. */
void watch_count(Watch *watch, unsigned long native_id, int64_t *samples,
                 int64_t *held);
/* Frees what watch_start() returned, once it is stopped, or in the child of a
   fork(), where its native thread does not exist. */
void watch_free(Watch *watch);

#endif /* GILDEMO_WATCH_H */
