/* The rows of code objects in the code table, by the address of the object.
 *
 * When a code object is destroyed, another one may get its address. So an
 * entry holds for as long as no code object was destroyed since it was last
 * checked. CPython counts these itself (3.14 and later), or tells us of each
 * one so that we can count (3.12 and 3.13). In 3.11 each use checks the entry.
 */

#ifndef GILDEMO_CODE_CACHE_H
#define GILDEMO_CODE_CACHE_H

#include "code_object.h"
#include "code_table.h"
#include "frame_walk.h"
#include "safe_copy.h"

#include <stdint.h>

/* The entries of an address are one set of them. 0.7 MiB. */
#define CODE_CACHE_SETS (1 << 11)
#define CODE_CACHE_SET_SIZE 4

/* sizeof(_Py_CODEUNIT), in which instructions are counted. */
#define CODE_UNIT 2

/* Instead of a row: no traceback shows this code, which is CPython's own. */
#define HIDDEN_CODE (-1)

typedef struct {
    uintptr_t address;      /* of the code object; 0 if the entry is free */
    CodeIdentity identity;  /* what was found there */
    struct iovec name_text; /* the characters of its name */
    uint64_t name_hash;     /* of those; in 3.11 all else may be the same */
    uint64_t checked;       /* the count of destroyed code objects then */
    int32_t row;            /* in the code table, or HIDDEN_CODE */
} KnownCode;

typedef struct {
    CodeLayout layout;
    CodeTable *table;
    const uint64_t *destroyed; /* atomic; NULL if there is no such count */
    uint64_t uses;             /* is counted instead */
    int watcher;               /* of code objects; -1 if there is none */
    KnownCode *known;          /* the sets, one after another */
    int next_victim;           /* which entry of a full set is overwritten */
} CodeCache;

/* Must be called attached. `destroyed` is CPython's own count, or NULL. Code
   is added to `table`. Returns 0, or -1 if there is no memory; then
   code_cache_close() is safe. */
int code_cache_open(CodeCache *cache, const CodeLayout *layout,
                    CodeTable *table, const uint64_t *destroyed);
/* Must be called attached, in the same interpreter. */
void code_cache_close(CodeCache *cache);

typedef struct {
    int32_t code;        /* a row of the code table, or HIDDEN_CODE */
    int32_t instruction; /* the one it executes; -1 before the first */
} Frame;

/* Finds the code of `n` frames that were just read; drops all copies. Returns
   0, or -1 if a frame is not right because it was read while it changed. */
int code_cache_resolve(CodeCache *cache, SafeCopy *copy, const RawFrame *raw,
                       int n, Frame *frames);

#endif /* GILDEMO_CODE_CACHE_H */
