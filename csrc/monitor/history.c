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
    return (ThreadSums){.cpu = -1, .cpu_begin = -1, .state = ABSENT};
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

/* Keeps the longest holds, in order. */
static void
add_long_hold(History *history, LongHold hold)
{
    LongHold *const holds = history->long_holds;
    int32_t i = history->n_long_holds;
    while (i > 0
           && hold.end - hold.begin > holds[i - 1].end - holds[i - 1].begin) {
        if (i < MAX_LONG_HOLDS) {
            holds[i] = holds[i - 1];
        }
        i--;
    }
    if (i < MAX_LONG_HOLDS) {
        holds[i] = hold;
        history->n_long_holds += history->n_long_holds < MAX_LONG_HOLDS;
    }
}

static void
end_hold(History *history, int64_t end)
{
    const int32_t holder = history->holder;
    if (holder != NOBODY) {
        const int64_t begin = history->held_since;
        int64_t *longest = &history->threads[holder].longest_hold;
        *longest = MAX(*longest, end - begin);
        add_long_hold(history,
                      (LongHold){begin, end, holder, history->holder_node});
    }
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
    for (int32_t i = OTHER_THREADS + 1; i < copy->n_threads; i++) {
        ThreadSums *thread = &copy->threads[i];
        if (thread->state != ABSENT) {
            thread->lifetime += copy->sums.end - thread->present_since;
        }
    }
    /* The hold that has not ended yet. */
    end_hold(copy, copy->sums.end);
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
    history->holder_node = NO_STACK;
    history->held_since = first->time;
    timeline_add_segment(&history->timeline, first->time, first->holder);
}

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
    history->threads[index] = new_thread();
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
        end_hold(history, boundary);
        history->holder = sample->holder;
        history->holder_node = NO_STACK;
        history->held_since = boundary;
    }
    timeline_add_segment(&history->timeline, boundary, sample->holder);
    history->switches_now = sample->switches;
    sums->end = sample->time;
    return last_hold;
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
history_set_stack(History *history, int32_t node)
{
    history->holder_node = node;
    timeline_set_node(&history->timeline, node);
}

static void
renumber_node(int32_t *node, const int32_t *new_nodes)
{
    if (*node != NO_STACK) {
        *node = new_nodes[*node];
    }
}

void
history_renumber_nodes(History *history, const int32_t *new_nodes)
{
    renumber_node(&history->holder_node, new_nodes);
    for (int32_t i = 0; i < history->n_long_holds; i++) {
        renumber_node(&history->long_holds[i].node, new_nodes);
    }
    for (int32_t i = 0; i < history->timeline.n_segments; i++) {
        renumber_node(&history->timeline.segments[i].node, new_nodes);
    }
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

void
history_set_costs(History *history, double variance, int64_t cpu)
{
    history->sums.variance = variance;
    history->sums.cpu = cpu;
}
