/* See frames.h.
 *
 * What this knows of CPython's internals: where a thread state has its
 * innermost frame, and what frames and code objects look like. 3.13 and later
 * publish that for debuggers (_Py_DebugOffsets), so that it holds for the
 * patch release that runs; before, and for the rest, it comes from the headers
 * of the one that this was built with. Both are put to the test at the start.
 */

#define Py_BUILD_CORE_MODULE 1
#include <Python.h>
#include "internal/pycore_frame.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"

#include "frames.h"

#include "location.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#define MOST_RETRIES 2

#if PY_VERSION_HEX >= 0x030D0000
#  define OFFSET(group, field) (_PyRuntime.debug_offsets.group.field)
#endif

static FrameLayout
frame_layout(void)
{
    FrameLayout at = {
        .id = offsetof(PyThreadState, id),
        .last_owner = 4,
#if PY_VERSION_HEX >= 0x030E0000
        .first_c_owner = FRAME_OWNED_BY_INTERPRETER,
#elif PY_VERSION_HEX >= 0x030C0000
        .first_c_owner = FRAME_OWNED_BY_CSTACK,
#else
        .first_c_owner = FRAME_OWNED_BY_FRAME_OBJECT + 1, /* There are none. */
#endif
#if PY_VERSION_HEX >= 0x030D0000
        .current = OFFSET(thread_state, current_frame),
        .chunk = OFFSET(thread_state, datastack_chunk),
        .previous = OFFSET(interpreter_frame, previous),
        .code = OFFSET(interpreter_frame, executable),
        .instruction = OFFSET(interpreter_frame, instr_ptr),
        .owner = OFFSET(interpreter_frame, owner),
#else
        .indirect = 1,
        .in_cframe = offsetof(_PyCFrame, current_frame),
        .current = offsetof(PyThreadState, cframe),
        .chunk = offsetof(PyThreadState, datastack_chunk),
        .previous = offsetof(_PyInterpreterFrame, previous),
        .code = offsetof(_PyInterpreterFrame, f_code),
        .instruction = offsetof(_PyInterpreterFrame, prev_instr),
        .owner = offsetof(_PyInterpreterFrame, owner),
#endif
    };
    at.tstate_begin = Py_MIN(at.current, Py_MIN(at.chunk, at.id));
    at.tstate_end = Py_MAX(at.current, Py_MAX(at.chunk, at.id)) + 8;
    at.frame_size =
        Py_MAX(Py_MAX(at.previous, at.code), at.instruction) + sizeof(void *);
    at.frame_size = Py_MAX(at.frame_size, at.owner + 1);
    return at;
}

static CodeLayout
code_layout(void)
{
    return (CodeLayout){
        .first_traceable = offsetof(PyCodeObject, _co_firsttraceable),
#if PY_VERSION_HEX >= 0x030C0000
        .version = offsetof(PyCodeObject, co_version),
#endif
#if PY_VERSION_HEX >= 0x030D0000
        .name = OFFSET(code_object, qualname),
        .file = OFFSET(code_object, filename),
        .locations = OFFSET(code_object, linetable),
        .first_line = OFFSET(code_object, firstlineno),
        .instructions = OFFSET(code_object, co_code_adaptive),
#else
        .name = offsetof(PyCodeObject, co_qualname),
        .file = offsetof(PyCodeObject, co_filename),
        .locations = offsetof(PyCodeObject, co_linetable),
        .first_line = offsetof(PyCodeObject, co_firstlineno),
        .instructions = offsetof(PyCodeObject, co_code_adaptive),
#endif
    };
}

/* CPython's own count of code objects that it has destroyed, or NULL. */
static const uint64_t *
destroyed_codes(PyInterpreterState *interp)
{
#if PY_VERSION_HEX >= 0x030E0000
    return (
        const uint64_t *)((const char *)interp
                          + OFFSET(interpreter_state, code_object_generation));
#else
    (void)interp;
    return NULL;
#endif
}

FramesOutcome
frames_read(Frames *frames, SafeCopy *copy, const void *tstate, uint64_t id,
            FrameStack *stack)
{
    FrameWalk *walk = &frames->walk;
    for (int tries = 0; tries <= MOST_RETRIES; tries++) {
        const WalkOutcome outcome =
            frame_walk(walk, copy, (uintptr_t)tstate, id);
        if (outcome == WALK_GONE) {
            return FRAMES_GONE;
        }
        if (outcome == WALK_DONE
            && code_cache_resolve(&frames->codes, copy, walk->frames, walk->n,
                                  stack->frames)
                   == 0) {
            stack->complete = walk->complete;
            stack->n = 0;
            for (int i = 0; i < walk->n; i++) {
                if (stack->frames[i].code != HIDDEN_CODE) {
                    stack->frames[stack->n++] = stack->frames[i];
                }
            }
            return FRAMES_READ;
        }
    }
    return FRAMES_TORN;
}

