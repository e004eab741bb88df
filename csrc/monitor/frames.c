/* See frames.h.
 *
 * The offsets of thread states, frames and code objects are not a public
 * interface of CPython. Most come from the debug offsets in 3.13 and later: a
 * running CPython publishes those for debuggers, so they are right for its own
 * patch release. The others come from the internal headers of the CPython that
 * this was built with. frames_open() checks them all by reading frames that it
 * knows.
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

/* How often torn frames are read again. */
#define MAX_RETRIES 2

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
        .first_c_owner = FRAME_OWNED_BY_FRAME_OBJECT + 1, /* none in 3.11 */
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

/* Returns the address of CPython's own count of destroyed code objects, or
   NULL. */
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
    for (int tries = 0; tries <= MAX_RETRIES; tries++) {
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
    PyThreadState *tstate; /* of the thread that waits for this one */
    const char *why_not;   /* memory can't be copied, or NULL */
    FramesOutcome outcome;
    FrameStack stack;
} SelfCheck;

static void *
read_for_check(void *arg)
{
    SelfCheck *check = arg;
    SafeCopy copy;
    check->why_not = safe_copy_open(&copy);
    if (check->why_not == NULL) {
        check->outcome = frames_read(check->frames, &copy, check->tstate,
                                     check->tstate->id, &check->stack);
        safe_copy_close(&copy);
    }
    return NULL;
}

/* Whether CPython's public functions say the same about a frame. */
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
    /* If the name is very long, only its end was read. */
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

/* Reads the frames of the calling thread as they will be read later: from
   another thread. Returns NULL, or why they can't be read. */
static const char *
check_own_frames(Frames *frames, const CodeTable *table)
{
    SelfCheck check = {.frames = frames, .tstate = PyThreadState_Get()};
    pthread_t thread;
    /* Signals are for Python's threads. */
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    const int failed = pthread_create(&thread, NULL, read_for_check, &check);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        return "no native thread can be started";
    }
    pthread_join(thread, NULL);
    if (check.why_not != NULL) {
        return check.why_not;
    }
    if (check.outcome != FRAMES_READ) {
        return "CPython keeps its frames elsewhere than this was built for";
    }
    if (!is_all_right(table, &check.stack, check.tstate)) {
        return "CPython's frames differ from those that this was built for";
    }
    return NULL;
}

/* Returns NULL, or why frames can't be read in this build of CPython. */
static const char *
wrong_build(void)
{
#ifdef Py_GIL_DISABLED
    return "in a free-threaded build, each thread has its own copy of code";
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
        return "there is not enough memory";
    }
    why_not = check_own_frames(frames, table);
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
