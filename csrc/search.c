/*
 * Nonce search: what a CPU does in place of an ASIC, for regtest, the demo
 * and the virtual rigs.
 *
 * Eight nonces go through the back end's lanes from the midstate. A lane is
 * rejected on the top word of its hash alone; only a survivor, for a real
 * target one in four billion, is compared in full. Variable time; public inputs only.
 */
#include "headers.h"

/* Lanes whose hash meets the target, a bit each. */
static unsigned lanes_that_meet(uint32_t states[LANES][8], const uint8_t target32[32])
{
    uint32_t top;
    memcpy(&top, target32 + 28, sizeof top);
    unsigned found = 0;
    for (unsigned lane = 0; lane < LANES; lane++) {
        uint8_t hash32[32];
        if (__builtin_bswap32(states[lane][7]) > top)
            continue;
        store_digest(hash32, states[lane]);
        found |= (unsigned)meets(hash32, target32) << lane;
    }
    return found;
}

int nonce_search(uint32_t *nonce, const uint8_t header80[80], const uint8_t target32[32],
                 uint32_t start, uint64_t count)
{
    const uint64_t space = (uint64_t)1 << 32;
    uint64_t end = count < space - start ? start + count : space;

    uint32_t first_state[8], states[LANES][8];
    uint8_t tails[LANES][BLOCK_SIZE];
    memcpy(first_state, SHA256_IV, sizeof first_state);
    sha256_chosen->compress(first_state, header80, 1);
    for (int lane = 0; lane < LANES; lane++)
        header_tail(tails[lane], header80);

    for (uint64_t next = start; next < end; next += LANES) {
        for (uint32_t lane = 0; lane < LANES; lane++) {
            store_le32(tails[lane] + 12, (uint32_t)next + lane);
            memcpy(states[lane], first_state, sizeof first_state);
        }
        finish_double_lanes(states, tails);
        unsigned found = lanes_that_meet(states, target32);
        if (found == 0)
            continue;

        /* Lanes count up, so the lowest is first; it may lie beyond the end. */
        uint64_t first = next + (unsigned)__builtin_ctz(found);
        if (first >= end)
            return 0;
        *nonce = (uint32_t)first;
        return 1;
    }
    return 0;
}
