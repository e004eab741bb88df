/* See recorder.h. */

#include "../clock.h" /* first, because it includes Python.h */

#include "recorder.h"

#include "waiters.h"

#include <stdlib.h>
#include <string.h>

/* The mean time between two scans of the threads. Each comes with a sample
   that is chosen at random. */
#define SCAN_INTERVAL_NS 8000000

/* Room that is kept for the threads that start before the next scan. */
#define SPARE_THREADS 1024

/* Less than sys.getswitchinterval(), which is 5 ms by default. */
#define LONG_HOLD_NS 2000000

/* Returns 0, or -1 if there is no memory. */
static int
open_sites(Recorder *recorder, uint64_t seed)
{
    GilState *gil = &recorder->gil;
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
    recorder->sites = sites;
    return 0;
}

/* Finds the threads that are there at the start. */
static void
begin_history(Recorder *recorder, int64_t now)
{
    const GilState *gil = &recorder->gil;
    History *history = &recorder->history;
    const GilSample seen = gil_state_sample(gil);
    known_threads_refresh(&recorder->known, gil, history, 1);
    uint64_t id;
    const Sample first = {
        .time = now,
        .holder = known_threads_find_holder(&recorder->known, gil, history,
                                            &seen, &id),
        .switches = seen.switches,
    };
    history_start(history, &first, gil->switch_number != NULL,
                  thread_scan_sees_waiting());
}

int
recorder_init(Recorder *recorder, const GilState *gil, Intervals intervals,
              int with_sites)
{
    memset(recorder, 0, sizeof(*recorder));
    recorder->gil = *gil;
    const uint64_t seed =
        (uint64_t)monotonic_ns() ^ (uint64_t)(uintptr_t)recorder;
    if (with_sites && open_sites(recorder, seed) < 0) {
        return -1;
    }
    const int64_t now = monotonic_ns();
    if (history_init(&recorder->history, now) < 0
        || known_threads_init(&recorder->known) < 0) {
        recorder_close_sites(recorder);
        recorder_free(recorder);
        return -1;
    }
    recorder->scan = (ThreadScan){
        .gil = &recorder->gil,
        .known = &recorder->known,
        .history = &recorder->history,
        .sites = recorder->sites,
    };
    begin_history(recorder, now);
    sampling_plan_init(&recorder->plan, intervals, now, seed);
    return 0;
}

void
recorder_close_sites(Recorder *recorder)
{
    if (recorder->sites != NULL) {
        sites_close(recorder->sites);
    }
}

void
recorder_free(Recorder *recorder)
{
    history_free(&recorder->history);
    known_threads_free(&recorder->known);
    if (recorder->sites != NULL) {
        sites_free(recorder->sites);
        free(recorder->sites);
    }
}

int
recorder_reads_stacks(const Recorder *recorder)
{
    return recorder->sites != NULL
           && recorder->sites->sums.unavailable == NULL;
}

static void
make_room(Recorder *recorder)
{
    int32_t *new_indexes = recorder->new_indexes;
    if (history_fold_ended(&recorder->history, new_indexes) > 0) {
        known_threads_renumber(&recorder->known, new_indexes);
        if (recorder->sites != NULL) {
            const int32_t *new_nodes =
                profile_renumber(&recorder->sites->profile, new_indexes);
            history_renumber_nodes(&recorder->history, new_nodes);
        }
    }
}

/* The new holder does not wait any more. If the last one had held the GIL for
   long, it was most likely forced to release it, and waits to get it back:
   that is checked now, and not only by a later scan. */
static void
note_handoff(Recorder *recorder, int32_t last_holder, int64_t last_hold)
{
    History *history = &recorder->history;
    const int32_t holder = history->holder;
    if (holder == last_holder || holder == NOBODY || holder == OTHER_THREADS) {
        return;
    }
    history_set_state(history, holder, HOLDS);
    if (last_holder != NOBODY && last_holder != OTHER_THREADS
        && last_hold > LONG_HOLD_NS) {
        const unsigned long id = history->threads[last_holder].native_id;
        if (thread_scan_sleeps_for_gil(&recorder->scan, id)) {
            history_set_state(history, last_holder, WAITS);
        }
    }
}

/* For the newest sample in the history. `id` is the id of seen->holder, or 0
   if it is unknown. */
static void
add_stack(Recorder *recorder, const GilSample *seen, uint64_t id,
          int64_t weight, SafeCopy *copy)
{
    History *history = &recorder->history;
    const HeldSample sample = {
        .thread = history->holder,
        .tstate = seen->holder,
        .id = id,
        .weight = weight,
        .held_since = history->held_since,
        .waiters = seen->waiters,
    };
    const int32_t node = sites_add_sample(recorder->sites, copy, &sample);
    if (node != NO_NODE) {
        history_set_stack(history, node);
    }
}

void
recorder_add_sample(Recorder *recorder, const GilSample *seen, int64_t now,
                    SafeCopy *copy)
{
    History *history = &recorder->history;
    const int32_t last_holder = history->holder;
    uint64_t id;
    const int32_t holder = known_threads_find_holder(
        &recorder->known, &recorder->gil, history, seen, &id);
    const int handoff =
        holder != last_holder && holder != NOBODY && last_holder != NOBODY;
    const Sample sample = {
        .time = now,
        .weight = sampling_plan_add_sample(&recorder->plan, now,
                                           holder != NOBODY, handoff),
        .holder = holder,
        .switches = seen->switches,
    };
    const int64_t last_hold = history_add_sample(history, &sample);
    /* First of all, because the holder continues to run. */
    if (recorder->sites != NULL && holder != NOBODY) {
        add_stack(recorder, seen, id, sample.weight, copy);
    }
    note_handoff(recorder, last_holder, last_hold);
    if (sampling_plan_random(&recorder->plan) * SCAN_INTERVAL_NS
        < (double)sample.weight) {
        thread_scan_run(&recorder->scan, copy);
        if (history->n_threads > MAX_THREADS - SPARE_THREADS) {
            make_room(recorder);
        }
    }
}
