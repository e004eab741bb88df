/* See sites.h. */

#include "sites.h"

#define MAX(a, b) ((a) > (b) ? (a) : (b))

int
sites_open(Sites *sites, int wanted, int waiters_known, uint64_t seed)
{
    sites->wanted = wanted;
    sites->sums = (SitesSums){.waiters_known = waiters_known};
    sites->held_since = -1;
    if (!wanted) {
        return 0;
    }
    if (profile_init(&sites->profile, seed) < 0) {
        profile_free(&sites->profile);
        return -1;
    }
    sites->sums.unavailable =
        frames_open(&sites->frames, &sites->profile.codes);
    return 0;
}

int
sites_read_stacks(const Sites *sites)
{
    return sites->wanted && sites->sums.unavailable == NULL;
}

void
sites_close(Sites *sites)
{
    if (sites_read_stacks(sites)) {
        frames_close(&sites->frames);
    }
}

void
sites_free(Sites *sites)
{
    if (sites->wanted) {
        profile_free(&sites->profile);
    }
}

/* A waiting thread wakes up every 5 ms to request the GIL, and is not counted
   until it sleeps again. But as long as the GIL has not changed hands, it
   still waits. */
static int
waiters_in_hold(Sites *sites, const HeldSample *sample)
{
    const int before =
        sample->held_since == sites->held_since ? sites->waiters : 0;
    sites->held_since = sample->held_since;
    sites->waiters = MAX(sample->waiters, before);
    return sites->waiters;
}

void
sites_add_sample(Sites *sites, SafeCopy *copy, const HeldSample *sample)
{
    if (!sites_read_stacks(sites)) {
        return;
    }
    const int waiters = waiters_in_hold(sites, sample);
    const int64_t weight = profile_weight(&sites->profile, sample->weight);
    if (weight == 0) {
        return;
    }
    FramesOutcome outcome = FRAMES_GONE;
    if (copy != NULL && sample->id != 0) {
        outcome = frames_read(&sites->frames, copy, sample->tstate, sample->id,
                              &sites->stack);
    }
    sites->sums.stacks++;
    sites->sums.torn += outcome == FRAMES_TORN;
    profile_add(&sites->profile, sample->thread,
                outcome == FRAMES_READ ? &sites->stack : NULL, weight,
                waiters);
}

void
sites_renumber(Sites *sites, const int32_t *new_indexes)
{
    if (sites->wanted) {
        profile_renumber(&sites->profile, new_indexes);
    }
}

int
sites_copy(const Sites *sites, SitesCopy *copy)
{
    copy->wanted = sites->wanted;
    copy->sums = sites->sums;
    return sites->wanted ? profile_copy(&sites->profile, &copy->profile) : 0;
}

void
sites_copy_free(SitesCopy *copy)
{
    if (copy->wanted) {
        profile_free(&copy->profile);
    }
}
