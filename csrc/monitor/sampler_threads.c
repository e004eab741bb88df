/* See sampler_threads.h. */

#define _GNU_SOURCE /* for os_thread.h under -std=c11 */
#include "sampler_threads.h"

#include "../module.h"
#include "os_thread.h"

#include <signal.h>

/* The longest sleep, so that lookouts_join() need not wait for longer. */
#define LONGEST_SLEEP_NS 20000000

static void
sleep_until(int64_t end)
{
    const int64_t now = monotonic_ns();
    if (now >= end) {
        return;
    }
    const int64_t until = Py_MIN(end, now + LONGEST_SLEEP_NS);
#ifdef __linux__
    struct timespec deadline = {until / 1000000000, until % 1000000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL);
#else
    struct timespec duration = {0, (long)(until - now)};
    (void)nanosleep(&duration, NULL);
#endif
}

static int
is_stopped(const Lookouts *all)
{
    return __atomic_load_n(&all->stop, __ATOMIC_RELAXED);
}

static int64_t
next_moment(const Lookouts *all)
{
    return __atomic_load_n(&all->moment, __ATOMIC_RELAXED);
}

static int
has_turn(const Lookout *self)
{
    const int in_team = self->cpu >= 0;
    return __atomic_load_n(&self->all->team_looks, __ATOMIC_RELAXED)
           == in_team;
}

static void
wait_for_turn(const Lookout *self)
{
    Lookouts *all = self->all;
    pthread_mutex_lock(all->lock);
    while (!has_turn(self) && !is_stopped(all)) {
        (void)pthread_cond_wait(&all->turn, all->lock);
    }
    pthread_mutex_unlock(all->lock);
}

static void
look(Lookout *self)
{
    Lookouts *all = self->all;
    sleep_until(next_moment(all));
    const int64_t time = monotonic_ns();
    if (time < next_moment(all) || is_stopped(all)) {
        return; /* Another one was first, or the sleep was cut short. */
    }
    /* Before the lock, for which this thread may have to wait. */
    const GilLook seen = gil_state_look(all->gil);
    pthread_mutex_lock(all->lock);
    if (time >= next_moment(all) && !is_stopped(all)) {
        all->on_look(all->arg, &seen, time);
    }
    self->cpu_time = os_thread_own_cpu_time();
    pthread_mutex_unlock(all->lock);
}

static void *
lookout_main(void *arg)
{
    Lookout *self = arg;
    os_thread_ask_for_short_turns();
    os_thread_stay_on(self->cpu);
    while (!is_stopped(self->all)) {
        if (has_turn(self)) {
            look(self);
        }
        else {
            wait_for_turn(self);
        }
    }
    pthread_mutex_lock(self->all->lock);
    self->cpu_time = os_thread_own_cpu_time();
    pthread_mutex_unlock(self->all->lock);
    return NULL;
}

/* With the lock. */
static int
start_lookout(Lookouts *all, int cpu)
{
    Lookout *lookout = &all->lookouts[all->n];
    *lookout = (Lookout){.all = all, .cpu = cpu};
    int error = pthread_create(&lookout->thread, NULL, lookout_main, lookout);
    all->n += error == 0;
    return error;
}

int
lookouts_start(Lookouts *all, int64_t moment)
{
    all->moment = moment;
    (void)pthread_cond_init(&all->turn, NULL);
    /* With all signals blocked, in the team too: they are for Python. */
    sigset_t every, before;
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_SETMASK, &every, &before);
    pthread_mutex_lock(all->lock);
    int error = start_lookout(all, -1);
    pthread_mutex_unlock(all->lock);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* By the single one, which lookouts_join() waits for first. A part of a team
   is no use: without a whole one the single one goes on, and nothing fails. */
static void
start_team(Lookouts *all)
{
    int cpus[MOST_IN_TEAM];
    const int n = os_thread_cpus(cpus, MOST_IN_TEAM);
    all->has_team = n > 1;
    for (int i = 0; i < n && all->has_team; i++) {
        all->has_team = start_lookout(all, cpus[i]) == 0;
    }
    all->team_asked = 1;
}

void
lookouts_halt(Lookouts *all)
{
    pthread_mutex_lock(all->lock);
    __atomic_store_n(&all->stop, 1, __ATOMIC_RELAXED);
    (void)pthread_cond_broadcast(&all->turn);
    pthread_mutex_unlock(all->lock);
}

void
lookouts_join(Lookouts *all)
{
    /* Once the single one has ended, there will be no more of them. */
    (void)pthread_join(all->lookouts[0].thread, NULL);
    for (int i = 1; i < all->n; i++) {
        (void)pthread_join(all->lookouts[i].thread, NULL);
    }
}

void
lookouts_send(Lookouts *all, int64_t moment, int by_team)
{
    __atomic_store_n(&all->moment, moment, __ATOMIC_RELAXED);
    if (by_team && !all->team_asked) {
        start_team(all);
    }
    const int team_looks = by_team && all->has_team;
    if (team_looks != all->team_looks) {
        __atomic_store_n(&all->team_looks, team_looks, __ATOMIC_RELAXED);
        (void)pthread_cond_broadcast(&all->turn);
    }
}

int64_t
lookouts_cpu_time(const Lookouts *all)
{
    int64_t sum = 0;
    for (int i = 0; i < all->n; i++) {
        sum += all->lookouts[i].cpu_time;
    }
    return sum;
}
