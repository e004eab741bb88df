/* See sampler_threads.h. */

#include "../clock.h" /* first, because it includes Python.h */

#include "sampler_threads.h"

#include "os_thread.h"

#include <signal.h>

/* The longest sleep, so that sampler_threads_join() waits no longer. */
#define LONGEST_SLEEP_NS 20000000

/* Relaxed, because a thread that reads an old value checks it again with the
   lock before it does anything that counts. */
#define LOAD(object) atomic_load_explicit(object, memory_order_relaxed)
#define STORE(object, value)                                                  \
    atomic_store_explicit(object, value, memory_order_relaxed)

static void
sleep_until(int64_t deadline)
{
    const int64_t now = monotonic_ns();
    if (now >= deadline) {
        return;
    }
    const int64_t end = Py_MIN(deadline, now + LONGEST_SLEEP_NS);
#ifdef __linux__
    const struct timespec at = {end / 1000000000, end % 1000000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
#else
    const struct timespec duration = {0, (long)(end - now)};
    (void)nanosleep(&duration, NULL);
#endif
}

static int
has_turn(SamplerThread *self)
{
    const int in_team = self->cpu >= 0;
    return LOAD(&self->all->team_samples) == in_team;
}

static void
wait_for_turn(SamplerThread *self)
{
    SamplerThreads *all = self->all;
    pthread_mutex_lock(all->lock);
    while (!has_turn(self) && !LOAD(&all->stopped)) {
        (void)pthread_cond_wait(&all->turn, all->lock);
    }
    pthread_mutex_unlock(all->lock);
}

static void *thread_main(void *self);

/* With the lock. */
static int
start_thread(SamplerThreads *all, int cpu)
{
    SamplerThread *self = &all->threads[all->n];
    *self = (SamplerThread){.all = all, .cpu = cpu};
    const int error = pthread_create(&self->thread, NULL, thread_main, self);
    if (!error) {
        all->n++;
    }
    return error;
}

/* By the single thread, so that sampler_threads_join() sees the whole team
   once that thread has ended. An incomplete team is useless: then the single
   thread goes on. */
static void
start_team(SamplerThreads *all)
{
    int cpus[MOST_IN_TEAM];
    const int n = os_thread_cpus(cpus, MOST_IN_TEAM);
    all->has_team = n > 1;
    for (int i = 0; i < n && all->has_team; i++) {
        all->has_team = start_thread(all, cpus[i]) == 0;
    }
}

/* With the lock, by the thread that has taken a sample. */
static void
set_next(SamplerThreads *all, NextSample next)
{
    STORE(&all->deadline, next.deadline);
    if (next.by_team && !all->team_asked_for) {
        all->team_asked_for = 1;
        start_team(all);
    }
    const int team_samples = next.by_team && all->has_team;
    if (team_samples != LOAD(&all->team_samples)) {
        STORE(&all->team_samples, team_samples);
        (void)pthread_cond_broadcast(&all->turn);
    }
}

static void
take_sample(SamplerThread *self)
{
    SamplerThreads *all = self->all;
    sleep_until(LOAD(&all->deadline));
    const int64_t now = monotonic_ns();
    if (now < LOAD(&all->deadline) || LOAD(&all->stopped)) {
        return; /* Another thread was first, or the sleep was cut short. */
    }
    /* Before the lock, which may keep this thread waiting. */
    const GilSample sample = gil_state_sample(all->gil);
    pthread_mutex_lock(all->lock);
    if (now >= LOAD(&all->deadline) && !LOAD(&all->stopped)) {
        set_next(all, all->on_sample(all->arg, &sample, now,
                                     self->can_copy ? &self->copy : NULL));
    }
    self->cpu_time = os_thread_own_cpu_time();
    pthread_mutex_unlock(all->lock);
}

static void *
thread_main(void *arg)
{
    SamplerThread *self = arg;
    os_thread_set_name("gildemo-monitor");
    os_thread_ask_for_prompt_wakeups();
    os_thread_stay_on(self->cpu);
    self->can_copy = self->all->copies && safe_copy_open(&self->copy) == NULL;
    while (!LOAD(&self->all->stopped)) {
        if (has_turn(self)) {
            take_sample(self);
        }
        else {
            wait_for_turn(self);
        }
    }
    if (self->can_copy) {
        safe_copy_close(&self->copy);
    }
    pthread_mutex_lock(self->all->lock);
    self->cpu_time = os_thread_own_cpu_time();
    pthread_mutex_unlock(self->all->lock);
    return NULL;
}

int
sampler_threads_start(SamplerThreads *all, const GilState *gil, int copies,
                      pthread_mutex_t *lock, OnSample on_sample, void *arg,
                      int64_t deadline)
{
    all->gil = gil;
    all->copies = copies;
    all->lock = lock;
    all->on_sample = on_sample;
    all->arg = arg;
    atomic_init(&all->stopped, 0);
    atomic_init(&all->team_samples, 0);
    atomic_init(&all->deadline, deadline);
    int error = pthread_cond_init(&all->turn, NULL);
    if (error) {
        return error;
    }
    /* Signals are for Python's threads. The team inherits this mask. */
    sigset_t every, before;
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_SETMASK, &every, &before);
    pthread_mutex_lock(lock);
    error = start_thread(all, -1);
    pthread_mutex_unlock(lock);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        (void)pthread_cond_destroy(&all->turn);
    }
    return error;
}

void
sampler_threads_halt(SamplerThreads *all)
{
    pthread_mutex_lock(all->lock);
    STORE(&all->stopped, 1);
    (void)pthread_cond_broadcast(&all->turn);
    pthread_mutex_unlock(all->lock);
}

void
sampler_threads_join(SamplerThreads *all)
{
    (void)pthread_join(all->threads[0].thread, NULL);
    for (int i = 1; i < all->n; i++) {
        (void)pthread_join(all->threads[i].thread, NULL);
    }
    (void)pthread_cond_destroy(&all->turn);
}

int64_t
sampler_threads_cpu_time(const SamplerThreads *all)
{
    int64_t sum = 0;
    for (int i = 0; i < all->n; i++) {
        sum += all->threads[i].cpu_time;
    }
    return sum;
}
