/* See waiters.h. */

#define _POSIX_C_SOURCE 200809L
#include "waiters.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#define SLEEPERS 3
#define WORDS (sizeof(pthread_cond_t) / sizeof(uint32_t))

/* glibc: __wrefs, the number of waiters above three bits for other things. */
#define FLAG_BITS 3

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t bed;      /* where they sleep */
    pthread_cond_t all_went; /* `asleep` has changed */
    int asleep;
    int awake;
} Dormitory;

static void *
sleep_in(void *arg)
{
    Dormitory *d = arg;
    pthread_mutex_lock(&d->lock);
    d->asleep++;
    pthread_cond_signal(&d->all_went);
    while (!d->awake) {
        pthread_cond_wait(&d->bed, &d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* The one word that counts the sleepers, or -1. */
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
    Dormitory d = {0};
    /* As CPython makes the GIL's. */
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifndef __APPLE__
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_mutex_init(&d.lock, NULL);
    pthread_cond_init(&d.bed, &attributes);
    pthread_cond_init(&d.all_went, NULL);
    pthread_condattr_destroy(&attributes);
    copy_words(before, &d.bed);

    /* No signal of the program's is for these threads. */
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    int started = 0;
    while (started < SLEEPERS
           && pthread_create(&threads[started], NULL, sleep_in, &d) == 0) {
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);

    /* Each counts itself before it lets go of the lock to sleep. */
    pthread_mutex_lock(&d.lock);
    while (d.asleep < started) {
        pthread_cond_wait(&d.all_went, &d.lock);
    }
    copy_words(with, &d.bed);
    d.awake = 1;
    pthread_cond_broadcast(&d.bed);
    pthread_mutex_unlock(&d.lock);
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    copy_words(after, &d.bed);
    pthread_cond_destroy(&d.bed);
    pthread_cond_destroy(&d.all_went);
    pthread_mutex_destroy(&d.lock);

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
