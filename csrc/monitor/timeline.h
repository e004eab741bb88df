/* Who held the GIL when, and what the threads did: two tables of bounded size.
 *
 * When a table is full, what is shorter than the resolution is left out, and
 * the resolution gets coarser if that is not enough.
 *
 * No lock and no Python object.
 */

#ifndef GILDEMO_TIMELINE_H
#define GILDEMO_TIMELINE_H

#include "run_state.h"

#include <stddef.h>
#include <stdint.h>

#define MAX_THREADS 8192
#define MAX_SEGMENTS (1 << 17)
#define MAX_CHANGES (1 << 16)

/* An index in the table of threads, for all threads that have no index of
   their own. */
#define OTHER_THREADS 0
/* Instead of an index: no thread held the GIL. */
#define NOBODY (-1)
/* Instead of the node of a profile. */
#define NO_STACK (-1)

/* The holder changed. A segment ends where the next one begins. */
typedef struct {
    int64_t begin;  /* ns on the monotonic clock */
    int32_t holder; /* an index, or NOBODY */
    int32_t node;   /* of the last stack read in it; NO_STACK if none was */
} Segment;

/* A thread was seen in another state than before. */
typedef struct {
    int64_t time;   /* ns on the monotonic clock */
    int32_t thread; /* an index */
    RunState state; /* from then on */
} StateChange;

typedef struct {
    Segment *segments;
    int32_t n_segments;
    StateChange *changes;
    int32_t n_changes;
    int64_t resolution;   /* ns; what is shorter may be left out */
    int32_t *last_change; /* scratch: for each thread */
} Timeline;

/* Returns 0, or -1 if there is no memory; then timeline_free() is safe. */
int timeline_init(Timeline *timeline);
/* The same. The copy is read-only. */
int timeline_copy(const Timeline *timeline, Timeline *copy);
void timeline_free(Timeline *timeline);

/* From `begin` on, `holder` holds the GIL. */
void timeline_add_segment(Timeline *timeline, int64_t begin, int32_t holder);
void timeline_add_change(Timeline *timeline, StateChange change);
/* The newest segment's holder has this stack. */
void timeline_set_node(Timeline *timeline, int32_t node);
/* Thread i gets the index new_indexes[i]. Several may become OTHER_THREADS,
   whose changes are left out. */
void timeline_renumber(Timeline *timeline, const int32_t *new_indexes);

/* Returns a copy of `n` items of `size` bytes, to be freed, or NULL. */
void *copy_items(const void *items, int32_t n, size_t size);

#endif /* GILDEMO_TIMELINE_H */
