/* Copies memory that is there and memory that is not, in each way that the
 * system has. test_c_units.py builds and runs it together with safe_copy.c.
 */

#define _GNU_SOURCE
#include "check.h"
#include "safe_copy.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#  include <dirent.h>
#  include <errno.h>
#  include <linux/filter.h>
#  include <linux/seccomp.h>
#  include <sys/prctl.h>
#  include <sys/syscall.h>
#endif

static void
check_copies(SafeCopy *copy)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    memset(pages, 'a', page);
    memset(pages + 2 * page, 'c', page);
    CHECK(munmap(pages + page, page) == 0);
    const uintptr_t at = (uintptr_t)pages;

    /* Those before what is not there are copied. */
    safe_copy_clear(copy);
    const struct iovec ranges[] = {
        {pages + 10, 20},
        {pages + 2 * page, page},
        {pages + page - 8, 16},
        {pages + 50, 20},
    };
    CHECK(safe_copy_add(copy, ranges, 4) == 2);
    CHECK(safe_copy_find(copy, at + 50, 20) == NULL);
    CHECK(safe_copy_find(copy, at + 9, 8) == NULL);
    CHECK(safe_copy_find(copy, at + 23, 8) == NULL);
    CHECK(memcmp(safe_copy_find(copy, at + 22, 8), "aaaaaaaa", 8) == 0);
    CHECK(*safe_copy_find(copy, at + 3 * page - 1, 1) == 'c');
    CHECK(safe_copy_find(copy, at + 3 * page - 1, 2) == NULL);
    /* Its end is address 3. */
    CHECK(safe_copy_find(copy, UINTPTR_MAX - 4, 8) == NULL);
    /* The copy stays what it was. */
    memset(pages, 'b', page);
    CHECK(*safe_copy_find(copy, at + 10, 1) == 'a');
    CHECK(*safe_copy_read(copy, at, 1) == 'b');
    CHECK(safe_copy_read(copy, at + page, 1) == NULL);
    CHECK(safe_copy_read(copy, 0, 1) == NULL);
    CHECK(safe_copy_read(copy, UINTPTR_MAX - 100, 8) == NULL);

    /* There is room for so much, and no more. */
    safe_copy_clear(copy);
    CHECK(safe_copy_find(copy, at, 1) == NULL);
    for (int i = 0; i < SAFE_COPY_RANGES; i++) {
        CHECK(safe_copy_read(copy, at + (uintptr_t)i, 1) != NULL);
    }
    CHECK(!safe_copy_has_room(copy, 1, 1));
    CHECK(safe_copy_read(copy, at, 1) == NULL);
    safe_copy_clear(copy);
    size_t size = 0;
    while (safe_copy_has_room(copy, 1, page)) {
        CHECK(safe_copy_read(copy, at, page) != NULL);
        size += page;
    }
    CHECK(size <= SAFE_COPY_BYTES && size + page > SAFE_COPY_BYTES);
    CHECK(safe_copy_read(copy, at, page) == NULL);
    (void)munmap(pages, page);
    (void)munmap(pages + 2 * page, page);
}

#ifdef MADV_DONTFORK
/* The child of a fork() has no buffer, which nothing would free there. */
static void
check_child(const SafeCopy *copy)
{
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        _exit(msync(copy->buffer, SAFE_COPY_BYTES, MS_ASYNC) == 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

/* In its own thread, as it is meant to be. */
static void *
open_and_check(void *expected)
{
    SafeCopy copy;
    const char *why_not = safe_copy_open(&copy);
    if (expected == NULL) {
        CHECK(why_not != NULL);
        return NULL;
    }
    CHECK(why_not == NULL);
    CHECK(strcmp(safe_copy_way(&copy), expected) == 0);
    check_copies(&copy);
#ifdef MADV_DONTFORK
    check_child(&copy);
#endif
    safe_copy_close(&copy);
    return NULL;
}

static void
check_way(const char *expected)
{
    pthread_t thread;
    sigset_t every;
    sigfillset(&every);
    CHECK(pthread_sigmask(SIG_SETMASK, &every, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, open_and_check, (void *)expected)
          == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

#ifdef __linux__

#  define MOST_DENIED 4

/* From now on, these system calls fail with EPERM. */
static void
deny(const int *numbers, int n)
{
    struct sock_filter filter[MOST_DENIED + 3] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    for (int i = 0; i < n; i++) {
        filter[1 + i] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i], n - i, 0);
    }
    filter[1 + n] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[2 + n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                 SECCOMP_RET_ERRNO | EPERM);
    const struct sock_fprog program = {(unsigned short)(3 + n), filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static int
count_descriptors(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while (readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
}

/* In a process of its own. */
static void
check_way_without(const int *denied, int n, rlim_t file_size,
                  const char *expected)
{
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        const struct rlimit limit = {file_size, file_size};
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        const int before = count_descriptors();
        deny(denied, n);
        check_way(expected);
        /* The process's descriptors are as they were. */
        CHECK(count_descriptors() == before);
        exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
    const int denied[] = {SYS_process_vm_writev, SYS_memfd_create,
                          SYS_pread64};
    check_way_without(denied, 0, RLIM_INFINITY, "process_vm_writev");
    check_way_without(denied, 1, RLIM_INFINITY, "memfd");
    check_way_without(denied, 2, RLIM_INFINITY, "/proc/self/mem");
    check_way_without(denied, 3, RLIM_INFINITY, NULL);
    /* No file may grow, not even one in memory. */
    check_way_without(denied, 1, 0, "/proc/self/mem");
    check_way_without(denied, 1, SAFE_COPY_BYTES / 2, "/proc/self/mem");
    /* A thread must not share its descriptors to write to a memfd. */
    const int unshared[] = {SYS_process_vm_writev, SYS_close_range};
    check_way_without(unshared, 2, RLIM_INFINITY, "/proc/self/mem");
    return 0;
}

#else

int
main(void)
{
    check_way("mach_vm_read_overwrite");
    return 0;
}

#endif
