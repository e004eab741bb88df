/* gildemo._core: the module as Python sees it.
 *
 * The lesson is in spin.c and waitpid.c. Each does one piece of work in two
 * variants, which differ only in whether they release the GIL for it.
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
    "pseudo-random generator xorshift64 from a fixed seed. The result is its\n"
    "last state, the same in both variants and on every platform.\n"
    "\n"
    "With release_gil=True, the loop runs between Py_BEGIN_ALLOW_THREADS and\n"
    "Py_END_ALLOW_THREADS. With False, it holds the GIL to its end; in a\n"
    "free-threaded build it stays attached, and delays a stop of the world.\n"
    "\n"
    "Every few million steps it checks for signals, so in the main thread\n"
    "Ctrl-C ends the call. Raises TypeError or OverflowError for iterations\n"
    "of another type or out of range.");

PyDoc_STRVAR(
    waitpid_doc,
    "waitpid($module, /, pid, options=0, *, release_gil=True)\n"
    "--\n"
    "\n"
    "Wait for a child process as os.waitpid() does: return (pid, status).\n"
    "\n"
    "With release_gil=True, other threads run during the wait, as with\n"
    "os.waitpid(). With False, they do not: CPython would be like this if it\n"
    "did not release the GIL. In the main thread, signal handlers run during\n"
    "the wait in both variants.\n"
    "\n"
    "Raises OSError (ChildProcessError if there is no such child), and\n"
    "TypeError or OverflowError for arguments that are not a C int.");

PyDoc_STRVAR(
    duty_cycle_doc,
    "duty_cycle($module, /, held, released=0.0, cycles=1)\n"
    "--\n"
    "\n"
    "Hold the GIL for `held` seconds, then release it for `released`\n"
    "seconds, `cycles` times. Return (held, released): the measured seconds,\n"
    "each the sum over all cycles.\n"
    "\n"
    "The held part computes, and the released part mostly sleeps. Waiting to\n"
    "get the GIL back counts as released. With released=0.0 the GIL is never\n"
    "released. A longer released part takes the GIL for a moment every 20 ms\n"
    "to check for signals.\n"
    "\n"
    "The clock is that of time.monotonic(). It is read right after the GIL\n"
    "is taken and right before it is released, so the sums are true values\n"
    "to check a profiler of the GIL against. The time that CPython itself\n"
    "needs to take and to release the GIL counts as released. In a CPython\n"
    "3.13 that measured its own GIL, that was 0.07 us each time in a single\n"
    "thread, and 0.1 to 0.3 us in two competing threads.\n"
    "\n"
    "Raises ValueError for seconds that are negative, NaN or over 1e9, and\n"
    "for negative cycles. In the main thread, an exception from a signal\n"
    "handler ends the call. The time of a handler counts as held, even if\n"
    "the handler releases the GIL.");

/* _PyCFunction_CAST() is how CPython itself silences the warning about the
   third parameter. */
static PyMethodDef core_methods[] = {
    {"spin", _PyCFunction_CAST(gildemo_spin), METH_VARARGS | METH_KEYWORDS,
     spin_doc},
    {"waitpid", _PyCFunction_CAST(gildemo_waitpid),
     METH_VARARGS | METH_KEYWORDS, waitpid_doc},
    {"duty_cycle", _PyCFunction_CAST(gildemo_duty_cycle),
     METH_VARARGS | METH_KEYWORDS, duty_cycle_doc},
    {NULL, NULL, 0, NULL} /* sentinel */
};

PyDoc_STRVAR(unavailable_doc,
             "The GIL can't be watched here; the message says why.");

static int
add_unavailable(ModuleState *state, PyObject *module)
{
    state->unavailable =
        PyErr_NewExceptionWithDoc("gildemo.GilMonitorUnavailable",
                                  unavailable_doc, PyExc_RuntimeError, NULL);
    if (state->unavailable == NULL) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "GilMonitorUnavailable",
                                 state->unavailable);
}

/* A heap type: each interpreter has its own, which can find the state of its
   module. */
static int
add_monitor_type(PyObject *module)
{
    PyObject *type =
        PyType_FromModuleAndSpec(module, &gildemo_monitor_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    const int result = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return result;
}

/* Called for each interpreter that imports the module, with a new module
   object. */
static int
core_exec(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    if (add_unavailable(state, module) < 0
        || snapshot_types_init(&state->snapshot_types, module) < 0) {
        return -1;
    }
    return add_monitor_type(module);
}

/* The garbage collector has to know the references that the state holds. */
static int
core_traverse(PyObject *module, visitproc visit, void *arg)
{
    ModuleState *state = PyModule_GetState(module);
    Py_VISIT(state->unavailable);
    return snapshot_types_traverse(&state->snapshot_types, visit, arg);
}

static int
core_clear(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    Py_CLEAR(state->unavailable);
    snapshot_types_clear(&state->snapshot_types);
    return 0;
}

static void
core_free(void *module)
{
    (void)core_clear(module);
}

/* The #ifdefs test the macros of the slots' *values*: a version may define the
   name of a slot, but not yet this value. */
static PyModuleDef_Slot core_slots[] = {
    {Py_mod_exec, core_exec},
#ifdef Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
    /* Interpreters share no static state but an atomic counter (code_cache.c)
       and a handler for forks (gil_state.c). So each may have its own copy of
       the module, and its own GIL. */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_MOD_GIL_NOT_USED
    /* Nothing here needs the GIL for mutual exclusion. Without this slot, a
       free-threaded build would enable the GIL at import. */
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL} /* sentinel */
};

PyDoc_STRVAR(core_doc,
             "Work that holds the GIL or releases it, as the caller chooses.");

static struct PyModuleDef core_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "gildemo._core",
    .m_doc = core_doc,
    .m_size = sizeof(ModuleState),
    .m_methods = core_methods,
    .m_slots = core_slots,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

/* Multi-phase initialisation (PEP 489): the import system creates the module
   from this definition, once in each interpreter. */
PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
