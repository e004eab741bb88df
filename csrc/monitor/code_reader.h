/* Reads code objects that may change or vanish meanwhile. */

#ifndef GILDEMO_CODE_READER_H
#define GILDEMO_CODE_READER_H

#include "code_table.h"
#include "safe_copy.h"

#include <stddef.h>
#include <stdint.h>

/* sizeof(_Py_CODEUNIT), in which instructions are counted. */
#define CODE_UNIT 2

/* Where a code object has what, as offsets. */
typedef struct {
    size_t name;
    size_t file;
    size_t locations;
    size_t first_line;
    size_t first_traceable;
    size_t version;      /* 0 where there is none (3.11) */
    size_t instructions; /* which come last */
} CodeLayout;

/* What tells two code objects apart that had the same address. */
typedef struct {
    uintptr_t name;
    uintptr_t file;
    uintptr_t locations;
    int64_t size; /* in code units */
    int32_t first_line;
    int32_t first_traceable;
    uint32_t version;
} CodeIdentity;

/* Of a longer name the end is kept, which says more; a longer location table
   is cut, and what comes after has no lines. */
#define MOST_CHARACTERS 500
#define MOST_LOCATIONS (1 << 16)

/* A str. */
typedef struct {
    struct iovec text; /* its characters, with the zero at their end */
    uint64_t hash;     /* of these */
    size_t size;
    char utf8[4 * MOST_CHARACTERS];
} StrCopy;

typedef struct {
    CodeIdentity identity;
    StrCopy name;
    StrCopy file;
    Text locations; /* until the SafeCopy is cleared */
} CodeContent;

/* Reads from the copy of a code object, up to its instructions. Returns 0, or
   -1 if it is none. */
int code_identify(const CodeLayout *layout, const char *bytes,
                  CodeIdentity *identity);
int code_is_same(const CodeIdentity *a, const CodeIdentity *b);
/* Reads a whole code object, over what `copy` had. Returns 0, or -1 if there
   is none, or another one afterwards. */
int code_read(const CodeLayout *layout, SafeCopy *copy, uintptr_t address,
              CodeContent *content);

#endif /* GILDEMO_CODE_READER_H */
