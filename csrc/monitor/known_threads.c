/* See known_threads.h. */

#include "../clock.h" /* first, because it includes Python.h */

#include "known_threads.h"

#include "os_thread.h"

#include <stdlib.h>

/* Instead of an index: its thread is yet to be found. */
#define NEWCOMER (-1)

static int
init_list(ThreadList *list)
{
    *list = (ThreadList){
        .states = calloc(MAX_THREADS, sizeof(ThreadState)),
        .indexes = calloc(MAX_THREADS, sizeof(int32_t)),
    };
    return list->states != NULL && list->indexes != NULL ? 0 : -1;
}

static void
free_list(ThreadList *list)
{
    free(list->states);
    free(list->indexes);
}

int
known_threads_init(KnownThreads *known)
{
    const int failed = init_list(&known->list);
    return init_list(&known->spare) < 0 || failed ? -1 : 0;
}

void
known_threads_free(KnownThreads *known)
{
    free_list(&known->list);
    free_list(&known->spare);
}

/* A thread that Python did not start has a thread state only while it calls
   back, and may have a new one for each call. It is the same thread, and not
   one that got the native id of an ended thread, if its CPU clock has not gone
   back. */
static int
has_come_back(const ThreadSums *ended, unsigned long native_id)
{
    return ended->cpu >= 0
           && os_thread_cpu_time(native_id) >= ended->cpu_begin + ended->cpu;
}

static int32_t
index_of_newcomer(History *history, unsigned long native_id)
{
    const int32_t index = history_find_ended(history, native_id);
    if (index != OTHER_THREADS
        && has_come_back(&history->threads[index], native_id)) {
        history_resume_thread(history, index);
        return index;
    }
    return history_add_thread(history);
}

static void
identify(History *history, int32_t index, unsigned long native_id,
         int at_start)
{
    /* A thread that was started since the history began had no CPU time then.
       One with more CPU time than has passed since then was there before, but
       without a thread state. */
    const int64_t elapsed = monotonic_ns() - history->sums.begin;
    const int64_t cpu = os_thread_cpu_time(native_id);
    const int64_t cpu_begin = at_start || cpu > elapsed ? cpu : 0;
    history_identify(history, index, native_id, cpu_begin, cpu);
}

/* Both lists are in descending order of id, so one pass finds the thread
   states of the old list in the new one. Newcomers come first, as their ids
   are larger; those that are no longer there are passed over. */
static void
take_over_indexes(ThreadList *list, const ThreadList *old, History *history)
{
    int32_t j = 0;
    for (int32_t i = 0; i < list->n; i++) {
        const uint64_t id = list->states[i].id;
        while (j < old->n && old->states[j].id > id) {
            history_end_thread(history, old->indexes[j++]);
        }
        const int is_old = j < old->n && old->states[j].id == id;
        list->indexes[i] = is_old ? old->indexes[j++] : NEWCOMER;
    }
    while (j < old->n) {
        history_end_thread(history, old->indexes[j++]);
    }
}

void
known_threads_refresh(KnownThreads *known, const GilState *gil,
                      History *history, int at_start)
{
    const ThreadList old = known->list;
    ThreadList list = known->spare;
    list.n =
        gil_state_copy_threads(gil, list.states, MAX_THREADS, &list.newest_id);
    /* First the ended threads, because a newcomer may be one of them. */
    take_over_indexes(&list, &old, history);
    for (int32_t i = 0; i < list.n; i++) {
        const unsigned long native_id = list.states[i].native_id;
        if (list.indexes[i] == NEWCOMER) {
            list.indexes[i] = index_of_newcomer(history, native_id);
        }
        const int32_t index = list.indexes[i];
        if (index != OTHER_THREADS
            && history->threads[index].native_id != native_id) {
            identify(history, index, native_id, at_start);
        }
    }
    known->list = list;
    known->spare = old;
}

int32_t
known_threads_find_holder(KnownThreads *known, const GilState *gil,
                          History *history, const GilSample *sample,
                          uint64_t *id)
{
    *id = 0;
    if (sample->holder == NULL) {
        return NOBODY;
    }
    if (sample->newest_id > known->list.newest_id) {
        known_threads_refresh(known, gil, history, 0);
    }
    const ThreadList *list = &known->list;
    for (int32_t i = 0; i < list->n; i++) {
        if (list->states[i].address != sample->holder) {
            continue;
        }
        /* A thread state that was made after the sample may have got the
           address of the holder, which was freed. */
        if (list->states[i].id > sample->newest_id) {
            return OTHER_THREADS;
        }
        *id = list->states[i].id;
        const int32_t index = list->indexes[i];
        if (history->threads[index].held == 0) {
            /* In 3.11 a new thread state has the native id of the thread that
               made it until its own thread runs, as a holder does. */
            known_threads_refresh(known, gil, history, 0);
        }
        return index;
    }
    return OTHER_THREADS;
}

void
known_threads_renumber(KnownThreads *known, const int32_t *new_indexes)
{
    for (int32_t i = 0; i < known->list.n; i++) {
        known->list.indexes[i] = new_indexes[known->list.indexes[i]];
    }
}
