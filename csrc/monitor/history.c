/* Sums over the whole run, and the longest holds. See history.h. */

#include "history.h"

#include <stdlib.h>

#define MAX(a, b) ((a) > (b) ? (a) : (b))

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
    history->threads[OTHER_THREADS] =
        (ThreadSums){.cpu = -1, .cpu_begin = -1, .state = ABSENT};
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
history_set_costs(History *history, double variance, int64_t cpu)
{
    history->sums.variance = variance;
    history->sums.cpu = cpu;
}
