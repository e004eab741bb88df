/* The code that was seen to hold the GIL: names, files and location tables,
 * each kept once. Code objects with the same content are one row, however many
 * of them there were.
 *
 * No Python object and no lock is touched here.
 */

#ifndef GILDEMO_CODE_TABLE_H
#define GILDEMO_CODE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Together with their indexes 9.6 MiB. */
#define MAX_CODES (1 << 14)
#define MAX_TEXTS (3 * MAX_CODES)
#define MAX_TEXT_BYTES (8 << 20)
#define CODE_SLOTS (2 * MAX_CODES)
#define TEXT_SLOTS (4 * MAX_CODES)

/* The row of all code that came when the table was full. */
#define OTHER_CODE 0

typedef struct {
    int32_t name;      /* co_qualname, UTF-8: a place in `text` */
    int32_t file;      /* co_filename, UTF-8 */
    int32_t locations; /* co_linetable */
    int32_t first_line;
} Code;

typedef struct {
    int32_t n_codes;
    int32_t n_texts;
    int32_t text_size; /* bytes in use */
    int64_t refused;   /* code that became OTHER_CODE */
    Code *codes;
    char *text;          /* each: its size, its bytes, and a zero byte */
    int32_t *code_slots; /* hash tables; -1 is a free slot. NULL in a copy */
    int32_t *text_slots;
} CodeTable;

typedef struct {
    const char *bytes;
    size_t size;
} Text;

/* Returns 0, or -1 if there is no memory; code_table_free() is right for both.
 */
int code_table_init(CodeTable *table);
void code_table_free(CodeTable *table);
/* Returns 0, or -1 if there is no memory, with nothing to be freed. A copy is
   for reading. */
int code_table_copy(const CodeTable *table, CodeTable *copy);

/* The row of this code, which is added if it is new. */
int32_t code_table_add(CodeTable *table, Text name, Text file, Text locations,
                       int first_line);
/* What is at a place in `text`. A zero byte follows. */
Text code_table_text(const CodeTable *table, int32_t place);

#endif /* GILDEMO_CODE_TABLE_H */
