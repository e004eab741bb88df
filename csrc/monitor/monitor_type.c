/* gildemo._core.Monitor: the Python side of a Watch (watch.h).
 *
 * gildemo.GilMonitor, in Python, wraps it: it gives the threads their names,
 * and makes a GilRecord of what snapshot() returns.
 */

#include "sampler.h"

#include "../module.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef enum { NEW, RUNNING, STOPPED } MonitorState;

typedef struct {
    PyObject_HEAD
    Intervals intervals;
    MonitorState state;
    pid_t pid; /* the process in which it was started */
    Watch *watch;
} MonitorObject;

/* An "O&" converter, from seconds to ns. */
static int
convert_interval(PyObject *arg, void *interval)
{
    const double seconds = PyFloat_AsDouble(arg);
    if (seconds == -1.0 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError,
                         "interval must be a number of seconds, not %.200s",
                         Py_TYPE(arg)->tp_name);
        }
        return 0;
    }
    if (!(seconds >= 1e-5 && seconds <= 10.0)) {
        PyObject *value = PyFloat_FromDouble(seconds);
        PyErr_Format(PyExc_ValueError,
                     "interval must be from 1e-5 to 10 seconds, not %R",
                     value);
        Py_XDECREF(value);
        return 0;
    }
    *(double *)interval = seconds * 1e9;
    return 1;
}

static PyObject *
monitor_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"shortest", "longest", NULL};
    Intervals intervals;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&O&:Monitor", keywords,
                                     convert_interval, &intervals.shortest,
                                     convert_interval, &intervals.longest)) {
        return NULL;
    }
    MonitorObject *self = (MonitorObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->intervals = intervals;
        self->state = NEW;
        self->watch = NULL;
    }
    return (PyObject *)self;
}

static void
monitor_dealloc(PyObject *op)
{
    MonitorObject *self = (MonitorObject *)op;
    PyTypeObject *type = Py_TYPE(op);
    if (self->watch != NULL) {
        /* Stays attached: the native threads end without the GIL. */
        if (self->state == RUNNING && self->pid == getpid()) {
            watch_halt(self->watch);
            watch_join(self->watch);
        }
        watch_free(self->watch);
    }
    type->tp_free(op);
    Py_DECREF(type);
}

/* Returns -1 with an exception set if there is nothing to be had. */
static int
check_started_here(MonitorObject *self)
{
    if (self->state == NEW) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this monitor was not started: call start() first");
        return -1;
    }
    if (self->pid != getpid()) {
        PyErr_Format(PyExc_RuntimeError,
                     "this monitor was started in process %d, of which this "
                     "one (%d) is a fork; make a new one here",
                     (int)self->pid, (int)getpid());
        return -1;
    }
    return 0;
}

static PyObject *
monitor_start(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    MonitorObject *self = (MonitorObject *)op;
    /* A thread that came to a subinterpreter without giving up the GIL is not
       yet noted as its holder; to take the GIL anew has it noted. */
    Py_BEGIN_ALLOW_THREADS
    Py_END_ALLOW_THREADS
    if (self->state != NEW) {
        if (check_started_here(self) == 0) {
            PyErr_SetString(PyExc_RuntimeError,
                            "this monitor was already started; make a new one "
                            "for each run");
        }
        return NULL;
    }
    GilState gil;
    const char *why_not = gil_state_locate(&gil);
    if (why_not != NULL) {
        CoreState *core = PyType_GetModuleState(Py_TYPE(op));
        return PyErr_Format(core->unavailable, "can't watch the GIL: %s",
                            why_not);
    }
    self->watch = watch_start(&gil, self->intervals);
    if (self->watch == NULL) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    self->pid = getpid();
    self->state = RUNNING;
    Py_RETURN_NONE;
}

