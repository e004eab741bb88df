/* gildemo._core: what Python sees.
 *
 * The lesson is in spin.c and waitpid.c: each has one piece of work in two
 * variants, which differ only in whether they release the GIL around it.
 */

#include "module.h"

PyDoc_STRVAR(
    spin_doc,
    "spin($module, /, iterations=100000000, *, release_gil=True)\n"
    "--\n"
    "\n"
    "Compute for a while, and return the number computed.\n"
    "\n"
    "The work is `iterations` steps (an int from 0 to 2**64-1) of the\n"
    "pseudo-random generator xorshift64 from a fixed seed; the result is its\n"
    "last state, the same for both variants and on every platform. With\n"
    "release_gil=True the loop runs between Py_BEGIN_ALLOW_THREADS and\n"
    "Py_END_ALLOW_THREADS; with False it keeps the GIL to its end (without\n"
    "a GIL: it stays attached, and holds up whoever stops the world).\n"
    "\n"
    "Signals are looked at every few million steps, so Ctrl-C ends the call\n"
    "if it runs in the main thread. Raises TypeError or OverflowError for\n"
    "iterations of another type or out of range.");

PyDoc_STRVAR(
    waitpid_doc,
    "waitpid($module, /, pid, options=0, *, release_gil=True)\n"
    "--\n"
    "\n"
    "Wait for a child process as os.waitpid() does: return (pid, status).\n"
    "\n"
    "With release_gil=True other threads run while this one waits, as with\n"
    "os.waitpid(). With False they don't: this shows what CPython would be\n"
    "like had it not released the GIL. A signal handler then still runs, if\n"
    "the call is made in the main thread.\n"
    "\n"
    "Raises OSError (ChildProcessError where there is no such child), and\n"
    "TypeError or OverflowError for arguments that are no C int.");

PyDoc_STRVAR(
    duty_cycle_doc,
    "duty_cycle($module, /, held, released=0.0, cycles=1)\n"
    "--\n"
    "\n"
    "Hold the GIL for `held` seconds, then be without it for `released`\n"
    "seconds, `cycles` times. Return both as measured: (held, released),\n"
    "each a sum in seconds over all cycles.\n"
    "\n"
    "It computes while it holds the GIL and mostly sleeps while it does not;\n"
    "the time that it has to wait to get the GIL back counts as released.\n"
    "With released=0.0 the GIL is never given up; every 20 ms of a longer\n"
    "part without it, it is taken for a moment, to look for signals.\n"
    "\n"
    "The clock is that of time.monotonic(), read where the GIL is taken and\n"
    "given up, so the sums are a truth to hold a profiler of the GIL "
    "against.\n"
    "What CPython needs to hand it out and take it back counts as released,\n"
    "though the GIL is taken by then: beside a CPython 3.13 that clocked its\n"
    "own GIL, 0.07 us each time in one thread, and 0.1 to 0.3 us in two that\n"
    "compete.\n"
    "\n"
    "Raises ValueError for a number of seconds that is negative, NaN or over\n"
    "1e9, or for negative cycles. A signal's handler can end it, if it runs\n"
    "in the main thread; the time that a handler takes counts as held, also\n"
    "where the handler itself gives up the GIL.");

static PyMethodDef core_methods[] = {
    {"spin", _PyCFunction_CAST(gildemo_spin), METH_FASTCALL | METH_KEYWORDS,
     spin_doc},
    {"waitpid", _PyCFunction_CAST(gildemo_waitpid),
     METH_FASTCALL | METH_KEYWORDS, waitpid_doc},
    {"duty_cycle", _PyCFunction_CAST(gildemo_duty_cycle),
     METH_FASTCALL | METH_KEYWORDS, duty_cycle_doc},
    {NULL, NULL, 0, NULL} /* sentinel */
};

PyDoc_STRVAR(unavailable_doc,
             "The GIL can't be watched here; the message says why.");

/* Runs once for each interpreter that imports the module, after the module
   object was made. */
static int
core_exec(PyObject *module)
{
    CoreState *state = PyModule_GetState(module);
    state->unavailable =
        PyErr_NewExceptionWithDoc("gildemo.GilMonitorUnavailable",
                                  unavailable_doc, PyExc_RuntimeError, NULL);
    if (state->unavailable == NULL
        || PyModule_AddObjectRef(module, "GilMonitorUnavailable",
                                 state->unavailable)
               < 0) {
        return -1;
    }
    /* A heap type: each interpreter has its own, which can find the module's
       state again. */
    PyObject *monitor =
        PyType_FromModuleAndSpec(module, &gildemo_monitor_spec, NULL);
    if (monitor == NULL) {
        return -1;
    }
    int result = PyModule_AddType(module, (PyTypeObject *)monitor);
    Py_DECREF(monitor);
    return result;
}

/* The state holds a reference, so the garbage collector has to know it. */
static int
core_traverse(PyObject *module, visitproc visit, void *arg)
{
    CoreState *state = PyModule_GetState(module);
    Py_VISIT(state->unavailable);
    return 0;
}

static int
core_clear(PyObject *module)
{
    CoreState *state = PyModule_GetState(module);
    Py_CLEAR(state->unavailable);
    return 0;
}

static void
core_free(void *module)
{
    (void)core_clear(module);
}

/* The #ifdefs ask for the *value* macros: the names of the slots may be there
   in a version that does not know the value yet. */
static PyModuleDef_Slot core_slots[] = {
    {Py_mod_exec, core_exec},
#ifdef Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
    /* There is no static state that interpreters could share, so each may
       have a copy of the module, and a GIL of its own. */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_MOD_GIL_NOT_USED
    /* Nothing here relies on the GIL to keep other threads out. Without this
       slot a free-threaded build would enable the GIL at import. */
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL} /* sentinel */
};

PyDoc_STRVAR(
    core_doc,
    "Work that holds the GIL or releases it, at the caller's choice.");

static struct PyModuleDef core_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "gildemo._core",
    .m_doc = core_doc,
    .m_size = sizeof(CoreState),
    .m_methods = core_methods,
    .m_slots = core_slots,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

/* Multi-phase initialisation (PEP 489): the import system makes the module
   from its definition, once per interpreter. */
PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
