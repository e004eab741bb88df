/* See code_cache.h. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "code_cache.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

/* How many code objects are checked with one copy: each needs two ranges. */
#define CHECKED_AT_ONCE (SAFE_COPY_RANGES / 2)

#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
/* In the whole process, because the callback has no argument to tell one
   interpreter or monitor from another. */
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
        .known =
            calloc(CODE_CACHE_SETS * CODE_CACHE_SET_SIZE, sizeof(KnownCode)),
    };
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
    cache->watcher = PyCode_AddWatcher(count_destroyed);
    if (cache->watcher >= 0) {
        cache->destroyed = &destroyed_codes;
    }
    else {
        PyErr_Clear(); /* All eight are in use. Each use checks the entry. */
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
    return &cache->known[hash_word(address) % CODE_CACHE_SETS
                         * CODE_CACHE_SET_SIZE];
}

static KnownCode *
find_in_set(KnownCode *set, uintptr_t address)
{
    for (int i = 0; i < CODE_CACHE_SET_SIZE; i++) {
        if (set[i].address == address) {
            return &set[i];
        }
    }
    return NULL;
}

static KnownCode *
find(CodeCache *cache, uintptr_t address)
{
    return find_in_set(set_of(cache, address), address);
}

/* Returns the entry for an address, which may have to be overwritten. */
static KnownCode *
entry_for(CodeCache *cache, uintptr_t address)
{
    KnownCode *set = set_of(cache, address);
    KnownCode *entry = find_in_set(set, address);
    if (entry == NULL) {
        entry = find_in_set(set, 0);
    }
    if (entry == NULL) {
        entry = &set[cache->next_victim];
        cache->next_victim = (cache->next_victim + 1) % CODE_CACHE_SET_SIZE;
    }
    return entry;
}

/* Reads a code object, and adds it. Returns NULL if there is none. */
static KnownCode *
learn(CodeCache *cache, SafeCopy *copy, uintptr_t address, uint64_t count)
{
    CodeObject code;
    if (code_object_read(&cache->layout, copy, address, &code) < 0) {
        return NULL;
    }
    KnownCode *known = entry_for(cache, address);
    *known = (KnownCode){
        .address = address,
        .identity = code.identity,
        .name_text = code.name.characters,
        .name_hash = code.name.hash,
        .checked = count,
        .row = HIDDEN_CODE,
    };
    /* Code that no traceback shows has no instruction that can be traced. */
    if (code.identity.first_traceable < code.identity.size) {
        known->row = code_table_add(cache->table,
                                    (Text){code.name.utf8, code.name.size},
                                    (Text){code.file.utf8, code.file.size},
                                    code.locations, code.identity.first_line);
    }
    return known;
}

/* Whether the same code object is still there, by the copies of it. */
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
        || code_object_identify(&cache->layout, code, &identity) < 0
        || !code_object_is_same(&identity, &known->identity)
        || hash_bytes(characters, name->iov_len) != known->name_hash) {
        return 0;
    }
    known->checked = count;
    return 1;
}

static int
has_range(const struct iovec *ranges, int n, const KnownCode *known)
{
    for (int i = 0; i < n; i += 2) {
        if ((uintptr_t)ranges[i].iov_base == known->address) {
            return 1;
        }
    }
    return 0;
}

/* Copies what check() needs for the first frames: up to one with unknown code,
   or until the copy is full. Returns for how many frames that is. */
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
        if (known->checked == count || has_range(ranges, n_ranges, known)) {
            continue;
        }
        if (n_ranges == 2 * CHECKED_AT_ONCE) {
            break;
        }
        ranges[n_ranges++] =
            (struct iovec){(void *)known->address, cache->layout.instructions};
        ranges[n_ranges++] = known->name_text;
    }
    safe_copy_clear(copy);
    if (n_ranges > 0) {
        (void)safe_copy_add(copy, ranges, n_ranges);
    }
    return i;
}

/* Returns 0, or -1 if the frame's instruction is not in this code. */
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
            : ++cache->uses;
    for (int i = 0; i < n;) {
        const int end =
            i + copy_for_checks(cache, copy, raw + i, n - i, count);
        int learned = 0;
        for (; i < n && !learned; i++) {
            KnownCode *known = find(cache, raw[i].code);
            if (i >= end && known != NULL && known->checked != count) {
                break; /* First make copies for the next frames. */
            }
            if (known == NULL
                || (known->checked != count
                    && !check(cache, copy, known, count))) {
                known = learn(cache, copy, raw[i].code, count);
                learned = 1; /* That has dropped all copies. */
            }
            if (known == NULL
                || make_frame(cache, known, &raw[i], &frames[i]) < 0) {
                return -1;
            }
        }
    }
    return 0;
}
