/* The kernel of csrc/spin.c in POSIX threads, without Python: what the machine
 * can do at best.
 *
 * spin_pthreads THREADS STEPS prints the nanoseconds from the start of the
 * first thread's loop to the end of the last thread, and then the final state
 * of each thread, one number per line.
 */

#define _XOPEN_SOURCE 700

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SEED UINT64_C(88172645463325252)

typedef struct {
    pthread_t thread;
    pthread_barrier_t *start;
    uint64_t steps;
    uint64_t state;
    int64_t began;
} Worker;

static int64_t
monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
check(int error, const char *what)
{
    if (error != 0) {
        (void)fprintf(stderr, "%s failed: error %d\n", what, error);
        exit(EXIT_FAILURE);
    }
}

static uint64_t
xorshift64(uint64_t state, uint64_t steps)
{
    while (steps-- > 0) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    return state;
}

static void *
run(void *arg)
{
    Worker *worker = arg;
    (void)pthread_barrier_wait(worker->start);
    /* Each thread reads the clock itself: the main thread may be scheduled
       only after they have begun, and would then see too short a time. */
    worker->began = monotonic_ns();
    worker->state = xorshift64(SEED, worker->steps);
    return NULL;
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: %s THREADS STEPS\n", argv[0]);
        return 2;
    }
    const unsigned threads = (unsigned)strtoul(argv[1], NULL, 10);
    const uint64_t steps = strtoull(argv[2], NULL, 10);
    pthread_barrier_t start;
    check(pthread_barrier_init(&start, NULL, threads), "pthread_barrier_init");
    Worker *workers = calloc(threads, sizeof(Worker));
    check(workers == NULL, "calloc");

    for (unsigned i = 0; i < threads; i++) {
        workers[i].start = &start;
        workers[i].steps = steps;
        check(pthread_create(&workers[i].thread, NULL, run, &workers[i]),
              "pthread_create");
    }
    for (unsigned i = 0; i < threads; i++) {
        check(pthread_join(workers[i].thread, NULL), "pthread_join");
    }
    const int64_t ended = monotonic_ns();

    int64_t began = ended;
    for (unsigned i = 0; i < threads; i++) {
        if (workers[i].began < began) {
            began = workers[i].began;
        }
    }
    (void)printf("%" PRId64 "\n", ended - began);
    for (unsigned i = 0; i < threads; i++) {
        (void)printf("%" PRIu64 "\n", workers[i].state);
    }
    (void)pthread_barrier_destroy(&start);
    free(workers);
    return 0;
}
