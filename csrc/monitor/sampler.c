/* See sampler.h. */

#define _GNU_SOURCE /* for os_thread.h under -std=c11 */
#include "sampler.h"

#include "../module.h"
#include "known_threads.h"
#include "sampler_threads.h"
#include "os_thread.h"
#include "sampling_plan.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* To see who waits costs some microseconds a thread, so a tick, which looks at
   that, comes with a sample only this often, on average and by chance, and
   looks at so many threads. */
#define TICK_NS 8000000
#define MAX_LOOKS_PER_TICK 32

/* Kept free in the table of threads, for those that start until the next
   tick. */
#define SPARE_THREADS 1024

/* sys.getswitchinterval() is 5 ms, if nobody has changed it. */
#define LONG_HOLD_NS 2000000

/* With a smaller spread, little changes while a look is late; with a longer
   interval, looks are so few that chance is the larger error by far. */
#define SPREAD_FOR_TEAM 0.04
#define INTERVAL_FOR_TEAM_NS 10000000

struct Watch {
    GilState gil;
    Lookouts lookouts;
    pthread_mutex_t lock; /* protects all that follows */
    Schedule schedule;
    WatchTables tables;
    LiveThreads live;
    int32_t next_look;
    int32_t holder; /* at the newest sample; it has held the GIL */
    int64_t held_since;
    int32_t places[MAX_THREADS]; /* for make_room() */
};

/* take_gil() in CPython sleeps in a condition variable inside the GIL. */
static int
waits_for_gil(const Watch *w, unsigned long native_id)
{
    return os_thread_sleeps_in(native_id, w->gil.begin, w->gil.end);
}

static void
make_room(Watch *w)
{
    if (tables_fold_ended(&w->tables, w->places) == 0) {
        return;
    }
    for (int32_t i = 0; i < w->live.n; i++) {
        LiveThread *live = &w->live.threads[i];
        live->thread = w->places[live->thread];
    }
    if (w->holder != NOBODY) {
        w->holder = w->places[w->holder];
    }
}

/* Looks who waits for the GIL, and reads the CPU clocks. */
static void
tick(Watch *w)
{
    WatchTables *tables = &w->tables;
    live_refresh(&w->live, &w->gil, tables, 0);
    tables->sums.ticks++;
    for (int32_t i = 0; i < w->live.n; i++) {
        tables->threads[w->live.threads[i].thread].ticks++;
    }

    int32_t looks = Py_MIN(w->live.n, MAX_LOOKS_PER_TICK);
    for (int32_t i = 0; i < looks; i++) {
        w->next_look = (w->next_look + 1) % w->live.n;
        const LiveThread *live = &w->live.threads[w->next_look];
        WatchedThread *thread = &tables->threads[live->thread];
        if (live->thread == OTHER_THREADS) {
            continue;
        }
        /* Nobody waits for what nobody holds. One that waits wakes up every
           5 ms to ask for the GIL; but as long as the GIL has not changed
           hands, it has not got it. */
        const int waiting =
            w->holder != NOBODY
            && ((thread->waiting && tables->sums.switches_known
                 && thread->seen_at == tables->sums.switches_now)
                || waits_for_gil(w, live->native_id) > 0);
        thread->seen_at = tables->sums.switches_now;
        thread->looks++;
        thread->waits += waiting;
        tables_note_waiting(tables, live->thread, waiting);
        int64_t cpu = os_thread_cpu_time(live->native_id);
        if (cpu >= 0) {
            thread->cpu_end = cpu;
        }
    }
}

static void
send_next(Watch *w, int64_t moment)
{
    lookouts_send(&w->lookouts, moment,
                  w->schedule.spread > SPREAD_FOR_TEAM
                      && w->schedule.interval < INTERVAL_FOR_TEAM_NS);
}

