/* A module for tests: what the monitor reads of a thread's frames, and what
 * CPython says of them. Each interpreter that imports it has its own.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "frames.h"
#include "location.h"

#include <pthread.h>
#include <signal.h>

typedef struct {
    CodeTable table;
    Frames frames;
    int is_open;
    const char *way;
    /* For start() and stop(). */
    pthread_t reader;
    int stop; /* atomic */
    PyThreadState *tstate;
    uint64_t id;
    int64_t reads;
    int64_t torn;
    int64_t frames_read;
} State;

/* The values that hold for all reads of one probe. */
typedef struct {
    State *state;
    PyThreadState *tstate;
    const char *why_not;
    int same;
    FramesOutcome outcome;
    FrameStack first;
    FrameStack second;
} Probe;

static int
start_native_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    const int error = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        PyErr_SetString(PyExc_OSError, "no native thread");
    }
    return error;
}

/* Twice: what the second read expects is what the first one found. */
static void *
read_twice(void *arg)
{
    Probe *p = arg;
    Frames *frames = &p->state->frames;
    SafeCopy copy;
    p->why_not = safe_copy_open(&copy);
    if (p->why_not != NULL) {
        return NULL;
    }
    p->state->way = safe_copy_way(&copy);
    p->outcome =
        frames_read(frames, &copy, p->tstate, p->tstate->id, &p->first);
    if (p->outcome == FRAMES_READ) {
        p->outcome =
            frames_read(frames, &copy, p->tstate, p->tstate->id, &p->second);
    }
    safe_copy_close(&copy);
    const size_t size = (size_t)p->first.n * sizeof(Frame);
    p->same = p->first.n == p->second.n
              && p->first.complete == p->second.complete
              && memcmp(p->first.frames, p->second.frames, size) == 0;
    return NULL;
}

static PyObject *
str_of(Text text)
{
    return PyUnicode_DecodeUTF8(text.bytes, (Py_ssize_t)text.size,
                                "surrogatepass");
}

/* (name, file, first line, last instruction in bytes, its position) */
static PyObject *
describe(const CodeTable *table, Frame frame)
{
    const Code *code = &table->codes[frame.code];
    const Text locations = code_table_text(table, code->locations);
    const Location at =
        location_of((const uint8_t *)locations.bytes, locations.size,
                    code->first_line, frame.instruction);
    const int last = frame.instruction < 0 ? -1 : frame.instruction * 2;
    return Py_BuildValue(
        "(NNii(iiii))", str_of(code_table_text(table, code->name)),
        str_of(code_table_text(table, code->file)), code->first_line, last,
        at.line, at.end_line, at.column, at.end_column);
}

static int
append(PyObject *list, PyObject *item)
{
    const int failed = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return failed;
}

/* [(code object, last instruction in bytes)], the innermost frame first */
static PyObject *
truth_of(PyThreadState *tstate)
{
    PyObject *list = PyList_New(0);
    PyFrameObject *frame = PyThreadState_GetFrame(tstate);
    int failed = list == NULL;
    while (frame != NULL) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        failed = failed
                 || append(list, Py_BuildValue("(Ni)", code,
                                               PyFrame_GetLasti(frame)))
                        < 0;
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    if (failed) {
        Py_CLEAR(list);
    }
    return list;
}

static PyObject *
probe(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    State *state = PyModule_GetState(module);
    Probe p = {.state = state, .tstate = PyThreadState_Get()};
    pthread_t thread;
    if (start_native_thread(&thread, read_twice, &p)) {
        return NULL;
    }
    pthread_join(thread, NULL); /* attached, so nothing goes on */
    if (p.why_not != NULL || p.outcome != FRAMES_READ || !p.same) {
        return PyErr_Format(PyExc_RuntimeError, "not read: %s, %d, %d",
                            p.why_not ? p.why_not : "it changed", p.outcome,
                            p.same);
    }
    PyObject *seen = PyList_New(0);
    for (int i = 0; seen != NULL && i < p.first.n; i++) {
        if (append(seen, describe(&state->table, p.first.frames[i])) < 0) {
            Py_CLEAR(seen);
        }
    }
    if (seen == NULL) {
        return NULL;
    }
    return Py_BuildValue("(NNO)", seen, truth_of(p.tstate),
                         p.first.complete ? Py_True : Py_False);
}

