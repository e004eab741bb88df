/* The native threads that look at the GIL, each at the moments it is told.
 *
 * A look should come at once: one that is 20 us late sees what is there 20 us
 * later, and how late it is depends on what there was to see. A CPU that is
 * idle because of who waits for the GIL takes longer to wake up than one that
 * runs takes to be interrupted. Where that matters, because the GIL is taken
 * and given up fast, a team looks, one on each CPU: all wake up at the same
 * moment, which stops all who run, and the first one's look counts. Elsewhere
 * there is a single one, on whichever CPU has time for it.
 */

#ifndef GILDEMO_LOOKOUTS_H
#define GILDEMO_LOOKOUTS_H

#include "gil_state.h"

#include <pthread.h>
#include <stdint.h>

/* With more CPUs there is no team. Then one of them is mostly idle when it is
   time to look, and a look is late by the same time whatever there is to see;
   where all are busy, that is not so. */
#define MOST_IN_TEAM 4

typedef struct Lookouts Lookouts;

/* Called with the lock, for the first look at or after the moment. */
typedef void (*OnLook)(void *arg, const GilLook *look, int64_t time);

typedef struct {
    Lookouts *all;
    int cpu; /* the one that it stays on, or -1 for the single one */
    pthread_t thread;
    int64_t cpu_time; /* ns */
} Lookout;

struct Lookouts {
    const GilState *gil;
    pthread_mutex_t *lock;
    OnLook on_look;
    void *arg;

    Lookout lookouts[1 + MOST_IN_TEAM];
    int n;
    int has_team;
    int team_asked;      /* to come: it is started when it is first needed */
    int stop;            /* atomic; set with the lock, as are the next two */
    int team_looks;      /* atomic */
    int64_t moment;      /* atomic; ns on the monotonic clock */
    pthread_cond_t turn; /* team_looks or stop has changed */
};

/* Fill in the first four members before. Returns 0 or an error number. */
int lookouts_start(Lookouts *all, int64_t moment);
/* From now on, no look counts. After a successful start, and not with the
   lock. */
void lookouts_halt(Lookouts *all);
/* Then, once: waits for all to end, 20 ms if they get a CPU then, and never
   for the GIL, so the caller may hold it or not. */
void lookouts_join(Lookouts *all);
/* When to look next, and whether the team should. With the lock, by one of
   them. */
void lookouts_send(Lookouts *all, int64_t moment, int by_team);
/* ns of CPU time that they took. With the lock. */
int64_t lookouts_cpu_time(const Lookouts *all);

#endif /* GILDEMO_LOOKOUTS_H */
