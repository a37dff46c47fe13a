/*
 * SHA-256 with the ARMv8 cryptographic extension.
 *
 * sha256h and sha256h2 do four rounds together on the two halves of the
 * state. Optional in ARMv8-A (a Raspberry Pi 4 has none, a 5 has it), so it is
 * asked for at run time. Variable time; public inputs only.
 */
#include "sha256.h"

/* Before version 16 clang declares these intrinsics only under -march=...+crypto. */
#if defined(__clang__) && __clang_major__ < 16 && !defined(__ARM_FEATURE_SHA2)
#define NO_INTRINSICS
#endif

#if defined(__aarch64__) && !defined(NO_INTRINSICS)

#include <arm_neon.h>
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#define TARGET __attribute__((target("+crypto")))

struct pair {
    uint32x4_t abcd, efgh;
};

TARGET static inline struct pair load_state(const uint32_t state[8])
{
    return (struct pair){vld1q_u32(state), vld1q_u32(state + 4)};
}

/* Four words of a message, whose bytes are the other way round than the CPU's. */
TARGET static inline uint32x4_t load_words(const uint8_t *bytes)
{
    return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(bytes)));
}

TARGET static inline void store_words(uint8_t *bytes, uint32x4_t words)
{
    vst1q_u8(bytes, vrev32q_u8(vreinterpretq_u8_u32(words)));
}

TARGET static inline void load_block(uint32x4_t m[4], const uint8_t *block)
{
    for (int i = 0; i < 4; i++)
        m[i] = load_words(block + 16 * i);
}

/* Four rounds with message words m0 and their constants k. */
TARGET static inline void four_rounds(struct pair *state, uint32x4_t m0, const uint32_t *k)
{
    uint32x4_t wk = vaddq_u32(m0, vld1q_u32(k));
    uint32x4_t abcd = state->abcd;
    state->abcd = vsha256hq_u32(abcd, state->efgh, wk);
    state->efgh = vsha256h2q_u32(state->efgh, abcd, wk);
}

/* The four schedule words that come sixteen after m0. */
TARGET static inline uint32x4_t next_words(uint32x4_t m0, uint32x4_t m1, uint32x4_t m2,
                                           uint32x4_t m3)
{
    return vsha256su1q_u32(vsha256su0q_u32(m0, m1), m2, m3);
}

/* Sixteen rounds, and the sixteen schedule words after them. */
TARGET static inline void sixteen_rounds(struct pair *state, uint32x4_t m[4], const uint32_t *k)
{
    four_rounds(state, m[0], k);
    m[0] = next_words(m[0], m[1], m[2], m[3]);
    four_rounds(state, m[1], k + 4);
    m[1] = next_words(m[1], m[2], m[3], m[0]);
    four_rounds(state, m[2], k + 8);
    m[2] = next_words(m[2], m[3], m[0], m[1]);
    four_rounds(state, m[3], k + 12);
    m[3] = next_words(m[3], m[0], m[1], m[2]);
}

TARGET static inline struct pair feed(struct pair before, uint32x4_t m[4])
{
    struct pair state = before;
    for (int i = 0; i < 48; i += 16)
        sixteen_rounds(&state, m, SHA256_K + i);
    for (int i = 0; i < 4; i++)
        four_rounds(&state, m[i], SHA256_K + 48 + 4 * i);
    return (struct pair){vaddq_u32(before.abcd, state.abcd), vaddq_u32(before.efgh, state.efgh)};
}

TARGET static inline struct pair feed_blocks(struct pair pair, const uint8_t *blocks,
                                             size_t count)
{
    for (; count > 0; count--, blocks += BLOCK_SIZE) {
        uint32x4_t m[4];
        load_block(m, blocks);
        pair = feed(pair, m);
    }
    return pair;
}

TARGET static void compress(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    struct pair pair = feed_blocks(load_state(state), blocks, count);
    vst1q_u32(state, pair.abcd);
    vst1q_u32(state + 4, pair.efgh);
}

/* Words of padding: the end mark and zeros; zeros and the length. */
static const uint32_t END_MARK[4] = {0x80000000, 0, 0, 0};
static const uint32_t BITS_256[4] = {0, 0, 0, 256};
static const uint32_t BITS_512[4] = {0, 0, 0, 512};

/* Hash the digest that a state is; both stay in registers. */
TARGET static inline struct pair hash_again(struct pair first)
{
    uint32x4_t m[4] = {first.abcd, first.efgh, vld1q_u32(END_MARK), vld1q_u32(BITS_256)};
    return feed(load_state(SHA256_IV), m);
}

TARGET static inline void store_hash(uint8_t hash32[32], struct pair digest)
{
    store_words(hash32, digest.abcd);
    store_words(hash32 + 16, digest.efgh);
}

TARGET static void finish_double(uint8_t hash32[32], const uint32_t state[8],
                                 const uint8_t *blocks, size_t count)
{
    store_hash(hash32, hash_again(feed_blocks(load_state(state), blocks, count)));
}

TARGET static void fold(uint8_t root32[32], const uint8_t *branch, size_t count)
{
    struct pair digest = {load_words(root32), load_words(root32 + 16)};
    for (; count > 0; count--, branch += 32) {
        uint32x4_t nodes[4] = {digest.abcd, digest.efgh, load_words(branch),
                               load_words(branch + 16)};
        uint32x4_t padding[4] = {vld1q_u32(END_MARK), vdupq_n_u32(0), vdupq_n_u32(0),
                                 vld1q_u32(BITS_512)};
        digest = hash_again(feed(feed(load_state(SHA256_IV), nodes), padding));
    }
    store_hash(root32, digest);
}

/* One after the other: two streams side by side, as on x86, are not measured here. */
TARGET static void compress_lanes(uint32_t states[LANES][8],
                                  const uint8_t blocks[LANES][BLOCK_SIZE])
{
    for (int lane = 0; lane < LANES; lane++)
        compress(states[lane], blocks[lane], 1);
}

static int usable(void)
{
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_SHA2) != 0;
#else
    return 0; /* nowhere else is it verified */
#endif
}

const struct sha256_impl sha256_armv8 = {
    .name = "armv8",
    .usable = usable,
    .compress = compress,
    .finish_double = finish_double,
    .fold = fold,
    .compress_lanes = compress_lanes,
};

#else

static int usable(void)
{
    return 0;
}

const struct sha256_impl sha256_armv8 = {.name = "armv8", .usable = usable};

#endif
