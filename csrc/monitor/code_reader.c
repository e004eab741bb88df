/* See code_reader.h. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "code_reader.h"

#include "hash.h"

#include <string.h>

/* A larger size shows that what was read is no code object. */
#define MOST_CODE_UNITS (1 << 28)

int
code_identify(const CodeLayout *layout, const char *bytes,
              CodeIdentity *identity)
{
    PyVarObject head;
    memcpy(&head, bytes, sizeof(head));
    if (Py_TYPE(&head) != &PyCode_Type || head.ob_size <= 0
        || head.ob_size > MOST_CODE_UNITS) {
        return -1;
    }
    *identity = (CodeIdentity){.size = head.ob_size};
    memcpy(&identity->name, bytes + layout->name, sizeof(uintptr_t));
    memcpy(&identity->file, bytes + layout->file, sizeof(uintptr_t));
    memcpy(&identity->locations, bytes + layout->locations, sizeof(uintptr_t));
    memcpy(&identity->first_line, bytes + layout->first_line, sizeof(int32_t));
    memcpy(&identity->first_traceable, bytes + layout->first_traceable,
           sizeof(int32_t));
    if (layout->version != 0) {
        memcpy(&identity->version, bytes + layout->version, sizeof(uint32_t));
    }
    return 0;
}

int
code_is_same(const CodeIdentity *a, const CodeIdentity *b)
{
    return a->name == b->name && a->file == b->file
           && a->locations == b->locations && a->size == b->size
           && a->first_line == b->first_line
           && a->first_traceable == b->first_traceable
           && a->version == b->version;
}

/* Returns how many bytes it wrote, 4 at most. */
static size_t
encode_utf8(Py_UCS4 character, char *to)
{
    if (character < 0x80) {
        to[0] = (char)character;
        return 1;
    }
    const size_t more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, character >>= 6) {
        to[i] = (char)(0x80 | (character & 0x3f));
    }
    to[0] = (char)(0xff00 >> (more + 1) | character);
    return more + 1;
}

static int
read_str(SafeCopy *copy, uintptr_t address, StrCopy *str)
{
    PyCompactUnicodeObject head;
    Py_UCS4 characters[MOST_CHARACTERS + 1];
    const char *bytes = safe_copy_read(copy, address, sizeof(head));
    if (bytes == NULL) {
        return -1;
    }
    memcpy(&head, bytes, sizeof(head));
    const PyASCIIObject *ascii = &head._base;
    if (Py_TYPE(ascii) != &PyUnicode_Type || !ascii->state.compact
        || ascii->length < 0) {
        return -1;
    }
    const int kind = ascii->state.kind;
    if (kind != PyUnicode_1BYTE_KIND && kind != PyUnicode_2BYTE_KIND
        && kind != PyUnicode_4BYTE_KIND) {
        return -1;
    }
    const Py_ssize_t n = Py_MIN(ascii->length, MOST_CHARACTERS);
    address += ascii->state.ascii ? sizeof(PyASCIIObject) : sizeof(head);
    address += (size_t)(ascii->length - n) * (size_t)kind;
    const size_t size = (size_t)(n + 1) * (size_t)kind;
    bytes = safe_copy_read(copy, address, size);
    if (bytes == NULL || size > sizeof(characters)) {
        return -1;
    }
    memcpy(characters, bytes, size);
    str->text = (struct iovec){(void *)address, size};
    str->hash = hash_bytes(bytes, size);
    str->size = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        const Py_UCS4 character = PyUnicode_READ(kind, characters, i);
        if (character > 0x10ffff) {
            return -1;
        }
        str->size += encode_utf8(character, str->utf8 + str->size);
    }
    return 0;
}

/* Lasts until `copy` is cleared. */
static int
read_bytes(SafeCopy *copy, uintptr_t address, Text *text)
{
    PyVarObject head;
    const char *bytes = safe_copy_read(copy, address, sizeof(head));
    if (bytes == NULL) {
        return -1;
    }
    memcpy(&head, bytes, sizeof(head));
    if (Py_TYPE(&head) != &PyBytes_Type || head.ob_size < 0) {
        return -1;
    }
    text->size = (size_t)Py_MIN(head.ob_size, MOST_LOCATIONS);
    text->bytes = safe_copy_read(
        copy, address + offsetof(PyBytesObject, ob_sval), text->size + 1);
    return text->bytes == NULL ? -1 : 0;
}

static int
read_identity(const CodeLayout *layout, SafeCopy *copy, uintptr_t address,
              CodeIdentity *identity)
{
    const char *bytes = safe_copy_read(copy, address, layout->instructions);
    return bytes == NULL ? -1 : code_identify(layout, bytes, identity);
}

int
code_read(const CodeLayout *layout, SafeCopy *copy, uintptr_t address,
          CodeContent *content)
{
    const CodeIdentity *identity = &content->identity;
    CodeIdentity after;
    safe_copy_clear(copy);
    /* If it is the same one afterwards, what was read in between is its. */
    if (read_identity(layout, copy, address, &content->identity) < 0
        || read_str(copy, identity->name, &content->name) < 0
        || read_str(copy, identity->file, &content->file) < 0
        || read_bytes(copy, identity->locations, &content->locations) < 0
        || read_identity(layout, copy, address, &after) < 0) {
        return -1;
    }
    return code_is_same(identity, &after) ? 0 : -1;
}
