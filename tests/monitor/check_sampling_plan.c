/* Follows the sampling plan of a GilMonitor through loads whose true values
 * are known, with a clock that is only a number. test_c_units.py builds and
 * runs it together with sampling_plan.c.
 */

#include "check.h"
#include "sampling_plan.h"

#include <math.h>

#define MS 1000000
#define RUNS 300

static const Intervals fixed = {MS, MS};
static const Intervals adaptive = {0.19 * MS, 3.0 * MS};

/* Holds the GIL for the first `held` ns of each period. */
typedef struct {
    int64_t period;
    int64_t held;
} Load;

static int
is_held(Load load, int64_t time)
{
    return time % load.period < load.held;
}

typedef struct {
    double share;
    double error; /* one standard deviation */
    int samples;
} Result;

static Result
follow(Load load, Intervals intervals, int64_t duration, uint64_t seed,
       int busy)
{
    SamplingPlan plan;
    /* Anywhere in the load's period. */
    const int64_t begin = (int64_t)(seed * 7919 * 1009 % 1000000007);
    sampling_plan_init(&plan, intervals, begin, seed * 0x9E3779B97F4A7C15);
    double weights = 0.0;
    double held = 0.0;
    int samples = 0;
    int64_t last = begin;
    while (plan.deadline < begin + duration) {
        CHECK(plan.deadline >= last);
        last = plan.deadline;
        /* A busy machine delays a sample now and then. */
        const int64_t late =
            busy && samples % 101 == 100 ? samples % 7 * MS : 0;
        const int found = is_held(load, plan.deadline + late);
        const int64_t weight =
            sampling_plan_add_sample(&plan, plan.deadline + late, found, 0);
        CHECK(weight >= (int64_t)intervals.shortest);
        CHECK(weight <= (int64_t)intervals.longest + late);
        weights += (double)weight;
        held += found ? (double)weight : 0.0;
        samples++;
    }
    CHECK(fabs(weights - (double)duration)
          <= MOST_SAMPLES * intervals.longest);
    return (Result){held / weights,
                    sqrt(sampling_plan_variance(&plan)) / weights, samples};
}

/* The mean of many runs is the true value, and runs differ from it by as much
   as their own error says. */
static void
check_load(Load load, Intervals intervals, int busy)
{
    const double truth = (double)load.held / (double)load.period;
    double sum = 0.0;
    double square = 0.0;
    double claimed = 0.0;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        const Result r = follow(load, intervals, 2000 * MS, seed, busy);
        sum += r.share - truth;
        square += (r.share - truth) * (r.share - truth);
        claimed += r.error * r.error;
    }
    const double deviation = sqrt(square / RUNS);
    CHECK(fabs(sum / RUNS) <= 5.0 * deviation / sqrt(RUNS));
    CHECK(deviation <= 1.3 * sqrt(claimed / RUNS));
    const double most = intervals.longest > MS ? 0.01 : 0.03;
    CHECK(busy || 1.96 * sqrt(claimed / RUNS) < most);
}

/* The time soon after a sample is sampled as often as MOST_SAMPLES says. */
static void
check_no_gap_after_a_sample(void)
{
    SamplingPlan plan;
    sampling_plan_init(&plan, fixed, 0, 1);
    const int samples = 200000;
    int soon = 0;
    for (int i = 0; i < samples; i++) {
        const int64_t deadline = plan.deadline;
        (void)sampling_plan_add_sample(&plan, deadline, i % 2, 0);
        soon += plan.deadline - deadline < MS / 20;
    }
    const double expected = (1.0 - 1.0 / MOST_SAMPLES) * samples / 20;
    CHECK(fabs(soon - expected) < 0.05 * expected);
}

static void
check_intervals_follow_the_change(void)
{
    const Load still = {10 * MS, 0};
    const Load slow = {20 * MS, 10 * MS};
    const Load fast = {MS / 10, MS / 20};
    const int64_t second = 1000 * MS;
    const int few = follow(still, adaptive, second, 1, 0).samples;
    const int some = follow(slow, adaptive, second, 1, 0).samples;
    const int many = follow(fast, adaptive, second, 1, 0).samples;
    CHECK(few < 450);
    CHECK(some > 2 * few && 2 * some < many);
    CHECK(many > 4800);
}

/* A handoff counts, but for less. */
static void
check_handoffs_count(void)
{
    SamplingPlan plan;
    int64_t weight = 0;
    sampling_plan_init(&plan, adaptive, 0, 1);
    for (int i = 0; i < 1000; i++) {
        weight = sampling_plan_add_sample(&plan, plan.deadline, 1, 1);
    }
    CHECK(weight > (int64_t)adaptive.shortest);
    CHECK(weight < (int64_t)adaptive.longest);
}

/* A sample that is a second late has the weight of that second, and is as
   uncertain as one sample is. */
static void
check_a_late_sample(void)
{
    SamplingPlan plan;
    sampling_plan_init(&plan, fixed, 0, 1);
    int64_t sum = 0;
    for (int i = 0; i < 100 * MOST_SAMPLES; i++) {
        sum += sampling_plan_add_sample(&plan, plan.deadline, i % 2, 0);
    }
    const double before = sampling_plan_variance(&plan);
    const int64_t late = plan.deadline + 1000 * MS;
    CHECK(sampling_plan_add_sample(&plan, late, 0, 0) == 1001 * MS);
    CHECK(plan.deadline >= late);
    CHECK(plan.stratum_end == sum + (1000 + MOST_SAMPLES) * MS);
    const double added =
        (sampling_plan_variance(&plan) - before) / (1e6 * MS * MS);
    CHECK(added > 0.2 && added < 0.3);

    /* A little late is as good as in time. */
    CHECK(sampling_plan_add_sample(&plan, plan.deadline + MS / 2, 0, 0) == MS);
}

int
main(void)
{
    const int64_t periods[] = {MS / 50, MS / 10, MS, 10 * MS, 100 * MS};
    for (int i = 0; i < 5; i++) {
        for (int quarter = 0; quarter <= 4; quarter++) {
            const Load load = {periods[i], periods[i] / 4 * quarter};
            for (int busy = 0; busy <= 1; busy++) {
                check_load(load, fixed, busy);
                check_load(load, adaptive, busy);
            }
        }
    }
    check_load((Load){MS / 50, MS / 5000}, adaptive, 0);
    check_load((Load){MS / 50, MS / 2000}, adaptive, 0);
    check_no_gap_after_a_sample();
    check_intervals_follow_the_change();
    check_handoffs_count();
    check_a_late_sample();
    return 0;
}
