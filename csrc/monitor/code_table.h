/* The code that was seen to hold the GIL: names, files and location tables,
 * each kept once. Code objects with the same content are one row.
 *
 * No lock and no Python object.
 */

#ifndef GILDEMO_CODE_TABLE_H
#define GILDEMO_CODE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* With the hash tables, this takes 9.6 MiB. */
#define MAX_CODES (1 << 14)
#define MAX_TEXTS (3 * MAX_CODES)
#define MAX_TEXT_BYTES (8 << 20)
#define CODE_SLOTS (2 * MAX_CODES)
#define TEXT_SLOTS (4 * MAX_CODES)

/* The row of all code that was added when the table was full. */
#define OTHER_CODE 0

/* The first three are offsets in CodeTable.text. */
typedef struct {
    int32_t name;       /* co_qualname, in UTF-8 */
    int32_t file;       /* co_filename, in UTF-8 */
    int32_t locations;  /* co_linetable */
    int32_t first_line; /* co_firstlineno */
} Code;

typedef struct {
    Code *codes; /* the rows */
    int32_t n_codes;
    int32_t n_texts;
    int32_t text_size;   /* bytes in use of `text` */
    int64_t refused;     /* how often code became OTHER_CODE */
    char *text;          /* of each: its size, its bytes, and a zero byte */
    int32_t *code_slots; /* a hash table of rows; -1 if a slot is free */
    int32_t *text_slots; /* one of offsets. Both are NULL in a copy */
} CodeTable;

typedef struct {
    const char *bytes;
    size_t size;
} Text;

/* Returns 0, or -1 if there is no memory; then code_table_free() is safe. */
int code_table_init(CodeTable *table);
/* Returns 0, or -1 if there is no memory, with nothing to be freed. The copy
   is to be read only. */
int code_table_copy(const CodeTable *table, CodeTable *copy);
void code_table_free(CodeTable *table);

/* Returns the row of this code. Adds it if it is new. */
int32_t code_table_add(CodeTable *table, Text name, Text file, Text locations,
                       int first_line);
/* Returns the text at this offset. A zero byte follows it. */
Text code_table_text(const CodeTable *table, int32_t offset);

#endif /* GILDEMO_CODE_TABLE_H */
