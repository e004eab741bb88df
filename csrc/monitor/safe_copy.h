/* Copies memory of this process that may be freed meanwhile, without faulting.
 *
 * A thread that is not attached reads memory that its owner may free at any
 * time, and an ordinary load of an unmapped address would crash the process.
 * Here the kernel copies: at an unmapped address it stops, and returns how
 * much it has copied.
 *
 * No lock and no Python object.
 */

#ifndef GILDEMO_SAFE_COPY_H
#define GILDEMO_SAFE_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* A SafeCopy has room for so many bytes, from so many ranges. */
#define SAFE_COPY_BYTES (1 << 18)
#define SAFE_COPY_RANGES 96

typedef struct SafeCopyWay SafeCopyWay;

typedef struct {
    const SafeCopyWay *way;                /* how it copies */
    pid_t pid;                             /* of this process */
    int fd;                                /* -1 if the way needs none */
    char *buffer;                          /* SAFE_COPY_BYTES */
    size_t used;                           /* bytes in use in the buffer */
    struct iovec ranges[SAFE_COPY_RANGES]; /* what was copied */
    const char *copies[SAFE_COPY_RANGES];  /* of the ranges, in the buffer */
    int n;                                 /* how many ranges were copied */
    int last_found;                        /* an index in `ranges` */
} SafeCopy;

/* Must be called in the thread that will copy: a native thread that does
   nothing else and blocks all signals. In some ways of copying, it gets its
   own, empty table of file descriptors. Returns NULL, or the reason why memory
   can't be copied here; then nothing has to be closed. */
const char *safe_copy_open(SafeCopy *copy);
void safe_copy_close(SafeCopy *copy);
/* Returns the name of the system call or the file by which it copies. */
const char *safe_copy_way(const SafeCopy *copy);

/* Drops all copies. */
void safe_copy_clear(SafeCopy *copy);
/* Copies the ranges in this order, up to the first one that can't be copied
   completely. Returns how many it copied; 0 if there is no room for all. */
int safe_copy_add(SafeCopy *copy, const struct iovec *ranges, int n);
/* Whether there is room for so many more ranges and bytes. */
int safe_copy_has_room(const SafeCopy *copy, int n, size_t size);
/* Returns the copy of what was at this address, or NULL. */
const char *safe_copy_find(SafeCopy *copy, uintptr_t address, size_t size);

/* Copies one range. Returns the copy, or NULL. */
const char *safe_copy_read(SafeCopy *copy, uintptr_t address, size_t size);

#endif /* GILDEMO_SAFE_COPY_H */
