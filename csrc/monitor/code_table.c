/* See code_table.h. */

#include "code_table.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

#define NO_ROOM (-1)

static Text
text_of(const char *string)
{
    return (Text){string, strlen(string)};
}

int
code_table_init(CodeTable *table)
{
    *table = (CodeTable){
        .codes = malloc(MAX_CODES * sizeof(Code)),
        .text = malloc(MAX_TEXT_BYTES),
        .code_slots = malloc(CODE_SLOTS * sizeof(int32_t)),
        .text_slots = malloc(TEXT_SLOTS * sizeof(int32_t)),
    };
    if (table->codes == NULL || table->text == NULL
        || table->code_slots == NULL || table->text_slots == NULL) {
        return -1;
    }
    memset(table->code_slots, -1, CODE_SLOTS * sizeof(int32_t));
    memset(table->text_slots, -1, TEXT_SLOTS * sizeof(int32_t));
    /* This becomes OTHER_CODE. */
    (void)code_table_add(table, text_of("(other)"), text_of(""), text_of(""),
                         -1);
    return 0;
}

void
code_table_free(CodeTable *table)
{
    free(table->codes);
    free(table->text);
    free(table->code_slots);
    free(table->text_slots);
}

int
code_table_copy(const CodeTable *table, CodeTable *copy)
{
    const size_t size = (size_t)table->n_codes * sizeof(Code);
    const size_t text_size = (size_t)table->text_size;
    *copy = *table;
    copy->codes = malloc(size);
    copy->text = malloc(text_size);
    copy->code_slots = NULL;
    copy->text_slots = NULL;
    if (copy->codes == NULL || copy->text == NULL) {
        code_table_free(copy);
        return -1;
    }
    memcpy(copy->codes, table->codes, size);
    memcpy(copy->text, table->text, text_size);
    return 0;
}

Text
code_table_text(const CodeTable *table, int32_t offset)
{
    uint32_t size;
    const char *bytes = table->text + offset;
    memcpy(&size, bytes - sizeof(size), sizeof(size));
    return (Text){bytes, size};
}

/* Returns the offset of this text, or NO_ROOM. Adds it if it is new. */
static int32_t
add_text(CodeTable *table, Text text)
{
    uint64_t i = hash_bytes(text.bytes, text.size) % TEXT_SLOTS;
    for (; table->text_slots[i] >= 0; i = (i + 1) % TEXT_SLOTS) {
        const Text known = code_table_text(table, table->text_slots[i]);
        if (known.size == text.size
            && memcmp(known.bytes, text.bytes, text.size) == 0) {
            return table->text_slots[i];
        }
    }
    const uint32_t size = (uint32_t)text.size;
    if (table->n_texts == MAX_TEXTS
        || text.size + sizeof(size) + 1
               > (size_t)(MAX_TEXT_BYTES - table->text_size)) {
        return NO_ROOM;
    }
    char *to = table->text + table->text_size;
    memcpy(to, &size, sizeof(size));
    memcpy(to + sizeof(size), text.bytes, text.size);
    to[sizeof(size) + text.size] = '\0';
    const int32_t offset = table->text_size + (int32_t)sizeof(size);
    table->text_size = offset + (int32_t)text.size + 1;
    table->text_slots[i] = offset;
    table->n_texts++;
    return offset;
}

static int
is_same(const Code *a, const Code *b)
{
    return a->name == b->name && a->file == b->file
           && a->locations == b->locations && a->first_line == b->first_line;
}

int32_t
code_table_add(CodeTable *table, Text name, Text file, Text locations,
               int first_line)
{
    const Code code = {
        .name = add_text(table, name),
        .file = add_text(table, file),
        .locations = add_text(table, locations),
        .first_line = first_line,
    };
    if (code.name == NO_ROOM || code.file == NO_ROOM
        || code.locations == NO_ROOM) {
        table->refused++;
        return OTHER_CODE;
    }
    uint64_t i = hash_bytes((const char *)&code, sizeof(code)) % CODE_SLOTS;
    for (; table->code_slots[i] >= 0; i = (i + 1) % CODE_SLOTS) {
        if (is_same(&table->codes[table->code_slots[i]], &code)) {
            return table->code_slots[i];
        }
    }
    if (table->n_codes == MAX_CODES) {
        table->refused++;
        return OTHER_CODE;
    }
    table->codes[table->n_codes] = code;
    table->code_slots[i] = table->n_codes;
    return table->n_codes++;
}
