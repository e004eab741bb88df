/* What the kernel says about a thread, and what a thread asks of the kernel.
 *
 * A native id is the kernel's number of a thread, which stays safe to use
 * after the thread has ended.
 */

#ifndef GILDEMO_OS_THREAD_H
#define GILDEMO_OS_THREAD_H

#include <stdint.h>

/* The CPU time of a thread of this process, in ns; -1 if it is unknown. */
int64_t os_thread_cpu_time(unsigned long native_id);
/* The CPU time of the calling thread, in ns. */
int64_t os_thread_own_cpu_time(void);

/* What a thread does, for the kernel. */
typedef enum {
    OS_THREAD_UNKNOWN, /* the kernel does not tell, or there is no thread */
    OS_THREAD_RUNS,    /* it has a CPU, or is ready to have one */
    OS_THREAD_SLEEPS,  /* in a system call, or in a page fault */
} OsThreadActivity;

typedef struct {
    OsThreadActivity activity;
    long system_call; /* its number; -1 in a page fault */
    uintptr_t futex;  /* the futex that it sleeps in; 0 if it does not */
} OsThreadState;

/* What a thread of this process does now. */
OsThreadState os_thread_state(unsigned long native_id);

/* Stores the numbers of the CPUs that the calling thread may use. Returns how
   many there are; 0 if there are more than `size`, or that is unknown. */
int os_thread_cpus(int *cpus, int size);
/* Keeps the calling thread on one CPU. Does nothing if `cpu` is -1, or if the
   thread may not use it any more. */
void os_thread_stay_on(int cpu);
/* Sets the name that ps and gdb show for the calling thread; on Linux only. */
void os_thread_set_name(const char *name);
/* Asks the kernel to run the calling thread as soon as its sleep is over. */
void os_thread_ask_for_prompt_wakeups(void);

#endif /* GILDEMO_OS_THREAD_H */
