/* Fills the history of a GilMonitor far beyond its size, and checks what is
 * left of it. test_c_units.py builds and runs it together with history.c,
 * history_threads.c and timeline.c.
 */

#include "check.h"
#include "history.h"

#include <inttypes.h>

#define THREADS 3
#define SHORT_NS 10000
#define LONG_NS 50000000
#define SAMPLES (MAX_SEGMENTS * 5)

/* A sample that finds the GIL handed over right after the last one. */
static int64_t
add_sample(History *history, int64_t weight, int32_t holder)
{
    const Sample sample = {
        .time = history->sums.end + weight,
        .weight = weight,
        .holder = holder,
    };
    return history_add_sample(history, &sample);
}

/* Threads hold the GIL in turn and wait after that, mostly for a short time,
   and one time in a thousand for a long time, which must be kept. Returns the
   number of long times. */
static int
fill(History *history, const int32_t *threads)
{
    const Timeline *timeline = &history->timeline;
    int long_times = 0;
    for (int i = 0; i < SAMPLES; i++) {
        const int32_t thread = threads[i % THREADS];
        const int is_long = i % 1000 == 500;
        long_times += is_long;
        history_set_state(history, thread, HOLDS);
        (void)add_sample(history, is_long ? LONG_NS : SHORT_NS, thread);
        history_set_state(history, thread, WAITS);
        CHECK(timeline->n_segments <= MAX_SEGMENTS);
        CHECK(timeline->n_changes <= MAX_CHANGES);
    }
    return long_times;
}

static void
check_segments(const History *history, int long_times)
{
    const Timeline *timeline = &history->timeline;
    const Segment *segments = timeline->segments;
    int found = 0;
    CHECK(segments[0].begin == history->sums.begin);
    for (int32_t i = 1; i < timeline->n_segments; i++) {
        CHECK(segments[i].begin > segments[i - 1].begin);
        CHECK(segments[i].holder != segments[i - 1].holder);
        /* A change is placed in the middle between two samples. */
        found += segments[i].begin - segments[i - 1].begin >= LONG_NS / 2;
    }
    CHECK(timeline->resolution >= SHORT_NS);
    CHECK(timeline->resolution < LONG_NS / 2);
    /* One at the very end may be the last segment, which has no end yet. */
    CHECK(found >= long_times - 1);
}

/* The changes of each thread are in order, and the last one is its state. */
static void
check_changes(const History *history)
{
    const Timeline *timeline = &history->timeline;
    StateChange last[THREADS + 1] = {{0}};
    for (int32_t i = 0; i < timeline->n_changes; i++) {
        const StateChange *change = &timeline->changes[i];
        CHECK(change->thread > OTHER_THREADS && change->thread <= THREADS);
        CHECK(change->time >= last[change->thread].time);
        last[change->thread] = *change;
    }
    for (int32_t i = 1; i <= THREADS; i++) {
        CHECK(last[i].state == history->threads[i].state);
    }
}

/* Samples with two weights. */
static void
check_sums(History *history, int32_t thread)
{
    const Sums *sums = &history->sums;
    for (int i = 0; i < 4; i++) {
        (void)add_sample(history, 100, i % 2 ? NOBODY : thread);
    }
    (void)add_sample(history, 300, OTHER_THREADS);
    (void)add_sample(history, 300, thread);
    CHECK(sums->samples == 6);
    CHECK(sums->end - sums->begin == 1000);
    CHECK(sums->weight == 1000);
    CHECK(sums->squared_weights == 4 * 100 * 100 + 2 * 300 * 300);
    CHECK(sums->held == 800);
    CHECK(history->threads[thread].held == 500);
    CHECK(history->threads[OTHER_THREADS].held == 300);
    CHECK(history_held_by(history, 0) == 500);
}

/* Of the threads 1 to 6 those with an odd number end; 1 and 3 held the GIL
   least among them. */
static void
check_fold(void)
{
    History history;
    const Timeline *timeline = &history.timeline;
    static int32_t new_indexes[MAX_THREADS];
    CHECK(history_init(&history, 0) == 0);
    for (int32_t i = 1; i <= 6; i++) {
        CHECK(history_add_thread(&history) == i);
        history_set_state(&history, i, WAITS);
        (void)add_sample(&history, 100 * i, i);
        history_set_state(&history, i, HOLDS);
    }
    CHECK(history_fold_ended(&history, new_indexes) == 0);
    for (int32_t i = 1; i <= 5; i += 2) {
        history_end_thread(&history, i);
    }
    CHECK(history_fold_ended(&history, new_indexes) == 2);
    const int32_t expected[] = {0, 0, 1, 0, 2, 3, 4};
    for (int32_t i = 0; i <= 6; i++) {
        CHECK(new_indexes[i] == expected[i]);
    }
    CHECK(history.n_threads == 5);
    CHECK(history.holder == 4);
    CHECK(history.threads[OTHER_THREADS].held == 400);
    CHECK(history.threads[1].held == 200);
    CHECK(history.threads[4].held == 600);
    CHECK(timeline->n_segments == 6);
    CHECK(timeline->segments[2].holder == OTHER_THREADS);
    CHECK(timeline->segments[5].holder == 4);
    /* Four threads: not observed, waits, holds; two of them ended. */
    CHECK(timeline->n_changes == 13);
    CHECK(timeline->changes[12].state == ABSENT);
    history_free(&history);
}

