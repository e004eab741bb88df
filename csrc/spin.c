/* spin(): a loop that only computes, holding the GIL or having released it. */

#include "module.h"

/* How many steps are taken between two looks for a signal. A step is a chain
   of six dependent operations, so a chunk is about 50 million cycles: 17 ms at
   3 GHz, and 50 ms, the longest that Ctrl-C should have to wait, at 1 GHz.
   Against that, the 50 ns in which a thread state is detached and attached
   again are nothing. */
#define STEPS_PER_CHUNK ((uint64_t)1 << 23)

/* Any number but 0, of which xorshift makes 0 again. */
#define SEED UINT64_C(88172645463325252)

/* The kernel: Marsaglia's xorshift64 ("Xorshift RNGs", 2003). Each step needs
   the result of the one before, so the loop can be neither vectorised nor
   skipped, and the caller gets the last state, so it can't be left out. */
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
    /* Safe, because the kernel touches nothing but two C integers; worth it,
       because a chunk takes milliseconds in which others can run. */
    Py_BEGIN_ALLOW_THREADS
    state = xorshift64(state, steps);
    Py_END_ALLOW_THREADS
    return state;
}

PyObject *
gildemo_spin(PyObject *Py_UNUSED(module), PyObject *const *args,
             Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const parameters[] = {"iterations", "release_gil"};
    static const Signature signature = {"spin", parameters, 0, 1, 2};
    PyObject *bound[2];
    uint64_t iterations = 100000000;
    int release_gil = 1;

    if (gildemo_bind(&signature, args, nargs, kwnames, bound) < 0) {
        return NULL;
    }
    if (bound[0] != NULL
        && gildemo_as_uint64(bound[0], "iterations", &iterations) < 0) {
        return NULL;
    }
    if (bound[1] != NULL && gildemo_as_bool(bound[1], &release_gil) < 0) {
        return NULL;
    }

    uint64_t state = SEED;
    do {
        uint64_t steps = Py_MIN(iterations, STEPS_PER_CHUNK);
        state = release_gil ? spin_releasing(state, steps)
                            : spin_holding(state, steps);
        iterations -= steps;
        /* Handlers are Python code, so this needs the GIL in both variants. */
        if (PyErr_CheckSignals() < 0) {
            return NULL;
        }
    } while (iterations > 0);

    return PyLong_FromUnsignedLongLong(state);
}
