/* What the samples have shown so far: sums over the whole run, sums for each
 * thread, and a timeline. A long run can't make it grow without bound, and the
 * sums stay exact when the timeline gets coarser.
 *
 * Others may read all of it, but only the functions here write it. No clock,
 * no lock and no Python object.
 */

#ifndef GILDEMO_HISTORY_H
#define GILDEMO_HISTORY_H

#include "timeline.h"

#include <stdint.h>

/* Who held the GIL at one moment. */
typedef struct {
    int64_t time;           /* ns on the monotonic clock */
    int64_t weight;         /* ns of time that the sample stands for */
    int32_t holder;         /* an index in History.threads, or NOBODY */
    unsigned long switches; /* CPython's count of switches of the GIL */
} Sample;

/* Some samples come with a scan, which samples other threads, too: whether
   they wait for the GIL, and how much CPU time they have used. */
typedef struct {
    int waiting; /* 1 if the thread waits for the GIL */
    int64_t cpu; /* the thread's CPU clock in ns; -1 if unknown */
} ThreadSample;

/* Sums over the whole run. */
typedef struct {
    int64_t begin;          /* ns on the monotonic clock */
    int64_t end;            /* the time of the newest sample */
    int64_t samples;        /* how many samples were taken */
    int64_t weight;         /* the sum of their weights; ns */
    double squared_weights; /* the sum of the squares; ns squared */
    int64_t held;           /* the weight of those with a holder; ns */
    double variance;        /* of `held`; ns squared */
    int64_t switches;       /* switches of the GIL; -1 if unknown */
    int64_t scans;          /* how many scans there were */
    int waiting_known;      /* 0 if scans can't see who waits */
    int64_t cpu;            /* CPU time of the sampler threads; ns */
} Sums;

/* Sums for one thread. */
typedef struct {
    unsigned long native_id;
    int64_t held;            /* weight of samples with it as holder; ns */
    int64_t longest_hold;    /* ns */
    int64_t scans;           /* scans while it had a thread state */
    int64_t thread_samples;  /* scans that sampled this thread */
    int64_t waiting_samples; /* those of them that found it waiting */
    int64_t cpu;             /* CPU time since `begin` in ns; -1 if unknown */

    /* For the functions here. */
    int64_t cpu_begin; /* its CPU clock at `begin`; -1 if unknown */
    int ended;         /* it has no thread state now */
    int waiting;       /* for the GIL, when that was last seen */
    unsigned long sampled_at_switch; /* the count at its newest sample */
} ThreadSums;

typedef struct {
    Sums sums;
    ThreadSums *threads;
    int32_t n_threads;
    Timeline timeline;

    int32_t holder;               /* of the newest sample */
    int64_t held_since;           /* ns on the monotonic clock */
    unsigned long switches_begin; /* CPython's count at the start */
    unsigned long switches_now;   /* at the newest sample */
} History;

/* Returns 0, or -1 if there is no memory; then history_free() is safe. */
int history_init(History *history, int64_t now);
/* The same. The copy is read-only. */
int history_copy(const History *history, History *copy);
void history_free(History *history);

/* Call this once the threads of the start are added. `first` has no weight: it
   only begins the timeline. */
void history_start(History *history, const Sample *first, int switches_known,
                   int waiting_known);

/* Returns the index of a new thread, or OTHER_THREADS if there is no room. */
int32_t history_add_thread(History *history);
/* Returns the index of a thread among the newest that has ended and had this
   native id, or OTHER_THREADS. */
int32_t history_find_ended(const History *history, unsigned long native_id);
/* The thread has this native id. Its CPU clock shows `cpu` now, and showed
   `cpu_begin` when the history began. */
void history_identify(History *history, int32_t index, unsigned long native_id,
                      int64_t cpu_begin, int64_t cpu);
void history_end_thread(History *history, int32_t index);
/* It has a thread state again. */
void history_resume_thread(History *history, int32_t index);
/* Makes room: the half of the ended threads that held the GIL least become
   OTHER_THREADS. Returns how many these are; 0 if no thread has ended, or
   there is no memory. Otherwise, new_indexes[i] is the new index of thread i,
   for MAX_THREADS threads at most. */
int32_t history_fold_ended(History *history, int32_t *new_indexes);

/* Returns for how long the last sample's holder had held the GIL, in ns. */
int64_t history_add_sample(History *history, const Sample *sample);
/* A scan at the newest sample, while these n threads have a thread state. */
void history_add_scan(History *history, const int32_t *threads, int32_t n);
void history_add_thread_sample(History *history, int32_t index,
                               ThreadSample sample);
/* The thread waits for the GIL at the newest sample, or does not. */
void history_set_waiting(History *history, int32_t index, int waiting);
/* Returns for how long the threads with this native id have held the GIL. */
int64_t history_held_by(const History *history, unsigned long native_id);
/* It waited when it was last sampled, and no thread has got the GIL since. */
int history_must_still_wait(const History *history, int32_t index);
/* How uncertain Sums.held is, and what the sampler threads have used. */
void history_set_costs(History *history, double variance, int64_t cpu);

#endif /* GILDEMO_HISTORY_H */
