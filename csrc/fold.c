/*
 * What books need of a run of records: the right edge of the log's tree, and sums of its shares.
 *
 * The tree is RFC 6962's: a leaf is hashed with 0x00 in front of it, two nodes with 0x01. Of n
 * leaves the edge keeps one node for each bit of n, the root of a whole subtree of that size;
 * another leaf merges them like a carry in n + 1. Sums lie in the order in which their first
 * share came; the places, a hash table, say where. Both tables are the caller's.
 */
#include "sha256.h"

#define SHARE_LEAF 1
#define SHARE_VERSION 1
#define MINUTE_US 60000000u

/* Of a slot and the leaf in it; reference/ledger.md has the layout of a share. */
#define LEAF_AT 16
#define LISTEN_AT 5 /* the second byte of the flags */
#define TIME_AT 16
#define ACCOUNT_AT 32
#define WORKER_AT 36
#define WEIGHT_AT 40
#define BEST_AT 62

/* Two blocks: a prefix, size more bytes, at most 118, and the padding. */
static void prefixed(uint8_t blocks[2][BLOCK_SIZE], uint8_t prefix, const uint8_t *data,
                     size_t size)
{
    uint8_t *bytes = blocks[0];
    memset(bytes, 0, 2 * BLOCK_SIZE);
    bytes[0] = prefix;
    memcpy(bytes + 1, data, size);
    bytes[1 + size] = 0x80;
    store_be64(bytes + 2 * BLOCK_SIZE - 8, (1 + size) * 8);
}

static void hash_node(uint8_t hash32[32], const uint8_t left32[32], const uint8_t right32[32])
{
    uint8_t both[64], blocks[2][BLOCK_SIZE];
    uint32_t state[8];
    memcpy(both, left32, 32);
    memcpy(both + 32, right32, 32);
    prefixed(blocks, 1, both, sizeof both);
    memcpy(state, SHA256_IV, sizeof state);
    sha256_chosen->compress(state, blocks[0], 2);
    store_digest(hash32, state);
}

/* Hash the leaves of eight slots side by side. */
static void hash_leaves(uint8_t hashes[LANES][32], const uint8_t *slots)
{
    uint8_t blocks[2][BLOCK_SIZE], firsts[LANES][BLOCK_SIZE], seconds[LANES][BLOCK_SIZE];
    uint32_t states[LANES][8];
    for (int lane = 0; lane < LANES; lane++) {
        prefixed(blocks, 0, slots + lane * SLOT_SIZE + LEAF_AT, LEAF_SIZE);
        memcpy(firsts[lane], blocks[0], BLOCK_SIZE);
        memcpy(seconds[lane], blocks[1], BLOCK_SIZE);
        memcpy(states[lane], SHA256_IV, sizeof states[lane]);
    }
    sha256_chosen->compress_lanes(states, (const uint8_t(*)[BLOCK_SIZE])firsts);
    sha256_chosen->compress_lanes(states, (const uint8_t(*)[BLOCK_SIZE])seconds);
    for (int lane = 0; lane < LANES; lane++)
        store_digest(hashes[lane], states[lane]);
}

void merkle_edge_push(struct merkle_edge *edge, const uint8_t leaf_hash32[32])
{
    uint8_t *node = edge->nodes;
    uint8_t carried[32];
    memcpy(carried, leaf_hash32, 32);
    for (uint64_t left = edge->size; left & 1; left >>= 1, node += 32)
        hash_node(carried, node, carried);
    memcpy(node, carried, 32);
    edge->size++;
}

void merkle_edge_root(uint8_t root32[32], const struct merkle_edge *edge)
{
    int is_empty = 1;
    for (int level = 0; level < EDGE_LEVELS; level++) {
        const uint8_t *node = edge->nodes + 32 * level;
        if (!(edge->size >> level & 1))
            continue;
        if (is_empty)
            memcpy(root32, node, 32);
        else
            hash_node(root32, node, root32);
        is_empty = 0;
    }
    if (is_empty)
        sha256(root32, NULL, 0);
}

static uint64_t spread(uint64_t minute, uint32_t account_id, uint32_t worker_id, uint32_t listen)
{
    uint64_t key = (minute << 8 | listen) * 0x9e3779b97f4a7c15u;
    key ^= ((uint64_t)account_id << 32 | worker_id) * 0xc2b2ae3d27d4eb4fu;
    return (key ^ key >> 32) * 0x9e3779b97f4a7c15u >> 32;
}

/* Returns the sum that a share belongs to, NULL where it would be one too many. */
static struct share_sum *sum_of(struct share_sums *sums, const uint8_t *leaf)
{
    uint64_t minute = load_le64(leaf + TIME_AT) / MINUTE_US;
    uint32_t account_id = load_le32(leaf + ACCOUNT_AT), worker_id = load_le32(leaf + WORKER_AT);
    uint32_t listen = leaf[LISTEN_AT];
    uint64_t mask = sums->places_size - 1;
    uint64_t at = spread(minute, account_id, worker_id, listen) & mask;

    for (; sums->places[at]; at = (at + 1) & mask) {
        struct share_sum *sum = &sums->sums[sums->places[at] - 1];
        if (sum->worker_id == worker_id && sum->account_id == account_id &&
            sum->minute == minute && sum->listen == listen)
            return sum;
    }
    if (sums->used >= sums->room)
        return NULL;
    struct share_sum *sum = &sums->sums[sums->used++];
    sums->places[at] = sums->used;
    *sum = (struct share_sum){.minute = minute,
                              .account_id = account_id,
                              .worker_id = worker_id,
                              .listen = listen};
    return sum;
}

/* Returns 1 added; 0 where the leaf is no share, or there is no room for its sum. */
static int add_share(struct share_sums *sums, const uint8_t *leaf)
{
    if (leaf[0] != SHARE_LEAF || leaf[1] != SHARE_VERSION)
        return 0;
    struct share_sum *sum = sum_of(sums, leaf);
    if (!sum)
        return 0;
    uint64_t weight = load_le64(leaf + WEIGHT_AT), time_us = load_le64(leaf + TIME_AT);
    uint32_t best = (uint32_t)(leaf[BEST_AT] | leaf[BEST_AT + 1] << 8);
    sum->shares++;
    sum->work_low += weight;
    sum->work_high += sum->work_low < weight;
    sum->last_us = time_us > sum->last_us ? time_us : sum->last_us;
    sum->best = best > sum->best ? best : sum->best;
    return 1;
}

static void add_leaves(struct merkle_edge *edge, const uint8_t *slots, size_t count)
{
    uint8_t hashes[LANES][32], last[LANES * SLOT_SIZE];
    for (; count >= LANES; count -= LANES, slots += sizeof last) {
        hash_leaves(hashes, slots);
        for (int lane = 0; lane < LANES; lane++)
            merkle_edge_push(edge, hashes[lane]);
    }
    if (!count)
        return;
    memset(last, 0, sizeof last);
    memcpy(last, slots, count * SLOT_SIZE);
    hash_leaves(hashes, last);
    for (size_t lane = 0; lane < count; lane++)
        merkle_edge_push(edge, hashes[lane]);
}

size_t fold_slots(struct merkle_edge *edge, struct share_sums *sums, const uint8_t *slots,
                  size_t count)
{
    size_t added = 0;
    while (added < count && add_share(sums, slots + added * SLOT_SIZE + LEAF_AT))
        added++;
    if (edge)
        add_leaves(edge, slots, added);
    return added;
}