/* A hold ends when another thread has the GIL, or has had it in between. */
static void
check_holds(void)
{
    History history, copy;
    CHECK(history_init(&history, 0) == 0);
    const int32_t one = history_add_thread(&history);
    const int32_t two = history_add_thread(&history);
    history_start(&history, &(Sample){.holder = one, .switches = 7}, 1, 1);
    const Sample samples[] = {
        {100, 100, one, 7}, {200, 100, two, 8},    {300, 100, two, 8},
        {400, 100, two, 9}, {500, 100, NOBODY, 9}, {600, 100, one, 10},
    };
    const int64_t last_holds[] = {50, 150, 100, 200, 100, 100};
    for (int i = 0; i < 6; i++) {
        CHECK(history_add_sample(&history, &samples[i]) == last_holds[i]);
    }
    CHECK(history.sums.switches == 3);
    CHECK(history.threads[one].longest_hold == 150);
    CHECK(history.threads[two].longest_hold == 200);
    CHECK(history_add_sample(&history, &(Sample){900, 300, one, 10}) == 200);
    CHECK(history.threads[one].longest_hold == 150);
    /* The hold that goes on is a part of the copy. */
    CHECK(history_copy(&history, &copy) == 0);
    CHECK(copy.threads[one].longest_hold == 350);
    history_free(&copy);
    history_free(&history);
}

static void
check_thread_samples(void)
{
    History history;
    CHECK(history_init(&history, 0) == 0);
    const int32_t thread = history_add_thread(&history);
    const ThreadSums *sums = &history.threads[thread];
    history_start(&history, &(Sample){.holder = thread}, 1, 1);
    CHECK(sums->cpu == -1);
    history_identify(&history, thread, 77, 1000, 1500);
    CHECK(sums->native_id == 77 && sums->cpu == 500);
    CHECK(history_find_ended(&history, 77) == OTHER_THREADS);

    (void)add_sample(&history, 100, thread);
    history_add_thread_sample(&history, thread,
                              (ThreadSample){WAITS, 0, 1800});
    CHECK(sums->samples[WAITS] == 1);
    CHECK(sums->cpu == 800);
    CHECK(history_must_still_wait(&history, thread));
    const Sample other = {200, 100, OTHER_THREADS, 1};
    (void)history_add_sample(&history, &other);
    CHECK(!history_must_still_wait(&history, thread));

    /* Its CPU clock can't be read any more. */
    history_add_thread_sample(&history, thread,
                              (ThreadSample){IN_SYSTEM_CALL, 61, -1});
    CHECK(sums->samples[WAITS] == 1 && sums->samples[IN_SYSTEM_CALL] == 1);
    CHECK(sums->system_calls[0].number == 61);
    CHECK(sums->system_calls[0].samples == 1);
    CHECK(sums->cpu == 800);
    history_end_thread(&history, thread);
    CHECK(sums->lifetime == 200);
    /* A sample from before its end does not bring it back. */
    history_set_state(&history, thread, HOLDS);
    CHECK(sums->state == ABSENT);
    CHECK(history_find_ended(&history, 77) == thread);
    history_resume_thread(&history, thread);
    CHECK(history_find_ended(&history, 77) == OTHER_THREADS);
    history_free(&history);
}

int
main(void)
{
    check_fold();
    check_holds();
    check_thread_samples();
    History history, copy;
    CHECK(history_init(&history, 1000) == 0);
    int32_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = history_add_thread(&history);
        CHECK(threads[i] == i + 1);
    }
    history_start(&history, &(Sample){.time = 1000, .holder = NOBODY}, 0, 1);
    check_sums(&history, threads[0]);
    CHECK(history.sums.switches == -1);
    const int long_times = fill(&history, threads);
    check_segments(&history, long_times);
    check_changes(&history);

    CHECK(history_copy(&history, &copy) == 0);
    check_segments(&copy, long_times);
    check_changes(&copy);
    history_free(&copy);

    while (history_add_thread(&history) != OTHER_THREADS) {
    }
    CHECK(history.n_threads == MAX_THREADS);
    (void)printf("%" PRId32 " segments, %" PRId32 " changes, %" PRId64 " ns\n",
                 history.timeline.n_segments, history.timeline.n_changes,
                 history.timeline.resolution);
    history_free(&history);
    return 0;
}
