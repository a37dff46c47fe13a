/*
 * The second half of a header's hash, for one header (headers.c) and for many
 * nonces of one (search.c).
 */
#ifndef BASELOAD_HEADERS_H
#define BASELOAD_HEADERS_H

#include "sha256.h"

#define HEADER_SIZE 80

/* The second block of a header's message: its last 16 bytes and the padding. */
static inline void header_tail(uint8_t block[BLOCK_SIZE], const uint8_t header80[80])
{
    memset(block, 0, BLOCK_SIZE);
    memcpy(block, header80 + 64, 16);
    block[16] = 0x80;
    store_be64(block + 56, HEADER_SIZE * 8);
}

/* From eight midstates and tails to eight double hashes, left in states. */
static inline void finish_double_lanes(uint32_t states[LANES][8],
                                       uint8_t tails[LANES][BLOCK_SIZE])
{
    uint8_t digests[LANES][BLOCK_SIZE] = {{0}};
    sha256_chosen->compress_lanes(states, (const uint8_t(*)[BLOCK_SIZE])tails);
    for (int lane = 0; lane < LANES; lane++) {
        store_digest(digests[lane], states[lane]);
        digests[lane][32] = 0x80;
        store_be64(digests[lane] + 56, 32 * 8);
        memcpy(states[lane], SHA256_IV, sizeof states[lane]);
    }
    sha256_chosen->compress_lanes(states, (const uint8_t(*)[BLOCK_SIZE])digests);
}

#endif
