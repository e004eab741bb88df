/* The table of threads in a history. See history.h. */

#include "history.h"

#include <stdlib.h>

/* history_find_ended() looks at so few because it would take longer than a
   sample otherwise. */
#define FIND_AMONG 256

#define MAX(a, b) ((a) > (b) ? (a) : (b))

static void
change_state(History *history, int32_t index, RunState state)
{
    ThreadSums *thread = &history->threads[index];
    if (thread->state != state) {
        thread->state = state;
        timeline_add_change(&history->timeline,
                            (StateChange){history->sums.end, index, state});
    }
}

int32_t
history_add_thread(History *history)
{
    if (history->n_threads == MAX_THREADS) {
        return OTHER_THREADS;
    }
    const int32_t index = history->n_threads++;
    history->threads[index] =
        (ThreadSums){.cpu = -1, .cpu_begin = -1, .state = ABSENT};
    history_resume_thread(history, index);
    return index;
}

int32_t
history_find_ended(const History *history, unsigned long native_id)
{
    const int32_t newest = history->n_threads - 1;
    const int32_t oldest = MAX(newest - FIND_AMONG, OTHER_THREADS);
    for (int32_t i = newest; i > oldest; i--) {
        const ThreadSums *thread = &history->threads[i];
        if (thread->state == ABSENT && thread->native_id == native_id) {
            return i;
        }
    }
    return OTHER_THREADS;
}

void
history_identify(History *history, int32_t index, unsigned long native_id,
                 int64_t cpu_begin, int64_t cpu)
{
    ThreadSums *thread = &history->threads[index];
    thread->native_id = native_id;
    thread->cpu_begin = cpu_begin;
    thread->cpu = cpu_begin >= 0 && cpu >= 0 ? cpu - cpu_begin : -1;
}

void
history_end_thread(History *history, int32_t index)
{
    if (index != OTHER_THREADS) {
        ThreadSums *thread = &history->threads[index];
        thread->lifetime += history->sums.end - thread->present_since;
        change_state(history, index, ABSENT);
    }
}

void
history_resume_thread(History *history, int32_t index)
{
    history->threads[index].present_since = history->sums.end;
    change_state(history, index, NOT_OBSERVED);
}

static int
compare_times(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* At least half of the ended threads held the GIL for this time or less, in
   ns. Returns -1 if no thread has ended, or there is no memory. */
static int64_t
median_held_of_ended(const History *history)
{
    int64_t *held = malloc(MAX_THREADS * sizeof(int64_t));
    if (held == NULL) {
        return -1;
    }
    size_t n = 0;
    for (int32_t i = OTHER_THREADS + 1; i < history->n_threads; i++) {
        if (history->threads[i].state == ABSENT) {
            held[n++] = history->threads[i].held;
        }
    }
    qsort(held, n, sizeof(int64_t), compare_times);
    const int64_t median = n > 0 ? held[n / 2] : -1;
    free(held);
    return median;
}

int32_t
history_fold_ended(History *history, int32_t *new_indexes)
{
    ThreadSums *const threads = history->threads;
    ThreadSums *const other = &threads[OTHER_THREADS];
    const int64_t most = median_held_of_ended(history);
    int32_t kept = OTHER_THREADS + 1;
    new_indexes[OTHER_THREADS] = OTHER_THREADS;
    for (int32_t i = kept; i < history->n_threads; i++) {
        if (threads[i].state == ABSENT && threads[i].held <= most) {
            other->held += threads[i].held;
            other->longest_hold =
                MAX(other->longest_hold, threads[i].longest_hold);
            new_indexes[i] = OTHER_THREADS;
        }
        else {
            new_indexes[i] = kept;
            threads[kept++] = threads[i];
        }
    }
    const int32_t folded = history->n_threads - kept;
    if (folded > 0) {
        history->n_threads = kept;
        timeline_renumber(&history->timeline, new_indexes);
        if (history->holder != NOBODY) {
            history->holder = new_indexes[history->holder];
        }
        for (int32_t i = 0; i < history->n_long_holds; i++) {
            LongHold *hold = &history->long_holds[i];
            hold->holder = new_indexes[hold->holder];
        }
    }
    return folded;
}

static void
count_system_call(ThreadSums *thread, long number)
{
    for (int i = 0; i < MAX_SYSTEM_CALLS; i++) {
        SystemCallSamples *call = &thread->system_calls[i];
        if (call->samples == 0 || call->number == number) {
            call->number = number;
            call->samples++;
            return;
        }
    }
}

void
history_add_thread_sample(History *history, int32_t index, ThreadSample sample)
{
    ThreadSums *thread = &history->threads[index];
    thread->samples[sample.state]++;
    if (sample.state == IN_SYSTEM_CALL) {
        count_system_call(thread, sample.system_call);
    }
    thread->sampled_at_switch = history->switches_now;
    if (thread->cpu_begin >= 0 && sample.cpu >= 0) {
        thread->cpu = sample.cpu - thread->cpu_begin;
    }
    history_set_state(history, index, sample.state);
}

void
history_set_state(History *history, int32_t index, RunState state)
{
    /* A thread may have ended since it was sampled. */
    if (history->threads[index].state != ABSENT) {
        change_state(history, index, state);
    }
}

int
history_must_still_wait(const History *history, int32_t index)
{
    const ThreadSums *thread = &history->threads[index];
    return thread->state == WAITS && history->sums.switches >= 0
           && thread->sampled_at_switch == history->switches_now;
}

int64_t
history_held_by(const History *history, unsigned long native_id)
{
    int64_t held = 0;
    for (int32_t i = OTHER_THREADS + 1; i < history->n_threads; i++) {
        if (history->threads[i].native_id == native_id) {
            held += history->threads[i].held;
        }
    }
    return held;
}
