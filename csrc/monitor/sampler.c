/* See sampler.h. */

#include "../clock.h" /* first, because it includes Python.h */

#include "sampler.h"

#include "known_threads.h"
#include "os_thread.h"
#include "sampler_threads.h"
#include "waiters.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* To see what a thread does takes some microseconds, so a scan of the
   threads comes with a sample only this often, at random, and samples so many
   threads at most. */
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
    Sites *sites;                     /* NULL if none are wanted */
    int32_t last_scanned;             /* an index in known.list */
    int32_t new_indexes[MAX_THREADS]; /* scratch */
};

/* take_gil() in CPython sleeps in a condition variable inside the GIL. glibc
   has the futex in the condition variable; other C libraries have it on the
   stack, so there it can't be recognised. */
static int
sleeps_for_gil(const Sampler *sampler, const OsThreadState *state)
{
    return state->futex >= sampler->gil.begin
           && state->futex < sampler->gil.end;
}

static int
can_see_waiting(void)
{
#ifdef __GLIBC__
    const unsigned long self = PyThread_get_thread_native_id();
    return os_thread_state(self).activity != OS_THREAD_UNKNOWN;
#else
    return 0;
#endif
}

static int
is_waiting(const Sampler *sampler, int32_t index, const OsThreadState *state)
{
    const History *history = &sampler->history;
    if (history->holder == NOBODY) {
        return 0; /* There is nothing to wait for. */
    }
    /* A waiting thread wakes up every 5 ms to request the GIL. That looks as
       if it were not waiting, but the GIL has not changed hands. */
    return history_must_still_wait(history, index)
           || sleeps_for_gil(sampler, state);
}

/* The state of a thread that sleeps in a futex, and not for the GIL. Whether
   it has work to do, the code tells in which it sleeps. */
static RunState
state_in_futex(Sampler *sampler, const ThreadState *thread, SafeCopy *copy)
{
    if (!sampler->history.sums.waiting_known || sampler->sites == NULL) {
        return NOT_OBSERVED;
    }
    switch (sites_is_idle(sampler->sites, copy, thread->address, thread->id)) {
    case 0:
        return LOCKED;
    case 1:
        return IDLE;
    default:
        return NOT_OBSERVED;
    }
}

static RunState
run_state(Sampler *sampler, int32_t index, const ThreadState *thread,
          const OsThreadState *state, SafeCopy *copy)
{
    if (index == sampler->history.holder) {
        return HOLDS;
    }
    if (is_waiting(sampler, index, state)) {
        return WAITS;
    }
    switch (state->activity) {
    case OS_THREAD_RUNS:
        return COMPUTES;
    case OS_THREAD_SLEEPS:
        return state->futex != 0 ? state_in_futex(sampler, thread, copy)
                                 : IN_SYSTEM_CALL;
    case OS_THREAD_UNKNOWN:
        break;
    }
    return NOT_OBSERVED;
}

static void
sample_thread(Sampler *sampler, int32_t index, const ThreadState *thread,
              SafeCopy *copy)
{
    const OsThreadState state = os_thread_state(thread->native_id);
    history_add_thread_sample(
        &sampler->history, index,
        (ThreadSample){
            .state = run_state(sampler, index, thread, &state, copy),
            .system_call = state.system_call,
            .cpu = os_thread_cpu_time(thread->native_id),
        });
}

static void
scan_threads(Sampler *sampler, SafeCopy *copy)
{
    known_threads_refresh(&sampler->known, &sampler->gil, &sampler->history,
                          0);
    const ThreadList *list = &sampler->known.list;

    const int32_t n = Py_MIN(list->n, MAX_THREADS_PER_SCAN);
    for (int32_t i = 0; i < n; i++) {
        const int32_t next = (sampler->last_scanned + 1) % list->n;
        sampler->last_scanned = next;
        if (list->indexes[next] != OTHER_THREADS) {
            sample_thread(sampler, list->indexes[next], &list->states[next],
                          copy);
        }
    }
}