typedef struct {
    Frames *frames;
    PyThreadState *tstate;
    const char *why_not;
    FramesOutcome outcome;
    FrameStack stack;
} Trial;

static void *
read_for_trial(void *arg)
{
    Trial *trial = arg;
    SafeCopy copy;
    trial->why_not = safe_copy_open(&copy);
    if (trial->why_not == NULL) {
        trial->outcome = frames_read(trial->frames, &copy, trial->tstate,
                                     trial->tstate->id, &trial->stack);
        safe_copy_close(&copy);
    }
    return NULL;
}

/* Whether a frame was read as CPython has it. */
static int
is_right(const CodeTable *table, Frame seen, PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    const Code *row = &table->codes[seen.code];
    const Text name = code_table_text(table, row->name);
    const Text locations = code_table_text(table, row->locations);
    const Location location =
        location_of((const uint8_t *)locations.bytes, locations.size,
                    row->first_line, seen.instruction);
    const int last = PyFrame_GetLasti(frame);
    int right = Py_MAX(seen.instruction * CODE_UNIT, -1) == last
                && row->first_line == code->co_firstlineno
                && location.line == PyCode_Addr2Line(code, last);
    /* Of a very long one, only the end was read. */
    PyObject *expected =
        PyUnicode_AsEncodedString(code->co_qualname, "utf-8", "surrogatepass");
    if (expected == NULL) {
        PyErr_Clear();
    }
    right = right && expected != NULL
            && (size_t)PyBytes_GET_SIZE(expected) >= name.size
            && memcmp(PyBytes_AS_STRING(expected) + PyBytes_GET_SIZE(expected)
                          - name.size,
                      name.bytes, name.size)
                   == 0;
    Py_XDECREF(expected);
    Py_DECREF(code);
    return right;
}

static int
is_all_right(const CodeTable *table, const FrameStack *seen,
             PyThreadState *tstate)
{
    int i = 0;
    int right = 1;
    PyFrameObject *frame = PyThreadState_GetFrame(tstate);
    while (frame != NULL && i < seen->n && right) {
        right = is_right(table, seen->frames[i++], frame);
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    right = right && i > 0 && (frame == NULL) == seen->complete;
    Py_XDECREF(frame);
    return right;
}

/* Reads this thread's frames from another one, as later those of others. */
static const char *
try_out(Frames *frames, const CodeTable *table)
{
    Trial trial = {.frames = frames, .tstate = PyThreadState_Get()};
    pthread_t thread;
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    const int failed = pthread_create(&thread, NULL, read_for_trial, &trial);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        return "there is no native thread for it";
    }
    pthread_join(thread, NULL);
    if (trial.why_not != NULL) {
        return trial.why_not;
    }
    if (trial.outcome != FRAMES_READ) {
        return "CPython keeps its frames elsewhere than this was built for";
    }
    if (!is_all_right(table, &trial.stack, trial.tstate)) {
        return "CPython's frames look other than this was built for";
    }
    return NULL;
}

/* NULL, or why frames can't be read with this build of CPython. */
static const char *
wrong_build(void)
{
#ifdef Py_GIL_DISABLED
    return "a free-threaded build has copies of code for its threads";
#else
    return NULL;
#endif
}

const char *
frames_open(Frames *frames, CodeTable *table)
{
    const char *why_not = wrong_build();
    if (why_not != NULL) {
        return why_not;
    }
    const CodeLayout layout = code_layout();
    memset(frames, 0, sizeof(*frames));
    frames->walk.layout = frame_layout();
    if (code_cache_open(&frames->codes, &layout, table,
                        destroyed_codes(PyInterpreterState_Get()))
        < 0) {
        code_cache_close(&frames->codes);
        return "there is no memory for it";
    }
    why_not = try_out(frames, table);
    if (why_not != NULL) {
        code_cache_close(&frames->codes);
    }
    return why_not;
}

void
frames_close(Frames *frames)
{
    code_cache_close(&frames->codes);
}
