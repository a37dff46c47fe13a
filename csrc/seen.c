/*
 * Shares already seen: 64-bit keys in tables of open addressing, linear steps.
 *
 * A key is the first eight bytes of a hash. Proof of work makes zeros at the other end, so that
 * they are as good as random: the highest bits choose the part, the lowest the place in it. Nothing
 * is ever taken out.
 */
#include "sha256.h"

_Static_assert(SEEN_PARTS == 1 << 10, "a part is chosen by ten bits");

static uint64_t key_of(const uint8_t hash32[32])
{
    uint64_t key = load_le64(hash32);
    return key ? key : 1;
}

static size_t part_of(uint64_t key)
{
    return (size_t)(key >> 54);
}

/* Where a key is, or where it belongs. Ends, for a part is never full. */
static uint64_t *find(const struct seen_part *part, uint64_t key)
{
    uint64_t at = key & (part->room - 1);
    while (part->keys[at] && part->keys[at] != key)
        at = (at + 1) & (part->room - 1);
    return part->keys + at;
}

/* Past three quarters, searches get long. */
static uint32_t most(const struct seen_part *part)
{
    return part->room / 4 * 3;
}

static int is_full(const struct seen_part *part)
{
    return part->count >= most(part);
}

static int add_key(struct seen_shares *seen, uint64_t key)
{
    struct seen_part *part = seen->parts + part_of(key);
    uint64_t *place = find(part, key);
    if (*place)
        return 1;
    if (is_full(part))
        return 0;
    *place = key;
    part->count++;
    return 1;
}

void seen_begin(struct seen_shares *seen, uint64_t *keys, uint32_t room)
{
    for (size_t part = 0; part < SEEN_PARTS; part++)
        seen->parts[part] = (struct seen_part){keys + part * room, room, 0};
}

int seen_holds(const struct seen_shares *seen, const uint8_t hash32[32])
{
    uint64_t key = key_of(hash32);
    return *find(seen->parts + part_of(key), key) != 0;
}

int seen_has_room(const struct seen_shares *seen, const uint8_t hash32[32])
{
    return !is_full(seen->parts + part_of(key_of(hash32)));
}

int seen_add(struct seen_shares *seen, const uint8_t hash32[32])
{
    return add_key(seen, key_of(hash32));
}

size_t seen_add_keys(struct seen_shares *seen, const uint64_t *keys, size_t count)
{
    size_t added = 0;
    while (added < count && add_key(seen, keys[added] ? keys[added] : 1))
        added++;
    return added;
}

size_t seen_full_part(const struct seen_shares *seen, size_t part, uint32_t eighths)
{
    while (part < SEEN_PARTS &&
           seen->parts[part].count + seen->parts[part].room / 8 * eighths < most(seen->parts + part))
        part++;
    return part;
}

void seen_grow(struct seen_shares *seen, size_t part, uint64_t *keys, uint32_t room)
{
    const struct seen_part from = seen->parts[part];
    struct seen_part *to = seen->parts + part;
    *to = (struct seen_part){keys, room, from.count};
    for (uint32_t i = 0; i < from.room; i++)
        if (from.keys[i])
            *find(to, from.keys[i]) = from.keys[i];
}
