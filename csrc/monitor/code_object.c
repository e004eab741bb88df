/* See code_object.h. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "code_object.h"

#include "hash.h"

#include <string.h>

/* With more than this, it is no code object. */
#define MAX_CODE_UNITS (1 << 28)

int
code_object_identify(const CodeLayout *layout, const char *code,
                     CodeIdentity *identity)
{
    PyVarObject head;
    memcpy(&head, code, sizeof(head));
    if (Py_TYPE(&head) != &PyCode_Type || head.ob_size <= 0
        || head.ob_size > MAX_CODE_UNITS) {
        return -1;
    }
    *identity = (CodeIdentity){.size = head.ob_size};
    memcpy(&identity->name, code + layout->name, sizeof(uintptr_t));
    memcpy(&identity->file, code + layout->file, sizeof(uintptr_t));
    memcpy(&identity->locations, code + layout->locations, sizeof(uintptr_t));
    memcpy(&identity->first_line, code + layout->first_line, sizeof(int32_t));
    memcpy(&identity->first_traceable, code + layout->first_traceable,
           sizeof(int32_t));
    if (layout->version != 0) {
        memcpy(&identity->version, code + layout->version, sizeof(uint32_t));
    }
    return 0;
}

int
code_object_is_same(const CodeIdentity *a, const CodeIdentity *b)
{
    return a->name == b->name && a->file == b->file
           && a->locations == b->locations && a->size == b->size
           && a->first_line == b->first_line
           && a->first_traceable == b->first_traceable
           && a->version == b->version;
}

static int
read_identity(const CodeLayout *layout, SafeCopy *copy, uintptr_t address,
              CodeIdentity *identity)
{
    const char *code = safe_copy_read(copy, address, layout->instructions);
    return code == NULL ? -1 : code_object_identify(layout, code, identity);
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

/* `kind` is the size of a character: 1, 2 or 4. Returns 0, or -1 if these are
   no characters. */
static int
copy_characters(StrCopy *str, int kind, const char *bytes, Py_ssize_t n)
{
    Py_UCS4 characters[MAX_CHARACTERS]; /* aligned for each kind */
    memcpy(characters, bytes, (size_t)n * (size_t)kind);
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

static int
read_str(SafeCopy *copy, uintptr_t address, StrCopy *str)
{
    PyCompactUnicodeObject head;
    const char *bytes = safe_copy_read(copy, address, sizeof(head));
    if (bytes == NULL) {
        return -1;
    }
    memcpy(&head, bytes, sizeof(head));
    const PyASCIIObject *ascii = &head._base;
    const int kind = ascii->state.kind;
    if (Py_TYPE(ascii) != &PyUnicode_Type || !ascii->state.compact
        || ascii->length < 0 || (kind != 1 && kind != 2 && kind != 4)) {
        return -1;
    }
    const Py_ssize_t n = Py_MIN(ascii->length, MAX_CHARACTERS);
    const size_t size = (size_t)(n + 1) * (size_t)kind;
    address += ascii->state.ascii ? sizeof(PyASCIIObject) : sizeof(head);
    address += (size_t)(ascii->length - n) * (size_t)kind;
    bytes = safe_copy_read(copy, address, size);
    if (bytes == NULL) {
        return -1;
    }
    str->characters = (struct iovec){(void *)address, size};
    str->hash = hash_bytes(bytes, size);
    return copy_characters(str, kind, bytes, n);
}

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
    text->size = (size_t)Py_MIN(head.ob_size, MAX_LOCATIONS);
    text->bytes = safe_copy_read(
        copy, address + offsetof(PyBytesObject, ob_sval), text->size + 1);
    return text->bytes == NULL ? -1 : 0;
}

int
code_object_read(const CodeLayout *layout, SafeCopy *copy, uintptr_t address,
                 CodeObject *code)
{
    CodeIdentity after;
    safe_copy_clear(copy);
    /* If it is the same code object afterwards, then what was read in between
       belongs to it. */
    if (read_identity(layout, copy, address, &code->identity) < 0
        || read_str(copy, code->identity.name, &code->name) < 0
        || read_str(copy, code->identity.file, &code->file) < 0
        || read_bytes(copy, code->identity.locations, &code->locations) < 0
        || read_identity(layout, copy, address, &after) < 0
        || !code_object_is_same(&code->identity, &after)) {
        return -1;
    }
    return 0;
}
