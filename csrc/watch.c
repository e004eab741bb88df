/* The native thread of a GilMonitor. See watch.h. */

#define _GNU_SOURCE /* prctl(), clock_nanosleep() under -std=c11 */
#include "watch.h"

#include "gildemo.h"
#include "os_thread.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* To see who waits costs some microseconds a thread, so a tick, which looks at
   that, comes with one sample out of so many, by chance, and looks at so many
   threads. */
#define SAMPLES_PER_TICK 16
#define MAX_LOOKS_PER_TICK 32

/* sys.getswitchinterval() is 5 ms, if nobody has changed it. */
#define LONG_HOLD_NS 2000000

/* The longest sleep, so that watch_stop() never waits for longer. */
#define LONGEST_SLEEP_NS 20000000

typedef struct {
    PyThreadState *tstate; /* an address to compare */
    uint64_t id;
    unsigned long native_id;
    int32_t thread; /* its place in the table of threads */
} LiveThread;

struct Watch {
    GilState gil;
    double interval;
    pthread_t thread;
    int stop; /* atomic */

    pthread_mutex_t lock; /* protects the tables */
    WatchTables tables;

    /* The native thread's own. */
    LiveThread *live; /* in descending order of id */
    LiveThread *fresh;
    int32_t n_live;
    uint64_t live_created;
    int32_t next_look;
    int32_t holder; /* at the newest sample; it has held the GIL */
    int64_t held_since;
    uint64_t random;
    int64_t woke;    /* when the last sleep ended */
    double overhead; /* ns between sleeps and of lateness, on average */
};

/* xorshift64, as in spin.c: a uniform number between 0 and 1. */
static double
random_uniform(Watch *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return ((double)(w->random >> 11) + 0.5) * 0x1p-53;
}

/* take_gil() in CPython sleeps in a condition variable inside the GIL. */
static int
waits_for_gil(const Watch *w, unsigned long native_id)
{
    return os_thread_sleeps_in(native_id, w->gil.begin, w->gil.end);
}

/* Brings w->live up to date with CPython's list of thread states. */
static void
refresh_live(Watch *w, int at_start)
{
    int32_t n = 0;
    gil_state_lock_threads();
    const uint64_t created = gil_state_created(&w->gil);
    PyThreadState *t = gil_state_first_thread(&w->gil);
    for (; t != NULL && n < MAX_THREADS; t = t->next) {
        w->fresh[n++] = (LiveThread){t, t->id, t->native_thread_id, 0};
    }
    gil_state_unlock_threads();

    /* Both lists are in the same order, so one pass finds the old in the new:
       the newcomers stand before, and those that ended are passed over. */
    int32_t old = 0;
    for (int32_t i = 0; i < n; i++) {
        LiveThread *thread = &w->fresh[i];
        while (old < w->n_live && w->live[old].id > thread->id) {
            tables_note_waiting(&w->tables, w->live[old++].thread, 0);
        }
        if (old < w->n_live && w->live[old].id == thread->id) {
            thread->thread = w->live[old++].thread;
        }
        else {
            /* One that starts later had no CPU time before. */
            int64_t cpu = at_start ? os_thread_cpu_time(thread->native_id) : 0;
            thread->thread = tables_add_thread(&w->tables, thread->id, cpu);
        }
        if (thread->thread != OTHER_THREADS) {
            w->tables.threads[thread->thread].native_id = thread->native_id;
        }
    }

    for (; old < w->n_live; old++) {
        tables_note_waiting(&w->tables, w->live[old].thread, 0);
    }

    LiveThread *swap = w->live;
    w->live = w->fresh;
    w->fresh = swap;
    w->n_live = n;
    w->live_created = created;
}

