/* See sampling_plan.h. */

#include "sampling_plan.h"

#include <math.h>

/* The true variance of a look is 1/4 at most, and the shortest interval is
   meant for that. Below this one, intervals get longer. */
#define LARGE_SPREAD 0.2

/* Over so many strata, roughly, is the spread taken, once there are as many.
 */
#define SPREAD_MEMORY 32

/* What makes the share of the time in which the GIL is held uncertain counts
   in full. That one thread gets it from another makes but their shares of it
   uncertain, which are given without an error. */
#define PASSED_WEIGHT (1.0 / 16)

double
schedule_random(Schedule *s)
{
    /* xorshift64, as in spin.c. */
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return ((double)(s->random >> 11) + 0.5) * 0x1p-53;
}

/* That of one look, from those in this stratum: p (1 - p), without the bias
   that comes from taking p from the same few. */
static double
variance_within(const Schedule *s)
{
    return s->looks < 2 ? 0.0
                        : (double)s->held * (s->looks - s->held) / s->looks
                              / (s->looks - 1);
}

static double
variance_of_stratum(const Schedule *s)
{
    return variance_within(s) * s->looks * (double)s->interval
           * (double)s->interval;
}

/* The first of n uniform moments from `begin` on: all are later than t with
   the probability ((end - t) / (end - begin)) ^ n. */
static void
choose_moment(Schedule *s, int64_t begin)
{
    const int n = s->planned - s->looks;
    const double later = pow(schedule_random(s), 1.0 / n);
    s->moment = begin + (int64_t)((double)(s->end - begin) * (1.0 - later));
}

static void
begin_stratum(Schedule *s)
{
    const double wanted =
        s->intervals.shortest * LARGE_SPREAD / fmax(s->spread, 1e-9);
    /* One stratum in which nothing changes by chance does not say much. */
    const double most = fmin(s->intervals.longest, 2.0 * (double)s->interval);
    s->interval = (int64_t)fmax(fmin(wanted, most), s->intervals.shortest);
    s->planned = (int)fmin(
        fmax(LONG_STRATUM_NS / (double)s->interval, FEWEST_LOOKS), MOST_LOOKS);
    const int64_t begin = s->end;
    s->end += s->interval * s->planned;
    s->looks = 0;
    s->held = 0;
    s->passed = 0;
    choose_moment(s, begin);
}

void
schedule_init(Schedule *s, Intervals intervals, int64_t now, uint64_t seed)
{
    *s = (Schedule){
        .intervals = intervals,
        .random = seed | 1, /* xorshift can't leave 0 */
        .end = now,
        /* Not known to change much or little: the first interval is twice
           this, and no shorter ones are spent on a GIL that does not. */
        .interval = (int64_t)(2.0 * intervals.shortest),
    };
    begin_stratum(s);
}

int64_t
schedule_look(Schedule *s, int64_t time, int held, int passed)
{
    /* One that is late by more than an interval stands for that time too, and
       all others are put off: nothing is made up for by many looks at the same
       thing, and no time is left out. */
    const int64_t late = time - s->moment > s->interval ? time - s->moment : 0;
    if (late > 0 && s->watched > 0.0) {
        /* How the GIL is held in general is all that is known of that time. */
        const double share = s->watched_held / s->watched;
        s->variance += share * (1.0 - share) * (double)late
                       * (double)(late + 2 * s->interval);
    }
    s->moment += late;
    s->end += late;

    const int64_t length = s->interval + late;
    s->watched += (double)length;
    s->watched_held += held ? (double)length : 0.0;
    s->looks++;
    s->held += held;
    s->passed += passed;
    if (s->looks < s->planned) {
        choose_moment(s, s->moment);
        return length;
    }
    const double passes = (double)s->passed / s->planned;
    const double spread = variance_within(s) + PASSED_WEIGHT * passes;
    s->memory = s->memory < SPREAD_MEMORY ? s->memory + 1 : SPREAD_MEMORY;
    s->spread += (spread - s->spread) / s->memory;
    s->variance += variance_of_stratum(s);
    begin_stratum(s);
    return length;
}

double
schedule_variance(const Schedule *s)
{
    return s->variance + variance_of_stratum(s);
}
