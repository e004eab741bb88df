/* A thread that Python did not start, and that calls Python functions.
 * test_foreign_thread.py builds it as a shared library.
 */

#define _GNU_SOURCE /* for CLOCK_THREAD_CPUTIME_ID under -std=c11 */

#include <pthread.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    double burn; /* seconds of CPU time to use first */
    int ready;   /* a pipe to write to after that */
    int go;      /* a pipe to read from then */
    int times;   /* how often to call back then */
    void (*callback)(void);
} Work;

static void *
run(void *arg)
{
    Work *work = arg;
    struct timespec used = {0};
    char byte = 0;
    while ((double)used.tv_sec + (double)used.tv_nsec * 1e-9 < work->burn) {
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    }
    if (write(work->ready, &byte, 1) == 1 && read(work->go, &byte, 1) == 1) {
        for (int i = 0; i < work->times; i++) {
            work->callback();
        }
    }
    return NULL;
}

/* Returns once the thread has ended: 0 or an error number. */
int
run_foreign_thread(Work *work)
{
    pthread_t thread;
    const int error = pthread_create(&thread, NULL, run, work);
    return error ? error : pthread_join(thread, NULL);
}
