/* spin(): a loop that computes while it holds the GIL, or without it. */

#include "module.h"

/* How many steps are computed between two checks for signals. A step is six
   dependent operations, so a chunk takes about 50 million cycles: 17 ms at
   3 GHz, and 50 ms, which is as long as Ctrl-C should take, at 1 GHz. The
   50 ns in which a thread detaches and attaches again are negligible. */
#define STEPS_PER_CHUNK ((uint64_t)1 << 23)

/* Any number but 0, from which xorshift makes 0 again. */
#define SEED UINT64_C(88172645463325252)

/* The kernel: Marsaglia's xorshift64 ("Xorshift RNGs", 2003). Each step needs
   the result of the one before, and the caller gets the last state, so a
   compiler can neither vectorise the loop nor drop it. */
static uint64_t
xorshift64(uint64_t state, uint64_t steps)
{
    while (steps-- > 0) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    return state;
}

static uint64_t
spin_holding(uint64_t state, uint64_t steps)
{
    state = xorshift64(state, steps);
    return state;
}

static uint64_t
spin_releasing(uint64_t state, uint64_t steps)
{
    /* Safe, because the kernel uses only two C integers; worth it, because a
       chunk takes milliseconds, in which other threads can run. */
    Py_BEGIN_ALLOW_THREADS
    state = xorshift64(state, steps);
    Py_END_ALLOW_THREADS
    return state;
}

PyObject *
gildemo_spin(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"iterations", "release_gil", NULL};
    UInt64Argument iterations = {"iterations", 100000000};
    int release_gil = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O&$p:spin", keywords,
                                     convert_uint64, &iterations,
                                     &release_gil)) {
        return NULL;
    }

    uint64_t state = SEED;
    uint64_t left = iterations.value;
    do {
        const uint64_t steps = Py_MIN(left, STEPS_PER_CHUNK);
        state = release_gil ? spin_releasing(state, steps)
                            : spin_holding(state, steps);
        left -= steps;
        /* May run signal handlers, which are Python code, so this needs the
           GIL in both variants. */
        if (PyErr_CheckSignals() < 0) {
            return NULL;
        }
    } while (left > 0);

    return PyLong_FromUnsignedLongLong(state);
}
