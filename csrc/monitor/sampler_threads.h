/* The native threads that sample the GIL, each time at a given deadline.
 *
 * A sample that is 20 us late shows the GIL 20 us later, and how late it is
 * depends on what there is to see: an idle CPU takes longer to wake up than a
 * running one takes to be interrupted, and a CPU is idle because a thread
 * waits for the GIL. This matters where the GIL is taken and released fast.
 * There, a team samples, with a thread on each CPU. All of them wake up at the
 * same deadline, which stops all running threads, and the first one's sample
 * counts. Elsewhere, a single thread samples, on any CPU.
 */

#ifndef GILDEMO_SAMPLER_THREADS_H
#define GILDEMO_SAMPLER_THREADS_H

#include "gil_state.h"
#include "safe_copy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* With more CPUs there is no team. One of the CPUs is then mostly idle, and a
   sample is equally late whatever there is to see. (If all are busy, it is
   not.) */
#define MOST_IN_TEAM 4

typedef struct {
    int64_t deadline; /* ns on the monotonic clock */
    int by_team;      /* whether the team should take it, if there is one */
} NextSample;

/* Called with the lock, with a sample of the GIL taken at `time`, which is not
   before the deadline. `copy` was opened by the calling thread; it is NULL if
   memory can't be copied, or need not be. Returns which sample to take next.
   */
typedef NextSample (*OnSample)(void *arg, const GilSample *sample,
                               int64_t time, SafeCopy *copy);

typedef struct SamplerThreads SamplerThreads;

typedef struct {
    SamplerThreads *all;
    int cpu; /* the CPU that it stays on; -1 for the single thread */
    pthread_t thread;
    int64_t cpu_time; /* ns; with the lock */
    SafeCopy copy;
    int can_copy; /* whether `copy` is open */
} SamplerThread;

struct SamplerThreads {
    const GilState *gil;
    int copies; /* whether on_sample needs to copy memory */
    pthread_mutex_t *lock;
    OnSample on_sample;
    void *arg;

    /* With the lock. */
    SamplerThread threads[1 + MOST_IN_TEAM]; /* the single one comes first */
    int n;
    int team_asked_for; /* a team is started when it is first needed */
    int has_team;
    pthread_cond_t turn; /* team_samples or stopped has changed */

    /* Written with the lock, read without. */
    atomic_bool stopped;
    atomic_bool team_samples;
    _Atomic int64_t deadline;
};

/* Starts the single thread. Returns 0 or an error number. */
int sampler_threads_start(SamplerThreads *all, const GilState *gil, int copies,
                          pthread_mutex_t *lock, OnSample on_sample, void *arg,
                          int64_t deadline);
/* Takes no more samples. The caller must not have the lock. */
void sampler_threads_halt(SamplerThreads *all);
/* Then waits for the threads to end, which takes 20 ms if they get a CPU, and
   frees what they used. They never take the GIL, so the caller may hold it. */
void sampler_threads_join(SamplerThreads *all);
/* Returns the CPU time that the threads have used, in ns. With the lock. */
int64_t sampler_threads_cpu_time(const SamplerThreads *all);

#endif /* GILDEMO_SAMPLER_THREADS_H */
