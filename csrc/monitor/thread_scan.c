/* See thread_scan.h. */

#include <Python.h>

#include "thread_scan.h"

#include "os_thread.h"

/* To see whether a thread waits takes some microseconds. */
#define MAX_THREADS_PER_SCAN 32

/* Less than sys.getswitchinterval(), which is 5 ms by default. */
#define LONG_HOLD_NS 2000000

/* take_gil() in CPython sleeps in a condition variable inside the GIL. */
static int
waits_for_gil(const ThreadScan *scan, unsigned long native_id)
{
    return os_thread_sleeps_in(native_id, scan->gil->begin, scan->gil->end);
}

int
thread_scan_sees_waiting(const ThreadScan *scan)
{
    return waits_for_gil(scan, PyThread_get_thread_native_id()) >= 0;
}

static int
is_waiting(const ThreadScan *scan, int32_t index, unsigned long native_id)
{
    if (scan->history->holder == NOBODY) {
        return 0; /* There is nothing to wait for. */
    }
    /* A waiting thread wakes up every 5 ms to request the GIL. That looks as
       if it were not waiting, but the GIL has not changed hands. */
    return history_must_still_wait(scan->history, index)
           || waits_for_gil(scan, native_id) > 0;
}

static void
sample_thread(ThreadScan *scan, int32_t index, unsigned long native_id)
{
    history_add_thread_sample(
        scan->history, index,
        (ThreadSample){
            .waiting = is_waiting(scan, index, native_id),
            .cpu = os_thread_cpu_time(native_id),
        });
}

void
thread_scan(ThreadScan *scan)
{
    known_threads_refresh(scan->known, scan->gil, scan->history, 0);
    const ThreadList *list = &scan->known->list;
    history_add_scan(scan->history, list->indexes, list->n);

    const int32_t n = Py_MIN(list->n, MAX_THREADS_PER_SCAN);
    for (int32_t i = 0; i < n; i++) {
        const int32_t next = (scan->last_scanned + 1) % list->n;
        scan->last_scanned = next;
        if (list->indexes[next] != OTHER_THREADS) {
            sample_thread(scan, list->indexes[next],
                          list->states[next].native_id);
        }
    }
}

/* The new holder does not wait any more. If the last one had held the GIL for
   long, it was most likely forced to release it, and waits to get it back:
   that is checked now, and not only by a later scan. */
void
thread_scan_note_handoff(ThreadScan *scan, int32_t last_holder,
                         int64_t last_hold)
{
    History *history = scan->history;
    const int32_t holder = history->holder;
    if (holder == last_holder || holder == NOBODY || holder == OTHER_THREADS) {
        return;
    }
    history_set_waiting(history, holder, 0);
    if (last_holder != NOBODY && last_holder != OTHER_THREADS
        && last_hold > LONG_HOLD_NS) {
        const unsigned long id = history->threads[last_holder].native_id;
        history_set_waiting(history, last_holder, waits_for_gil(scan, id) > 0);
    }
}
