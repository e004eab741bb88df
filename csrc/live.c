/* See live.h. */

#define _GNU_SOURCE /* for os_thread.h under -std=c11 */
#include "live.h"

#include "os_thread.h"

#include <stdlib.h>

int
live_init(LiveThreads *live)
{
    *live = (LiveThreads){
        .threads = calloc(MAX_THREADS, sizeof(LiveThread)),
        .spare = calloc(MAX_THREADS, sizeof(LiveThread)),
    };
    return live->threads == NULL || live->spare == NULL ? -1 : 0;
}

void
live_free(LiveThreads *live)
{
    free(live->threads);
    free(live->spare);
}

void
live_refresh(LiveThreads *live, const GilState *gil, WatchTables *tables,
             int at_start)
{
    LiveThread *const known = live->threads;
    LiveThread *const fresh = live->spare;
    int32_t n = 0;
    gil_state_lock_threads();
    const uint64_t created = gil_state_look(gil).created;
    PyThreadState *t = gil_state_first_thread(gil);
    for (; t != NULL && n < MAX_THREADS; t = t->next) {
        fresh[n++] = (LiveThread){t, t->id, t->native_thread_id, 0};
    }
    gil_state_unlock_threads();

    /* Both lists are in the same order, so one pass finds the old in the new:
       the newcomers stand before, and those that ended are passed over. */
    int32_t old = 0;
    for (int32_t i = 0; i < n; i++) {
        LiveThread *thread = &fresh[i];
        while (old < live->n && known[old].id > thread->id) {
            tables_note_waiting(tables, known[old++].thread, 0);
        }
        if (old < live->n && known[old].id == thread->id) {
            thread->thread = known[old++].thread;
        }
        else {
            /* One that starts later had no CPU time before. */
            int64_t cpu = at_start ? os_thread_cpu_time(thread->native_id) : 0;
            thread->thread = tables_add_thread(tables, thread->id, cpu);
        }
        if (thread->thread != OTHER_THREADS) {
            tables->threads[thread->thread].native_id = thread->native_id;
        }
    }
    while (old < live->n) {
        tables_note_waiting(tables, known[old++].thread, 0);
    }

    live->threads = fresh;
    live->spare = known;
    live->n = n;
    live->created = created;
}

int32_t
live_find_holder(LiveThreads *live, const GilState *gil, WatchTables *tables,
                 const GilLook *look)
{
    if (look->holder == NULL) {
        return NOBODY;
    }
    if (look->created > live->created) {
        live_refresh(live, gil, tables, 0);
    }
    for (int32_t i = 0; i < live->n; i++) {
        if (live->threads[i].tstate != look->holder) {
            continue;
        }
        /* One that was made after the look may have got the address of the
           holder, which is gone then. */
        if (live->threads[i].id > look->created) {
            return OTHER_THREADS;
        }
        const int32_t thread = live->threads[i].thread;
        if (tables->threads[thread].held == 0) {
            /* In 3.11 a new thread state has its creator's native id until
               its own thread runs. One that holds the GIL does run. */
            live_refresh(live, gil, tables, 0);
        }
        return thread;
    }
    return OTHER_THREADS;
}
