/* Gives the sampler threads of a GilMonitor many deadlines, first for the
 * single thread, then for the team, and so on. test_c_units.py builds and runs
 * it together with sampler_threads.c and os_thread.c.
 */

#include "clock.h"

#include "sampler_threads.h"

#include "check.h"
#include "os_thread.h"

#define SAMPLES 4000
#define PHASE 100 /* samples */

typedef struct {
    SamplerThreads threads;
    pthread_mutex_t lock;
    pthread_cond_t done;
    NextSample next;
    int64_t newest;
    int samples;
} Checked;

static const GilState gil;
static const GilSample the_sample = {&gil, 17, 23, 2};

/* Instead of the one in gil_state.c, which needs a CPython. */
GilSample
gil_state_sample(const GilState *state)
{
    CHECK(state == &gil);
    return the_sample;
}

#if PY_VERSION_HEX >= 0x030D0000
/* Instead of CPython's. */
int
PyTime_MonotonicRaw(PyTime_t *result)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    *result = (PyTime_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return 0;
}
#endif

static NextSample
on_sample(void *arg, const GilSample *sample, int64_t time, SafeCopy *copy)
{
    Checked *c = arg;
    CHECK(time >= c->next.deadline);
    CHECK(sample->holder == the_sample.holder);
    CHECK(sample->switches == the_sample.switches);
    CHECK(sample->newest_id == the_sample.newest_id);
    CHECK(sample->waiters == the_sample.waiters);
    CHECK(copy != NULL && safe_copy_read(copy, (uintptr_t)c, 1) != NULL);
    safe_copy_clear(copy);
    if (time <= c->newest) {
        return c->next; /* As in sampler.c: a newer sample was first. */
    }
    c->newest = time;
    c->samples++;
    if (c->samples == SAMPLES) {
        (void)pthread_cond_signal(&c->done);
    }
    /* From right now to 0.2 ms from now. */
    c->next = (NextSample){
        .deadline = time + (int64_t)c->samples * 7919 % 200000,
        .by_team = c->samples / PHASE % 2,
    };
    return c->next;
}

int
main(void)
{
    static Checked c = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .done = PTHREAD_COND_INITIALIZER,
    };
    c.next.deadline = monotonic_ns() + 1000000;
    CHECK(sampler_threads_start(&c.threads, &gil, 1, &c.lock, on_sample, &c,
                                c.next.deadline)
          == 0);
    pthread_mutex_lock(&c.lock);
    CHECK(c.threads.n == 1);
    while (c.samples < SAMPLES) {
        (void)pthread_cond_wait(&c.done, &c.lock);
    }
    pthread_mutex_unlock(&c.lock);
    sampler_threads_halt(&c.threads);
    sampler_threads_join(&c.threads);

    int cpus[MOST_IN_TEAM];
    const int in_team = os_thread_cpus(cpus, MOST_IN_TEAM);
    CHECK(c.threads.n == 1 + (in_team > 1 ? in_team : 0));
    for (int i = 0; i < c.threads.n; i++) {
        CHECK(c.threads.threads[i].cpu == (i == 0 ? -1 : cpus[i - 1]));
        CHECK(c.threads.threads[i].cpu_time > 0);
    }
    CHECK(sampler_threads_cpu_time(&c.threads) > 0);
    return 0;
}
