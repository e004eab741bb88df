/* gildemo._core.Monitor: a Sampler as a Python object.
 *
 * gildemo.GilMonitor, in Python, wraps it: it finds the names of threads, and
 * makes a GilRecord of a snapshot.
 */

#include "../module.h"

#include "sampler.h"

#include <unistd.h>

typedef enum { NEW, RUNNING, STOPPED } MonitorStage;

typedef struct {
    PyObject_HEAD
    Intervals intervals;
    int with_sites;
    MonitorStage stage;
    pid_t pid;        /* the process in which it was started */
    Sampler *sampler; /* NULL until it is started */
} MonitorObject;

static PyObject *
monitor_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"shortest", "longest", "sites", NULL};
    SecondsArgument shortest = {"interval", 1e-5, 10.0, "from 1e-5 to 10"};
    SecondsArgument longest = shortest;
    int with_sites = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&O&|$p:Monitor", keywords,
                                     convert_seconds, &shortest,
                                     convert_seconds, &longest, &with_sites)) {
        return NULL;
    }
    MonitorObject *self = (MonitorObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->intervals =
            (Intervals){shortest.value * 1e9, longest.value * 1e9};
        self->with_sites = with_sites;
        self->stage = NEW;
        self->sampler = NULL;
    }
    return (PyObject *)self;
}

/* It refers to its type only. But the type refers to the module, which may
   refer to a monitor. */
static int
monitor_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    return 0;
}

static void
free_sampler(MonitorObject *self)
{
    const int in_child = self->pid != getpid();
    if (self->stage == RUNNING && !in_child) {
        /* The native threads never need the GIL, so this may keep it, and no
           other Python code runs while an object is deallocated. */
        sampler_halt(self->sampler);
        sampler_join(self->sampler);
    }
    if (self->stage == RUNNING) {
        sampler_close_sites(self->sampler);
    }
    if (in_child) {
        sampler_free_in_child(self->sampler);
    }
    else {
        sampler_free(self->sampler);
    }
}

static void
monitor_dealloc(PyObject *op)
{
    MonitorObject *self = (MonitorObject *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    if (self->sampler != NULL) {
        free_sampler(self);
    }
    type->tp_free(op);
    Py_DECREF(type);
}

/* Returns 0, or -1 with an exception set. */
static int
check_started_here(MonitorObject *self)
{
    if (self->stage == NEW) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this monitor was not started: call start() first");
        return -1;
    }
    if (self->pid != getpid()) {
        PyErr_Format(PyExc_RuntimeError,
                     "this monitor was started in process %d, and this "
                     "process (%d) is a fork of it: make a new one here",
                     (int)self->pid, (int)getpid());
        return -1;
    }
    return 0;
}

static PyObject *
monitor_start(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    MonitorObject *self = (MonitorObject *)op;
    /* A thread that enters a subinterpreter with the same GIL does not release
       it, and CPython still has its old thread state as the holder. Taking the
       GIL again corrects that. */
    Py_BEGIN_ALLOW_THREADS
    Py_END_ALLOW_THREADS
    /* After that, because another thread may have called start() meanwhile. */
    if (self->stage != NEW) {
        if (check_started_here(self) == 0) {
            PyErr_SetString(PyExc_RuntimeError,
                            "this monitor was already started: make a new one "
                            "for each run");
        }
        return NULL;
    }
    GilState gil;
    const char *why_not = gil_state_locate(&gil);
    if (why_not != NULL) {
        ModuleState *state = PyType_GetModuleState(Py_TYPE(op));
        return PyErr_Format(state->unavailable, "can't watch the GIL: %s",
                            why_not);
    }
    self->sampler = sampler_start(&gil, self->intervals, self->with_sites);
    if (self->sampler == NULL) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    self->pid = getpid();
    self->stage = RUNNING;
    Py_RETURN_NONE;
}

