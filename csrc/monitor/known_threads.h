/* Which thread each thread state belongs to.
 *
 * The holder of the GIL is known as the address of its thread state. This maps
 * addresses to indexes in the history's table of threads, by means of a copy
 * of CPython's list of thread states.
 */

#ifndef GILDEMO_KNOWN_THREADS_H
#define GILDEMO_KNOWN_THREADS_H

#include "gil_state.h"
#include "history.h"

#include <stdint.h>

typedef struct {
    ThreadState *states; /* in descending order of id */
    int32_t *indexes;    /* of each one's thread */
    int32_t n;
    uint64_t newest_id; /* GilSample.newest_id when the list was copied */
} ThreadList;

typedef struct {
    ThreadList list;
    ThreadList spare; /* scratch: the next list is made here */
} KnownThreads;

/* Returns 0, or -1 if there is no memory; then known_threads_free() is safe.
 */
int known_threads_init(KnownThreads *known);
void known_threads_free(KnownThreads *known);

/* Brings the list up to date, and tells the history which threads are new and
   which have ended. At the start, all are new but have run before. */
void known_threads_refresh(KnownThreads *known, const GilState *gil,
                           History *history, int at_start);
/* Returns the index of the thread that held the GIL at this sample, or NOBODY.
   Sets *id to the id of its thread state, or to 0 if that is unknown. May
   refresh the list. */
int32_t known_threads_find_holder(KnownThreads *known, const GilState *gil,
                                  History *history, const GilSample *sample,
                                  uint64_t *id);
/* Thread i has become new_indexes[i]: see history_fold_ended(). */
void known_threads_renumber(KnownThreads *known, const int32_t *new_indexes);

#endif /* GILDEMO_KNOWN_THREADS_H */