static PyObject *
monitor_stop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    MonitorObject *self = (MonitorObject *)op;
    if (check_started_here(self) < 0) {
        return NULL;
    }
    if (self->state == STOPPED) {
        Py_RETURN_NONE;
    }
    self->state = STOPPED;
    /* Still attached, lest a last sample see the GIL given up for the next. */
    watch_halt(self->watch);
    /* Safe, because the native threads know no object, and nobody else stops
       them now; worth it, because they may have to be awaited for 20 ms. */
    Py_BEGIN_ALLOW_THREADS
    watch_join(self->watch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *
monitor_held_by(PyObject *op, PyObject *arg)
{
    MonitorObject *self = (MonitorObject *)op;
    unsigned long native_id = PyLong_AsUnsignedLong(arg);
    if (PyErr_Occurred() || check_started_here(self) < 0) {
        return NULL;
    }
    WatchSums sums;
    int64_t held;
    /* Safe and worth it as in monitor_snapshot(). */
    Py_BEGIN_ALLOW_THREADS
    held = watch_held_by(self->watch, native_id, &sums);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("LLd", held, sums.watched, sums.squares);
}

/* (native_id, held, ticks, looks, waits, longest_hold, cpu or None) */
static PyObject *
thread_tuple(const WatchedThread *thread)
{
    PyObject *cpu = Py_NewRef(Py_None);
    if (thread->cpu_begin >= 0 && thread->cpu_end >= 0) {
        Py_SETREF(cpu,
                  PyLong_FromLongLong(thread->cpu_end - thread->cpu_begin));
    }
    return Py_BuildValue("kLLLLLN", thread->native_id, thread->held,
                         thread->ticks, thread->looks, thread->waits,
                         thread->longest_hold, cpu);
}

static PyObject *
thread_list(const WatchTables *tables)
{
    PyObject *list = PyList_New(tables->sums.n_threads);
    for (int32_t i = 0; list != NULL && i < tables->sums.n_threads; i++) {
        PyObject *item = thread_tuple(&tables->threads[i]);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

/* [(begin, place in the list of threads or -1), ...] */
static PyObject *
segment_list(const WatchTables *tables)
{
    PyObject *list = PyList_New(tables->sums.n_segments);
    for (int32_t i = 0; list != NULL && i < tables->sums.n_segments; i++) {
        const Segment *segment = &tables->segments[i];
        PyObject *item = Py_BuildValue("Li", segment->begin, segment->thread);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

/* [(time, place in the list of threads, waiting), ...] */
static PyObject *
change_list(const WatchTables *tables)
{
    PyObject *list = PyList_New(tables->sums.n_changes);
    for (int32_t i = 0; list != NULL && i < tables->sums.n_changes; i++) {
        const WaitChange *change = &tables->changes[i];
        PyObject *item = Py_BuildValue("Lii", change->time, change->thread,
                                       change->waiting);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

static PyObject *
monitor_snapshot(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    MonitorObject *self = (MonitorObject *)op;
    if (check_started_here(self) < 0) {
        return NULL;
    }
    WatchTables tables;
    int failed;
    /* Safe, because the tables are no objects, and have a lock; worth it,
       because that lock may be taken while a native thread takes a sample,
       and the copy may be megabytes. */
    Py_BEGIN_ALLOW_THREADS
    failed = watch_copy(self->watch, &tables);
    Py_END_ALLOW_THREADS
    if (failed) {
        return PyErr_NoMemory();
    }

    const WatchSums *sums = &tables.sums;
    PyObject *snapshot = Py_BuildValue(
        "{s:L, s:L, s:L, s:L, s:d, s:L, s:d, s:L, s:O, s:N, s:L, s:L, s:N, "
        "s:N, s:N}",
        "begin", sums->begin, "end", sums->now, "samples", sums->samples,
        "watched", sums->watched, "squares", sums->squares, "held", sums->held,
        "variance", sums->variance, "ticks", sums->ticks, "waiting_known",
        sums->waiting_known ? Py_True : Py_False, "switches",
        sums->switches_known ? PyLong_FromUnsignedLong(sums->switches_now
                                                       - sums->switches_begin)
                             : Py_NewRef(Py_None),
        "cpu", sums->cpu, "resolution", sums->resolution, "threads",
        thread_list(&tables), "segments", segment_list(&tables), "changes",
        change_list(&tables));
    tables_free(&tables);
    return snapshot;
}

PyDoc_STRVAR(
    monitor_doc,
    "Monitor(shortest, longest)\n"
    "--\n"
    "\n"
    "Native threads that sample who holds the GIL of this interpreter, every\n"
    "so many seconds on average. gildemo.GilMonitor is the one to use: it\n"
    "makes a record of the raw sums that snapshot() returns.");

PyDoc_STRVAR(start_doc, "start($self, /)\n--\n\nStart to watch, once.");
PyDoc_STRVAR(stop_doc,
             "stop($self, /)\n--\n\nEnd the native threads, if they run.");
PyDoc_STRVAR(
    held_by_doc,
    "held_by($self, native_id, /)\n--\n\n"
    "Return for how many ns this thread held the GIL so far; of how many ns\n"
    "that is; and the sum of the squares of what each sample stands for.");
PyDoc_STRVAR(snapshot_doc,
             "snapshot($self, /)\n--\n\nReturn the sums so far, as a dict.");

static PyMethodDef monitor_methods[] = {
    {"start", monitor_start, METH_NOARGS, start_doc},
    {"stop", monitor_stop, METH_NOARGS, stop_doc},
    {"held_by", monitor_held_by, METH_O, held_by_doc},
    {"snapshot", monitor_snapshot, METH_NOARGS, snapshot_doc},
    {NULL, NULL, 0, NULL} /* sentinel */
};

static PyType_Slot monitor_slots[] = {
    {Py_tp_doc, (void *)monitor_doc},
    {Py_tp_new, monitor_new},
    {Py_tp_dealloc, monitor_dealloc},
    {Py_tp_methods, monitor_methods},
    {0, NULL} /* sentinel */
};

/* It refers to no object, so it can't be part of a reference cycle. */
PyType_Spec gildemo_monitor_spec = {
    .name = "gildemo._core.Monitor",
    .basicsize = sizeof(MonitorObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = monitor_slots,
};
