/* The thread states of one interpreter, as a thread that is not attached may
 * know them: by address, to compare with the holder of the GIL.
 */

#ifndef GILDEMO_LIVE_H
#define GILDEMO_LIVE_H

#include "gil_state.h"
#include "history.h"

#include <stdint.h>

typedef struct {
    PyThreadState *tstate; /* an address to compare */
    uint64_t id;
    unsigned long native_id;
    int32_t thread; /* its place in the table of threads */
} LiveThread;

typedef struct {
    LiveThread *threads; /* in descending order of id */
    LiveThread *spare;
    int32_t n;
    uint64_t created; /* GilLook.created when they were read */
} LiveThreads;

/* Returns 0, or -1 if there is no memory; live_free() is right for both. */
int live_init(LiveThreads *live);
void live_free(LiveThreads *live);

/* Brings both up to date with CPython's list of thread states. */
void live_refresh(LiveThreads *live, const GilState *gil, WatchTables *tables,
                  int at_start);
/* Who held the GIL at this look: a place in the table of threads, or NOBODY.
 */
int32_t live_find_holder(LiveThreads *live, const GilState *gil,
                         WatchTables *tables, const GilLook *look);

#endif /* GILDEMO_LIVE_H */
