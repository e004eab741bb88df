/* How many threads sleep in a condition variable.
 *
 * glibc keeps this number in the condition variable, but does not document its
 * offset. So it is searched for in a condition variable of our own, while a
 * known number of threads sleep in it.
 *
 * No Python object.
 */

#ifndef GILDEMO_WAITERS_H
#define GILDEMO_WAITERS_H

/* Returns the offset in bytes of the number in a pthread_cond_t; -1 if none
   was found. Starts some native threads, and returns when they have ended. */
int waiters_find_offset(void);
/* Returns how many threads sleep now; -1 if `offset` is -1. A thread that
   wakes up at the end of its timeout does not count until it sleeps again. */
int waiters_count(const void *condition, int offset);

#endif /* GILDEMO_WAITERS_H */
