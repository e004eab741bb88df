/* Fills the tables of a GilMonitor far beyond their size, and checks what is
 * left of them. test_c_units.py builds and runs it together with tables.c.
 */

#include "check.h"
#include "history.h"

#include <inttypes.h>

#define THREADS 3
#define SHORT_NS 10000
#define LONG_NS 50000000
#define SAMPLES (MAX_SEGMENTS * 5)

/* Holds in turn, mostly for a short time, and one in a thousand for a long
   one: those must survive. Returns how many those were. */
static int
fill(WatchTables *tables, const int32_t *threads)
{
    int long_holds = 0;
    for (int i = 0; i < SAMPLES; i++) {
        const int32_t thread = threads[i % THREADS];
        const int is_long = i % 1000 == 500;
        long_holds += is_long;
        tables_add_segment(tables, tables->sums.now, thread);
        tables_note_waiting(tables, thread, 0);
        tables->sums.now += is_long ? LONG_NS : SHORT_NS;
        tables_note_waiting(tables, thread, 1);
        CHECK(tables->sums.n_segments <= MAX_SEGMENTS);
        CHECK(tables->sums.n_changes <= MAX_CHANGES);
    }
    return long_holds;
}

static void
check_segments(const WatchTables *tables, int long_holds)
{
    const WatchSums *sums = &tables->sums;
    int found = 0;
    CHECK(tables->segments[0].begin == sums->begin);
    for (int32_t i = 1; i < sums->n_segments; i++) {
        CHECK(tables->segments[i].begin > tables->segments[i - 1].begin);
        CHECK(tables->segments[i].thread != tables->segments[i - 1].thread);
        found += tables->segments[i].begin - tables->segments[i - 1].begin
                 >= LONG_NS;
    }
    CHECK(sums->resolution >= SHORT_NS);
    CHECK(sums->resolution < LONG_NS);
    /* One at the very end may be the last segment, which has no end yet. */
    CHECK(found >= long_holds - 1);
}

/* Of each thread, waits begin and end in turn, in the order of time. */
static void
check_changes(const WatchTables *tables)
{
    int waiting[THREADS + 1] = {0};
    for (int32_t i = 0; i < tables->sums.n_changes; i++) {
        const WaitChange *change = &tables->changes[i];
        CHECK(i == 0 || change->time >= tables->changes[i - 1].time);
        CHECK(change->thread > OTHER_THREADS && change->thread <= THREADS);
        CHECK(change->waiting != waiting[change->thread]);
        waiting[change->thread] = change->waiting;
    }
    for (int32_t i = 1; i <= THREADS; i++) {
        CHECK(waiting[i] == tables->threads[i].waiting);
    }
}

/* Samples that stand for times of two lengths. */
static void
check_sums(WatchTables *tables, int32_t thread)
{
    const WatchSums *sums = &tables->sums;
    for (int i = 0; i < 4; i++) {
        tables_add_sample(tables, 100, i % 2 ? NOBODY : thread);
    }
    tables_add_sample(tables, 300, OTHER_THREADS);
    tables_add_sample(tables, 300, thread);
    CHECK(sums->samples == 6);
    CHECK(sums->watched == 1000);
    CHECK(sums->squares == 4 * 100 * 100 + 2 * 300 * 300);
    CHECK(sums->held == 800);
    CHECK(tables->threads[thread].held == 500);
    CHECK(tables->threads[OTHER_THREADS].held == 300);
}

/* Of the threads 1 to 6 those with an odd number end; 1 and 3 held the GIL
   least among them. */
static void
check_fold(void)
{
    WatchTables tables;
    int32_t places[MAX_THREADS];
    CHECK(tables_init(&tables, 0) == 0);
    for (int32_t i = 1; i <= 6; i++) {
        CHECK(tables_add_thread(&tables) == i);
        tables_add_sample(&tables, 100 * i, i);
        tables_note_waiting(&tables, i, 1);
        tables.sums.now += 10;
        tables_note_waiting(&tables, i, 0);
        tables_add_segment(&tables, tables.sums.now, i);
    }
    CHECK(tables_fold_ended(&tables, places) == 0);
    tables.threads[1].ended = 1;
    tables.threads[3].ended = 1;
    tables.threads[5].ended = 1;
    CHECK(tables_fold_ended(&tables, places) == 2);
    const int32_t expected[] = {0, 0, 1, 0, 2, 3, 4};
    for (int32_t i = 0; i <= 6; i++) {
        CHECK(places[i] == expected[i]);
    }
    CHECK(tables.sums.n_threads == 5);
    CHECK(tables.threads[OTHER_THREADS].held == 400);
    CHECK(tables.threads[1].held == 200);
    CHECK(tables.threads[4].held == 600);
    CHECK(tables.sums.n_segments == 6);
    CHECK(tables.segments[2].thread == OTHER_THREADS);
    CHECK(tables.segments[5].thread == 4);
    CHECK(tables.sums.n_changes == 8);
    CHECK(tables.changes[7].thread == 4);
    tables_free(&tables);
}

int
main(void)
{
    check_fold();
    WatchTables tables, copy;
    CHECK(tables_init(&tables, 1000) == 0);
    int32_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = tables_add_thread(&tables);
        CHECK(threads[i] == i + 1);
    }
    check_sums(&tables, threads[0]);
    const int long_holds = fill(&tables, threads);
    check_segments(&tables, long_holds);
    check_changes(&tables);

    CHECK(tables_copy(&tables, &copy) == 0);
    check_segments(&copy, long_holds);
    check_changes(&copy);
    tables_free(&copy);

    while (tables_add_thread(&tables) != OTHER_THREADS) {
    }
    CHECK(tables.sums.n_threads == MAX_THREADS);
    (void)printf("%" PRId32 " segments, %" PRId32 " changes, %" PRId64 " ns\n",
                 tables.sums.n_segments, tables.sums.n_changes,
                 tables.sums.resolution);
    tables_free(&tables);
    return 0;
}
