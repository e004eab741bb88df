/* Which row of the code table a code object has, by its address.
 *
 * When a code object dies, another one may get its address. So what is known
 * of an address holds as long as no code object was destroyed since it was
 * last checked, by CPython's own count (3.14 and later), or by ours (3.12 and
 * 3.13, where CPython tells when it destroys one). On 3.11 it is checked every
 * time.
 */

#ifndef GILDEMO_CODE_CACHE_H
#define GILDEMO_CODE_CACHE_H

#include "code_reader.h"
#include "code_table.h"
#include "frame_walk.h"
#include "safe_copy.h"

#include <stdint.h>

/* A power of two; an address may be in one of so many places. 0.7 MiB. */
#define CODE_CACHE_SIZE (1 << 13)
#define CODE_CACHE_PLACES 4

/* A row of code that shows in no traceback: CPython's own helpers. */
#define HIDDEN_CODE (-1)

typedef struct {
    uintptr_t address; /* 0: a free place */
    CodeIdentity identity;
    struct iovec name_text; /* in 3.11 nothing else may differ between two */
    uint64_t name_hash;     /* code objects: see StrCopy */
    uint64_t checked;       /* the count of destroyed code objects then */
    int32_t row;
} KnownCode;

typedef struct {
    CodeLayout layout;
    CodeTable *table;
    const uint64_t *destroyed; /* atomic; NULL: there is no such count */
    uint64_t checks;           /* counted instead */
    int watcher;               /* of code objects, or -1 */
    KnownCode *known;          /* CODE_CACHE_SIZE */
    int next_victim;           /* the place to be taken next in a full set */
} CodeCache;

/* Call it attached. `destroyed` is CPython's own count, or NULL. Returns 0, or
   -1 if there is no memory. */
int code_cache_open(CodeCache *cache, const CodeLayout *layout,
                    CodeTable *table, const uint64_t *destroyed);
/* Call it attached. */
void code_cache_close(CodeCache *cache);

/* A frame of a row, or of HIDDEN_CODE. The instruction that it executes is
   counted in code units; -1 before the first. */
typedef struct {
    int32_t code;
    int32_t instruction;
} Frame;

/* Looks up the code of frames that were just read. Overwrites `copy`. Returns
   0, or -1 if one of them is not right: it was read while it changed. */
int code_cache_resolve(CodeCache *cache, SafeCopy *copy, const RawFrame *raw,
                       int n, Frame *frames);

#endif /* GILDEMO_CODE_CACHE_H */
