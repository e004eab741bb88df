/* Copies of this process's own memory that can't fault.
 *
 * A thread that is not attached reads memory that its owner may free at any
 * moment. A plain load of it may crash the process. The kernel, asked to copy
 * it, stops where nothing is mapped and says how far it came.
 *
 * No Python object and no lock is touched here.
 */

#ifndef GILDEMO_SAFE_COPY_H
#define GILDEMO_SAFE_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What one SafeCopy holds: so many bytes, from so many ranges. */
#define SAFE_COPY_BYTES (1 << 18)
#define SAFE_COPY_RANGES 96

typedef struct SafeCopyWay SafeCopyWay;

typedef struct {
    const SafeCopyWay *way;
    pid_t pid;
    int fd;       /* -1 where the way needs none */
    char *buffer; /* SAFE_COPY_BYTES */
    size_t used;
    struct iovec ranges[SAFE_COPY_RANGES]; /* where it was copied from */
    const char *copies[SAFE_COPY_RANGES];  /* in the buffer */
    int n;
    int last_found; /* in `ranges` */
} SafeCopy;

/* Call it in the thread that will copy, which must be a native thread with no
   other work: some ways give it a table of file descriptors of its own, with
   none of the process's. It should have all signals blocked. Returns NULL, or
   why nothing can be copied here. */
const char *safe_copy_open(SafeCopy *copy);
void safe_copy_close(SafeCopy *copy);
/* How it copies: the name of a system call or a file. */
const char *safe_copy_way(const SafeCopy *copy);

/* Forgets all copies. */
void safe_copy_clear(SafeCopy *copy);
/* Copies these ranges, one after another in this order. Returns how many could
   be copied completely: those before the first one that could not. */
int safe_copy_add(SafeCopy *copy, const struct iovec *ranges, int n);
/* Whether so many more ranges and bytes fit in. */
int safe_copy_has_room(const SafeCopy *copy, int n, size_t size);
/* The copy of what was at this address, or NULL. */
const char *safe_copy_find(SafeCopy *copy, uintptr_t address, size_t size);

/* Both at once, for a single range. */
const char *safe_copy_read(SafeCopy *copy, uintptr_t address, size_t size);

#endif /* GILDEMO_SAFE_COPY_H */
