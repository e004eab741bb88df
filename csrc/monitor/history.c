/* See history.h. */

#include "history.h"

#include <stdlib.h>

/* history_find_ended() searches only this many threads: searching all of them
   would take longer than a sample. */
#define FIND_AMONG 256

#define MAX(a, b) ((a) > (b) ? (a) : (b))

static ThreadSums
new_thread(void)
{
    return (ThreadSums){.cpu = -1, .cpu_begin = -1};
}

int
history_init(History *history, int64_t now)
{
    *history = (History){
        .sums = {.begin = now, .end = now},
        .threads = calloc(MAX_THREADS, sizeof(ThreadSums)),
        .n_threads = OTHER_THREADS + 1,
        .holder = NOBODY,
    };
    if (timeline_init(&history->timeline) < 0 || history->threads == NULL) {
        return -1;
    }
    history->threads[OTHER_THREADS] = new_thread();
    return 0;
}

int
history_copy(const History *history, History *copy)
{
    *copy = *history;
    copy->threads =
        copy_items(history->threads, history->n_threads, sizeof(ThreadSums));
    if (timeline_copy(&history->timeline, &copy->timeline) < 0
        || copy->threads == NULL) {
        return -1;
    }
    if (copy->holder != NOBODY) {
        /* The hold that has not ended yet. */
        int64_t *longest = &copy->threads[copy->holder].longest_hold;
        *longest = MAX(*longest, copy->sums.end - copy->held_since);
    }
    return 0;
}

void
history_free(History *history)
{
    timeline_free(&history->timeline);
    free(history->threads);
}

void
history_start(History *history, const Sample *first, int switches_known,
              int waiting_known)
{
    history->sums.switches = switches_known ? 0 : -1;
    history->sums.waiting_known = waiting_known;
    history->switches_begin = first->switches;
    history->switches_now = first->switches;
    history->holder = first->holder;
    history->held_since = first->time;
    timeline_add_segment(&history->timeline, first->time, first->holder);
}

int32_t
history_add_thread(History *history)
{
    if (history->n_threads == MAX_THREADS) {
        return OTHER_THREADS;
    }
    history->threads[history->n_threads] = new_thread();
    return history->n_threads++;
}

int32_t
history_find_ended(const History *history, unsigned long native_id)
{
    const int32_t newest = history->n_threads - 1;
    const int32_t oldest = MAX(newest - FIND_AMONG, OTHER_THREADS);
    for (int32_t i = newest; i > oldest; i--) {
        const ThreadSums *thread = &history->threads[i];
        if (thread->ended && thread->native_id == native_id) {
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
        history->threads[index].ended = 1;
        history_set_waiting(history, index, 0);
    }
}

void
history_resume_thread(History *history, int32_t index)
{
    history->threads[index].ended = 0;
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
        if (history->threads[i].ended) {
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
        if (threads[i].ended && threads[i].held <= most) {
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
    }
    return folded;
}

int64_t
history_add_sample(History *history, const Sample *sample)
{
    Sums *const sums = &history->sums;
    const double weight = (double)sample->weight;
    /* A change since the last sample is placed in the middle. */
    const int64_t boundary = sums->end + (sample->time - sums->end) / 2;
    const int32_t last_holder = history->holder;
    const int64_t last_hold = boundary - history->held_since;

    sums->samples++;
    sums->weight += sample->weight;
    sums->squared_weights += weight * weight;
    if (sample->holder != NOBODY) {
        sums->held += sample->weight;
        history->threads[sample->holder].held += sample->weight;
    }
    if (sums->switches >= 0) {
        sums->switches = (int64_t)(sample->switches - history->switches_begin);
    }

    /* If two samples show the same holder, another thread may still have had
       the GIL in between; CPython's count tells. */
    if (sample->holder != last_holder
        || sample->switches != history->switches_now) {
        if (last_holder != NOBODY) {
            int64_t *longest = &history->threads[last_holder].longest_hold;
            *longest = MAX(*longest, last_hold);
        }
        history->holder = sample->holder;
        history->held_since = boundary;
    }
    timeline_add_segment(&history->timeline, boundary, sample->holder);
    history->switches_now = sample->switches;
    sums->end = sample->time;
    return last_hold;
}

void
history_add_scan(History *history, const int32_t *threads, int32_t n)
{
    history->sums.scans++;
    for (int32_t i = 0; i < n; i++) {
        history->threads[threads[i]].scans++;
    }
}

void
history_add_thread_sample(History *history, int32_t index, ThreadSample sample)
{
    ThreadSums *thread = &history->threads[index];
    thread->thread_samples++;
    thread->waiting_samples += sample.waiting;
    thread->sampled_at_switch = history->switches_now;
    if (thread->cpu_begin >= 0 && sample.cpu >= 0) {
        thread->cpu = sample.cpu - thread->cpu_begin;
    }
    history_set_waiting(history, index, sample.waiting);
}

void
history_set_waiting(History *history, int32_t index, int waiting)
{
    ThreadSums *thread = &history->threads[index];
    if (thread->waiting != waiting) {
        thread->waiting = waiting;
        timeline_add_change(&history->timeline,
                            (WaitChange){history->sums.end, index, waiting});
    }
}

int
history_must_still_wait(const History *history, int32_t index)
{
    const ThreadSums *thread = &history->threads[index];
    return thread->waiting && history->sums.switches >= 0
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

void
history_set_costs(History *history, double variance, int64_t cpu)
{
    history->sums.variance = variance;
    history->sums.cpu = cpu;
}
