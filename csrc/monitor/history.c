/* See history.h. */

#include "history.h"

#include <stdlib.h>
#include <string.h>

/* The first resolution of a table that was full, in ns. */
#define FIRST_RESOLUTION 1000000

/* Among more, to find one would take longer than to look at the GIL. */
#define FIND_AMONG 256

#define MAX(a, b) ((a) > (b) ? (a) : (b))

int
tables_init(WatchTables *tables, int64_t now)
{
    tables->sums = (WatchSums){
        .begin = now,
        .now = now,
        .n_threads = OTHER_THREADS + 1,
    };
    tables->threads = calloc(MAX_THREADS, sizeof(WatchedThread));
    tables->segments = calloc(MAX_SEGMENTS, sizeof(Segment));
    tables->changes = calloc(MAX_CHANGES, sizeof(WaitChange));
    if (tables->threads == NULL || tables->segments == NULL
        || tables->changes == NULL) {
        return -1;
    }
    tables->threads[OTHER_THREADS].cpu_begin = -1;
    tables->threads[OTHER_THREADS].cpu_end = -1;
    return 0;
}

void
tables_free(WatchTables *tables)
{
    free(tables->threads);
    free(tables->segments);
    free(tables->changes);
}

static void *
copy_of(const void *items, int32_t n, size_t size)
{
    void *copy = malloc((size_t)n * size + 1); /* malloc(0) may give NULL */
    if (copy != NULL) {
        memcpy(copy, items, (size_t)n * size);
    }
    return copy;
}

int
tables_copy(const WatchTables *tables, WatchTables *copy)
{
    const WatchSums *sums = &tables->sums;
    copy->sums = *sums;
    copy->threads =
        copy_of(tables->threads, sums->n_threads, sizeof(WatchedThread));
    copy->segments =
        copy_of(tables->segments, sums->n_segments, sizeof(Segment));
    copy->changes =
        copy_of(tables->changes, sums->n_changes, sizeof(WaitChange));
    if (copy->threads == NULL || copy->segments == NULL
        || copy->changes == NULL) {
        tables_free(copy);
        return -1;
    }
    return 0;
}

int32_t
tables_add_thread(WatchTables *tables)
{
    if (tables->sums.n_threads == MAX_THREADS) {
        return OTHER_THREADS;
    }
    tables->threads[tables->sums.n_threads] = (WatchedThread){
        .cpu_begin = -1,
        .cpu_end = -1,
    };
    return tables->sums.n_threads++;
}

int32_t
tables_find_ended(const WatchTables *tables, unsigned long native_id)
{
    const int32_t newest = tables->sums.n_threads - 1;
    const int32_t oldest = MAX(newest - FIND_AMONG, OTHER_THREADS);
    for (int32_t i = newest; i > oldest; i--) {
        const WatchedThread *thread = &tables->threads[i];
        if (thread->ended && thread->native_id == native_id) {
            return i;
        }
    }
    return OTHER_THREADS;
}

