/* When a Watch (watch.h) looks at the GIL, and how uncertain that leaves it.
 *
 * Time is cut into strata, one right after the other, and each gets some looks
 * at random moments (stratified sampling; Cochran, "Sampling Techniques",
 * chapter 5). A look counts with the interval of its stratum, so that the
 * share of what was found, by interval, is the share of the time, whatever the
 * intervals, as long as they depend on the past alone.
 *
 * No Python object, no clock and no lock is touched here.
 */

#ifndef GILDEMO_SCHEDULE_H
#define GILDEMO_SCHEDULE_H

#include <stdint.h>

/* With one look in each stratum, hardly any would come soon after another. But
   a look takes a CPU for some time, and those who are watched do other things
   then than they did before; that is part of the truth, and has to be seen as
   often as it is there. With eight, soon after a look there are 7/8 as many as
   at any other time. */
#define MOST_LOOKS 8

/* The shorter the strata, the better do looks follow what changes slowly. So
   where intervals are long, and looks too rare to disturb, there are fewer:
   two at least, because one does not tell how much they scatter. */
#define LONG_STRATUM_NS 8000000
#define FEWEST_LOOKS 2

/* ns from one look to the next, on average: the shortest while much changes,
   the longest while nothing does. */
typedef struct {
    double shortest;
    double longest;
} Intervals;

typedef struct {
    Intervals intervals;
    uint64_t random;

    int64_t moment;   /* of the next look */
    int64_t end;      /* of the stratum */
    int64_t interval; /* its length / its looks, */
    int planned;      /* of which there shall be so many, */
    int looks;        /* and are, so far; */
    int held;         /* those of them that found the GIL held, */
    int passed;       /* and by another thread than the look before */

    double spread;       /* of what looks find in one stratum, lately: */
    int memory;          /* over so many of them */
    double watched;      /* the sum of what all looks stand for, */
    double watched_held; /* of those that found the GIL held, */
    double variance;     /* and of the latter sum */
} Schedule;

void schedule_init(Schedule *schedule, Intervals intervals, int64_t now,
                   uint64_t seed);
/* The look for schedule->moment was at `time`. Goes on to the next moment;
   returns for how many ns this look stands. */
int64_t schedule_look(Schedule *schedule, int64_t time, int held, int passed);
/* That of the sum of all that was returned for looks that found the GIL held,
   in ns squared. */
double schedule_variance(const Schedule *schedule);
/* A uniform number between 0 and 1. */
double schedule_random(Schedule *schedule);

#endif /* GILDEMO_SCHEDULE_H */
