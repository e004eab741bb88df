/* See timeline.h. */

#include "timeline.h"

#include <stdlib.h>
#include <string.h>

/* The resolution of a table that is full for the first time, in ns. */
#define FIRST_RESOLUTION 1000000

int
timeline_init(Timeline *timeline)
{
    *timeline = (Timeline){
        .segments = calloc(MAX_SEGMENTS, sizeof(Segment)),
        .changes = calloc(MAX_CHANGES, sizeof(StateChange)),
        .last_change = calloc(MAX_THREADS, sizeof(int32_t)),
    };
    return timeline->segments != NULL && timeline->changes != NULL
                   && timeline->last_change != NULL
               ? 0
               : -1;
}

void *
copy_items(const void *items, int32_t n, size_t size)
{
    void *copy = malloc((size_t)n * size + 1); /* malloc(0) may return NULL */
    if (copy != NULL) {
        memcpy(copy, items, (size_t)n * size);
    }
    return copy;
}

int
timeline_copy(const Timeline *timeline, Timeline *copy)
{
    *copy = (Timeline){
        .segments = copy_items(timeline->segments, timeline->n_segments,
                               sizeof(Segment)),
        .n_segments = timeline->n_segments,
        .changes = copy_items(timeline->changes, timeline->n_changes,
                              sizeof(StateChange)),
        .n_changes = timeline->n_changes,
        .resolution = timeline->resolution,
    };
    return copy->segments != NULL && copy->changes != NULL ? 0 : -1;
}

void
timeline_free(Timeline *timeline)
{
    free(timeline->segments);
    free(timeline->changes);
    free(timeline->last_change);
}

/* Each segment that is shorter than the resolution becomes a part of the one
   before it. The last one ends at `end`. */
static void
drop_short_segments(Timeline *timeline, int64_t end)
{
    Segment *const segments = timeline->segments;
    int32_t kept = 1;
    for (int32_t i = 1; i < timeline->n_segments; i++) {
        const Segment segment = segments[i];
        const int64_t next =
            i + 1 < timeline->n_segments ? segments[i + 1].begin : end;
        if (next - segment.begin >= timeline->resolution
            && segment.holder != segments[kept - 1].holder) {
            segments[kept++] = segment;
        }
    }
    timeline->n_segments = kept;
}

static void
set_first_resolution(Timeline *timeline)
{
    if (timeline->resolution == 0) {
        timeline->resolution = FIRST_RESOLUTION;
    }
}

/* Frees half of the table. The resolution stays if it does that: it has not
   been applied to the segments that were added since the last time. */
static void
coarsen_segments(Timeline *timeline, int64_t end)
{
    set_first_resolution(timeline);
    drop_short_segments(timeline, end);
    while (timeline->n_segments > MAX_SEGMENTS / 2) {
        timeline->resolution *= 2;
        drop_short_segments(timeline, end);
    }
}

void
timeline_add_segment(Timeline *timeline, int64_t begin, int32_t holder)
{
    if (timeline->n_segments == MAX_SEGMENTS) {
        coarsen_segments(timeline, begin);
    }
    const int32_t n = timeline->n_segments;
    if (n == 0 || timeline->segments[n - 1].holder != holder) {
        timeline->segments[timeline->n_segments++] =
            (Segment){begin, holder, NO_STACK};
    }
}

void
timeline_set_node(Timeline *timeline, int32_t node)
{
    timeline->segments[timeline->n_segments - 1].node = node;
}

/* A state that lasts for less than the resolution is left out: the state
   before it lasts until the next change. */
static void
drop_short_states(Timeline *timeline)
{
    StateChange *const changes = timeline->changes;
    for (int32_t i = 0; i < MAX_THREADS; i++) {
        timeline->last_change[i] = -1;
    }
    int32_t kept = 0;
    for (int32_t i = 0; i < timeline->n_changes; i++) {
        const StateChange change = changes[i];
        int32_t *last = &timeline->last_change[change.thread];
        if (*last >= 0
            && change.time - changes[*last].time < timeline->resolution) {
            changes[*last] = change;
        }
        else {
            *last = kept;
            changes[kept++] = change;
        }
    }
    timeline->n_changes = kept;
}

static void
coarsen_changes(Timeline *timeline)
{
    set_first_resolution(timeline);
    drop_short_states(timeline);
    while (timeline->n_changes > MAX_CHANGES / 2) {
        timeline->resolution *= 2;
        drop_short_states(timeline);
    }
}

void
timeline_add_change(Timeline *timeline, StateChange change)
{
    if (timeline->n_changes == MAX_CHANGES) {
        coarsen_changes(timeline);
    }
    timeline->changes[timeline->n_changes++] = change;
}

static void
renumber_segments(Timeline *timeline, const int32_t *new_indexes)
{
    Segment *const segments = timeline->segments;
    int32_t kept = 0;
    for (int32_t i = 0; i < timeline->n_segments; i++) {
        Segment segment = segments[i];
        if (segment.holder != NOBODY) {
            segment.holder = new_indexes[segment.holder];
        }
        if (kept == 0 || segments[kept - 1].holder != segment.holder) {
            segments[kept++] = segment;
        }
    }
    timeline->n_segments = kept;
}

static void
renumber_changes(Timeline *timeline, const int32_t *new_indexes)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < timeline->n_changes; i++) {
        StateChange change = timeline->changes[i];
        change.thread = new_indexes[change.thread];
        if (change.thread != OTHER_THREADS) {
            timeline->changes[kept++] = change;
        }
    }
    timeline->n_changes = kept;
}

void
timeline_renumber(Timeline *timeline, const int32_t *new_indexes)
{
    renumber_segments(timeline, new_indexes);
    renumber_changes(timeline, new_indexes);
}
