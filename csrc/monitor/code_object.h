/* Reads a code object that may be freed meanwhile.
 *
 * The layout of code objects comes from frames.c; that of str and bytes comes
 * from CPython's public headers.
 *
 * No lock, and no Python object but through copies of its memory.
 */

#ifndef GILDEMO_CODE_OBJECT_H
#define GILDEMO_CODE_OBJECT_H

#include "code_table.h"
#include "safe_copy.h"

#include <stddef.h>
#include <stdint.h>

/* The end of a longer name is kept, because it says more. Of a longer location
   table the beginning is kept; the instructions after it have no line. */
#define MAX_CHARACTERS 500
#define MAX_LOCATIONS (1 << 16)

/* The offsets of the members of a code object. */
typedef struct {
    size_t name;            /* co_qualname */
    size_t file;            /* co_filename */
    size_t locations;       /* co_linetable */
    size_t first_line;      /* co_firstlineno */
    size_t first_traceable; /* _co_firsttraceable */
    size_t version;         /* co_version; 0 if there is none (3.11) */
    size_t instructions;    /* co_code_adaptive, which is the last one */
} CodeLayout;

/* Two code objects that have had the same address differ in one of these; only
   in 3.11 they may agree in all. */
typedef struct {
    uintptr_t name;          /* the address of a str */
    uintptr_t file;          /* of a str */
    uintptr_t locations;     /* of a bytes */
    int64_t size;            /* in code units */
    int32_t first_line;      /* co_firstlineno */
    int32_t first_traceable; /* the index of an instruction */
    uint32_t version;        /* 0 in 3.11 */
} CodeIdentity;

/* The value of a str. */
typedef struct {
    struct iovec characters; /* their memory, with the zero at the end */
    uint64_t hash;           /* of that memory */
    size_t size;             /* bytes of `utf8` */
    char utf8[4 * MAX_CHARACTERS];
} StrCopy;

typedef struct {
    CodeIdentity identity;
    StrCopy name;
    StrCopy file;
    Text locations; /* in the SafeCopy, until that is cleared */
} CodeObject;

/* Gets the identity from a copy of a code object. Returns 0, or -1 if it is no
   code object. */
int code_object_identify(const CodeLayout *layout, const char *code,
                         CodeIdentity *identity);
int code_object_is_same(const CodeIdentity *a, const CodeIdentity *b);
/* Reads the code object at this address; drops all earlier copies. Returns 0,
   or -1 if there is none, or if it changed meanwhile. */
int code_object_read(const CodeLayout *layout, SafeCopy *copy,
                     uintptr_t address, CodeObject *code);

#endif /* GILDEMO_CODE_OBJECT_H */
