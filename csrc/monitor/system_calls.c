/* See system_calls.h. */

#include "system_calls.h"

#include <stddef.h>

#ifdef __linux__
#  include <sys/syscall.h>

typedef struct {
    long number;
    const char *name;
} SystemCall;

/* The numbers differ from one architecture to another. Newer architectures
   lack calls that have a successor: aarch64 has no poll. */
static const SystemCall system_calls[] = {
    {SYS_read, "read"},
    {SYS_readv, "readv"},
    {SYS_pread64, "pread"},
    {SYS_write, "write"},
    {SYS_writev, "writev"},
    {SYS_pwrite64, "pwrite"},
    {SYS_fsync, "fsync"},
    {SYS_fdatasync, "fdatasync"},
    {SYS_openat, "open"},
    {SYS_close, "close"},
    {SYS_ioctl, "ioctl"},
    {SYS_fcntl, "fcntl"},
    {SYS_flock, "flock"},
    {SYS_sendfile, "sendfile"},
    {SYS_splice, "splice"},
    {SYS_ppoll, "poll"},
    {SYS_pselect6, "select"},
    {SYS_epoll_pwait, "epoll_wait"},
    {SYS_accept, "accept"},
    {SYS_accept4, "accept"},
    {SYS_connect, "connect"},
    {SYS_recvfrom, "recv"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_sendto, "send"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "nanosleep"},
    {SYS_rt_sigsuspend, "sigsuspend"},
    {SYS_rt_sigtimedwait, "sigtimedwait"},
    {SYS_sched_yield, "sched_yield"},
    {SYS_semtimedop, "semop"},
    {SYS_msgrcv, "msgrcv"},
    {SYS_msgsnd, "msgsnd"},
    {SYS_mq_timedreceive, "mq_receive"},
    {SYS_mq_timedsend, "mq_send"},
    {SYS_io_getevents, "io_getevents"},
#  ifdef SYS_poll
    {SYS_poll, "poll"},
#  endif
#  ifdef SYS_select
    {SYS_select, "select"},
#  endif
#  ifdef SYS_epoll_wait
    {SYS_epoll_wait, "epoll_wait"},
#  endif
#  ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, "epoll_wait"},
#  endif
#  ifdef SYS_open
    {SYS_open, "open"},
#  endif
#  ifdef SYS_pause
    {SYS_pause, "pause"},
#  endif
#  ifdef SYS_io_uring_enter
    {SYS_io_uring_enter, "io_uring_enter"},
#  endif
};

const char *
system_call_name(long number)
{
    const size_t n = sizeof(system_calls) / sizeof(system_calls[0]);
    for (size_t i = 0; i < n; i++) {
        if (system_calls[i].number == number) {
            return system_calls[i].name;
        }
    }
    return NULL;
}
#else
const char *
system_call_name(long number)
{
    (void)number;
    return NULL;
}
#endif
