/* How many threads sleep in a condition variable.
 *
 * glibc counts them in the condition variable itself, but says neither where
 * nor that it does. So the place is looked for: in a condition variable of
 * one's own, while a known number of threads sleep in it.
 */

#ifndef GILDEMO_WAITERS_H
#define GILDEMO_WAITERS_H

/* Where a pthread_cond_t keeps its count, as an offset in bytes; -1 if it
   keeps none that could be found. It starts some native threads, and returns
   when they have ended. */
int waiters_find_offset(void);
/* How many threads wait now; -1 where `offset` is -1. One that wakes up at the
   end of its timeout, to sleep again, is not counted meanwhile. */
int waiters_count(const void *condition, int offset);

#endif /* GILDEMO_WAITERS_H */
