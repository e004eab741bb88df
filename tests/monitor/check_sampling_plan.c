/* Follows the schedule of a GilMonitor through loads whose truth is known,
 * with a clock that is only a number. test_c_units.py builds and runs it
 * together with schedule.c.
 */

#include "check.h"
#include "sampling_plan.h"

#include <math.h>

#define MS 1000000
#define RUNS 300

static const Intervals fixed = {MS, MS};
static const Intervals adaptive = {0.19 * MS, 3.0 * MS};

/* Holds the GIL for `held` ns of each `period`; with none, never changes. */
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
    int looks;
} Result;

static Result
follow(Load load, Intervals intervals, int64_t duration, uint64_t seed,
       int busy)
{
    Schedule s;
    /* At no particular place in the load's period. */
    const int64_t begin = (int64_t)(seed * 7919 * 1009 % 1000000007);
    schedule_init(&s, intervals, begin, seed * 0x9E3779B97F4A7C15);
    double watched = 0.0;
    double held = 0.0;
    int looks = 0;
    int64_t last = begin;
    while (s.moment < begin + duration) {
        CHECK(s.moment >= last);
        last = s.moment;
        /* A busy machine now and then has something else to do. */
        const int64_t late = busy && looks % 101 == 100 ? looks % 7 * MS : 0;
        const int found = is_held(load, s.moment + late);
        const int64_t length = schedule_look(&s, s.moment + late, found, 0);
        CHECK(length >= (int64_t)intervals.shortest);
        CHECK(length <= (int64_t)intervals.longest + late);
        watched += (double)length;
        held += found ? (double)length : 0.0;
        looks++;
    }
    CHECK(fabs(watched - (double)duration) <= MOST_LOOKS * intervals.longest);
    return (Result){held / watched, sqrt(schedule_variance(&s)) / watched,
                    looks};
}

/* The mean of many runs is the truth, and a run is as far from it as it says
   itself. */
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

/* As often soon after a look as MOST_LOOKS promises. */
static void
check_no_gap_after_a_look(void)
{
    Schedule s;
    schedule_init(&s, fixed, 0, 1);
    const int looks = 200000;
    int soon = 0;
    for (int i = 0; i < looks; i++) {
        const int64_t moment = s.moment;
        (void)schedule_look(&s, moment, i % 2, 0);
        soon += s.moment - moment < MS / 20;
    }
    const double expected = (1.0 - 1.0 / MOST_LOOKS) * looks / 20;
    CHECK(fabs(soon - expected) < 0.05 * expected);
}

static void
check_intervals_follow_the_change(void)
{
    const Load still = {10 * MS, 0};
    const Load slow = {20 * MS, 10 * MS};
    const Load fast = {MS / 10, MS / 20};
    const int64_t second = 1000 * MS;
    const int few = follow(still, adaptive, second, 1, 0).looks;
    const int some = follow(slow, adaptive, second, 1, 0).looks;
    const int many = follow(fast, adaptive, second, 1, 0).looks;
    CHECK(few < 450);
    CHECK(some > 2 * few && 2 * some < many);
    CHECK(many > 4800);
}

/* That threads pass it on counts, but for less. */
static void
check_passing_counts(void)
{
    Schedule s;
    int64_t length = 0;
    schedule_init(&s, adaptive, 0, 1);
    for (int i = 0; i < 1000; i++) {
        length = schedule_look(&s, s.moment, 1, 1);
    }
    CHECK(length > (int64_t)adaptive.shortest);
    CHECK(length < (int64_t)adaptive.longest);
}

/* One that comes after a second stands for that second, and is as uncertain as
   one look is. */
static void
check_a_late_look(void)
{
    Schedule s;
    schedule_init(&s, fixed, 0, 1);
    int64_t sum = 0;
    for (int i = 0; i < 100 * MOST_LOOKS; i++) {
        sum += schedule_look(&s, s.moment, i % 2, 0);
    }
    const double before = schedule_variance(&s);
    const int64_t late = s.moment + 1000 * MS;
    CHECK(schedule_look(&s, late, 0, 0) == 1001 * MS);
    CHECK(s.moment >= late);
    CHECK(s.end == sum + (1000 + MOST_LOOKS) * MS);
    const double added = (schedule_variance(&s) - before) / (1e6 * MS * MS);
    CHECK(added > 0.2 && added < 0.3);

    /* A little late is as good as in time. */
    CHECK(schedule_look(&s, s.moment + MS / 2, 0, 0) == MS);
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
    check_no_gap_after_a_look();
    check_intervals_follow_the_change();
    check_passing_counts();
    check_a_late_look();
    return 0;
}
