/*
 * What the files of csrc share and nobody else sees: the shape of a back end,
 * the loads and stores, and the stream that feeds a back end whole blocks.
 *
 * Words of a state are numbers of the host; bytes are turned only where a
 * message comes in and where a digest goes out. Variable time; public inputs only.
 */
#ifndef BASELOAD_SHA256_H
#define BASELOAD_SHA256_H

#include <string.h>

#include "common.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "loads assume a little-endian CPU");

#define BLOCK_SIZE 64
#define LANES 8 /* AVX2 holds eight 32-bit words; two SHA-NI streams divide it */

/* A back end is four functions. All hashing is written in terms of them. */
struct sha256_impl {
    const char *name;
    int (*usable)(void);

    /* Feed count 64-byte blocks to state. */
    void (*compress)(uint32_t state[8], const uint8_t *blocks, size_t count);

    /* Feed the last, padded blocks to a copy of state, hash the digest again,
     * and write that. One function, so that the first digest stays in registers. */
    void (*finish_double)(uint8_t hash32[32], const uint32_t state[8], const uint8_t *blocks,
                          size_t count);

    /* Replace root, count times, by the double hash of root and the next 32 bytes
     * of branch. A share spends four fifths of its time here; in registers from
     * node to node it is 3 % faster than finish_double called in a loop. */
    void (*fold)(uint8_t root32[32], const uint8_t *branch, size_t count);

    /* Feed one block to each of eight unrelated states. */
    void (*compress_lanes)(uint32_t states[LANES][8], const uint8_t blocks[LANES][BLOCK_SIZE]);
};

extern const struct sha256_impl sha256_sha_ni, sha256_armv8, sha256_avx2, sha256_portable;
extern const struct sha256_impl *sha256_chosen;

extern const uint32_t SHA256_IV[8]; /* FIPS 180-4, 5.3.3 */
extern const uint32_t SHA256_K[64]; /* FIPS 180-4, 4.2.2 */

static inline uint32_t load_be32(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return __builtin_bswap32(word);
}

static inline void store_be32(uint8_t *bytes, uint32_t word)
{
    word = __builtin_bswap32(word);
    memcpy(bytes, &word, sizeof word);
}

static inline uint32_t load_le32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static inline uint64_t load_le64(const uint8_t *bytes)
{
    return load_le32(bytes) | (uint64_t)load_le32(bytes + 4) << 32;
}

static inline void store_le32(uint8_t *bytes, uint32_t word)
{
    memcpy(bytes, &word, sizeof word);
}

static inline void store_le64(uint8_t *bytes, uint64_t word)
{
    store_le32(bytes, (uint32_t)word);
    store_le32(bytes + 4, (uint32_t)(word >> 32));
}

static inline void store_be64(uint8_t *bytes, uint64_t word)
{
    word = __builtin_bswap64(word);
    memcpy(bytes, &word, sizeof word);
}

static inline void store_digest(uint8_t hash32[32], const uint32_t state[8])
{
    for (int i = 0; i < 8; i++)
        store_be32(hash32 + 4 * i, state[i]);
}

/* True when a hash, read as a little-endian number, is not above a target. */
static inline int meets(const uint8_t hash32[32], const uint8_t target32[32])
{
    for (int i = 31; i >= 0; i--)
        if (hash32[i] != target32[i])
            return hash32[i] < target32[i];
    return 1;
}

/* A message that arrives in pieces; buffer holds the last size % 64 bytes. */
struct sha256_stream {
    uint32_t state[8];
    uint64_t size;
    uint8_t buffer[BLOCK_SIZE];
};

void sha256_start(struct sha256_stream *stream);
void sha256_update(struct sha256_stream *stream, const uint8_t *data, size_t size);
void sha256_finish(uint8_t hash32[32], const struct sha256_stream *stream);
void sha256_finish_double(uint8_t hash32[32], const struct sha256_stream *stream);

/* The portable rounds; AVX2 is the same back end but for its eight lanes. */
void sha256_portable_compress(uint32_t state[8], const uint8_t *blocks, size_t count);
void sha256_portable_finish_double(uint8_t hash32[32], const uint32_t state[8],
                                   const uint8_t *blocks, size_t count);
void sha256_portable_fold(uint8_t root32[32], const uint8_t *branch, size_t count);

#endif
