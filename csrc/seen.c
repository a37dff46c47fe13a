/*
 * Shares already seen: a table of 64-bit keys, open addressing, linear steps.
 *
 * A key is the first eight bytes of a hash. Proof of work makes zeros at the other end, so that
 * they are as good as random, and their lowest bits are the place. Nothing is ever taken out.
 */
#include "sha256.h"

static uint64_t key_of(const uint8_t hash32[32])
{
    uint64_t key = load_le64(hash32);
    return key ? key : 1;
}

/* Where a key is, or where it belongs. Ends, for a table is never full. */
static uint64_t *find(const struct seen_shares *seen, uint64_t key)
{
    uint64_t at = key & (seen->room - 1);
    while (seen->keys[at] && seen->keys[at] != key)
        at = (at + 1) & (seen->room - 1);
    return seen->keys + at;
}

int seen_holds(const struct seen_shares *seen, const uint8_t hash32[32])
{
    return *find(seen, key_of(hash32)) != 0;
}

int seen_add(struct seen_shares *seen, const uint8_t hash32[32])
{
    uint64_t key = key_of(hash32);
    uint64_t *place = find(seen, key);
    if (*place)
        return 1;
    if (seen->count >= seen->most)
        return 0;
    *place = key;
    seen->count++;
    return 1;
}

void seen_move(struct seen_shares *to, const struct seen_shares *from)
{
    for (uint64_t i = 0; i < from->room; i++)
        if (from->keys[i])
            *find(to, from->keys[i]) = from->keys[i];
    to->count += from->count;
}
