/* Fills the table of code far beyond its size. test_c_units.py builds and runs
 * it together with code_table.c.
 */

#include "check.h"
#include "code_table.h"

#include <string.h>

static int
is(Text text, const char *bytes, size_t size)
{
    return text.size == size && memcmp(text.bytes, bytes, size) == 0
           && text.bytes[size] == '\0';
}

/* Code number i, with so many bytes of locations. */
static int32_t
add(CodeTable *table, int i, size_t size)
{
    static char locations[1 << 16];
    char name[32];
    (void)snprintf(name, sizeof(name), "name%d", i);
    return code_table_add(table, (Text){name, strlen(name)},
                          (Text){"file.py", 7}, (Text){locations, size}, i);
}

static void
check_content(void)
{
    CodeTable table, copy;
    CHECK(code_table_init(&table) == 0);
    CHECK(is(code_table_text(&table, table.codes[OTHER_CODE].name), "(other)",
             7));
    const Text name = {"f\0g", 3}, file = {"a.py", 4}, none = {"", 0};
    const int32_t row = code_table_add(&table, name, file, none, 7);
    CHECK(row == OTHER_CODE + 1);
    CHECK(code_table_add(&table, name, file, none, 7) == row);
    CHECK(code_table_add(&table, name, file, none, 8) == row + 1);
    CHECK(code_table_add(&table, name, name, none, 7) == row + 2);
    CHECK(code_table_add(&table, name, file, file, 7) == row + 3);
    /* Each text is there once. */
    CHECK(table.n_texts == 4);
    CHECK(is(code_table_text(&table, table.codes[row].name), "f\0g", 3));
    CHECK(is(code_table_text(&table, table.codes[row].file), "a.py", 4));
    CHECK(is(code_table_text(&table, table.codes[row].locations), "", 0));
    CHECK(table.codes[row].first_line == 7);

    CHECK(code_table_copy(&table, &copy) == 0);
    code_table_free(&table);
    CHECK(
        is(code_table_text(&copy, copy.codes[row + 3].locations), "a.py", 4));
    code_table_free(&copy);
}

/* With so many bytes of locations each, either the rows or the bytes are used
   up first. */
static void
check_full(size_t size)
{
    CodeTable table;
    CHECK(code_table_init(&table) == 0);
    int first_refused = -1;
    for (int i = 0; i < 2 * MAX_CODES; i++) {
        const int32_t row = add(&table, i, size ? size - (size_t)i % 1000 : 0);
        if (row == OTHER_CODE && first_refused < 0) {
            first_refused = i;
        }
        CHECK(table.n_codes <= MAX_CODES && table.n_texts <= MAX_TEXTS);
        CHECK(table.text_size <= MAX_TEXT_BYTES);
    }
    CHECK(first_refused > 100 && table.refused > 0);
    CHECK(table.n_codes == MAX_CODES || table.text_size > MAX_TEXT_BYTES / 2);
    /* What is there is still found. */
    const int32_t n_codes = table.n_codes;
    for (int i = 0; i < first_refused; i++) {
        CHECK(add(&table, i, size ? size - (size_t)i % 1000 : 0) == i + 1);
    }
    CHECK(table.n_codes == n_codes);
    code_table_free(&table);
}

int
main(void)
{
    check_content();
    check_full(0);
    check_full(2000);
    return 0;
}
