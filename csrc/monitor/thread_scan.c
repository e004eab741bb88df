/* See thread_scan.h. */

#include "../clock.h" /* first, because it includes Python.h */

#include "thread_scan.h"

#include "os_thread.h"

/* To see what one thread does takes some microseconds. */
#define MAX_THREADS_PER_SCAN 32

/* take_gil() in CPython sleeps in a condition variable inside the GIL. glibc
   has the futex in the condition variable; other C libraries have it on the
   stack, so there it can't be recognised. */
static int
sleeps_for_gil(const GilState *gil, const OsThreadState *state)
{
    return state->futex >= gil->begin && state->futex < gil->end;
}

int
thread_scan_sees_waiting(void)
{
#ifdef __GLIBC__
    const unsigned long self = PyThread_get_thread_native_id();
    return os_thread_state(self).activity != OS_THREAD_UNKNOWN;
#else
    return 0;
#endif
}

int
thread_scan_sleeps_for_gil(const ThreadScan *scan, unsigned long native_id)
{
    const OsThreadState state = os_thread_state(native_id);
    return sleeps_for_gil(scan->gil, &state);
}

static int
is_waiting(const ThreadScan *scan, int32_t index, const OsThreadState *state)
{
    if (scan->history->holder == NOBODY) {
        return 0; /* There is nothing to wait for. */
    }
    /* A waiting thread wakes up every 5 ms to request the GIL. That looks as
       if it were not waiting, but the GIL has not changed hands. */
    return history_must_still_wait(scan->history, index)
           || sleeps_for_gil(scan->gil, state);
}

/* The state of a thread that sleeps in a futex, but not for the GIL. Only its
   stack shows whether it has work. */
static RunState
state_in_futex(ThreadScan *scan, const ThreadState *thread, SafeCopy *copy)
{
    if (!scan->history->sums.waiting_known || scan->sites == NULL) {
        return NOT_OBSERVED;
    }
    switch (sites_is_idle(scan->sites, copy, thread->address, thread->id)) {
    case 0:
        return LOCKED;
    case 1:
        return IDLE;
    default:
        return NOT_OBSERVED;
    }
}

static RunState
run_state(ThreadScan *scan, int32_t index, const ThreadState *thread,
          const OsThreadState *state, SafeCopy *copy)
{
    if (index == scan->history->holder) {
        return HOLDS;
    }
    if (is_waiting(scan, index, state)) {
        return WAITS;
    }
    switch (state->activity) {
    case OS_THREAD_RUNS:
        return COMPUTES;
    case OS_THREAD_SLEEPS:
        return state->futex != 0 ? state_in_futex(scan, thread, copy)
                                 : IN_SYSTEM_CALL;
    case OS_THREAD_UNKNOWN:
        break;
    }
    return NOT_OBSERVED;
}

static void
sample_thread(ThreadScan *scan, int32_t index, const ThreadState *thread,
              SafeCopy *copy)
{
    const OsThreadState state = os_thread_state(thread->native_id);
    const ThreadSample sample = {
        .state = run_state(scan, index, thread, &state, copy),
        .system_call = state.system_call,
        .cpu = os_thread_cpu_time(thread->native_id),
    };
    history_add_thread_sample(scan->history, index, sample);
}

void
thread_scan_run(ThreadScan *scan, SafeCopy *copy)
{
    known_threads_refresh(scan->known, scan->gil, scan->history, 0);
    const ThreadList *list = &scan->known->list;

    const int32_t n = Py_MIN(list->n, MAX_THREADS_PER_SCAN);
    for (int32_t i = 0; i < n; i++) {
        const int32_t next = (scan->last_scanned + 1) % list->n;
        scan->last_scanned = next;
        if (list->indexes[next] != OTHER_THREADS) {
            sample_thread(scan, list->indexes[next], &list->states[next],
                          copy);
        }
    }
}
