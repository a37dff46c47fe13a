/*
 * SHA-256 of eight messages at a time, one in each 32-bit lane of AVX2.
 *
 * For x86 CPUs from 2013 on that lack the SHA extensions. A single message
 * gains nothing from lanes, so there this back end is the portable one.
 * Variable time; public inputs only.
 */
#include "sha256.h"

#if defined(__x86_64__)

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

#define WORD lanes
#define TARGET __attribute__((target("avx2")))
#include "sha256_rounds.h"

/* Turn eight rows of words into one vector per word, and back. By way of plain
 * arrays: clang writes a vector's single elements through memory, four times slower. */
TARGET static void compress_lanes(uint32_t states[LANES][8],
                                  const uint8_t blocks[LANES][BLOCK_SIZE])
{
    uint32_t columns[16][LANES];
    lanes state[8], w[16];

    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 16; i++)
            columns[i][lane] = load_be32(blocks[lane] + 4 * i);
    memcpy(w, columns, sizeof w);
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 8; i++)
            columns[i][lane] = states[lane][i];
    memcpy(state, columns, sizeof state);

    rounds(state, w);

    memcpy(columns, state, sizeof state);
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 8; i++)
            states[lane][i] = columns[i][lane];
}

static int usable(void)
{
    return __builtin_cpu_supports("avx2") != 0; /* asks the operating system too */
}

const struct sha256_impl sha256_avx2 = {
    .name = "avx2",
    .usable = usable,
    .compress = sha256_portable_compress,
    .finish_double = sha256_portable_finish_double,
    .fold = sha256_portable_fold,
    .compress_lanes = compress_lanes,
};

#else

static int usable(void)
{
    return 0;
}

const struct sha256_impl sha256_avx2 = {.name = "avx2", .usable = usable};

#endif
