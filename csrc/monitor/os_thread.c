/* See os_thread.h. */

#define _GNU_SOURCE /* for CPU_SET(), prctl() and syscall() */

#include "os_thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#  include <sched.h>
#  include <sys/prctl.h>
#  include <sys/syscall.h>
#endif

static int64_t
read_clock(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) < 0) {
        return -1;
    }
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t
os_thread_own_cpu_time(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

#ifdef __linux__

int64_t
os_thread_cpu_time(unsigned long native_id)
{
    if (native_id == 0) {
        return -1;
    }
    /* The clock id that pthread_getcpuclockid() computes. That function needs
       a pthread_t, which must not be used after its thread has ended. */
    return read_clock((clockid_t)(~(unsigned int)native_id << 3 | 6));
}

int
os_thread_cpus(int *cpus, int size)
{
    cpu_set_t set;
    int n = 0;
    if (sched_getaffinity(0, sizeof(set), &set) < 0
        || CPU_COUNT(&set) > size) {
        return 0;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set)) {
            cpus[n++] = cpu;
        }
    }
    return n;
}

void
os_thread_stay_on(int cpu)
{
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        (void)sched_setaffinity(0, sizeof(set), &set);
    }
}

void
os_thread_set_name(const char *name)
{
    (void)prctl(PR_SET_NAME, name);
}

/* Since Linux 6.12 a thread that asks for short time slices (0.1 ms is the
   shortest) may preempt a thread with longer ones. That needs no privilege,
   and older kernels ignore it. */
static void
ask_for_short_slices(void)
{
    /* struct sched_attr of sched_setattr(2), which libc may not define. */
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
    /* A real-time policy preempts anyway. */
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) == 0
        && attributes.policy == SCHED_OTHER) {
        attributes.runtime = 100000;
        (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
    }
}

void
os_thread_ask_for_prompt_wakeups(void)
{
    ask_for_short_slices();
    /* By default Linux may wake a thread 50 us late. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
}

/* Linux shows in which system call each thread sleeps, and lets a process read
   that about its own threads. */
OsThreadState
os_thread_state(unsigned long native_id)
{
    OsThreadState state = {OS_THREAD_UNKNOWN, 0, 0};
    char text[128];
    (void)snprintf(text, sizeof(text), "/proc/self/task/%lu/syscall",
                   native_id);
    const int fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return state;
    }
    const ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n <= 0) {
        return state;
    }
    text[n] = '\0';
    /* The number of the system call and its arguments, or "running". */
    unsigned long argument = 0;
    if (sscanf(text, "%ld %lx", &state.system_call, &argument) < 1) {
        state.activity = OS_THREAD_RUNS;
        return state;
    }
    state.activity = OS_THREAD_SLEEPS;
    if (state.system_call == SYS_futex) {
        state.futex = argument;
    }
    return state;
}

#else

int64_t
os_thread_cpu_time(unsigned long native_id)
{
    (void)native_id;
    return -1;
}

int
os_thread_cpus(int *cpus, int size)
{
    (void)cpus;
    (void)size;
    return 0;
}

void
os_thread_stay_on(int cpu)
{
    (void)cpu;
}

void
os_thread_set_name(const char *name)
{
    (void)name;
}

void
os_thread_ask_for_prompt_wakeups(void)
{
}

OsThreadState
os_thread_state(unsigned long native_id)
{
    (void)native_id;
    return (OsThreadState){OS_THREAD_UNKNOWN, 0, 0};
}

#endif
