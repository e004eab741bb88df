/* duty_cycle(): holds the GIL for a known part of the time.
 *
 * A sampling profiler reports for how much of the time it *saw* the GIL held.
 * Whether that is right can only be checked with a load whose true value is
 * known. So this one reads the clock right after it has taken the GIL, and
 * right before it releases it.
 */

#include "module.h"

#include "clock.h"

#include <limits.h>

/* The longest time between two checks for signals. */
#define LONGEST_SLICE_NS 20000000

/* sleep_until() stops sleeping this long before its deadline, and spins for
   the rest: Linux may wake a thread 50 us late (prctl(2), PR_SET_TIMERSLACK),
   and even later on a busy machine. */
#define SLEEP_MARGIN_NS 150000

typedef struct {
    int64_t held_ns;
    int64_t released_ns;
    int64_t boundary; /* when the current part of the cycle began */
} DutyCycle;

static void
spin_until(int64_t deadline)
{
    while (monotonic_ns() < deadline) {
    }
}

static void
sleep_until(int64_t deadline)
{
    const int64_t left = deadline - monotonic_ns() - SLEEP_MARGIN_NS;
    if (left > 0) {
        /* A slice is shorter than a second. */
        const struct timespec duration = {0, (long)left};
        if (nanosleep(&duration, NULL) < 0) {
            return; /* A signal: the caller checks it, and sleeps on. */
        }
    }
    spin_until(deadline);
}

/* hold() and release() add to the sums, and set the boundary to the end of
   their part. They return 0, or -1 if a signal handler has raised. */

static int
hold(DutyCycle *cycle, int64_t duration)
{
    const int64_t begin = cycle->boundary;
    const int64_t end = begin + duration;
    int interrupted;
    do {
        spin_until(Py_MIN(end, cycle->boundary + LONGEST_SLICE_NS));
        interrupted = PyErr_CheckSignals();
        cycle->boundary = monotonic_ns();
    } while (!interrupted && cycle->boundary < end);
    cycle->held_ns += cycle->boundary - begin;
    return interrupted;
}

static int
release(DutyCycle *cycle, int64_t duration)
{
    int64_t left = duration;
    int interrupted = 0;
    while (!interrupted && left > 0) {
        const int64_t deadline =
            cycle->boundary + Py_MIN(left, LONGEST_SLICE_NS);
        /* Safe, because sleeping and reading the clock use no Python object;
           worth it, because other threads are meant to run now. */
        Py_BEGIN_ALLOW_THREADS
        sleep_until(deadline);
        Py_END_ALLOW_THREADS
        const int64_t taken = monotonic_ns();
        const int64_t released = taken - cycle->boundary;
        cycle->released_ns += released;
        left -= released;

        /* Signal handlers run with the GIL. Their time counts as held, and
           does not shorten the released part. */
        interrupted = PyErr_CheckSignals();
        cycle->boundary = monotonic_ns();
        cycle->held_ns += cycle->boundary - taken;
    }
    return interrupted;
}

static int64_t
nanoseconds(SecondsArgument seconds)
{
    return (int64_t)(seconds.value * 1e9);
}

PyObject *
gildemo_duty_cycle(PyObject *Py_UNUSED(module), PyObject *args,
                   PyObject *kwargs)
{
    static char *keywords[] = {"held", "released", "cycles", NULL};
    SecondsArgument held = {"held", 0.0, 1e9, "from 0 to 1e9", 0.0};
    SecondsArgument released = {"released", 0.0, 1e9, "from 0 to 1e9", 0.0};
    IntArgument cycles = {"cycles", LLONG_MIN, LLONG_MAX, 1};
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "O&|O&O&:duty_cycle", keywords, convert_seconds,
            &held, convert_seconds, &released, convert_int, &cycles)) {
        return NULL;
    }
    if (cycles.value < 0) {
        return PyErr_Format(PyExc_ValueError,
                            "cycles must be 0 or more, not %lld",
                            cycles.value);
    }

    DutyCycle cycle = {.boundary = monotonic_ns()};
    for (long long i = 0; i < cycles.value; i++) {
        if (hold(&cycle, nanoseconds(held)) < 0
            || release(&cycle, nanoseconds(released)) < 0) {
            return NULL;
        }
    }
    return Py_BuildValue("dd", (double)cycle.held_ns * 1e-9,
                         (double)cycle.released_ns * 1e-9);
}
