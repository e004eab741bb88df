/* What the kernel tells of a thread that is known by its native id only.
 *
 * Include this after a feature test macro that allows for prctl() and
 * CPU_SET().
 */

#ifndef GILDEMO_OS_THREAD_H
#define GILDEMO_OS_THREAD_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#  include <sched.h>
#  include <sys/prctl.h>
#  include <sys/syscall.h>
#endif

/* The CPU time of a thread of this process, in ns, or -1. */
static inline int64_t
os_thread_cpu_time(unsigned long native_id)
{
#ifdef __linux__
    /* What pthread_getcpuclockid() computes, but without a pthread_t, which
       must not be used once its thread has ended. */
    clockid_t clock = (clockid_t)(~(unsigned int)native_id << 3 | 6);
    struct timespec time;
    if (native_id != 0 && clock_gettime(clock, &time) == 0) {
        return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    }
#else
    (void)native_id;
#endif
    return -1;
}

/* Whether a thread of this process sleeps in a condition variable between two
   addresses; -1 if that can't be told. Linux says of every thread in which
   system call it sleeps, and a process may always read that of its own
   threads. With glibc that is a futex inside of the condition variable; other
   C libraries have it on the thread's stack. */
static inline int
os_thread_sleeps_in(unsigned long native_id, uintptr_t begin, uintptr_t end)
{
#if defined(__linux__) && defined(__GLIBC__)
    char text[128];
    (void)snprintf(text, sizeof(text), "/proc/self/task/%lu/syscall",
                   native_id);
    int fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n <= 0) {
        return -1;
    }
    text[n] = '\0';
    /* The number of the system call and its arguments, or "running". */
    long number;
    unsigned long address;
    return sscanf(text, "%ld %lx", &number, &address) == 2
           && number == SYS_futex && address >= begin && address < end;
#else
    (void)native_id;
    (void)begin;
    (void)end;
    return -1;
#endif
}

/* The CPU time of the calling thread, in ns. */
static inline int64_t
os_thread_own_cpu_time(void)
{
    struct timespec time = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The CPUs that the calling thread may use: writes their numbers, and returns
   how many they are; 0 if they are more than `most`, or can't be told. */
static inline int
os_thread_cpus(int *cpus, int most)
{
    int n = 0;
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) < 0
        || CPU_COUNT(&set) > most) {
        return 0;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            cpus[n++] = cpu;
        }
    }
#else
    (void)cpus;
    (void)most;
#endif
    return n;
}

/* Keeps the calling thread on this CPU; on any if it is -1 or, by then, no
   longer there. */
static inline void
os_thread_stay_on(int cpu)
{
#ifdef __linux__
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        (void)sched_setaffinity(0, sizeof(set), &set);
    }
#else
    (void)cpu;
#endif
}

/* A sample that comes late shows the GIL not at a random time, but when the
   thread that was running went to sleep, and so mostly gave it up. Since Linux
   6.12 a thread that asks for short turns (0.1 ms is the shortest) may preempt
   one with longer turns; no privilege is needed. Older kernels ignore it. */
static inline void
os_thread_ask_for_short_turns(void)
{
#ifdef __linux__
    /* struct sched_attr of sched_setattr(2), which libc may not know. */
    struct {
        uint32_t size;
        uint32_t policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime;
        uint64_t deadline;
        uint64_t period;
    } attributes;
    /* All else stays as it is; a real-time policy needs nothing. */
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) == 0
        && attributes.policy == 0 /* SCHED_OTHER */) {
        attributes.runtime = 100000;
        (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
    }
    /* For this thread only: wake it when it is time, not up to 50 us later. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    (void)prctl(PR_SET_NAME, "gildemo-monitor");
#endif
}

#endif /* GILDEMO_OS_THREAD_H */
