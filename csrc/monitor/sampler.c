/* See sampler.h. */

#include "../clock.h" /* first, because it includes Python.h */

#include "sampler.h"

#include "known_threads.h"
#include "os_thread.h"
#include "sampler_threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Checking whether a thread waits takes some microseconds. So only some
   samples, chosen at random, come with a scan: one in this time on average. A
   scan samples at most this many threads. */
#define SCAN_INTERVAL_NS 8000000
#define MAX_THREADS_PER_SCAN 32

/* Room that is kept for the threads that start before the next scan. */
#define SPARE_THREADS 1024

/* Less than sys.getswitchinterval(), which is 5 ms by default. */
#define LONG_HOLD_NS 2000000

/* With less spread, little changes while a sample is late. With a longer
   interval, samples are so few that chance is the largest error. */
#define SPREAD_FOR_TEAM 0.04
#define INTERVAL_FOR_TEAM_NS 10000000

struct Sampler {
    GilState gil;
    SamplerThreads threads;
    pthread_mutex_t lock; /* protects what follows */
    SamplingPlan plan;
    History history;
    KnownThreads known;
    int32_t last_scanned;             /* an index in known.list */
    int32_t new_indexes[MAX_THREADS]; /* scratch */
};

/* take_gil() in CPython sleeps in a condition variable inside the GIL. */
static int
waits_for_gil(const Sampler *sampler, unsigned long native_id)
{
    return os_thread_sleeps_in(native_id, sampler->gil.begin,
                               sampler->gil.end);
}

static int
is_waiting(const Sampler *sampler, int32_t index, unsigned long native_id)
{
    const History *history = &sampler->history;
    if (history->holder == NOBODY) {
        return 0; /* There is nothing to wait for. */
    }
    /* A waiting thread wakes up every 5 ms to request the GIL. That looks as
       if it were not waiting, but the GIL has not changed hands. */
    return history_must_still_wait(history, index)
           || waits_for_gil(sampler, native_id) > 0;
}

static void
sample_thread(Sampler *sampler, int32_t index, unsigned long native_id)
{
    history_add_thread_sample(
        &sampler->history, index,
        (ThreadSample){
            .waiting = is_waiting(sampler, index, native_id),
            .cpu = os_thread_cpu_time(native_id),
        });
}

static void
scan_threads(Sampler *sampler)
{
    History *history = &sampler->history;
    known_threads_refresh(&sampler->known, &sampler->gil, history, 0);
    const ThreadList *list = &sampler->known.list;
    history_add_scan(history, list->indexes, list->n);

    const int32_t n = Py_MIN(list->n, MAX_THREADS_PER_SCAN);
    for (int32_t i = 0; i < n; i++) {
        const int32_t next = (sampler->last_scanned + 1) % list->n;
        sampler->last_scanned = next;
        if (list->indexes[next] != OTHER_THREADS) {
            sample_thread(sampler, list->indexes[next],
                          list->states[next].native_id);
        }
    }
}

static void
make_room(Sampler *sampler)
{
    int32_t *new_indexes = sampler->new_indexes;
    if (history_fold_ended(&sampler->history, new_indexes) > 0) {
        known_threads_renumber(&sampler->known, new_indexes);
    }
}

/* The new holder does not wait any more. If the last one had held the GIL for
   long, it was most likely forced to release it, and waits to get it back:
   that is checked now, and not only by a later scan. */
static void
note_waiting(Sampler *sampler, int32_t last_holder, int64_t last_hold)
{
    History *history = &sampler->history;
    const int32_t holder = history->holder;
    if (holder == last_holder || holder == NOBODY || holder == OTHER_THREADS) {
        return;
    }
    history_set_waiting(history, holder, 0);
    if (last_holder != NOBODY && last_holder != OTHER_THREADS
        && last_hold > LONG_HOLD_NS) {
        const unsigned long id = history->threads[last_holder].native_id;
        history_set_waiting(history, last_holder,
                            waits_for_gil(sampler, id) > 0);
    }
}