static void *
read_until_stopped(void *arg)
{
    State *state = arg;
    SafeCopy copy;
    FrameStack stack;
    if (safe_copy_open(&copy) != NULL) {
        return NULL;
    }
    while (!__atomic_load_n(&state->stop, __ATOMIC_RELAXED)) {
        const FramesOutcome outcome = frames_read(
            &state->frames, &copy, state->tstate, state->id, &stack);
        state->reads++;
        state->torn += outcome == FRAMES_TORN;
        state->frames_read += outcome == FRAMES_READ ? stack.n : 0;
    }
    safe_copy_close(&copy);
    return NULL;
}

/* From now on, another thread reads the frames of the calling one. */
static PyObject *
start(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    State *state = PyModule_GetState(module);
    state->tstate = PyThreadState_Get();
    state->id = state->tstate->id;
    state->stop = 0;
    if (start_native_thread(&state->reader, read_until_stopped, state)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Returns (reads, torn, frames read, codes, names of the codes). */
static PyObject *
stop(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    State *state = PyModule_GetState(module);
    __atomic_store_n(&state->stop, 1, __ATOMIC_RELAXED);
    Py_BEGIN_ALLOW_THREADS
    pthread_join(state->reader, NULL);
    Py_END_ALLOW_THREADS
    PyObject *codes = PyList_New(0);
    for (int i = 0; codes != NULL && i < state->table.n_codes; i++) {
        if (append(codes, describe(&state->table, (Frame){i, -1})) < 0) {
            Py_CLEAR(codes);
        }
    }
    if (codes == NULL) {
        return NULL;
    }
    return Py_BuildValue("(LLLN)", (long long)state->reads,
                         (long long)state->torn, (long long)state->frames_read,
                         codes);
}

static PyObject *
way(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    State *state = PyModule_GetState(module);
    return PyUnicode_FromString(state->way);
}

static PyObject *
location(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *table;
    Py_ssize_t size;
    int first_line, instruction;
    if (!PyArg_ParseTuple(args, "y#ii:location", &table, &size, &first_line,
                          &instruction)) {
        return NULL;
    }
    const Location at = location_of((const uint8_t *)table, (size_t)size,
                                    first_line, instruction);
    return Py_BuildValue("(iiii)", at.line, at.end_line, at.column,
                         at.end_column);
}

static int
execute(PyObject *module)
{
    State *state = PyModule_GetState(module);
    const char *why_not = "there is no memory for it";
    if (code_table_init(&state->table) == 0) {
        why_not = frames_open(&state->frames, &state->table);
    }
    if (why_not != NULL) {
        PyErr_SetString(PyExc_ImportError, why_not);
        return -1;
    }
    state->is_open = 1;
    return 0;
}

static void
free_module(void *module)
{
    State *state = PyModule_GetState(module);
    if (state->is_open) {
        frames_close(&state->frames);
    }
    code_table_free(&state->table);
}

static PyMethodDef methods[] = {
    {"probe", probe, METH_NOARGS, NULL},
    {"start", start, METH_NOARGS, NULL},
    {"stop", stop, METH_NOARGS, NULL},
    {"way", way, METH_NOARGS, NULL},
    {"location", location, METH_VARARGS, NULL},
    {NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
#ifdef Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "frames_probe", .m_size = sizeof(State),
    .m_methods = methods,  .m_slots = slots,         .m_free = free_module,
};

PyMODINIT_FUNC
PyInit_frames_probe(void)
{
    return PyModuleDef_Init(&definition);
}
