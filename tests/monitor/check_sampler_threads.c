/* Sends the lookouts of a GilMonitor to many moments, by turns the single one
 * and the team. test_c_units.py builds and runs it together with lookouts.c.
 */

#define _GNU_SOURCE
#include "sampler_threads.h"

#include "check.h"
#include "module.h"
#include "os_thread.h"

#define SENDS 4000
#define PHASE 100 /* looks */

typedef struct {
    Lookouts lookouts;
    pthread_mutex_t lock;
    pthread_cond_t done;
    int64_t moment;
    int64_t newest;
    int looks;
} Checked;

static void
on_look(void *arg, const GilLook *look, int64_t time)
{
    Checked *c = arg;
    /* Never before its moment, and only once for each. */
    CHECK(time >= c->moment);
    CHECK(look->holder == (PyThreadState *)c);
    CHECK(look->switches == 17 && look->created == 23);
    if (time <= c->newest) {
        return; /* As watch.c does: this is no look at a new moment. */
    }
    c->newest = time;
    c->looks++;
    if (c->looks == SENDS) {
        (void)pthread_cond_signal(&c->done);
    }
    /* From right now to 0.2 ms from now. */
    c->moment = time + (int64_t)c->looks * 7919 % 200000;
    lookouts_send(&c->lookouts, c->moment, c->looks / PHASE % 2);
}

int
main(void)
{
    static Checked c = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .done = PTHREAD_COND_INITIALIZER,
    };
    static PyThreadState *const holder = (PyThreadState *)&c;
    static const int locked = 1;
    static const unsigned long switches = 17;
    static const uint64_t created = 23;
    const GilState gil = {
        .locked = &locked,
        .last_holder = &holder,
        .switches = &switches,
        .created = &created,
    };

    c.lookouts.gil = &gil;
    c.lookouts.lock = &c.lock;
    c.lookouts.on_look = on_look;
    c.lookouts.arg = &c;
    c.moment = monotonic_ns() + 1000000;
    CHECK(lookouts_start(&c.lookouts, c.moment) == 0);
    CHECK(c.lookouts.n == 1);
    pthread_mutex_lock(&c.lock);
    while (c.looks < SENDS) {
        (void)pthread_cond_wait(&c.done, &c.lock);
    }
    pthread_mutex_unlock(&c.lock);
    lookouts_halt(&c.lookouts);
    lookouts_join(&c.lookouts);

    int cpus[MOST_IN_TEAM];
    const int in_team = os_thread_cpus(cpus, MOST_IN_TEAM);
    CHECK(c.lookouts.n == 1 + (in_team > 1 ? in_team : 0));
    for (int i = 0; i < c.lookouts.n; i++) {
        CHECK(c.lookouts.lookouts[i].cpu == (i == 0 ? -1 : cpus[i - 1]));
        CHECK(c.lookouts.lookouts[i].cpu_time > 0);
    }
    CHECK(lookouts_cpu_time(&c.lookouts) > 0);
    return 0;
}
