/* See code_cache.h. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "code_cache.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

/* Of a longer name the end is kept, which says more; a longer location table
   is cut, and what comes after has no lines. */
#define MOST_CHARACTERS 500
#define MOST_LOCATIONS (1 << 16)
/* An absurd size shows that what was read is no code object. */
#define MOST_CODE_UNITS (1 << 28)

/* So many code objects are checked with one copy: each needs two ranges. */
#define CHECKED_AT_ONCE (SAFE_COPY_RANGES / 2)

#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
/* All of the process, because the callback is told nothing else. */
static uint64_t destroyed_codes;

static int
count_destroyed(PyCodeEvent event, PyCodeObject *Py_UNUSED(code))
{
    if (event == PY_CODE_EVENT_DESTROY) {
        __atomic_add_fetch(&destroyed_codes, 1, __ATOMIC_RELEASE);
    }
    return 0;
}
#endif

int
code_cache_open(CodeCache *cache, const CodeLayout *layout, CodeTable *table,
                const uint64_t *destroyed)
{
    *cache = (CodeCache){
        .layout = *layout,
        .table = table,
        .destroyed = destroyed,
        .watcher = -1,
        .known = calloc(CODE_CACHE_SIZE, sizeof(KnownCode)),
    };
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
    cache->watcher = PyCode_AddWatcher(count_destroyed);
    if (cache->watcher >= 0) {
        cache->destroyed = &destroyed_codes;
    }
    else {
        PyErr_Clear(); /* There are only eight; then check every time. */
    }
#endif
    return cache->known == NULL ? -1 : 0;
}

void
code_cache_close(CodeCache *cache)
{
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
    if (cache->watcher >= 0 && PyCode_ClearWatcher(cache->watcher) < 0) {
        PyErr_Clear();
    }
#endif
    free(cache->known);
}

static KnownCode *
set_of(CodeCache *cache, uintptr_t address)
{
    const uint64_t sets = CODE_CACHE_SIZE / CODE_CACHE_PLACES;
    return &cache->known[hash_word(address) % sets * CODE_CACHE_PLACES];
}

static KnownCode *
find_in(KnownCode *set, uintptr_t address)
{
    for (int i = 0; i < CODE_CACHE_PLACES; i++) {
        if (set[i].address == address) {
            return &set[i];
        }
    }
    return NULL;
}

static KnownCode *
find(CodeCache *cache, uintptr_t address)
{
    return find_in(set_of(cache, address), address);
}

/* Where to note what is at this address. */
static KnownCode *
find_place(CodeCache *cache, uintptr_t address)
{
    KnownCode *set = set_of(cache, address);
    KnownCode *place = find_in(set, address);
    if (place == NULL) {
        place = find_in(set, 0);
    }
    if (place == NULL) {
        place = &set[cache->next_victim];
        cache->next_victim = (cache->next_victim + 1) % CODE_CACHE_PLACES;
    }
    return place;
}

