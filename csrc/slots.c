/*
 * A record in its slot: checksum, place, leaf.
 *
 *    0 u32 crc32c of the rest   4 u32 0   8 u64 index   16 the 80-byte leaf
 *
 * The checksum is written last, so that a reader beside the writer, and
 * whoever reads after a crash, sees a whole slot or none.
 */
#include <string.h>

#include "sha256.h"

#define INDEX_AT 8
#define LEAF_AT 16
#define COVERED 4 /* the checksum is of everything from here on */

static uint32_t checksum(const uint8_t slot[SLOT_SIZE])
{
    return crc32c(slot + COVERED, SLOT_SIZE - COVERED);
}

void slot_write(uint8_t slot96[SLOT_SIZE], uint64_t index, const uint8_t leaf80[LEAF_SIZE])
{
    memset(slot96 + COVERED, 0, 4);
    store_le64(slot96 + INDEX_AT, index);
    memcpy(slot96 + LEAF_AT, leaf80, LEAF_SIZE);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    store_le32(slot96, checksum(slot96));
}

void slots_write(uint8_t *slots, uint64_t first_index, const uint8_t *leaves, size_t count)
{
    for (size_t i = 0; i < count; i++)
        slot_write(slots + i * SLOT_SIZE, first_index + i, leaves + i * LEAF_SIZE);
}

size_t slots_whole(const uint8_t *slots, size_t count, uint64_t first_index)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *slot = slots + i * SLOT_SIZE;
        if (load_le64(slot + INDEX_AT) != first_index + i || load_le32(slot + COVERED) != 0 ||
            load_le32(slot) != checksum(slot))
            return i;
    }
    return count;
}

int log_append(struct log_tail *tail, const uint8_t leaf80[LEAF_SIZE])
{
    if (tail->used >= tail->room)
        return 0;
    slot_write(tail->slots + tail->used * SLOT_SIZE, tail->first_index + tail->used, leaf80);
    /* After the slot: whoever reads the count, the sync thread above all, finds the slot. */
    __atomic_store_n(&tail->used, tail->used + 1, __ATOMIC_RELEASE);
    return 1;
}
