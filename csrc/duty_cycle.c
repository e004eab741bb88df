/* duty_cycle(): holds the GIL for a known part of the time.
 *
 * A sampling profiler says how much of the time it *saw* the GIL held. Whether
 * that is right can be told only against a load whose truth is known, so this
 * one reads the clock at its own boundaries: right after it has got the GIL,
 * and right before it gives it up.
 */

#include "module.h"

/* The longest time between two looks for a signal. */
#define LONGEST_SLICE_NS 20000000

/* sleep_until() stops sleeping this long before the end, and spins: Linux may
   wake a thread 50 us late (prctl(2), PR_SET_TIMERSLACK), and more when the
   machine is busy. */
#define SLEEP_MARGIN_NS 150000

static void
spin_until(int64_t deadline)
{
    while (monotonic_ns() < deadline) {
    }
}

static void
sleep_until(int64_t deadline)
{
    int64_t left = deadline - monotonic_ns() - SLEEP_MARGIN_NS;
    if (left > 0) {
        /* Slices are shorter than a second. A signal ends the sleep early,
           and the caller then looks at it and sleeps on. */
        struct timespec duration = {0, (long)left};
        if (nanosleep(&duration, NULL) < 0) {
            return;
        }
    }
    spin_until(deadline);
}

typedef struct {
    int64_t held_ns;
    int64_t released_ns;
    /* When the present part of the cycle began. */
    int64_t boundary;
} DutyCycle;

/* Both add to the sums, and move the boundary to the end of their part. They
   return 0, or -1 with an exception set, which is what a signal's handler
   raised. */

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
        /* Safe, because sleeping and reading the clock touch no object; worth
           it, because it is what was asked for. */
        Py_BEGIN_ALLOW_THREADS
        sleep_until(deadline);
        Py_END_ALLOW_THREADS
        const int64_t taken = monotonic_ns();
        const int64_t released = taken - cycle->boundary;
        cycle->released_ns += released;
        left -= released;

        /* Handlers run with the GIL: they add to the time that it is held,
           and take nothing off what was asked for. */
        interrupted = PyErr_CheckSignals();
        cycle->boundary = monotonic_ns();
        cycle->held_ns += cycle->boundary - taken;
    }
    return interrupted;
}

PyObject *
gildemo_duty_cycle(PyObject *Py_UNUSED(module), PyObject *const *args,
                   Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const parameters[] = {"held", "released", "cycles"};
    static const Signature signature = {"duty_cycle", parameters, 1, 3, 3};
    PyObject *bound[3];
    double held;
    double released = 0.0;
    int64_t cycles = 1;

    if (gildemo_bind(&signature, args, nargs, kwnames, bound) < 0
        || gildemo_as_seconds(bound[0], "held", &held) < 0) {
        return NULL;
    }
    if (bound[1] != NULL
        && gildemo_as_seconds(bound[1], "released", &released) < 0) {
        return NULL;
    }
    if (bound[2] != NULL
        && gildemo_as_int64(bound[2], "cycles", &cycles) < 0) {
        return NULL;
    }
    if (cycles < 0) {
        return PyErr_Format(PyExc_ValueError,
                            "cycles must be 0 or more, not %R", bound[2]);
    }

    const int64_t hold_ns = (int64_t)(held * 1e9);
    const int64_t release_ns = (int64_t)(released * 1e9);
    DutyCycle cycle = {.boundary = monotonic_ns()};

    for (int64_t i = 0; i < cycles; i++) {
        if (hold(&cycle, hold_ns) < 0 || release(&cycle, release_ns) < 0) {
            return NULL;
        }
    }
    return Py_BuildValue("dd", (double)cycle.held_ns * 1e-9,
                         (double)cycle.released_ns * 1e-9);
}
