/* When to take the next sample, and how uncertain the result is.
 *
 * This is stratified sampling (Cochran, "Sampling Techniques", chapter 5).
 * Time is divided into strata, one right after the other, and each stratum
 * gets a few samples at random times. A sample's weight is the length of its
 * stratum divided by the number of samples in it. The share of the weight is
 * then an unbiased estimate of the share of the time, for strata of any
 * length, as long as a stratum's length depends on earlier samples only.
 *
 * Pure arithmetic: no clock, no lock and no Python object.
 */

#ifndef GILDEMO_SAMPLING_PLAN_H
#define GILDEMO_SAMPLING_PLAN_H

#include <stdint.h>

/* Taking a sample disturbs the watched threads for a while. They spend that
   time, too, so it has to be sampled as often as any other time. With one
   sample in each stratum, two samples would rarely be close together; with
   eight, the time after a sample is sampled 7/8 as often as other times. */
#define MOST_SAMPLES 8

/* Short strata follow slow changes better. So where intervals are long, and
   samples too rare to disturb anything, a stratum has fewer samples, but at
   least two, because one does not show how much they vary. */
#define LONG_STRATUM_NS 8000000
#define FEWEST_SAMPLES 2

/* The mean time between two samples, in ns. */
typedef struct {
    double shortest; /* while samples vary the most */
    double longest;  /* while they do not vary */
} Intervals;

typedef struct {
    Intervals intervals;
    uint64_t random;  /* state of the random generator */
    int64_t deadline; /* of the next sample; ns on the monotonic clock */

    /* The current stratum. */
    int64_t stratum_end; /* ns on the monotonic clock */
    int64_t interval;    /* the stratum's length / planned; ns */
    int planned;         /* samples to take */
    int taken;           /* samples taken so far */
    int held;            /* samples that found the GIL held */
    int handoffs;        /* ... by another thread than the sample before */

    /* All strata. */
    double spread;      /* mean variance of a sample within a stratum */
    int memory;         /* how many strata that is the mean of */
    double weight;      /* sum over all samples; ns */
    double held_weight; /* sum over those that found the GIL held; ns */
    double variance;    /* of held_weight, without this stratum; ns squared */
} SamplingPlan;

void sampling_plan_init(SamplingPlan *plan, Intervals intervals, int64_t now,
                        uint64_t seed);
/* Call this when the sample for plan->deadline has been taken, at `time`. Sets
   the next deadline, and returns the sample's weight in ns. held: it found the
   GIL held. handoff: by another thread than the sample before. */
int64_t sampling_plan_add_sample(SamplingPlan *plan, int64_t time, int held,
                                 int handoff);
/* Returns the variance of plan->held_weight, in ns squared. */
double sampling_plan_variance(const SamplingPlan *plan);
/* Returns a random number between 0 and 1. */
double sampling_plan_random(SamplingPlan *plan);

#endif /* GILDEMO_SAMPLING_PLAN_H */
