/* Counts threads that sleep in a condition variable. test_c_units.py builds
 * and runs it together with waiters.c.
 */

#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "waiters.h"

#include <pthread.h>

#define MOST 5

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int asleep;
static int awake;

static void *
sleep_in(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    asleep++;
    pthread_cond_signal(&changed);
    while (!awake) {
        pthread_cond_wait(&condition, &lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

int
main(void)
{
    const int offset = waiters_find_offset();
    CHECK(waiters_count(&condition, -1) == -1);
#ifdef __GLIBC__
    CHECK(offset >= 0);
#endif
    CHECK(waiters_count(&condition, offset) == (offset < 0 ? -1 : 0));
    pthread_t threads[MOST];
    for (int n = 1; n <= MOST; n++) {
        CHECK(pthread_create(&threads[n - 1], NULL, sleep_in, NULL) == 0);
        pthread_mutex_lock(&lock);
        while (asleep < n) {
            pthread_cond_wait(&changed, &lock);
        }
        CHECK(waiters_count(&condition, offset) == (offset < 0 ? -1 : n));
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    awake = 1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < MOST; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(waiters_count(&condition, offset) == (offset < 0 ? -1 : 0));
    CHECK(waiters_find_offset() == offset);
    return 0;
}
