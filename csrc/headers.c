/*
 * Block headers: one, many, and the state that all nonces of one share.
 *
 * A header is 80 bytes, so its hash takes three compressions: the first 64
 * bytes (midstate), the tail of 16, and the digest. Variable time; public
 * inputs only.
 */
#include "headers.h"

void header_hash(uint8_t hash32[32], const uint8_t header80[80])
{
    uint8_t blocks[2 * BLOCK_SIZE] = {0};
    memcpy(blocks, header80, 64);
    header_tail(blocks + BLOCK_SIZE, header80);
    sha256_chosen->finish_double(hash32, SHA256_IV, blocks, 2);
}

void midstate(uint8_t state32[32], const uint8_t first64[64])
{
    uint32_t state[8];
    memcpy(state, SHA256_IV, sizeof state);
    sha256_chosen->compress(state, first64, 1);
    store_digest(state32, state);
}

static void hash_lanes(uint8_t *hashes, const uint8_t *headers)
{
    uint32_t states[LANES][8];
    uint8_t firsts[LANES][BLOCK_SIZE], tails[LANES][BLOCK_SIZE];
    for (int lane = 0; lane < LANES; lane++) {
        memcpy(states[lane], SHA256_IV, sizeof states[lane]);
        memcpy(firsts[lane], headers + HEADER_SIZE * lane, BLOCK_SIZE);
        header_tail(tails[lane], headers + HEADER_SIZE * lane);
    }

    sha256_chosen->compress_lanes(states, (const uint8_t(*)[BLOCK_SIZE])firsts);
    finish_double_lanes(states, tails);
    for (int lane = 0; lane < LANES; lane++)
        store_digest(hashes + 32 * lane, states[lane]);
}

void sha256d_headers(uint8_t *hashes, const uint8_t *headers, size_t count)
{
    for (; count >= LANES; count -= LANES) {
        hash_lanes(hashes, headers);
        hashes += 32 * LANES;
        headers += HEADER_SIZE * LANES;
    }
    for (; count > 0; count--, hashes += 32, headers += HEADER_SIZE)
        header_hash(hashes, headers);
}
