/* See known_threads.h. */

#define _GNU_SOURCE /* for os_thread.h under -std=c11 */
#include "known_threads.h"

#include "../module.h"
#include "os_thread.h"

#include <stdlib.h>

/* Not yet a place in the table of threads. */
#define NEWCOMER (-1)

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

/* A thread that Python did not start has a thread state only while it calls
   back, and may have a new one for each call: it is still the same thread, if
   its CPU clock has not gone back. */
static int32_t
place_of_newcomer(WatchTables *tables, unsigned long native_id)
{
    const int32_t place = tables_find_ended(tables, native_id);
    if (place != OTHER_THREADS) {
        WatchedThread *thread = &tables->threads[place];
        if (thread->cpu_end >= 0
            && os_thread_cpu_time(native_id) >= thread->cpu_end) {
            thread->ended = 0;
            return place;
        }
    }
    return tables_add_thread(tables);
}

/* One that started meanwhile had no CPU time before; one that has more than
   the time since then did not. */
static void
note_native_id(WatchTables *tables, WatchedThread *thread,
               unsigned long native_id, int at_start)
{
    const int64_t elapsed = monotonic_ns() - tables->sums.begin;
    const int64_t cpu = os_thread_cpu_time(native_id);
    thread->native_id = native_id;
    thread->cpu_begin = at_start || cpu > elapsed ? cpu : 0;
    thread->cpu_end = cpu;
}

static void
note_end(WatchTables *tables, int32_t place)
{
    if (place != OTHER_THREADS) {
        tables->threads[place].ended = 1;
    }
    tables_note_waiting(tables, place, 0);
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
        while (old < live->n && known[old].id > fresh[i].id) {
            note_end(tables, known[old++].thread);
        }
        const int is_old = old < live->n && known[old].id == fresh[i].id;
        fresh[i].thread = is_old ? known[old++].thread : NEWCOMER;
    }
    while (old < live->n) {
        note_end(tables, known[old++].thread);
    }
    /* Only now, as one may go on where another ended. */
    for (int32_t i = 0; i < n; i++) {
        LiveThread *thread = &fresh[i];
        if (thread->thread == NEWCOMER) {
            thread->thread = place_of_newcomer(tables, thread->native_id);
        }
        WatchedThread *watched = &tables->threads[thread->thread];
        if (thread->thread != OTHER_THREADS
            && watched->native_id != thread->native_id) {
            note_native_id(tables, watched, thread->native_id, at_start);
        }
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
