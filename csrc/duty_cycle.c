/* duty_cycle(): holds the GIL for a known part of the time.
 *
 * A sampling profiler says how much of the time it *saw* the GIL held. Whether
 * that is right can be told only against a load whose truth is known, so this
 * one reads the clock at its own boundaries: right after it has got the GIL,
 * and right before it gives it up.
 */

#include "gildemo.h"

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

/* Both take the time from *boundary to the end of their part of the cycle, and
   move *boundary there. They return 0, or -1 with an exception set, which is
   what a signal's handler raised. */

static int
hold(int64_t *boundary, int64_t duration)
{
    const int64_t end = *boundary + duration;
    int interrupted;
    do {
        spin_until(Py_MIN(end, *boundary + LONGEST_SLICE_NS));
        interrupted = PyErr_CheckSignals();
        *boundary = monotonic_ns();
    } while (!interrupted && *boundary < end);
    return interrupted;
}

static int
release(int64_t *boundary, int64_t duration)
{
    const int64_t end = *boundary + duration;
    int interrupted = 0;
    while (!interrupted && *boundary < end) {
        const int64_t deadline = Py_MIN(end, *boundary + LONGEST_SLICE_NS);
        /* Safe, because sleeping and reading the clock touch no object; worth
           it, because it is what was asked for. */
        Py_BEGIN_ALLOW_THREADS
        sleep_until(deadline);
        Py_END_ALLOW_THREADS
        *boundary = monotonic_ns();
        interrupted = PyErr_CheckSignals();
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
    int64_t held_ns = 0;
    int64_t released_ns = 0;
    int64_t boundary = monotonic_ns();

    for (int64_t i = 0; i < cycles; i++) {
        const int64_t begin = boundary;
        if (hold(&boundary, hold_ns) < 0) {
            return NULL;
        }
        const int64_t middle = boundary;
        if (release(&boundary, release_ns) < 0) {
            return NULL;
        }
        held_ns += middle - begin;
        released_ns += boundary - middle;
    }
    return Py_BuildValue("dd", (double)held_ns * 1e-9,
                         (double)released_ns * 1e-9);
}
