/* See waiters.h. */

#define _POSIX_C_SOURCE 200809L
#include "waiters.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#define SLEEPERS 3
#define WORDS (sizeof(pthread_cond_t) / sizeof(uint32_t))

/* glibc: __wrefs has three bits of flags below the number of waiters. */
#define FLAG_BITS 3

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t condition; /* what they sleep in, until `awake` */
    pthread_cond_t changed;   /* `asleep` has changed */
    int asleep;               /* how many threads went to sleep */
    int awake;                /* they have to wake up */
} Sleepers;

static void *
sleep_in(void *arg)
{
    Sleepers *all = arg;
    pthread_mutex_lock(&all->lock);
    all->asleep++;
    pthread_cond_signal(&all->changed);
    while (!all->awake) {
        pthread_cond_wait(&all->condition, &all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* Returns the index of the only word that has counted the sleepers, or -1. */
static int
find_count(const uint32_t *before, const uint32_t *with, const uint32_t *after)
{
    int found = -1;
    for (int i = 0; i < (int)WORDS; i++) {
        if (with[i] - before[i] == SLEEPERS << FLAG_BITS
            && before[i] >> FLAG_BITS == 0 && after[i] == before[i]) {
            if (found >= 0) {
                return -1;
            }
            found = i;
        }
    }
    return found;
}

static void
copy_words(uint32_t *words, const pthread_cond_t *condition)
{
    memcpy(words, condition, WORDS * sizeof(uint32_t));
}

int
waiters_find_offset(void)
{
    uint32_t before[WORDS], with[WORDS], after[WORDS];
    pthread_t threads[SLEEPERS];
    Sleepers all = {0};
    /* CPython creates the GIL's condition variable like this. */
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifndef __APPLE__
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_mutex_init(&all.lock, NULL);
    pthread_cond_init(&all.condition, &attributes);
    pthread_cond_init(&all.changed, NULL);
    pthread_condattr_destroy(&attributes);
    copy_words(before, &all.condition);

    /* Signals are for the program's own threads. */
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    int started = 0;
    while (started < SLEEPERS
           && pthread_create(&threads[started], NULL, sleep_in, &all) == 0) {
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);

    /* Each thread increments `asleep` before it releases the lock to sleep. */
    pthread_mutex_lock(&all.lock);
    while (all.asleep < started) {
        pthread_cond_wait(&all.changed, &all.lock);
    }
    copy_words(with, &all.condition);
    all.awake = 1;
    pthread_cond_broadcast(&all.condition);
    pthread_mutex_unlock(&all.lock);
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    copy_words(after, &all.condition);
    pthread_cond_destroy(&all.condition);
    pthread_cond_destroy(&all.changed);
    pthread_mutex_destroy(&all.lock);

    const int word = find_count(before, with, after);
    return word < 0 ? -1 : word * (int)sizeof(uint32_t);
}

int
waiters_count(const void *condition, int offset)
{
    if (offset < 0) {
        return -1;
    }
    const uint32_t *word =
        (const uint32_t *)((const char *)condition + offset);
    return (int)(__atomic_load_n(word, __ATOMIC_RELAXED) >> FLAG_BITS);
}
