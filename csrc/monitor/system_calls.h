/* The names of the system calls that threads sleep in. */

#ifndef GILDEMO_SYSTEM_CALLS_H
#define GILDEMO_SYSTEM_CALLS_H

/* Returns the name of the system call with this number, such as "read"; NULL
   if threads seldom sleep in it. */
const char *system_call_name(long number);

#endif /* GILDEMO_SYSTEM_CALLS_H */
