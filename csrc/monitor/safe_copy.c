/* See safe_copy.h. */

#define _GNU_SOURCE /* for syscall(), memfd_create() and madvise() */
#include "safe_copy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __linux__
#  include <sys/syscall.h>
#endif
#ifdef __APPLE__
#  include <mach/mach.h>
#  include <mach/mach_vm.h>
#endif

struct SafeCopyWay {
    const char *name;
    /* Sets fd if this way needs one. Returns 0, or -1 if it can't be used. */
    int (*open)(SafeCopy *copy);
    /* Copies the ranges to the end of what is used of the buffer, which has
       room for them. Returns how many bytes it copied, or -1. */
    ssize_t (*append)(SafeCopy *copy, const struct iovec *ranges, int n);
};

static int
open_nothing(SafeCopy *copy)
{
    (void)copy;
    return 0;
}

static size_t
size_of(const struct iovec *ranges, int n)
{
    size_t size = 0;
    for (int i = 0; i < n; i++) {
        size += ranges[i].iov_len;
    }
    return size;
}

#ifdef __linux__

/* These call syscall(), because AddressSanitizer has wrappers for the
   functions of libc, which would report a read of freed memory. */

/* The process writes to itself. The kernel reads the local side as for any
   write(), and pins only the pages of the remote side, which is the buffer.
   process_vm_readv() would pin a page for each range, and take ten times as
   long. */
static ssize_t
append_by_process_vm_writev(SafeCopy *copy, const struct iovec *ranges, int n)
{
    const struct iovec to = {copy->buffer + copy->used, size_of(ranges, n)};
    return syscall(SYS_process_vm_writev, copy->pid, ranges, (unsigned long)n,
                   &to, 1UL, 0UL);
}

/* Gives this thread its own table of file descriptors. In the shared one, the
   program may close a descriptor that it does not know, and then open a file
   that gets the same number: this thread would overwrite that file. */
static int
unshare_descriptors(void)
{
    const unsigned int unshare = 1U << 1; /* CLOSE_RANGE_UNSHARE */
    return (int)syscall(SYS_close_range, 0U, ~0U, unshare);
}

static int
open_memfd(SafeCopy *copy)
{
    if (unshare_descriptors() < 0) {
        return -1;
    }
    copy->fd = memfd_create("gildemo", MFD_CLOEXEC);
    if (copy->fd < 0 || ftruncate(copy->fd, SAFE_COPY_BYTES) < 0) {
        return -1;
    }
    void *buffer = mmap(copy->buffer, SAFE_COPY_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED, copy->fd, 0);
    return buffer == MAP_FAILED ? -1 : 0;
}

static ssize_t
append_by_memfd(SafeCopy *copy, const struct iovec *ranges, int n)
{
    return syscall(SYS_pwritev, copy->fd, ranges, (unsigned long)n,
                   (unsigned long)copy->used, 0UL);
}

static int
open_proc_self_mem(SafeCopy *copy)
{
    copy->fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    return copy->fd < 0 ? -1 : 0;
}

static ssize_t
append_by_proc_self_mem(SafeCopy *copy, const struct iovec *ranges, int n)
{
    char *to = copy->buffer + copy->used;
    ssize_t copied = 0;
    for (int i = 0; i < n; i++) {
        const size_t size = ranges[i].iov_len;
        const unsigned long from = (unsigned long)ranges[i].iov_base;
        const long got =
            syscall(SYS_pread64, copy->fd, to + copied, size, from);
        if (got != (long)size) {
            break;
        }
        copied += got;
    }
    return copied;
}

#endif /* __linux__ */

#ifdef __APPLE__

static ssize_t
append_by_mach_vm_read(SafeCopy *copy, const struct iovec *ranges, int n)
{
    char *to = copy->buffer + copy->used;
    ssize_t copied = 0;
    for (int i = 0; i < n; i++) {
        const mach_vm_size_t size = ranges[i].iov_len;
        mach_vm_size_t got = 0;
        if (mach_vm_read_overwrite(mach_task_self(),
                                   (mach_vm_address_t)ranges[i].iov_base, size,
                                   (mach_vm_address_t)(to + copied), &got)
                != KERN_SUCCESS
            || got != size) {
            break;
        }
        copied += (ssize_t)got;
    }
    return copied;
}

#endif /* __APPLE__ */

