/* See sampler.h. */

#include "../clock.h" /* first, because it includes Python.h */

#include "sampler.h"

#include "known_threads.h"
#include "sampler_threads.h"
#include "thread_scan.h"
#include "waiters.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* A scan of the threads takes much longer than a sample, so it comes with a
   sample only this often, at random. */
#define SCAN_INTERVAL_NS 8000000

/* Room that is kept for the threads that start before the next scan. */
#define SPARE_THREADS 1024

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
    Sites sites;
    ThreadScan scan;
    int32_t new_indexes[MAX_THREADS]; /* scratch */
};

static void
make_room(Sampler *sampler)
{
    int32_t *new_indexes = sampler->new_indexes;
    if (history_fold_ended(&sampler->history, new_indexes) > 0) {
        known_threads_renumber(&sampler->known, new_indexes);
        sites_renumber(&sampler->sites, new_indexes);
    }
}

static void
add_sample(Sampler *sampler, const GilSample *seen, int64_t now,
           SafeCopy *copy)
{
    History *history = &sampler->history;
    const int32_t last_holder = history->holder;
    uint64_t id;
    const int32_t holder = known_threads_find_holder(
        &sampler->known, &sampler->gil, history, seen, &id);
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
    /* Before all else, because the holder goes on. */
    if (holder != NOBODY) {
        sites_add_sample(&sampler->sites, copy,
                         &(HeldSample){
                             .thread = holder,
                             .tstate = seen->holder,
                             .id = id,
                             .weight = sample.weight,
                             .held_since = history->held_since,
                             .waiters = seen->waiters,
                         });
    }
    thread_scan_note_handoff(&sampler->scan, last_holder, last_hold);
    if (sampling_plan_random(&sampler->plan) * SCAN_INTERVAL_NS
        < (double)sample.weight) {
        thread_scan(&sampler->scan);
        if (history->n_threads > MAX_THREADS - SPARE_THREADS) {
            make_room(sampler);
        }
    }
}

/* An OnSample. */
static NextSample
on_sample(void *arg, const GilSample *seen, int64_t now, SafeCopy *copy)
{
    Sampler *sampler = arg;
    const SamplingPlan *plan = &sampler->plan;
    /* Otherwise a newer sample has got the lock before this one. */
    if (now > sampler->history.sums.end) {
        add_sample(sampler, seen, now, copy);
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
    sites_free(&sampler->sites);
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
    uint64_t id;
    const Sample first = {
        .time = now,
        .holder = known_threads_find_holder(&sampler->known, gil, history,
                                            &seen, &id),
        .switches = seen.switches,
    };
    history_start(history, &first, gil->switch_number != NULL,
                  thread_scan_sees_waiting(&sampler->scan));
}

/* Returns 0, or -1 if there is no memory. */
static int
open_sites(Sampler *sampler, int wanted, uint64_t seed)
{
    GilState *gil = &sampler->gil;
    if (wanted && gil->condition != NULL) {
        gil->waiters_offset = waiters_find_offset();
    }
    return sites_open(&sampler->sites, wanted, gil->waiters_offset >= 0, seed);
}

Sampler *
sampler_start(const GilState *gil, Intervals intervals, int with_sites)
{
    Sampler *sampler = calloc(1, sizeof(Sampler));
    if (sampler == NULL) {
        return NULL;
    }
    sampler->gil = *gil;
    sampler->scan = (ThreadScan){
        .gil = &sampler->gil,
        .known = &sampler->known,
        .history = &sampler->history,
    };
    const uint64_t seed =
        (uint64_t)monotonic_ns() ^ (uint64_t)(uintptr_t)sampler;
    if (open_sites(sampler, with_sites, seed) < 0) {
        free(sampler);
        errno = ENOMEM;
        return NULL;
    }
    const int64_t now = monotonic_ns();
    if (history_init(&sampler->history, now) < 0
        || known_threads_init(&sampler->known) < 0) {
        sampler_close_sites(sampler);
        free_memory(sampler);
        errno = ENOMEM;
        return NULL;
    }
    begin_history(sampler, now);
    sampling_plan_init(&sampler->plan, intervals, now, seed);

    int error = pthread_mutex_init(&sampler->lock, NULL);
    if (!error) {
        error = sampler_threads_start(&sampler->threads, &sampler->gil,
                                      sites_read_stacks(&sampler->sites),
                                      &sampler->lock, on_sample, sampler,
                                      sampler->plan.deadline);
        if (error) {
            (void)pthread_mutex_destroy(&sampler->lock);
        }
    }
    if (error) {
        sampler_close_sites(sampler);
        free_memory(sampler);
        errno = error;
        return NULL;
    }
    return sampler;
}

void
sampler_close_sites(Sampler *sampler)
{
    sites_close(&sampler->sites);
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
sampler_copy(Sampler *sampler, SamplerCopy *copy)
{
    pthread_mutex_lock(&sampler->lock);
    history_set_costs(&sampler->history,
                      sampling_plan_variance(&sampler->plan),
                      sampler_threads_cpu_time(&sampler->threads));
    int failed = history_copy(&sampler->history, &copy->history);
    failed = failed || sites_copy(&sampler->sites, &copy->sites) < 0;
    pthread_mutex_unlock(&sampler->lock);
    if (failed) {
        history_free(&copy->history);
    }
    return failed ? -1 : 0;
}

void
sampler_copy_free(SamplerCopy *copy)
{
    history_free(&copy->history);
    sites_copy_free(&copy->sites);
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
