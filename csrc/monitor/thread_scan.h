/* What all threads do: a scan looks at some of them, in turn, and adds what
 * each one does to the history.
 *
 * No lock and no Python object.
 */

#ifndef GILDEMO_THREAD_SCAN_H
#define GILDEMO_THREAD_SCAN_H

#include "gil_state.h"
#include "history.h"
#include "known_threads.h"
#include "safe_copy.h"
#include "sites.h"

#include <stdint.h>

typedef struct {
    const GilState *gil;
    KnownThreads *known;
    History *history;
    Sites *sites;         /* NULL if stacks are not wanted */
    int32_t last_scanned; /* an index in known->list */
} ThreadScan;

/* Whether a scan can see which threads wait for the GIL. */
int thread_scan_sees_waiting(void);
/* Scans the next threads. `copy` was opened by the calling thread, or is NULL.
 */
void thread_scan_run(ThreadScan *scan, SafeCopy *copy);
/* Whether the thread sleeps until it gets the GIL. */
int thread_scan_sleeps_for_gil(const ThreadScan *scan,
                               unsigned long native_id);

#endif /* GILDEMO_THREAD_SCAN_H */