static void
add_sample(Sampler *sampler, const GilSample *seen, int64_t now)
{
    History *history = &sampler->history;
    const int32_t last_holder = history->holder;
    const int32_t holder = known_threads_find_holder(
        &sampler->known, &sampler->gil, history, seen);
    const int handoff =
        holder != last_holder && holder != NOBODY && last_holder != NOBODY;
    const Sample sample = {
        .time = now,
        .weight = sampling_plan_add_sample(&sampler->plan, now,
                                           holder != NOBODY, handoff),
        .holder = holder,
        .switches = seen->switches,
    };
    const int64_t last_hold = history_add_sample(history, &sample);
    note_waiting(sampler, last_holder, last_hold);
    if (sampling_plan_random(&sampler->plan) * SCAN_INTERVAL_NS
        < (double)sample.weight) {
        scan_threads(sampler);
        if (history->n_threads > MAX_THREADS - SPARE_THREADS) {
            make_room(sampler);
        }
    }
}

/* An OnSample. */
static NextSample
on_sample(void *arg, const GilSample *seen, int64_t now)
{
    Sampler *sampler = arg;
    const SamplingPlan *plan = &sampler->plan;
    /* Otherwise a newer sample has got the lock before this one. */
    if (now > sampler->history.sums.end) {
        add_sample(sampler, seen, now);
    }
    return (NextSample){
        .deadline = plan->deadline,
        .by_team = plan->spread > SPREAD_FOR_TEAM
                   && plan->interval < INTERVAL_FOR_TEAM_NS,
    };
}

static void
free_memory(Sampler *sampler)
{
    history_free(&sampler->history);
    known_threads_free(&sampler->known);
    free(sampler);
}

/* Finds the threads that are there at the start. */
static void
begin_history(Sampler *sampler, int64_t now)
{
    const GilState *gil = &sampler->gil;
    History *history = &sampler->history;
    const GilSample seen = gil_state_sample(gil);
    known_threads_refresh(&sampler->known, gil, history, 1);
    const Sample first = {
        .time = now,
        .holder =
            known_threads_find_holder(&sampler->known, gil, history, &seen),
        .switches = seen.switches,
    };
    const unsigned long self = PyThread_get_thread_native_id();
    history_start(history, &first, gil->switch_number != NULL,
                  waits_for_gil(sampler, self) >= 0);
}

Sampler *
sampler_start(const GilState *gil, Intervals intervals)
{
    Sampler *sampler = calloc(1, sizeof(Sampler));
    if (sampler == NULL) {
        return NULL;
    }
    const int64_t now = monotonic_ns();
    if (history_init(&sampler->history, now) < 0
        || known_threads_init(&sampler->known) < 0) {
        free_memory(sampler);
        errno = ENOMEM;
        return NULL;
    }
    sampler->gil = *gil;
    begin_history(sampler, now);
    sampling_plan_init(&sampler->plan, intervals, now,
                       (uint64_t)now ^ (uint64_t)(uintptr_t)sampler);

    int error = pthread_mutex_init(&sampler->lock, NULL);
    if (!error) {
        error = sampler_threads_start(&sampler->threads, &sampler->gil,
                                      &sampler->lock, on_sample, sampler,
                                      sampler->plan.deadline);
        if (error) {
            (void)pthread_mutex_destroy(&sampler->lock);
        }
    }
    if (error) {
        free_memory(sampler);
        errno = error;
        return NULL;
    }
    return sampler;
}

void
sampler_halt(Sampler *sampler)
{
    sampler_threads_halt(&sampler->threads);
}

void
sampler_join(Sampler *sampler)
{
    sampler_threads_join(&sampler->threads);
}

int
sampler_copy_history(Sampler *sampler, History *copy)
{
    pthread_mutex_lock(&sampler->lock);
    history_set_costs(&sampler->history,
                      sampling_plan_variance(&sampler->plan),
                      sampler_threads_cpu_time(&sampler->threads));
    const int failed = history_copy(&sampler->history, copy);
    pthread_mutex_unlock(&sampler->lock);
    if (failed) {
        history_free(copy);
    }
    return failed;
}

int64_t
sampler_held_by(Sampler *sampler, unsigned long native_id, Sums *sums)
{
    pthread_mutex_lock(&sampler->lock);
    const int64_t held = history_held_by(&sampler->history, native_id);
    *sums = sampler->history.sums;
    pthread_mutex_unlock(&sampler->lock);
    return held;
}

void
sampler_free(Sampler *sampler)
{
    (void)pthread_mutex_destroy(&sampler->lock);
    free_memory(sampler);
}

void
sampler_free_in_child(Sampler *sampler)
{
    /* The native threads do not exist here, but may have had the lock, or have
       been waiting for the condition variable: neither may be destroyed. */
    free_memory(sampler);
}