/* An OnLook. */
static void
take_sample(void *watch, const GilLook *look, int64_t now)
{
    Watch *w = watch;
    WatchTables *tables = &w->tables;
    WatchSums *sums = &tables->sums;
    if (now <= sums->now) {
        return; /* A newer look has come before this one: look again. */
    }
    const int32_t last_holder = w->holder;
    const int32_t holder = live_find_holder(&w->live, &w->gil, tables, look);
    /* What changed since the last sample did so somewhere in between. */
    const int64_t boundary = sums->now + (now - sums->now) / 2;

    const int passed =
        holder != last_holder && holder != NOBODY && last_holder != NOBODY;
    const int64_t length =
        schedule_look(&w->schedule, now, holder != NOBODY, passed);
    send_next(w, w->schedule.moment);
    tables_add_sample(tables, length, holder);

    /* Between two samples that show the same holder, another one may have had
       the GIL; CPython's counter tells. */
    const int64_t last_hold = boundary - w->held_since;
    if (holder != last_holder || look->switches != sums->switches_now) {
        if (last_holder != NOBODY) {
            WatchedThread *last = &tables->threads[last_holder];
            last->longest_hold = Py_MAX(last->longest_hold, last_hold);
        }
        w->holder = holder;
        w->held_since = boundary;
    }
    tables_add_segment(tables, boundary, holder);
    sums->switches_now = look->switches;
    sums->now = now;

    /* Who got the GIL waits no more. Who lost it to another after a long hold
       was most likely made to, and waits: that is looked at now, and not only
       at some later tick. */
    if (holder != last_holder && holder > OTHER_THREADS) {
        tables_note_waiting(tables, holder, 0);
        if (last_holder > OTHER_THREADS && last_hold > LONG_HOLD_NS) {
            const unsigned long id = tables->threads[last_holder].native_id;
            tables_note_waiting(tables, last_holder, waits_for_gil(w, id) > 0);
        }
    }
    if (schedule_random(&w->schedule) * TICK_NS < (double)length) {
        tick(w);
        if (sums->n_threads > MAX_THREADS - SPARE_THREADS) {
            make_room(w);
        }
    }
}

#if PY_VERSION_HEX < 0x030C0000
static pthread_once_t forks_minded = PTHREAD_ONCE_INIT;

static void
mind_forks(void)
{
    (void)pthread_atfork(NULL, NULL, gil_state_renew_lock);
}
#endif

Watch *
watch_start(const GilState *gil, Intervals intervals)
{
    Watch *w = calloc(1, sizeof(Watch));
    if (w == NULL) {
        return NULL;
    }
#if PY_VERSION_HEX < 0x030C0000
    (void)pthread_once(&forks_minded, mind_forks);
#endif
    const int64_t now = monotonic_ns();
    if (tables_init(&w->tables, now) < 0 || live_init(&w->live) < 0) {
        watch_free(w);
        errno = ENOMEM;
        return NULL;
    }

    w->gil = *gil;
    (void)pthread_mutex_init(&w->lock, NULL);
    GilLook look = gil_state_look(gil);
    WatchSums *sums = &w->tables.sums;
    sums->waiting_known =
        waits_for_gil(w, PyThread_get_thread_native_id()) >= 0;
    sums->switches_known = gil->switches != NULL;
    sums->switches_begin = look.switches;
    sums->switches_now = look.switches;
    live_refresh(&w->live, gil, &w->tables, 1);
    /* The caller is attached. */
    w->holder = live_find_holder(&w->live, gil, &w->tables, &look);
    w->held_since = now;
    tables_add_segment(&w->tables, now, w->holder);
    schedule_init(&w->schedule, intervals, now,
                  (uint64_t)now ^ (uint64_t)(uintptr_t)w);

    w->lookouts.gil = &w->gil;
    w->lookouts.lock = &w->lock;
    w->lookouts.on_look = take_sample;
    w->lookouts.arg = w;
    int error = lookouts_start(&w->lookouts, w->schedule.moment);
    if (error) {
        watch_free(w);
        errno = error;
        return NULL;
    }
    return w;
}

void
watch_halt(Watch *w)
{
    lookouts_halt(&w->lookouts);
}

void
watch_join(Watch *w)
{
    lookouts_join(&w->lookouts);
}

int
watch_copy(Watch *w, WatchTables *copy)
{
    pthread_mutex_lock(&w->lock);
    int failed = tables_copy(&w->tables, copy);
    copy->sums.variance = schedule_variance(&w->schedule);
    copy->sums.cpu = lookouts_cpu_time(&w->lookouts);
    if (!failed && w->holder != NOBODY) {
        /* What still lasts. */
        WatchedThread *thread = &copy->threads[w->holder];
        thread->longest_hold =
            Py_MAX(thread->longest_hold, copy->sums.now - w->held_since);
    }
    pthread_mutex_unlock(&w->lock);
    return failed;
}

int64_t
watch_held_by(Watch *w, unsigned long native_id, WatchSums *sums)
{
    int64_t held = 0;
    pthread_mutex_lock(&w->lock);
    const WatchTables *tables = &w->tables;
    *sums = tables->sums;
    for (int32_t i = 0; i < tables->sums.n_threads; i++) {
        if (i != OTHER_THREADS && tables->threads[i].native_id == native_id) {
            held += tables->threads[i].held;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return held;
}

void
watch_free(Watch *w)
{
    tables_free(&w->tables);
    live_free(&w->live);
    free(w);
}