static void
make_room(Sampler *sampler)
{
    int32_t *new_indexes = sampler->new_indexes;
    if (history_fold_ended(&sampler->history, new_indexes) > 0) {
        known_threads_renumber(&sampler->known, new_indexes);
        if (sampler->sites != NULL) {
            const int32_t *new_nodes =
                profile_renumber(&sampler->sites->profile, new_indexes);
            history_renumber_nodes(&sampler->history, new_nodes);
        }
    }
}

/* The new holder does not wait any more. If the last one had held the GIL for
   long, it was most likely forced to release it, and waits to get it back:
   that is checked now, and not only by a later scan. */
static void
note_handoff(Sampler *sampler, int32_t last_holder, int64_t last_hold)
{
    History *history = &sampler->history;
    const int32_t holder = history->holder;
    if (holder == last_holder || holder == NOBODY || holder == OTHER_THREADS) {
        return;
    }
    history_set_state(history, holder, HOLDS);
    if (last_holder != NOBODY && last_holder != OTHER_THREADS
        && last_hold > LONG_HOLD_NS) {
        const unsigned long id = history->threads[last_holder].native_id;
        const OsThreadState state = os_thread_state(id);
        if (sleeps_for_gil(sampler, &state)) {
            history_set_state(history, last_holder, WAITS);
        }
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
    if (sampler->sites != NULL && holder != NOBODY) {
        const int32_t node =
            sites_add_sample(sampler->sites, copy,
                             &(HeldSample){
                                 .thread = holder,
                                 .tstate = seen->holder,
                                 .id = id,
                                 .weight = sample.weight,
                                 .held_since = history->held_since,
                                 .waiters = seen->waiters,
                             });
        if (node != NO_NODE) {
            history_set_stack(history, node);
        }
    }
    note_handoff(sampler, last_holder, last_hold);
    if (sampling_plan_random(&sampler->plan) * SCAN_INTERVAL_NS
        < (double)sample.weight) {
        scan_threads(sampler, copy);
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
    if (sampler->sites != NULL) {
        sites_free(sampler->sites);
        free(sampler->sites);
    }
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
                  can_see_waiting());
}

static int
reads_stacks(const Sampler *sampler)
{
    return sampler->sites != NULL && sampler->sites->sums.unavailable == NULL;
}

/* Returns 0, or -1 if there is no memory. */
static int
open_sites(Sampler *sampler, uint64_t seed)
{
    GilState *gil = &sampler->gil;
    Sites *sites = calloc(1, sizeof(Sites));
    if (sites == NULL) {
        return -1;
    }
    if (gil->condition != NULL) {
        gil->waiters_offset = waiters_find_offset();
    }
    if (sites_open(sites, gil->waiters_offset >= 0, seed) < 0) {
        free(sites);
        return -1;
    }
    sampler->sites = sites;
    return 0;
}

Sampler *
sampler_start(const GilState *gil, Intervals intervals, int with_sites)
{
    Sampler *sampler = calloc(1, sizeof(Sampler));
    if (sampler == NULL) {
        return NULL;
    }
    sampler->gil = *gil;
    const uint64_t seed =
        (uint64_t)monotonic_ns() ^ (uint64_t)(uintptr_t)sampler;
    if (with_sites && open_sites(sampler, seed) < 0) {
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
        error = sampler_threads_start(
            &sampler->threads, &sampler->gil, reads_stacks(sampler),
            &sampler->lock, on_sample, sampler, sampler->plan.deadline);
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
    if (sampler->sites != NULL) {
        sites_close(sampler->sites);
    }
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
    const Sites *sites = sampler->sites;
    copy->has_sites = sites != NULL;
    pthread_mutex_lock(&sampler->lock);
    history_set_costs(&sampler->history,
                      sampling_plan_variance(&sampler->plan),
                      sampler_threads_cpu_time(&sampler->threads));
    int failed = history_copy(&sampler->history, &copy->history);
    if (!failed && sites != NULL) {
        copy->sites = sites->sums;
        failed = profile_copy(&sites->profile, &copy->profile);
    }
    pthread_mutex_unlock(&sampler->lock);
    if (failed) {
        history_free(&copy->history);
    }
    return failed;
}

void
sampler_copy_free(SamplerCopy *copy)
{
    history_free(&copy->history);
    if (copy->has_sites) {
        profile_free(&copy->profile);
    }
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
