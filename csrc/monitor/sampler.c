/* See sampler.h. */

#include "../clock.h" /* first, because it includes Python.h */

#include "sampler.h"

#include "recorder.h"
#include "sampler_threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* With less spread, little changes while a sample is late. With a longer
   interval, samples are so few that chance is the largest error. */
#define SPREAD_FOR_TEAM 0.04
#define INTERVAL_FOR_TEAM_NS 10000000

struct Sampler {
    SamplerThreads threads;
    pthread_mutex_t lock; /* protects what follows */
    Recorder recorder;
};

/* An OnSample. */
static NextSample
on_sample(void *arg, const GilSample *seen, int64_t now, SafeCopy *copy)
{
    Recorder *recorder = arg;
    const SamplingPlan *plan = &recorder->plan;
    /* Otherwise a newer sample has got the lock before this one. */
    if (now > recorder->history.sums.end) {
        recorder_add_sample(recorder, seen, now, copy);
    }
    return (NextSample){
        .deadline = plan->deadline,
        .by_team = plan->spread > SPREAD_FOR_TEAM
                   && plan->interval < INTERVAL_FOR_TEAM_NS,
    };
}

/* Returns 0 or an error number. */
static int
start_threads(Sampler *sampler)
{
    Recorder *recorder = &sampler->recorder;
    int error = pthread_mutex_init(&sampler->lock, NULL);
    if (!error) {
        error = sampler_threads_start(
            &sampler->threads, &recorder->gil, recorder_reads_stacks(recorder),
            &sampler->lock, on_sample, recorder, recorder->plan.deadline);
        if (error) {
            (void)pthread_mutex_destroy(&sampler->lock);
        }
    }
    return error;
}

static void
free_memory(Sampler *sampler)
{
    recorder_free(&sampler->recorder);
    free(sampler);
}

Sampler *
sampler_start(const GilState *gil, Intervals intervals, int with_sites)
{
    Sampler *sampler = calloc(1, sizeof(Sampler));
    if (sampler == NULL) {
        return NULL;
    }
    if (recorder_init(&sampler->recorder, gil, intervals, with_sites) < 0) {
        free(sampler);
        errno = ENOMEM;
        return NULL;
    }
    const int error = start_threads(sampler);
    if (error) {
        recorder_close_sites(&sampler->recorder);
        free_memory(sampler);
        errno = error;
        return NULL;
    }
    return sampler;
}

void
sampler_close_sites(Sampler *sampler)
{
    recorder_close_sites(&sampler->recorder);
}

void
sampler_halt(Sampler *sampler)
{
    sampler_threads_halt(&sampler->threads);
}

void
sampler_join(Sampler *sampler)
{
    sampler_threads_join(&sampler->threads);
}

int
sampler_copy(Sampler *sampler, SamplerCopy *copy)
{
    Recorder *recorder = &sampler->recorder;
    const Sites *sites = recorder->sites;
    copy->has_sites = sites != NULL;
    pthread_mutex_lock(&sampler->lock);
    history_set_costs(&recorder->history,
                      sampling_plan_variance(&recorder->plan),
                      sampler_threads_cpu_time(&sampler->threads));
    int failed = history_copy(&recorder->history, &copy->history);
    if (!failed && sites != NULL) {
        copy->sites = sites->sums;
        failed = profile_copy(&sites->profile, &copy->profile);
    }
    pthread_mutex_unlock(&sampler->lock);
    if (failed) {
        history_free(&copy->history);
    }
    return failed;
}

void
sampler_copy_free(SamplerCopy *copy)
{
    history_free(&copy->history);
    if (copy->has_sites) {
        profile_free(&copy->profile);
    }
}

int64_t
sampler_held_by(Sampler *sampler, unsigned long native_id, Sums *sums)
{
    pthread_mutex_lock(&sampler->lock);
    const int64_t held =
        history_held_by(&sampler->recorder.history, native_id);
    *sums = sampler->recorder.history.sums;
    pthread_mutex_unlock(&sampler->lock);
    return held;
}

void
sampler_free(Sampler *sampler)
{
    (void)pthread_mutex_destroy(&sampler->lock);
    free_memory(sampler);
}

void
sampler_free_in_child(Sampler *sampler)
{
    /* The native threads do not exist here, but may have had the lock, or have
       been waiting for the condition variable: neither may be destroyed. */
    free_memory(sampler);
}