/* Reads from the copy of a code object. Returns 0, or -1 if it is none. */
static int
identify(const CodeLayout *layout, const char *code, CodeIdentity *identity)
{
    PyVarObject head;
    memcpy(&head, code, sizeof(head));
    if (Py_TYPE(&head) != &PyCode_Type || head.ob_size <= 0
        || head.ob_size > MOST_CODE_UNITS) {
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

static int
is_same(const CodeIdentity *a, const CodeIdentity *b)
{
    return a->name == b->name && a->file == b->file
           && a->locations == b->locations && a->size == b->size
           && a->first_line == b->first_line
           && a->first_traceable == b->first_traceable
           && a->version == b->version;
}

static int
read_identity(CodeCache *cache, SafeCopy *copy, uintptr_t address,
              CodeIdentity *identity)
{
    const char *code =
        safe_copy_read(copy, address, cache->layout.instructions);
    return code == NULL ? -1 : identify(&cache->layout, code, identity);
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

typedef struct {
    struct iovec characters; /* where they are, with the zero at their end */
    uint64_t hash;
    size_t size;
    char utf8[4 * MOST_CHARACTERS];
} StrCopy;

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
    const Py_ssize_t n = Py_MIN(ascii->length, MOST_CHARACTERS);
    address += ascii->state.ascii ? sizeof(PyASCIIObject) : sizeof(head);
    address += (size_t)(ascii->length - n) * (size_t)kind;
    const size_t size = (size_t)(n + 1) * (size_t)kind;
    bytes = safe_copy_read(copy, address, size);
    if (bytes == NULL || size > sizeof(characters)) {
        return -1;
    }
    memcpy(characters, bytes, size);
    str->characters = (struct iovec){(void *)address, size};
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

/* Reads all of a code object. Returns NULL if there is none. */
static KnownCode *
learn(CodeCache *cache, SafeCopy *copy, uintptr_t address, uint64_t count)
{
    CodeIdentity identity, after;
    StrCopy name, file;
    Text locations;
    safe_copy_clear(copy);
    /* If it is the same one afterwards, what was read in between is its. */
    if (read_identity(cache, copy, address, &identity) < 0
        || read_str(copy, identity.name, &name) < 0
        || read_str(copy, identity.file, &file) < 0
        || read_bytes(copy, identity.locations, &locations) < 0
        || read_identity(cache, copy, address, &after) < 0
        || !is_same(&identity, &after)) {
        return NULL;
    }
    KnownCode *known = find_place(cache, address);
    *known = (KnownCode){
        .address = address,
        .identity = identity,
        .name_text = name.characters,
        .name_hash = name.hash,
        .checked = count,
        .row = HIDDEN_CODE,
    };
    /* What no traceback shows has no instruction that can be traced. */
    if (identity.first_traceable < identity.size) {
        known->row = code_table_add(cache->table, (Text){name.utf8, name.size},
                                    (Text){file.utf8, file.size}, locations,
                                    identity.first_line);
    }
    return known;
}

/* Whether the copies show that the same code object is still there. */
static int
check(CodeCache *cache, SafeCopy *copy, KnownCode *known, uint64_t count)
{
    const struct iovec *name = &known->name_text;
    const char *code =
        safe_copy_find(copy, known->address, cache->layout.instructions);
    const char *characters =
        safe_copy_find(copy, (uintptr_t)name->iov_base, name->iov_len);
    CodeIdentity identity;
    if (code == NULL || characters == NULL
        || identify(&cache->layout, code, &identity) < 0
        || !is_same(&identity, &known->identity)
        || hash_bytes(characters, name->iov_len) != known->name_hash) {
        return 0;
    }
    known->checked = count;
    return 1;
}

/* Copies what is needed to check the code of these frames, as far as it is
   known and one copy can hold it. Returns for how many frames that is. */
static int
copy_for_checks(CodeCache *cache, SafeCopy *copy, const RawFrame *raw, int n,
                uint64_t count)
{
    struct iovec ranges[2 * CHECKED_AT_ONCE];
    int n_ranges = 0;
    int i = 0;
    for (; i < n; i++) {
        const KnownCode *known = find(cache, raw[i].code);
        if (known == NULL) {
            break;
        }
        int has_to = known->checked != count;
        for (int k = 0; has_to && k < n_ranges; k += 2) {
            has_to = (uintptr_t)ranges[k].iov_base != known->address;
        }
        if (has_to && n_ranges == 2 * CHECKED_AT_ONCE) {
            break;
        }
        if (has_to) {
            ranges[n_ranges++] = (struct iovec){(void *)known->address,
                                                cache->layout.instructions};
            ranges[n_ranges++] = known->name_text;
        }
    }
    safe_copy_clear(copy);
    if (n_ranges > 0) {
        (void)safe_copy_add(copy, ranges, n_ranges);
    }
    return i;
}

/* Returns 0, or -1 if the frame has no such code. */
static int
make_frame(const CodeCache *cache, const KnownCode *known, const RawFrame *raw,
           Frame *frame)
{
    const uintptr_t begin = known->address + cache->layout.instructions;
    const int64_t offset = (int64_t)(raw->instruction - begin);
    const int64_t instruction = offset / CODE_UNIT;
    if (offset % CODE_UNIT != 0 || instruction < -1
        || instruction >= known->identity.size) {
        return -1;
    }
    *frame = (Frame){known->row, (int32_t)instruction};
    return 0;
}

int
code_cache_resolve(CodeCache *cache, SafeCopy *copy, const RawFrame *raw,
                   int n, Frame *frames)
{
    const uint64_t count =
        cache->destroyed != NULL
            ? __atomic_load_n(cache->destroyed, __ATOMIC_ACQUIRE)
            : ++cache->checks;
    for (int i = 0; i < n;) {
        const int end =
            i + copy_for_checks(cache, copy, raw + i, n - i, count);
        int learned = 0;
        for (; i < n && !learned; i++) {
            KnownCode *known = find(cache, raw[i].code);
            if (i >= end && known != NULL && known->checked != count) {
                break; /* Copy for the next ones. */
            }
            if (known == NULL
                || (known->checked != count
                    && !check(cache, copy, known, count))) {
                known = learn(cache, copy, raw[i].code, count);
                learned = 1; /* over the copies for the others */
            }
            if (known == NULL
                || make_frame(cache, known, &raw[i], &frames[i]) < 0) {
                return -1;
            }
        }
    }
    return 0;
}
