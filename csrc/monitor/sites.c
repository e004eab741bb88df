/* See sites.h. */

#include "sites.h"

#include <string.h>

#define MAX(a, b) ((a) > (b) ? (a) : (b))

int
sites_open(Sites *sites, int waiters_known, uint64_t seed)
{
    sites->sums = (SitesSums){.waiters_known = waiters_known};
    sites->held_since = -1;
    if (profile_init(&sites->profile, seed) < 0) {
        profile_free(&sites->profile);
        return -1;
    }
    sites->sums.unavailable =
        frames_open(&sites->frames, &sites->profile.codes);
    return 0;
}

void
sites_close(Sites *sites)
{
    if (sites->sums.unavailable == NULL) {
        frames_close(&sites->frames);
    }
}

void
sites_free(Sites *sites)
{
    profile_free(&sites->profile);
}

/* Returns how many threads wait; 0 if unknown. A waiting thread wakes up every
   5 ms to request the GIL, and does not count until it sleeps again. But as
   long as the GIL has not changed hands, it still waits. */
static int
waiters_in_hold(Sites *sites, const HeldSample *sample)
{
    const int before =
        sample->held_since == sites->held_since ? sites->waiters : 0;
    sites->held_since = sample->held_since;
    sites->waiters = MAX(sample->waiters, before);
    return sites->waiters;
}

int32_t
sites_add_sample(Sites *sites, SafeCopy *copy, const HeldSample *sample)
{
    const int waiters = waiters_in_hold(sites, sample);
    const int64_t weight = profile_weight(&sites->profile, sample->weight);
    if (weight == 0 || sites->sums.unavailable != NULL) {
        return NO_NODE;
    }
    FramesOutcome outcome = FRAMES_GONE;
    if (copy != NULL && sample->id != 0) {
        outcome = frames_read(&sites->frames, copy, sample->tstate, sample->id,
                              &sites->stack);
    }
    sites->sums.stacks++;
    sites->sums.torn += outcome == FRAMES_TORN;
    const int is_read = outcome == FRAMES_READ;
    const int32_t node =
        profile_add(&sites->profile, sample->thread,
                    is_read ? &sites->stack : NULL, weight, waiters);
    return is_read ? node : NO_NODE;
}

static int
ends_with(Text text, const char *end)
{
    const size_t size = strlen(end);
    return text.size >= size
           && memcmp(text.bytes + text.size - size, end, size) == 0;
}

/* In these files of the standard library, threads sleep until they get work,
   or until other threads have done theirs. */
static int
is_file_of_idle_threads(Text file)
{
    return ends_with(file, "/threading.py") || ends_with(file, "/queue.py")
           || strstr(file.bytes, "/concurrent/futures/") != NULL
           || strstr(file.bytes, "/multiprocessing/") != NULL;
}

int
sites_is_idle(Sites *sites, SafeCopy *copy, const void *tstate, uint64_t id)
{
    if (copy == NULL || sites->sums.unavailable != NULL
        || frames_read(&sites->frames, copy, tstate, id, &sites->stack)
               != FRAMES_READ
        || sites->stack.n == 0) {
        return -1;
    }
    const CodeTable *codes = &sites->profile.codes;
    const Code *code = &codes->codes[sites->stack.frames[0].code];
    return is_file_of_idle_threads(code_table_text(codes, code->file));
}
