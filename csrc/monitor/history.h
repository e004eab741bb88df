/* What a Watch (watch.h) keeps: sums, and three tables whose size a long run
 * can't exceed. When one is full, the sums stay exact, and the table gets
 * coarser. No Python object, and no lock, is touched here.
 */

#ifndef GILDEMO_TABLES_H
#define GILDEMO_TABLES_H

#include <stdint.h>

/* Together 5 MiB, and some thirty as Python objects. */
#define MAX_THREADS 8192
#define MAX_SEGMENTS (1 << 17)
#define MAX_CHANGES (1 << 16)

/* The place in WatchTables.threads of whoever can't be told: a thread that
   ended in the moment it was seen, one of another interpreter, one too many,
   or one that was folded. */
#define OTHER_THREADS 0
/* In a segment: nobody held the GIL. */
#define NOBODY (-1)

typedef struct {
    unsigned long native_id; /* the kernel's */
    int64_t held;            /* ns of samples that found it holding the GIL */
    int64_t ticks;           /* looks at all threads while it was there, */
    int64_t looks;           /* at it among them, */
    int64_t waits;           /* and those that found it waiting */
    int ended;               /* its thread state is no longer there */
    int waiting;             /* at the newest look */
    unsigned long seen_at;   /* CPython's count of switches then */
    int32_t last_change;     /* its newest WaitChange, if it has one */
    int64_t longest_hold;    /* ns */
    int64_t cpu_begin;       /* ns on its CPU clock; -1 if not known */
    int64_t cpu_end;         /* at the newest look; -1 if not known */
} WatchedThread;

typedef struct {
    int64_t begin; /* ns on the monotonic clock */
    int32_t thread;
} Segment;

/* A thread began to wait for the GIL, or ended to. */
typedef struct {
    int64_t time;
    int32_t thread;
    int32_t waiting;
} WaitChange;

typedef struct {
    int64_t begin;
    int64_t now; /* of the newest sample */
    int64_t samples;
    int64_t watched; /* ns: each sample stands for some of them, */
    double squares;  /* of which these are the squares */
    int64_t held;    /* ns of samples that found the GIL held by anyone */
    double variance; /* of `held`; ns squared */
    int64_t ticks;
    int waiting_known;
    int switches_known;
    unsigned long switches_begin;
    unsigned long switches_now;
    int64_t cpu;        /* ns of CPU time that the watching took */
    int64_t resolution; /* ns; what is shorter may be left out */
    int32_t n_threads;
    int32_t n_segments;
    int32_t n_changes;
} WatchSums;

/* What a record is made of. */
typedef struct {
    WatchSums sums;
    WatchedThread *threads;
    Segment *segments;
    WaitChange *changes;
} WatchTables;

/* Returns 0, or -1 if there is no memory; tables_free() is right for both. */
int tables_init(WatchTables *tables, int64_t now);
void tables_free(WatchTables *tables);
/* Returns 0, or -1 if there is no memory, with nothing to be freed. */
int tables_copy(const WatchTables *tables, WatchTables *copy);

/* Returns the new thread's place, or OTHER_THREADS if there is none left. */
int32_t tables_add_thread(WatchTables *tables);
/* Returns the place of the one among the newest that ended and had this native
   id, or OTHER_THREADS if there is none. */
int32_t tables_find_ended(const WatchTables *tables, unsigned long native_id);
/* Makes room: adds to OTHER_THREADS the half of the ended threads that held
   the GIL least. Writes the new place of each of the MAX_THREADS, and returns
   how many were folded; 0 if none has ended, or there is no memory for it. */
int32_t tables_fold_ended(WatchTables *tables, int32_t *places);
/* A sample that stands for so many ns found `holder`, or NOBODY, holding the
   GIL. */
void tables_add_sample(WatchTables *tables, int64_t length, int32_t holder);
/* From `begin` on, `thread` holds the GIL, or NOBODY does. */
void tables_add_segment(WatchTables *tables, int64_t begin, int32_t thread);
/* At the newest sample, `thread` waited for the GIL, or did not. */
void tables_note_waiting(WatchTables *tables, int32_t thread, int waiting);

#endif /* GILDEMO_TABLES_H */
