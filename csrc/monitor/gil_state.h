/* The GIL of one interpreter and its thread states, seen from the outside.
 *
 * Only gil_state.c and frames.c define Py_BUILD_CORE_MODULE and include
 * internal headers of CPython. To all other files a thread state is an
 * address: they may compare it and copy the memory there (safe_copy.h), but
 * must never dereference it, because the thread state may be freed at any
 * time.
 */

#ifndef GILDEMO_GIL_STATE_H
#define GILDEMO_GIL_STATE_H

#include <stdint.h>

/* Where CPython keeps the GIL of one interpreter. */
typedef struct {
    const void *interp;                 /* a PyInterpreterState */
    const int *locked;                  /* 1 while a thread holds the GIL */
    const void *last_holder;            /* the address of a PyThreadState * */
    const unsigned long *switch_number; /* NULL if its offset is unknown */
    const uint64_t *newest_id;          /* the id of the newest thread state */
    const void *condition;              /* a pthread_cond_t; NULL if unknown */
    int waiters_offset;                 /* see waiters.h; -1 if unknown */
    uintptr_t begin; /* A thread that sleeps in a futex between these two */
    uintptr_t end;   /* addresses waits for the GIL. */
} GilState;

/* Finds the GIL of the calling thread's interpreter; the thread must be
   attached. Returns NULL, or the reason why the GIL can't be watched. */
const char *gil_state_locate(GilState *gil);

/* The other functions may be called by a thread without a thread state. */

/* The GIL at one moment. */
typedef struct {
    const void *holder;     /* a thread state's address; NULL if not held */
    unsigned long switches; /* how often the GIL went to another thread */
    uint64_t newest_id; /* thread states with a larger id were made later */
    int waiters;        /* how many threads wait for it; -1 if unknown */
} GilSample;

GilSample gil_state_sample(const GilState *gil);

/* A copy of what is needed of a thread state. */
typedef struct {
    const void *address;
    uint64_t id; /* unique in its interpreter, and increasing */
    unsigned long native_id;
} ThreadState;

/* Copies the first `size` of the interpreter's thread states, which are in
   descending order of id. Returns how many it copied, and sets *newest_id to
   the id of the newest thread state at that time. */
int32_t gil_state_copy_threads(const GilState *gil, ThreadState *copies,
                               int32_t size, uint64_t *newest_id);

#endif /* GILDEMO_GIL_STATE_H */
