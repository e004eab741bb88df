/* Looks at threads other than the holder of the GIL: whether they wait for it,
 * and how much CPU time they have used.
 */

#ifndef GILDEMO_THREAD_SCAN_H
#define GILDEMO_THREAD_SCAN_H

#include "gil_state.h"
#include "history.h"
#include "known_threads.h"

#include <stdint.h>

typedef struct {
    const GilState *gil;
    KnownThreads *known;
    History *history;
    int32_t last_scanned; /* an index in known->list */
} ThreadScan;

/* Whether scans can see who waits, which they try with the calling thread. */
int thread_scan_sees_waiting(const ThreadScan *scan);
/* Looks at some of the threads, in turn. */
void thread_scan(ThreadScan *scan);
/* The newest sample has another holder: `last_holder` held the GIL before, for
   `last_hold` ns. */
void thread_scan_note_handoff(ThreadScan *scan, int32_t last_holder,
                              int64_t last_hold);

#endif /* GILDEMO_THREAD_SCAN_H */
