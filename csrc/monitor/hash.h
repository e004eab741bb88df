/* Hash functions for the tables of the monitor. */

#ifndef GILDEMO_HASH_H
#define GILDEMO_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The finalizer of MurmurHash3: each bit of the key changes about half of the
   bits of the result. */
static inline uint64_t
hash_word(uint64_t key)
{
    key ^= key >> 33;
    key *= 0xff51afd7ed558ccd;
    key ^= key >> 33;
    key *= 0xc4ceb9fe1a85ec53;
    return key ^ key >> 33;
}

/* FNV-1a. */
static inline uint64_t
hash_bytes(const char *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
    }
    return hash_word(hash);
}

#endif /* GILDEMO_HASH_H */
