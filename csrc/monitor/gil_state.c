/* See gil_state.h.
 *
 * Nothing here is a public interface of CPython. Offsets come from the debug
 * offsets (3.13 and later) where these have them: a running CPython publishes
 * those for debuggers, so they are right for its own patch release. The others
 * come from the internal headers of the CPython that this was built with.
 * gil_state_locate() checks both against what it knows to be true, and refuses
 * if they are wrong.
 */

#define Py_BUILD_CORE_MODULE 1
#include <Python.h>
#include "internal/pycore_gil.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"

#include "gil_state.h"

#include "waiters.h"

#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#define OTHER_VERSION "it was built for another version of CPython"
#define OTHER_RELEASE                                                         \
    "it was built for another patch release of CPython: build it again with " \
    "this one"
#define OTHER_LAYOUT "CPython keeps its GIL elsewhere than this was built for"
#define OTHER_THREAD_LAYOUT                                                   \
    "CPython keeps its thread states elsewhere than this was built for"

/* CPython's own memory is not declared atomic in all versions, and is const
   here, so these are the compiler's built-ins instead of <stdatomic.h>. */
#define LOAD_RELAXED(address) __atomic_load_n(address, __ATOMIC_RELAXED)
#define LOAD_ACQUIRE(address) __atomic_load_n(address, __ATOMIC_ACQUIRE)

/* CPython links and unlinks thread states, and interpreters, under this lock,
   and frees them after that. */

static void
lock_thread_lists(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyMutex_Lock(&_PyRuntime.interpreters.mutex);
#else
    PyThread_acquire_lock(_PyRuntime.interpreters.mutex, WAIT_LOCK);
#endif
}

static void
unlock_thread_lists(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
#else
    PyThread_release_lock(_PyRuntime.interpreters.mutex);
#endif
}

#if PY_VERSION_HEX < 0x030C0000
/* If a native thread holds the lock during a fork(), nobody can release it in
   the child. 3.12 and later reinitialise it there before they use it; 3.11
   uses it before it does that. */

static void
reinit_lock_in_child(void)
{
    if (_PyRuntime.interpreters.mutex != NULL) {
        (void)_PyThread_at_fork_reinit(&_PyRuntime.interpreters.mutex);
    }
}

static void
register_reinit(void)
{
    (void)pthread_atfork(NULL, NULL, reinit_lock_in_child);
}

static void
prepare_for_forks(void)
{
    static pthread_once_t registered = PTHREAD_ONCE_INIT;
    (void)pthread_once(&registered, register_reinit);
}
#else
static void
prepare_for_forks(void)
{
}
#endif

/* Returns the address of the GIL, a struct _gil_runtime_state. */
static const char *
gil_of(PyInterpreterState *interp)
{
#if PY_VERSION_HEX >= 0x030D0000
    const uint64_t offset =
        _PyRuntime.debug_offsets.interpreter_state.ceval_gil;
    const char *gil;
    memcpy(&gil, (const char *)interp + offset, sizeof(gil));
    return gil;
#elif PY_VERSION_HEX >= 0x030C0000
    return (const char *)interp->ceval.gil;
#else
    (void)interp;
    return (const char *)&_PyRuntime.ceval.gil;
#endif
}

typedef struct {
    size_t locked;
    size_t last_holder;
    int is_as_built; /* so those without a debug offset are right, too */
} GilOffsets;

#if PY_VERSION_HEX >= 0x030D0000
static const char *
find_gil_offsets(GilOffsets *offsets)
{
    const struct _Py_DebugOffsets *debug = &_PyRuntime.debug_offsets;
    if ((debug->version >> 16) != (PY_VERSION_HEX >> 16)) {
        return OTHER_VERSION;
    }
    if (debug->runtime_state.interpreters_head
            != offsetof(_PyRuntimeState, interpreters.head)
        || debug->interpreter_state.threads_head
               != offsetof(PyInterpreterState, threads.head)
        || debug->thread_state.next != offsetof(PyThreadState, next)
        || debug->thread_state.native_thread_id
               != offsetof(PyThreadState, native_thread_id)) {
        return OTHER_RELEASE;
    }
    const uint64_t gil = debug->interpreter_state.gil_runtime_state;
    offsets->locked = debug->interpreter_state.gil_runtime_state_locked - gil;
    offsets->last_holder =
        debug->interpreter_state.gil_runtime_state_holder - gil;
    offsets->is_as_built =
        offsets->locked == offsetof(struct _gil_runtime_state, locked);
    return NULL;
}
#else
static const char *
find_gil_offsets(GilOffsets *offsets)
{
    offsets->locked = offsetof(struct _gil_runtime_state, locked);
    offsets->last_holder = offsetof(struct _gil_runtime_state, last_holder);
    offsets->is_as_built = 1;
    return NULL;
}
#endif