static PyObject *
monitor_stop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    MonitorObject *self = (MonitorObject *)op;
    if (check_started_here(self) < 0) {
        return NULL;
    }
    if (self->stage == STOPPED) {
        Py_RETURN_NONE;
    }
    self->stage = STOPPED;
    /* Before the GIL is released below, so that no sample sees that. */
    sampler_halt(self->sampler);
    /* Safe, because the native threads use no Python object, and no other
       thread joins them now; worth it, because it takes up to 20 ms. */
    Py_BEGIN_ALLOW_THREADS
    sampler_join(self->sampler);
    Py_END_ALLOW_THREADS
    sampler_close_sites(self->sampler);
    Py_RETURN_NONE;
}

static PyObject *
monitor_held_by(PyObject *op, PyObject *arg)
{
    MonitorObject *self = (MonitorObject *)op;
    const unsigned long native_id = PyLong_AsUnsignedLong(arg);
    if (native_id == (unsigned long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    if (check_started_here(self) < 0) {
        return NULL;
    }
    Sums sums;
    int64_t held;
    /* Safe and worth it for the same reasons as in monitor_snapshot(). */
    Py_BEGIN_ALLOW_THREADS
    held = sampler_held_by(self->sampler, native_id, &sums);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("LLd", (long long)held, (long long)sums.weight,
                         sums.squared_weights);
}

static PyObject *
monitor_snapshot(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    MonitorObject *self = (MonitorObject *)op;
    if (check_started_here(self) < 0) {
        return NULL;
    }
    SamplerCopy copy;
    int failed;
    /* Safe, because what is copied is no Python object, and has a lock; worth
       it, because a native thread may have that lock to take a sample, and the
       copy may be megabytes. */
    Py_BEGIN_ALLOW_THREADS
    failed = sampler_copy(self->sampler, &copy);
    Py_END_ALLOW_THREADS
    if (failed) {
        return PyErr_NoMemory();
    }
    ModuleState *state = PyType_GetModuleState(Py_TYPE(op));
    PyObject *snapshot = snapshot_new(&state->snapshot_types, &copy);
    sampler_copy_free(&copy);
    return snapshot;
}

PyDoc_STRVAR(
    monitor_doc,
    "Monitor(shortest, longest, *, sites=True)\n"
    "--\n"
    "\n"
    "Sample who holds the GIL of this interpreter, from native threads.\n"
    "\n"
    "shortest, longest: seconds between two samples, on average.\n"
    "sites: whether to read which code holds the GIL.\n"
    "Use gildemo.GilMonitor instead: it makes a record of the raw sums that\n"
    "snapshot() returns.");

PyDoc_STRVAR(start_doc,
             "start($self, /)\n--\n\nStart to sample. Can be called once.");
PyDoc_STRVAR(stop_doc,
             "stop($self, /)\n--\n\nEnd the native threads, if they run.");
PyDoc_STRVAR(
    held_by_doc,
    "held_by($self, native_id, /)\n--\n\n"
    "Return (held, weight, squared_weights): for how many ns a thread has\n"
    "held the GIL so far, and the Snapshot's fields of these names.");
PyDoc_STRVAR(
    snapshot_doc,
    "snapshot($self, /)\n--\n\nReturn a Snapshot of the sums so far.");

static PyMethodDef monitor_methods[] = {
    {"start", monitor_start, METH_NOARGS, start_doc},
    {"stop", monitor_stop, METH_NOARGS, stop_doc},
    {"held_by", monitor_held_by, METH_O, held_by_doc},
    {"snapshot", monitor_snapshot, METH_NOARGS, snapshot_doc},
    {NULL, NULL, 0, NULL} /* sentinel */
};

static PyType_Slot monitor_slots[] = {
    {Py_tp_doc, (void *)monitor_doc},   {Py_tp_new, monitor_new},
    {Py_tp_traverse, monitor_traverse}, {Py_tp_dealloc, monitor_dealloc},
    {Py_tp_methods, monitor_methods},   {0, NULL} /* sentinel */
};

PyType_Spec gildemo_monitor_spec = {
    .name = "gildemo._core.Monitor",
    .basicsize = sizeof(MonitorObject),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = monitor_slots,
};
