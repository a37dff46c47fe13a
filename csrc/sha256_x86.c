/*
 * SHA-256 with Intel's SHA extensions (Goldmont, Ice Lake, all of AMD's Zen).
 *
 * One sha256rnds2 does two rounds, and each waits for the one before; so a
 * single message is bound by latency, and two messages side by side take
 * little longer than one. compress_lanes uses that: on a Zen 4 EPYC a block
 * takes 35 ns alone and 17 ns in a pair (AVX2's eight lanes: 40 ns each), so
 * this back end is the better one for batches and searches as well, and a
 * third stream would gain nothing. Variable time; public inputs only.
 */
#include "sha256.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1")))

/* The state as sha256rnds2 wants it: letters from the highest word down. */
struct pair {
    __m128i abef, cdgh;
};

TARGET static inline struct pair load_state(const uint32_t state[8])
{
    __m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xB1);
    __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1B);
    return (struct pair){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xF0)};
}

/* Back to the order of FIPS 180-4: a to d in one register, e to h in the other. */
TARGET static inline void unpack(__m128i *dcba, __m128i *hgfe, struct pair state)
{
    __m128i feba = _mm_shuffle_epi32(state.abef, 0x1B);
    __m128i dchg = _mm_shuffle_epi32(state.cdgh, 0xB1);
    *dcba = _mm_blend_epi16(feba, dchg, 0xF0);
    *hgfe = _mm_alignr_epi8(dchg, feba, 8);
}

TARGET static inline void store_state(uint32_t state[8], struct pair pair)
{
    __m128i dcba, hgfe;
    unpack(&dcba, &hgfe, pair);
    _mm_storeu_si128((__m128i *)(void *)state, dcba);
    _mm_storeu_si128((__m128i *)(void *)(state + 4), hgfe);
}

/* Turn each of four words around: between a message's bytes and the CPU's words. */
TARGET static inline __m128i swap_words(__m128i words)
{
    return _mm_shuffle_epi8(words, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

TARGET static inline __m128i load_words(const uint8_t *bytes)
{
    return swap_words(_mm_loadu_si128((const __m128i *)(const void *)bytes));
}

TARGET static inline void load_block(__m128i m[4], const uint8_t *block)
{
    for (int i = 0; i < 4; i++)
        m[i] = load_words(block + 16 * i);
}

/* Four rounds with message words m0 and their constants k. */
TARGET static inline void four_rounds(struct pair *state, __m128i m0, const uint32_t *k)
{
    __m128i wk = _mm_add_epi32(m0, _mm_load_si128((const __m128i *)(const void *)k));
    state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, wk);
    wk = _mm_shuffle_epi32(wk, 0x0E);
    state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, wk);
}

/* The four schedule words that come sixteen after m0. */
TARGET static inline __m128i next_words(__m128i m0, __m128i m1, __m128i m2, __m128i m3)
{
    __m128i nine_on = _mm_alignr_epi8(m3, m2, 4);
    return _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(m0, m1), nine_on), m3);
}

/* Sixteen rounds, and the sixteen schedule words after them. */
TARGET static inline void sixteen_rounds(struct pair *state, __m128i m[4], const uint32_t *k)
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

TARGET static inline void last_rounds(struct pair *state, const __m128i m[4])
{
    for (int i = 0; i < 4; i++)
        four_rounds(state, m[i], SHA256_K + 48 + 4 * i);
}

TARGET static inline struct pair add(struct pair a, struct pair b)
{
    return (struct pair){_mm_add_epi32(a.abef, b.abef), _mm_add_epi32(a.cdgh, b.cdgh)};
}

TARGET static inline struct pair feed(struct pair before, __m128i m[4])
{
    struct pair state = before;
    for (int i = 0; i < 48; i += 16)
        sixteen_rounds(&state, m, SHA256_K + i);
    last_rounds(&state, m);
    return add(before, state);
}

/* feed() for two unrelated messages, a step of one between steps of the other. */
TARGET static inline void feed_two(struct pair states[2], __m128i m[2][4])
{
    struct pair a = states[0], b = states[1];
    for (int i = 0; i < 48; i += 16) {
        sixteen_rounds(&a, m[0], SHA256_K + i);
        sixteen_rounds(&b, m[1], SHA256_K + i);
    }
    last_rounds(&a, m[0]);
    last_rounds(&b, m[1]);
    states[0] = add(states[0], a);
    states[1] = add(states[1], b);
}

TARGET static inline struct pair feed_blocks(struct pair state, const uint8_t *blocks,
                                             size_t count)
{
    for (; count > 0; count--, blocks += BLOCK_SIZE) {
        __m128i m[4];
        load_block(m, blocks);
        state = feed(state, m);
    }
    return state;
}

/* Words of padding: the end mark and zeros; zeros and the length. */
TARGET static inline __m128i end_mark(void)
{
    return _mm_set_epi32(0, 0, 0, INT32_MIN);
}

TARGET static inline __m128i length_in_bits(int bits)
{
    return _mm_set_epi32(bits, 0, 0, 0);
}

/* Hash the digest that a state is; both stay in registers. */
TARGET static inline void hash_again(__m128i digest[2], struct pair state)
{
    __m128i m[4] = {[2] = end_mark(), [3] = length_in_bits(256)};
    unpack(&m[0], &m[1], state);
    unpack(&digest[0], &digest[1], feed(load_state(SHA256_IV), m));
}

TARGET static inline void store_hash(uint8_t hash32[32], const __m128i digest[2])
{
    _mm_storeu_si128((__m128i *)(void *)hash32, swap_words(digest[0]));
    _mm_storeu_si128((__m128i *)(void *)(hash32 + 16), swap_words(digest[1]));
}

TARGET static void compress(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    store_state(state, feed_blocks(load_state(state), blocks, count));
}

TARGET static void finish_double(uint8_t hash32[32], const uint32_t state[8],
                                 const uint8_t *blocks, size_t count)
{
    __m128i digest[2];
    hash_again(digest, feed_blocks(load_state(state), blocks, count));
    store_hash(hash32, digest);
}

TARGET static void fold(uint8_t root32[32], const uint8_t *branch, size_t count)
{
    __m128i digest[2] = {load_words(root32), load_words(root32 + 16)};
    for (; count > 0; count--, branch += 32) {
        __m128i nodes[4] = {digest[0], digest[1], load_words(branch), load_words(branch + 16)};
        __m128i padding[4] = {[0] = end_mark(), [3] = length_in_bits(512)};
        hash_again(digest, feed(feed(load_state(SHA256_IV), nodes), padding));
    }
    store_hash(root32, digest);
}

TARGET static void compress_lanes(uint32_t states[LANES][8],
                                  const uint8_t blocks[LANES][BLOCK_SIZE])
{
    for (int lane = 0; lane < LANES; lane += 2) {
        struct pair pairs[2] = {load_state(states[lane]), load_state(states[lane + 1])};
        __m128i m[2][4];
        load_block(m[0], blocks[lane]);
        load_block(m[1], blocks[lane + 1]);
        feed_two(pairs, m);
        store_state(states[lane], pairs[0]);
        store_state(states[lane + 1], pairs[1]);
    }
}

static int usable(void)
{
    unsigned eax, ebx, ecx, edx;
    int sse41 = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_SSE4_1);
    return sse41 && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_SHA);
}

const struct sha256_impl sha256_sha_ni = {
    .name = "sha_ni",
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

const struct sha256_impl sha256_sha_ni = {.name = "sha_ni", .usable = usable};

#endif
