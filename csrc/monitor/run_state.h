/* What a thread does, as far as it can be seen from another thread. */

#ifndef GILDEMO_RUN_STATE_H
#define GILDEMO_RUN_STATE_H

typedef enum {
    HOLDS,          /* the GIL */
    WAITS,          /* for the GIL */
    COMPUTES,       /* runs, or is ready to run, without the GIL */
    IDLE,           /* sleeps in threading, queue or the like, without work */
    LOCKED,         /* sleeps until another thread releases a lock */
    IN_SYSTEM_CALL, /* sleeps in another system call */
    NOT_OBSERVED,   /* was not sampled yet, or the kernel does not tell */
    ABSENT,         /* has no thread state */
} RunState;

/* ABSENT has no samples. */
#define N_SAMPLED_STATES ABSENT

#endif /* GILDEMO_RUN_STATE_H */
