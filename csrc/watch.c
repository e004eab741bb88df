/* The native thread of a GilMonitor. See watch.h. */

#define _GNU_SOURCE /* prctl(), clock_nanosleep() under -std=c11 */
#include "watch.h"

#include "gildemo.h"
#include "live.h"
#include "os_thread.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* To see who waits costs some microseconds a thread, so a tick, which looks at
   that, comes with a sample only this often, on average and by chance, and
   looks at so many threads. */
#define TICK_NS 8000000
#define MAX_LOOKS_PER_TICK 32

/* sys.getswitchinterval() is 5 ms, if nobody has changed it. */
#define LONG_HOLD_NS 2000000

/* The longest sleep, so that watch_stop() never waits for longer. */
#define LONGEST_SLEEP_NS 20000000

/* Over so many samples, roughly, is it seen how often the holder changes. */
#define CHANGE_MEMORY 64

struct Watch {
    GilState gil;
    SliceLengths lengths;
    pthread_t thread;
    int stop; /* atomic */

    pthread_mutex_t lock; /* protects the tables */
    WatchTables tables;

    /* The native thread's own. */
    LiveThreads live;
    int32_t next_look;
    int32_t holder; /* at the newest sample; it has held the GIL */
    int64_t held_since;
    int64_t slice_begin; /* ns on the monotonic clock */
    int64_t slice_end;
    double change; /* change_between() two samples, on average */
    uint64_t random;
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

    struct timespec cpu;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    tables->sums.cpu = (int64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec;
}

/* What makes `held` of the whole uncertain counts in full. A thread that gets
   the GIL from another one makes but their shares uncertain, which are given
   without an error: an eighth of the samples is enough for some 0.02. */
static double
change_between(int32_t last_holder, int32_t holder)
{
    if (last_holder == holder) {
        return 0.0;
    }
    return last_holder == NOBODY || holder == NOBODY ? 1.0 : 0.125;
}

static void
take_sample(Watch *w)
{
    WatchTables *tables = &w->tables;
    WatchSums *sums = &tables->sums;
    const int32_t holder = live_find_holder(&w->live, &w->gil, tables);
    const unsigned long switches = gil_state_switches(&w->gil);
    const int64_t now = monotonic_ns();
    /* What changed since the last sample did so somewhere in between. */
    const int64_t boundary = sums->now + (now - sums->now) / 2;

    /* One that comes later by more than a slice stands for all the time up to
       it: nothing is made up for, and no time is left out. */
    if (now - w->slice_end > w->slice_end - w->slice_begin) {
        w->slice_end = now;
    }
    tables_add_sample(tables, w->slice_end - w->slice_begin, holder);
    w->change +=
        (change_between(w->holder, holder) - w->change) / CHANGE_MEMORY;

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

/* The slices follow each other without a gap, and each gets one sample at a
   random moment: a sampler with a fixed period would see work of the same
   period always in the same phase. So the share of the slices that find
   something, by length, is the share of the time in which it is so, whatever
   their lengths, as long as these depend on the past alone; and it scatters
   less than with moments that are random throughout (stratified sampling;
   Cochran, "Sampling Techniques", chapter 5).

   Samples that all find the same say no more when there are many of them, so
   the slices are long until the holder is seen to change. The error grows with
   their length and with how much changes between samples, so the product of
   these two is kept the same; half of the samples find a change at most where
   the GIL goes to and fro, and 0.4 leaves room for the scatter of that. */
static void
begin_slice(Watch *w)
{
    const double length = 0.4 * w->lengths.shortest / w->change;
    w->slice_begin = w->slice_end;
    w->slice_end +=
        (int64_t)fmin(fmax(length, w->lengths.shortest), w->lengths.longest);
}

static void
sleep_until(const Watch *w, int64_t end)
{
    int64_t now = monotonic_ns();
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
}

static void *
watch_main(void *arg)
{
    Watch *w = arg;
    os_thread_ask_for_short_turns();
    for (;;) {
        begin_slice(w);
        const double length = (double)(w->slice_end - w->slice_begin);
        sleep_until(w, w->slice_begin + (int64_t)(random_uniform(w) * length));
        if (__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
            return NULL;
        }
        pthread_mutex_lock(&w->lock);
        take_sample(w);
        if (random_uniform(w) * TICK_NS < length) {
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
watch_start(const GilState *gil, SliceLengths lengths)
{
    Watch *w = calloc(1, sizeof(Watch));
    if (w == NULL) {
        return NULL;
    }
    const int64_t now = monotonic_ns();
    if (tables_init(&w->tables, now) < 0 || live_init(&w->live) < 0) {
        watch_free(w);
        errno = ENOMEM;
        return NULL;
    }

    w->gil = *gil;
    w->lengths = lengths;
    w->random = ((uint64_t)now ^ (uint64_t)(uintptr_t)w) | 1;
    (void)pthread_mutex_init(&w->lock, NULL);
    WatchSums *sums = &w->tables.sums;
    sums->waiting_known =
        waits_for_gil(w, PyThread_get_thread_native_id()) >= 0;
    sums->switches_known = gil->switches != NULL;
    sums->switches_begin = gil_state_switches(gil);
    sums->switches_now = sums->switches_begin;
    live_refresh(&w->live, gil, &w->tables, 1);
    /* The caller is attached. */
    w->holder = live_find_holder(&w->live, gil, &w->tables);
    w->held_since = now;
    w->slice_end = now;
    w->change = 0.5;
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
