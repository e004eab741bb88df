/* What the samples have shown so far: sums over the whole run, sums for each
 * thread, and a timeline. A long run can't make it grow without bound, and the
 * sums stay exact when the timeline gets coarser.
 *
 * Others may read all of it, but only the functions here write it. They are in
 * history.c and history_threads.c. No clock, no lock and no Python object.
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

/* Now and then a scan looks at more than the holder: what threads do, and how
   much CPU time they have used. */
typedef struct {
    RunState state;
    long system_call; /* its number, if the state is IN_SYSTEM_CALL */
    int64_t cpu;      /* the thread's CPU clock in ns; -1 if unknown */
} ThreadSample;

/* How many samples of a thread found it in one system call. */
typedef struct {
    long number;
    int64_t samples; /* 0 if this entry is not in use */
} SystemCallSamples;

/* Of each thread. Samples in further system calls count for the state only. */
#define MAX_SYSTEM_CALLS 8

/* Sums over the whole run. */
typedef struct {
    int64_t begin;          /* ns on the monotonic clock */
    int64_t end;            /* the time of the newest sample */
    int64_t samples;        /* how many samples were taken */
    int64_t weight;         /* the sum of their weights; ns */
    double squared_weights; /* the sum of the squares; ns squared */
    int64_t held;           /* weight of those with a holder; ns */
    double variance;        /* of `held`; ns squared */
    int64_t switches;       /* switches of the GIL; -1 if unknown */
    int waiting_known;      /* 0 if scans can't see who waits */
    int64_t cpu;            /* CPU time of the sampler threads; ns */
} Sums;

/* Sums for one thread. */
typedef struct {
    unsigned long native_id;
    int64_t held;         /* weight of samples with it as holder; ns */
    int64_t longest_hold; /* ns */
    int64_t lifetime;     /* for which it had a thread state; ns */
    int64_t samples[N_SAMPLED_STATES]; /* scans that found it in each state */
    SystemCallSamples system_calls[MAX_SYSTEM_CALLS];
    int64_t cpu; /* CPU time since `begin` in ns; -1 if unknown */

    /* Not in a snapshot. */
    int64_t cpu_begin;     /* its CPU clock at `begin`; -1 if unknown */
    int64_t present_since; /* ns on the monotonic clock */
    RunState state;        /* when it was last sampled */
    unsigned long sampled_at_switch; /* the count at its newest sample */
} ThreadSums;

/* One of the longest holds. */
typedef struct {
    int64_t begin; /* ns on the monotonic clock */
    int64_t end;
    int32_t holder; /* an index in History.threads */
    int32_t node;   /* of the last stack read in it; NO_STACK if none was */
} LongHold;

#define MAX_LONG_HOLDS 10

typedef struct {
    Sums sums;
    ThreadSums *threads;
    int32_t n_threads;
    Timeline timeline;

    LongHold long_holds[MAX_LONG_HOLDS]; /* the longest first */
    int32_t n_long_holds;

    int32_t holder;               /* of the newest sample */
    int32_t holder_node;          /* the last stack read in its hold */
    int64_t held_since;           /* ns on the monotonic clock */
    unsigned long switches_begin; /* CPython's count at the start */
    unsigned long switches_now;   /* at the newest sample */
} History;

/* Returns 0, or -1 if there is no memory; then history_free() is safe. */
int history_init(History *history, int64_t now);
/* The same. The copy is to be read only. */
int history_copy(const History *history, History *copy);
void history_free(History *history);

/* Must be called once the threads of the start are added. `first` has no
   weight: it counts for the timeline only. */
void history_start(History *history, const Sample *first, int switches_known,
                   int waiting_known);

/* history.c: the run. */

/* Returns for how long the GIL had been held by the holder of the sample
   before, in ns. */
int64_t history_add_sample(History *history, const Sample *sample);
/* The stack of the holder at the newest sample is this node of a profile. */
void history_set_stack(History *history, int32_t node);
/* Node i of the profile has become new_nodes[i]. */
void history_renumber_nodes(History *history, const int32_t *new_nodes);
/* How uncertain Sums.held is, and what the sampler threads have used. */
void history_set_costs(History *history, double variance, int64_t cpu);

/* history_threads.c: its threads. */

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
void history_add_thread_sample(History *history, int32_t index,
                               ThreadSample sample);
/* What the thread does at the newest sample. */
void history_set_state(History *history, int32_t index, RunState state);
/* It waited when it was last sampled, and no thread has got the GIL since. */
int history_must_still_wait(const History *history, int32_t index);
/* Returns for how long the threads with this native id have held the GIL. */
int64_t history_held_by(const History *history, unsigned long native_id);

#endif /* GILDEMO_HISTORY_H */