/* In the order in which they are tried: the fastest first. */
static const SafeCopyWay ways[] = {
#ifdef __linux__
    {"process_vm_writev", open_nothing, append_by_process_vm_writev},
    {"memfd", open_memfd, append_by_memfd},
    {"/proc/self/mem", open_proc_self_mem, append_by_proc_self_mem},
#endif
#ifdef __APPLE__
    {"mach_vm_read_overwrite", open_nothing, append_by_mach_vm_read},
#endif
    {NULL, open_nothing, NULL},
};

/* Whether it copies what is mapped, up to the end of the buffer, and refuses
   what is not: page 0. */
static int
works(SafeCopy *copy)
{
    const uint64_t known = 0x0123456789abcdef;
    const struct iovec good = {(void *)&known, sizeof(known)};
    const struct iovec bad = {(void *)sizeof(known), sizeof(known)};
    copy->used = SAFE_COPY_BYTES - sizeof(known);
    const int copied = safe_copy_add(copy, &good, 1) == 1
                       && memcmp(copy->copies[0], &known, sizeof(known)) == 0;
    safe_copy_clear(copy);
    const int refused = safe_copy_add(copy, &bad, 1) == 0;
    safe_copy_clear(copy);
    return copied && refused;
}

/* This thread does not exist in the child of a fork(), so nothing would free
   the buffer there. */
static void
keep_from_children(const SafeCopy *copy)
{
#ifdef MADV_DONTFORK
    (void)madvise(copy->buffer, SAFE_COPY_BYTES, MADV_DONTFORK);
#else
    (void)copy;
#endif
}

static void
close_fd(SafeCopy *copy)
{
    if (copy->fd >= 0) {
        (void)close(copy->fd);
        copy->fd = -1;
    }
}

const char *
safe_copy_open(SafeCopy *copy)
{
    *copy = (SafeCopy){.pid = getpid(), .fd = -1};
    void *buffer = mmap(NULL, SAFE_COPY_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) {
        return "there is not enough memory";
    }
    copy->buffer = buffer;
    for (copy->way = ways; copy->way->append != NULL; copy->way++) {
        if (copy->way->open(copy) == 0 && works(copy)) {
            keep_from_children(copy);
            return NULL;
        }
        close_fd(copy);
    }
    safe_copy_close(copy);
    return "this system lets no thread copy memory that may be unmapped";
}

void
safe_copy_close(SafeCopy *copy)
{
    close_fd(copy);
    (void)munmap(copy->buffer, SAFE_COPY_BYTES);
    copy->buffer = NULL;
}

const char *
safe_copy_way(const SafeCopy *copy)
{
    return copy->way->name;
}

void
safe_copy_clear(SafeCopy *copy)
{
    copy->used = 0;
    copy->n = 0;
    copy->last_found = 0;
}

int
safe_copy_has_room(const SafeCopy *copy, int n, size_t size)
{
    return copy->n + n <= SAFE_COPY_RANGES
           && copy->used + size <= SAFE_COPY_BYTES;
}

int
safe_copy_add(SafeCopy *copy, const struct iovec *ranges, int n)
{
    if (!safe_copy_has_room(copy, n, size_of(ranges, n))) {
        return 0;
    }
    ssize_t copied = copy->way->append(copy, ranges, n);
    int i = 0;
    for (; i < n && copied >= (ssize_t)ranges[i].iov_len; i++) {
        copied -= (ssize_t)ranges[i].iov_len;
        copy->ranges[copy->n] = ranges[i];
        copy->copies[copy->n++] = copy->buffer + copy->used;
        copy->used += ranges[i].iov_len;
    }
    return i;
}

const char *
safe_copy_find(SafeCopy *copy, uintptr_t address, size_t size)
{
    /* It is mostly in the same range as the last time, or in the next one. */
    int i = copy->last_found;
    for (int k = 0; k < copy->n; k++, i++) {
        if (i == copy->n) {
            i = 0;
        }
        const uintptr_t begin = (uintptr_t)copy->ranges[i].iov_base;
        const size_t length = copy->ranges[i].iov_len;
        /* An address that was read from freed memory may be anything, so its
           sum with the size may wrap around. */
        if (address >= begin && address - begin <= length
            && size <= length - (address - begin)) {
            copy->last_found = i;
            return copy->copies[i] + (address - begin);
        }
    }
    return NULL;
}

const char *
safe_copy_read(SafeCopy *copy, uintptr_t address, size_t size)
{
    const struct iovec range = {(void *)address, size};
    return safe_copy_add(copy, &range, 1) == 1 ? copy->copies[copy->n - 1]
                                               : NULL;
}