static int
compare_times(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Half of the ended threads, or more, held the GIL for no longer than this, in
   ns; -1 if there are none, or no memory. */
static int64_t
median_held_of_ended(const WatchTables *tables)
{
    int64_t *held = malloc(MAX_THREADS * sizeof(int64_t));
    if (held == NULL) {
        return -1;
    }
    size_t n = 0;
    for (int32_t i = OTHER_THREADS + 1; i < tables->sums.n_threads; i++) {
        if (tables->threads[i].ended) {
            held[n++] = tables->threads[i].held;
        }
    }
    qsort(held, n, sizeof(int64_t), compare_times);
    const int64_t median = n > 0 ? held[n / 2] : -1;
    free(held);
    return median;
}

int32_t
tables_fold_ended(WatchTables *tables, int32_t *places)
{
    WatchSums *sums = &tables->sums;
    WatchedThread *const other = &tables->threads[OTHER_THREADS];
    const int64_t most = median_held_of_ended(tables);
    int32_t kept = OTHER_THREADS + 1;
    places[OTHER_THREADS] = OTHER_THREADS;
    for (int32_t i = kept; i < sums->n_threads; i++) {
        const WatchedThread *thread = &tables->threads[i];
        if (thread->ended && thread->held <= most) {
            other->held += thread->held;
            other->longest_hold =
                MAX(other->longest_hold, thread->longest_hold);
            places[i] = OTHER_THREADS;
        }
        else {
            places[i] = kept;
            tables->threads[kept++] = *thread;
        }
    }
    const int32_t folded = sums->n_threads - kept;
    sums->n_threads = kept;

    kept = 0;
    for (int32_t i = 0; i < sums->n_segments; i++) {
        Segment segment = tables->segments[i];
        if (segment.thread != NOBODY) {
            segment.thread = places[segment.thread];
        }
        if (kept == 0 || tables->segments[kept - 1].thread != segment.thread) {
            tables->segments[kept++] = segment;
        }
    }
    sums->n_segments = kept;

    kept = 0;
    for (int32_t i = 0; i < sums->n_changes; i++) {
        WaitChange change = tables->changes[i];
        change.thread = places[change.thread];
        if (change.thread != OTHER_THREADS) {
            tables->changes[kept++] = change;
        }
    }
    sums->n_changes = kept;
    return folded;
}

void
tables_add_sample(WatchTables *tables, int64_t length, int32_t holder)
{
    WatchSums *sums = &tables->sums;
    sums->samples++;
    sums->watched += length;
    sums->squares += (double)length * (double)length;
    if (holder != NOBODY) {
        sums->held += length;
        tables->threads[holder].held += length;
    }
}

/* Leaves out the segments that are shorter than the resolution: each becomes
   part of the one before it. */
static void
drop_short_segments(WatchTables *tables)
{
    WatchSums *sums = &tables->sums;
    int32_t kept = 1;
    for (int32_t i = 1; i < sums->n_segments; i++) {
        const Segment segment = tables->segments[i];
        const int64_t end = i + 1 < sums->n_segments
                                ? tables->segments[i + 1].begin
                                : sums->now;
        if (end - segment.begin >= sums->resolution
            && segment.thread != tables->segments[kept - 1].thread) {
            tables->segments[kept++] = segment;
        }
    }
    sums->n_segments = kept;
}

/* Makes room for as many again, at the resolution that there is, if that will
   do: what came in since the last time was not yet sifted. */
static void
coarsen_segments(WatchTables *tables)
{
    WatchSums *sums = &tables->sums;
    sums->resolution = MAX(sums->resolution, FIRST_RESOLUTION);
    drop_short_segments(tables);
    while (sums->n_segments > MAX_SEGMENTS / 2) {
        sums->resolution *= 2;
        drop_short_segments(tables);
    }
}

void
tables_add_segment(WatchTables *tables, int64_t begin, int32_t thread)
{
    WatchSums *sums = &tables->sums;
    if (sums->n_segments > 0
        && tables->segments[sums->n_segments - 1].thread == thread) {
        return;
    }
    if (sums->n_segments == MAX_SEGMENTS) {
        coarsen_segments(tables);
    }
    tables->segments[sums->n_segments++] = (Segment){begin, thread};
}

/* Leaves out the waits, and the times between two of a thread, that are
   shorter than the resolution, each together with the two changes that bound
   it. */
static void
drop_short_waits(WatchTables *tables)
{
    WatchSums *sums = &tables->sums;
    for (int32_t i = 0; i < sums->n_threads; i++) {
        tables->threads[i].last_change = -1;
    }
    for (int32_t i = 0; i < sums->n_changes; i++) {
        WaitChange *change = &tables->changes[i];
        int32_t *last = &tables->threads[change->thread].last_change;
        if (*last >= 0
            && change->time - tables->changes[*last].time < sums->resolution) {
            change->thread = NOBODY;
            tables->changes[*last].thread = NOBODY;
            *last = -1;
        }
        else {
            *last = i;
        }
    }
    int32_t kept = 0;
    for (int32_t i = 0; i < sums->n_changes; i++) {
        if (tables->changes[i].thread != NOBODY) {
            tables->changes[kept++] = tables->changes[i];
        }
    }
    sums->n_changes = kept;
}

static void
coarsen_changes(WatchTables *tables)
{
    WatchSums *sums = &tables->sums;
    sums->resolution = MAX(sums->resolution, FIRST_RESOLUTION);
    drop_short_waits(tables);
    while (sums->n_changes > MAX_CHANGES / 2) {
        sums->resolution *= 2;
        drop_short_waits(tables);
    }
}

void
tables_note_waiting(WatchTables *tables, int32_t thread, int waiting)
{
    WatchSums *sums = &tables->sums;
    if (tables->threads[thread].waiting == waiting) {
        return;
    }
    tables->threads[thread].waiting = waiting;
    if (sums->n_changes == MAX_CHANGES) {
        coarsen_changes(tables);
    }
    tables->changes[sums->n_changes++] =
        (WaitChange){sums->now, thread, waiting};
}