static int
runs_without_gil(const char *gil)
{
#ifdef Py_GIL_DISABLED
    /* A smaller number than INT_MAX means that the GIL is enabled only while
       an extension module is imported. */
    const int *enabled = &((const struct _gil_runtime_state *)gil)->enabled;
    return LOAD_RELAXED(enabled) != INT_MAX;
#else
    (void)gil;
    return 0;
#endif
}

static int
has_own_native_id(const PyThreadState *self)
{
#if PY_VERSION_HEX < 0x030D0000
    /* A thread that enters a subinterpreter may borrow the thread state of the
       thread that made the subinterpreter, with that one's native id. */
    if (self->interp != PyInterpreterState_Main()) {
        return 1;
    }
#endif
    return self->native_thread_id == PyThread_get_thread_native_id();
}

/* The list must have the calling thread's own thread state, with what the
   public functions say about it. */
static int
list_has(PyInterpreterState *interp, PyThreadState *self)
{
    lock_thread_lists();
    const PyThreadState *listed = interp->threads.head;
    while (listed != NULL && listed != self) {
        listed = listed->next;
    }
    unlock_thread_lists();
    return listed != NULL && listed->id == PyThreadState_GetID(self)
           && has_own_native_id(listed);
}

const char *
gil_state_locate(GilState *state)
{
    PyThreadState *self = PyThreadState_Get();
    PyInterpreterState *interp = PyThreadState_GetInterpreter(self);
    GilOffsets offsets;
    const char *why_not = find_gil_offsets(&offsets);
    if (why_not != NULL) {
        return why_not;
    }
    const char *gil = gil_of(interp);
    if (runs_without_gil(gil)) {
        return "this Python runs without the GIL";
    }
    *state = (GilState){
        .interp = interp,
        .locked = (const int *)(gil + offsets.locked),
        .last_holder = gil + offsets.last_holder,
        .newest_id = &interp->threads.next_unique_id,
        .begin = (uintptr_t)gil,
        .end = (uintptr_t)gil + sizeof(struct _gil_runtime_state),
        .waiters_offset = -1,
    };
    if (offsets.is_as_built) {
        state->switch_number =
            &((const struct _gil_runtime_state *)gil)->switch_number;
        state->condition = &((const struct _gil_runtime_state *)gil)->cond;
    }
    /* This thread is attached, so it must be the holder. */
    const GilSample sample = gil_state_sample(state);
    if (sample.holder != self
        || sample.newest_id < PyThreadState_GetID(self)) {
        return OTHER_LAYOUT;
    }
    if (!list_has(interp, self)) {
        return OTHER_THREAD_LAYOUT;
    }
    prepare_for_forks();
    return NULL;
}

GilSample
gil_state_sample(const GilState *gil)
{
    GilSample sample = {
        .waiters = waiters_count(gil->condition, gil->waiters_offset),
    };
    if (LOAD_ACQUIRE(gil->locked) == 1) {
        sample.holder = LOAD_ACQUIRE((PyThreadState *const *)gil->last_holder);
    }
    if (gil->switch_number != NULL) {
        sample.switches = LOAD_RELAXED(gil->switch_number);
    }
    /* After the holder, so that the holder's id is not larger. */
    sample.newest_id = LOAD_ACQUIRE(gil->newest_id);
    return sample;
}

int32_t
gil_state_copy_threads(const GilState *gil, ThreadState *copies, int32_t size,
                       uint64_t *newest_id)
{
    const PyInterpreterState *interp = gil->interp;
    int32_t n = 0;
    lock_thread_lists();
    *newest_id = LOAD_ACQUIRE(gil->newest_id);
    const PyThreadState *tstate = interp->threads.head;
    for (; tstate != NULL && n < size; tstate = tstate->next) {
        copies[n++] = (ThreadState){
            .address = tstate,
            .id = tstate->id,
            .native_id = tstate->native_thread_id,
        };
    }
    unlock_thread_lists();
    return n;
}