/* Who holds the GIL: a place in the table of threads, or NOBODY. */
static int32_t
find_holder(Watch *w)
{
    PyThreadState *holder;
    /* The address names one thread state only as long as no other was made
       since the list was read. Threads that come too fast for that are rare,
       and then the last try counts. */
    int tries = 4;
    do {
        if (gil_state_created(&w->gil) != w->live_created) {
            refresh_live(w, 0);
        }
        holder = gil_state_holder(&w->gil);
    } while (gil_state_created(&w->gil) != w->live_created && --tries > 0);

    if (holder == NULL) {
        return NOBODY;
    }
    if (tries == 0) {
        return OTHER_THREADS;
    }
    for (int32_t i = 0; i < w->n_live; i++) {
        if (w->live[i].tstate == holder) {
            int32_t thread = w->live[i].thread;
            if (w->tables.threads[thread].held == 0) {
                /* In 3.11 a new thread state has its creator's native id until
                   its own thread runs. One that holds the GIL does run. */
                refresh_live(w, 0);
            }
            return thread;
        }
    }
    return OTHER_THREADS;
}

/* Looks who waits for the GIL, and reads the CPU clocks. */
static void
tick(Watch *w)
{
    WatchTables *tables = &w->tables;
    refresh_live(w, 0);
    tables->sums.ticks++;
    for (int32_t i = 0; i < w->n_live; i++) {
        tables->threads[w->live[i].thread].ticks++;
    }

    int32_t looks = Py_MIN(w->n_live, MAX_LOOKS_PER_TICK);
    for (int32_t i = 0; i < looks; i++) {
        w->next_look = (w->next_look + 1) % w->n_live;
        LiveThread *live = &w->live[w->next_look];
        WatchedThread *thread = &tables->threads[live->thread];
        if (live->thread == OTHER_THREADS) {
            continue;
        }
        /* One that waits wakes up every 5 ms to ask for the GIL; but as long
           as the GIL has not changed hands, it has not got it. */
        const int waiting = (thread->waiting && tables->sums.switches_known
                             && thread->seen_at == tables->sums.switches_now)
                            || waits_for_gil(w, live->native_id) > 0;
        thread->seen_at = tables->sums.switches_now;
        thread->looks++;
        thread->waits += waiting;
        tables_note_waiting(tables, live->thread, waiting);
        int64_t cpu = os_thread_cpu_time(live->native_id);
        if (cpu >= 0) {
            thread->cpu_end = cpu;
        }
    }

    struct timespec cpu;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    tables->sums.cpu = (int64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec;
}

static void
take_sample(Watch *w)
{
    WatchTables *tables = &w->tables;
    WatchSums *sums = &tables->sums;
    const int32_t holder = find_holder(w);
    const unsigned long switches = gil_state_switches(&w->gil);
    const int64_t now = monotonic_ns();
    /* What changed since the last sample did so somewhere in between. */
    const int64_t boundary = sums->now + (now - sums->now) / 2;

    sums->samples++;
    if (holder != NOBODY) {
        sums->held++;
        tables->threads[holder].held++;
    }

    /* Between two samples that show the same holder, another one may have had
       the GIL; CPython's counter tells. */
    const int32_t last_holder = w->holder;
    const int64_t last_hold = boundary - w->held_since;
    if (holder != last_holder || switches != sums->switches_now) {
        if (last_holder != NOBODY) {
            WatchedThread *last = &tables->threads[last_holder];
            last->longest_hold = Py_MAX(last->longest_hold, last_hold);
        }
        w->holder = holder;
        w->held_since = boundary;
    }
    tables_add_segment(tables, boundary, holder);
    sums->switches_now = switches;
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
}

/* Sleeps for a random time with an exponential distribution. A sampler with a
   fixed period sees work of the same period always in the same phase; at
   random times, the share of samples that find something is the share of the
   time in which it is so (Wolff, "Poisson arrivals see time averages", 1982).
 */
static void
sleep_at_random(Watch *w)
{
    /* What a sample and a wake-up cost is part of the interval. */
    const double mean = fmax(w->interval - w->overhead, w->interval / 4);
    const int64_t begin = monotonic_ns();
    const int64_t end = begin + (int64_t)(-log(random_uniform(w)) * mean);
    int64_t now = begin;
    while (now < end && !__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
        const int64_t until = Py_MIN(end, now + LONGEST_SLEEP_NS);
#ifdef __linux__
        struct timespec deadline = {until / 1000000000, until % 1000000000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL);
#else
        struct timespec duration = {0, (long)(until - now)};
        (void)nanosleep(&duration, NULL);
#endif
        now = monotonic_ns();
    }
    const int64_t spent = (begin - w->woke) + (now - end);
    w->overhead += ((double)spent - w->overhead) / 64;
    w->woke = now;
}

static void *
watch_main(void *arg)
{
    Watch *w = arg;
    os_thread_ask_for_short_turns();
    for (;;) {
        sleep_at_random(w);
        if (__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
            return NULL;
        }
        pthread_mutex_lock(&w->lock);
        take_sample(w);
        if (random_uniform(w) * SAMPLES_PER_TICK < 1.0) {
            tick(w);
        }
        pthread_mutex_unlock(&w->lock);
    }
}

/* Starts the native thread with all signals blocked: they are for Python. */
static int
start_thread(Watch *w)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w->thread, NULL, watch_main, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

Watch *
watch_start(const GilState *gil, double interval)
{
    Watch *w = calloc(1, sizeof(Watch));
    if (w == NULL) {
        return NULL;
    }
    const int64_t now = monotonic_ns();
    w->live = calloc(MAX_THREADS, sizeof(LiveThread));
    w->fresh = calloc(MAX_THREADS, sizeof(LiveThread));
    if (tables_init(&w->tables, now) < 0 || w->live == NULL
        || w->fresh == NULL) {
        watch_free(w);
        errno = ENOMEM;
        return NULL;
    }

    w->gil = *gil;
    w->interval = interval;
    w->random = ((uint64_t)now ^ (uint64_t)(uintptr_t)w) | 1;
    (void)pthread_mutex_init(&w->lock, NULL);
    WatchSums *sums = &w->tables.sums;
    sums->waiting_known =
        waits_for_gil(w, PyThread_get_thread_native_id()) >= 0;
    sums->switches_known = gil->switches != NULL;
    sums->switches_begin = gil_state_switches(gil);
    sums->switches_now = sums->switches_begin;
    refresh_live(w, 1);
    /* The caller is attached. */
    w->holder = find_holder(w);
    w->held_since = now;
    w->woke = now;
    tables_add_segment(&w->tables, now, w->holder);

    int error = start_thread(w);
    if (error) {
        watch_free(w);
        errno = error;
        return NULL;
    }
    return w;
}

void
watch_stop(Watch *w)
{
    __atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
    (void)pthread_join(w->thread, NULL);
}

void
watch_pause(Watch *w)
{
    /* The list of thread states is locked only with this one held. */
    pthread_mutex_lock(&w->lock);
}

void
watch_resume(Watch *w)
{
    pthread_mutex_unlock(&w->lock);
}

int
watch_copy(Watch *w, WatchTables *copy)
{
    pthread_mutex_lock(&w->lock);
    int failed = tables_copy(&w->tables, copy);
    if (!failed && w->holder != NOBODY) {
        /* What still lasts. */
        WatchedThread *thread = &copy->threads[w->holder];
        thread->longest_hold =
            Py_MAX(thread->longest_hold, copy->sums.now - w->held_since);
    }
    pthread_mutex_unlock(&w->lock);
    return failed;
}

void
watch_count(Watch *w, unsigned long native_id, int64_t *samples, int64_t *held)
{
    pthread_mutex_lock(&w->lock);
    const WatchTables *tables = &w->tables;
    *samples = tables->sums.samples;
    *held = 0;
    for (int32_t i = 0; i < tables->sums.n_threads; i++) {
        if (i != OTHER_THREADS && tables->threads[i].native_id == native_id) {
            *held += tables->threads[i].held;
        }
    }
    pthread_mutex_unlock(&w->lock);
}

void
watch_free(Watch *w)
{
    tables_free(&w->tables);
    free(w->live);
    free(w->fresh);
    free(w);
}
