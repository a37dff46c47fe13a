/*
 * Which back end runs, and the hashes that are written in terms of it.
 *
 * A back end is chosen once at start, by what the CPU says it has, and only
 * after a smoke test: emulators and virtual machines have claimed
 * instructions that they got wrong, and a pool that hashes wrongly refuses
 * good work. Variable time; public inputs only.
 */
#include "sha256.h"

static const struct sha256_impl *const IMPLS[] = {
    &sha256_sha_ni,
    &sha256_armv8,
    &sha256_avx2,
    &sha256_portable,
};
#define IMPLS_SIZE ((int)(sizeof IMPLS / sizeof IMPLS[0]))

const struct sha256_impl *sha256_chosen = &sha256_portable;

const char *sha256_backend_name(int index)
{
    return index >= 0 && index < IMPLS_SIZE ? IMPLS[index]->name : NULL;
}

int sha256_backend_usable(int index)
{
    return index >= 0 && index < IMPLS_SIZE && IMPLS[index]->usable();
}

/* The functions of a back end against those of portable, on eight odd blocks. */
static int smoke_test(const struct sha256_impl *impl)
{
    uint8_t blocks[LANES][BLOCK_SIZE], want32[32], hash32[32];
    for (int i = 0; i < LANES * BLOCK_SIZE; i++)
        blocks[i / BLOCK_SIZE][i % BLOCK_SIZE] = (uint8_t)(i * 167 + i / 3);

    uint32_t want[LANES][8], lanes[LANES][8], state[8];
    for (int i = 0; i < LANES; i++) {
        memcpy(want[i], SHA256_IV, sizeof want[i]);
        sha256_portable_compress(want[i], blocks[0], (size_t)i);
    }
    memcpy(lanes, want, sizeof lanes);
    memcpy(state, SHA256_IV, sizeof state);

    impl->compress(state, blocks[0], LANES - 1);
    if (memcmp(state, want[LANES - 1], sizeof state) != 0)
        return 0;

    impl->finish_double(hash32, SHA256_IV, blocks[0], LANES);
    sha256_portable_finish_double(want32, SHA256_IV, blocks[0], LANES);
    if (memcmp(hash32, want32, sizeof hash32) != 0)
        return 0;

    impl->fold(hash32, blocks[0], LANES);
    sha256_portable.fold(want32, blocks[0], LANES);
    if (memcmp(hash32, want32, sizeof hash32) != 0)
        return 0;

    impl->compress_lanes(lanes, (const uint8_t(*)[BLOCK_SIZE])blocks);
    sha256_portable.compress_lanes(want, (const uint8_t(*)[BLOCK_SIZE])blocks);
    return memcmp(lanes, want, sizeof lanes) == 0;
}

int sha256_select(int index)
{
    if (!sha256_backend_usable(index) || !smoke_test(IMPLS[index]))
        return 0;
    sha256_chosen = IMPLS[index];
    return 1;
}

const char *sha256_autodetect(void)
{
    int index = 0;
    while (!sha256_select(index) && index < IMPLS_SIZE - 1)
        index++;
    return sha256_backend();
}

const char *sha256_backend(void)
{
    return sha256_chosen->name;
}

void sha256_start(struct sha256_stream *stream)
{
    memcpy(stream->state, SHA256_IV, sizeof stream->state);
    stream->size = 0;
}

void sha256_update(struct sha256_stream *stream, const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    size_t held = stream->size % BLOCK_SIZE;
    stream->size += size;

    /* Fill the block that an earlier call began. */
    if (held > 0) {
        size_t taken = size < BLOCK_SIZE - held ? size : BLOCK_SIZE - held;
        memcpy(stream->buffer + held, data, taken);
        if (held + taken < BLOCK_SIZE)
            return;
        sha256_chosen->compress(stream->state, stream->buffer, 1);
        data += taken;
        size -= taken;
    }

    sha256_chosen->compress(stream->state, data, size / BLOCK_SIZE);
    memcpy(stream->buffer, data + size - size % BLOCK_SIZE, size % BLOCK_SIZE);
}

/* Write the message's last bytes, the end mark, zeros and its length in bits
 * (FIPS 180-4, 5.1.1). Returns the number of blocks, 1 or 2. */
static size_t pad(uint8_t last[2 * BLOCK_SIZE], const struct sha256_stream *stream)
{
    size_t held = stream->size % BLOCK_SIZE;
    size_t count = held + 1 + 8 <= BLOCK_SIZE ? 1 : 2;
    memset(last, 0, count * BLOCK_SIZE);
    memcpy(last, stream->buffer, held);
    last[held] = 0x80;
    store_be64(last + count * BLOCK_SIZE - 8, stream->size * 8);
    return count;
}

void sha256_finish(uint8_t hash32[32], const struct sha256_stream *stream)
{
    uint8_t last[2 * BLOCK_SIZE];
    uint32_t state[8];
    memcpy(state, stream->state, sizeof state);
    sha256_chosen->compress(state, last, pad(last, stream));
    store_digest(hash32, state);
}

void sha256_finish_double(uint8_t hash32[32], const struct sha256_stream *stream)
{
    uint8_t last[2 * BLOCK_SIZE];
    sha256_chosen->finish_double(hash32, stream->state, last, pad(last, stream));
}

void sha256(uint8_t hash32[32], const uint8_t *data, size_t size)
{
    struct sha256_stream stream;
    sha256_start(&stream);
    sha256_update(&stream, data, size);
    sha256_finish(hash32, &stream);
}

void sha256d(uint8_t hash32[32], const uint8_t *data, size_t size)
{
    struct sha256_stream stream;
    sha256_start(&stream);
    sha256_update(&stream, data, size);
    sha256_finish_double(hash32, &stream);
}
