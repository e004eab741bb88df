/* The names of system calls in which threads wait. */

#ifndef GILDEMO_SYSTEM_CALLS_H
#define GILDEMO_SYSTEM_CALLS_H

/* Returns the name of a system call by its number, such as "read", or NULL if
   it is none of those in which a thread is likely to be found. */
const char *system_call_name(long number);

#endif /* GILDEMO_SYSTEM_CALLS_H */
