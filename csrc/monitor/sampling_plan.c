/* See sampling_plan.h. */

#include "sampling_plan.h"

#include <math.h>

/* The variance of a sample is at most 1/4. From this spread on, the interval
   is the shortest one; below it, intervals get longer. */
#define LARGE_SPREAD 0.2

/* The spread is a mean over about this many strata. */
#define SPREAD_MEMORY 32

/* Whether the GIL is held decides how uncertain the main result is. Which
   thread holds it affects only the threads' shares, which come without an
   error, so a handoff counts for less. */
#define HANDOFF_SPREAD (1.0 / 16)

double
sampling_plan_random(SamplingPlan *plan)
{
    /* xorshift64, as in spin.c. */
    plan->random ^= plan->random << 13;
    plan->random ^= plan->random >> 7;
    plan->random ^= plan->random << 17;
    return ((double)(plan->random >> 11) + 0.5) * 0x1p-53;
}

/* The variance of one sample in this stratum: p * (1 - p), with the correction
   for p being estimated from the same samples. */
static double
variance_within(const SamplingPlan *plan)
{
    if (plan->taken < 2) {
        return 0.0;
    }
    const double held = plan->held;
    return held * (plan->taken - held) / plan->taken / (plan->taken - 1);
}

/* The variance of the sum of this stratum's samples, by weight. */
static double
variance_of_stratum(const SamplingPlan *plan)
{
    const double interval = (double)plan->interval;
    return variance_within(plan) * plan->taken * interval * interval;
}

/* Chooses the earliest of the n remaining sample times, which are independent
   and uniform from `begin` to the end of the stratum. All of them are later
   than t with probability ((end - t) / (end - begin)) ** n. */
static void
choose_deadline(SamplingPlan *plan, int64_t begin)
{
    const int n = plan->planned - plan->taken;
    const double later = pow(sampling_plan_random(plan), 1.0 / n);
    const double length = (double)(plan->stratum_end - begin);
    plan->deadline = begin + (int64_t)(length * (1.0 - later));
}

static void
begin_stratum(SamplingPlan *plan)
{
    const double wanted =
        plan->intervals.shortest * LARGE_SPREAD / fmax(plan->spread, 1e-9);
    /* One stratum without a change may be chance, so the interval doubles at
       most. */
    const double most =
        fmin(plan->intervals.longest, 2.0 * (double)plan->interval);
    plan->interval =
        (int64_t)fmax(fmin(wanted, most), plan->intervals.shortest);
    const double samples = LONG_STRATUM_NS / (double)plan->interval;
    plan->planned = (int)fmin(fmax(samples, FEWEST_SAMPLES), MOST_SAMPLES);

    const int64_t begin = plan->stratum_end;
    plan->stratum_end += plan->interval * plan->planned;
    plan->taken = 0;
    plan->held = 0;
    plan->handoffs = 0;
    choose_deadline(plan, begin);
}

static void
end_stratum(SamplingPlan *plan)
{
    const double handoffs = (double)plan->handoffs / plan->planned;
    const double spread = variance_within(plan) + HANDOFF_SPREAD * handoffs;
    if (plan->memory < SPREAD_MEMORY) {
        plan->memory++;
    }
    plan->spread += (spread - plan->spread) / plan->memory;
    plan->variance += variance_of_stratum(plan);
}

void
sampling_plan_init(SamplingPlan *plan, Intervals intervals, int64_t now,
                   uint64_t seed)
{
    *plan = (SamplingPlan){
        .intervals = intervals,
        .random = seed | 1, /* from 0, xorshift makes 0 again */
        .stratum_end = now,
        /* begin_stratum() doubles it. Starting with the shortest would waste
           samples on a GIL that does not change. */
        .interval = (int64_t)(2.0 * intervals.shortest),
    };
    begin_stratum(plan);
}

/* Nothing was sampled for `late` ns, so all that is known of them is how the
   GIL is held in general. */
static void
add_variance_of_late_sample(SamplingPlan *plan, int64_t late)
{
    if (plan->weight > 0.0) {
        const double share = plan->held_weight / plan->weight;
        plan->variance += share * (1.0 - share) * (double)late
                          * (double)(late + 2 * plan->interval);
    }
}

int64_t
sampling_plan_add_sample(SamplingPlan *plan, int64_t time, int held,
                         int handoff)
{
    int64_t late = time - plan->deadline;
    if (late <= plan->interval) {
        late = 0;
    }
    else {
        /* Give this sample the weight of the lost time, and put off the rest
           of the stratum. Many samples at once to catch up would all see the
           same thing. */
        add_variance_of_late_sample(plan, late);
        plan->deadline += late;
        plan->stratum_end += late;
    }

    const int64_t weight = plan->interval + late;
    plan->weight += (double)weight;
    plan->held_weight += held ? (double)weight : 0.0;
    plan->taken++;
    plan->held += held;
    plan->handoffs += handoff;
    if (plan->taken < plan->planned) {
        choose_deadline(plan, plan->deadline);
    }
    else {
        end_stratum(plan);
        begin_stratum(plan);
    }
    return weight;
}

double
sampling_plan_variance(const SamplingPlan *plan)
{
    return plan->variance + variance_of_stratum(plan);
}
