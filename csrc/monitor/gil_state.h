/* The one place that looks inside CPython: where the GIL is, who holds it, and
 * which thread states there are.
 *
 * None of this is a public interface. What can be, is taken from the debug
 * offsets (3.13 and later), which a running CPython publishes for debuggers
 * and which therefore hold for its own patch release; the rest comes from the
 * internal headers of the CPython this was built with. gil_state_locate()
 * checks both against what must be true while it runs, and refuses otherwise.
 *
 * Include this before Python.h: it asks for the internal headers.
 */

#ifndef GILDEMO_GIL_STATE_H
#define GILDEMO_GIL_STATE_H

#define Py_BUILD_CORE_MODULE 1
#include <Python.h>
#include "internal/pycore_gil.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    PyInterpreterState *interp;
    const int *locked;
    PyThreadState *const *last_holder;
    const unsigned long *switches; /* NULL if its place is not known */
    const uint64_t *created;       /* the id of the newest thread state */
    uintptr_t begin;               /* the GIL's memory: who sleeps in a */
    uintptr_t end;                 /* futex in there waits for the GIL */
} GilState;

/* The GIL of an interpreter: struct _gil_runtime_state. */
static inline const char *
gil_of(PyInterpreterState *interp)
{
#if PY_VERSION_HEX >= 0x030D0000
    uint64_t offset = _PyRuntime.debug_offsets.interpreter_state.ceval_gil;
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

/* Call it attached. Returns NULL, or why the GIL of this thread's interpreter
   can't be watched. */
static inline const char *
gil_state_locate(GilState *state)
{
    PyThreadState *self = PyThreadState_Get();
    PyInterpreterState *interp = PyThreadState_GetInterpreter(self);
    size_t locked = offsetof(struct _gil_runtime_state, locked);
    size_t holder = offsetof(struct _gil_runtime_state, last_holder);
    int same_layout = 1;

#if PY_VERSION_HEX >= 0x030D0000
    const struct _Py_DebugOffsets *offsets = &_PyRuntime.debug_offsets;
    if ((offsets->version >> 16) != (PY_VERSION_HEX >> 16)) {
        return "it was built for another version of CPython";
    }
    if (offsets->interpreter_state.threads_head
            != offsetof(PyInterpreterState, threads.head)
        || offsets->runtime_state.interpreters_head
               != offsetof(_PyRuntimeState, interpreters.head)) {
        return "it was built for another patch release of CPython: build it "
               "again with this one";
    }
    size_t base = offsets->interpreter_state.gil_runtime_state;
    same_layout =
        offsets->interpreter_state.gil_runtime_state_locked - base == locked;
    locked = offsets->interpreter_state.gil_runtime_state_locked - base;
    holder = offsets->interpreter_state.gil_runtime_state_holder - base;
#endif

    const char *gil = gil_of(interp);
#ifdef Py_GIL_DISABLED
    /* INT_MAX is for good; less, only while some extension is imported. */
    if (__atomic_load_n(&((const struct _gil_runtime_state *)gil)->enabled,
                        __ATOMIC_RELAXED)
        != INT_MAX) {
        return "this Python runs without the GIL";
    }
#endif
    state->interp = interp;
    state->locked = (const int *)(gil + locked);
    state->last_holder = (PyThreadState *const *)(gil + holder);
    state->switches =
        same_layout ? &((const struct _gil_runtime_state *)gil)->switch_number
                    : NULL;
    state->created = &interp->threads.next_unique_id;
    state->begin = (uintptr_t)gil;
    state->end = (uintptr_t)gil + sizeof(struct _gil_runtime_state);

    /* This thread is attached, so what it reads is known beforehand. */
    if (*state->locked != 1 || *state->last_holder != self
        || *state->created < self->id) {
        return "CPython keeps its GIL elsewhere than this was built for";
    }
    return NULL;
}

/* What follows may be called by a thread that has no thread state. */

typedef struct {
    PyThreadState *holder; /* or NULL. It may be gone by now: compare it, never
                              dereference it. */
    unsigned long switches; /* how often the GIL went to another thread */
    uint64_t created;       /* the id of the newest thread state: one with a
                               larger id was made later */
} GilLook;

static inline GilLook
gil_state_look(const GilState *state)
{
    GilLook look = {0};
    if (__atomic_load_n(state->locked, __ATOMIC_ACQUIRE) == 1) {
        look.holder = __atomic_load_n(state->last_holder, __ATOMIC_ACQUIRE);
    }
    if (state->switches != NULL) {
        look.switches = __atomic_load_n(state->switches, __ATOMIC_RELAXED);
    }
    /* After the holder, so that whoever was made before is known by it. */
    look.created = __atomic_load_n(state->created, __ATOMIC_ACQUIRE);
    return look;
}

/* The list of thread states must not change while it is read. This is the
   lock under which CPython links and unlinks them, before they are freed. */
static inline void
gil_state_lock_threads(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyMutex_Lock(&_PyRuntime.interpreters.mutex);
#else
    PyThread_acquire_lock(_PyRuntime.interpreters.mutex, WAIT_LOCK);
#endif
}

static inline void
gil_state_unlock_threads(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
#else
    PyThread_release_lock(_PyRuntime.interpreters.mutex);
#endif
}

#if PY_VERSION_HEX < 0x030C0000
/* For the child of a fork, where no thread exists that could release it. 3.12
   and later make it anew themselves before they need it, and 3.11 after. */
static inline void
gil_state_renew_lock(void)
{
    if (_PyRuntime.interpreters.mutex != NULL) {
        (void)_PyThread_at_fork_reinit(&_PyRuntime.interpreters.mutex);
    }
}
#endif

/* Newest first, that is, in descending order of `id`. Only with the lock. */
static inline PyThreadState *
gil_state_first_thread(const GilState *state)
{
    return state->interp->threads.head;
}

#endif /* GILDEMO_GIL_STATE_H */
