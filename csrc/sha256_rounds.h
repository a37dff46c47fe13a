/*
 * SHA-256's rounds (FIPS 180-4, 6.2.2), written once for two kinds of word.
 *
 * The includer defines WORD and TARGET: sha256_portable.c a uint32_t,
 * sha256_avx2.c a vector of eight of them. C's operators mean the same for
 * both, so the eight-lane code can't drift away from the plain one.
 */

#define ROTR(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define BIG0(x) (ROTR(x, 2) ^ ROTR(x, 13) ^ ROTR(x, 22))
#define BIG1(x) (ROTR(x, 6) ^ ROTR(x, 11) ^ ROTR(x, 25))
#define SMALL0(x) (ROTR(x, 7) ^ ROTR(x, 18) ^ (x) >> 3)
#define SMALL1(x) (ROTR(x, 17) ^ ROTR(x, 19) ^ (x) >> 10)
#define CH(e, f, g) ((g) ^ ((e) & ((f) ^ (g))))
#define MAJ(a, b, c) (((a) & (b)) | ((c) & ((a) | (b))))

/* One round. Instead of moving eight words along, the caller renames them. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                      \
    do {                                                                                      \
        h += BIG1(e) + CH(e, f, g) + k[i] + w[i];                                             \
        d += h;                                                                               \
        h += BIG0(a) + MAJ(a, b, c);                                                          \
    } while (0)

#define EIGHT_ROUNDS(i)                                                                       \
    do {                                                                                      \
        ROUND(a, b, c, d, e, f, g, h, i + 0);                                                 \
        ROUND(h, a, b, c, d, e, f, g, i + 1);                                                 \
        ROUND(g, h, a, b, c, d, e, f, i + 2);                                                 \
        ROUND(f, g, h, a, b, c, d, e, i + 3);                                                 \
        ROUND(e, f, g, h, a, b, c, d, i + 4);                                                 \
        ROUND(d, e, f, g, h, a, b, c, i + 5);                                                 \
        ROUND(c, d, e, f, g, h, a, b, i + 6);                                                 \
        ROUND(b, c, d, e, f, g, h, a, i + 7);                                                 \
    } while (0)

/* Replace sixteen words of the message schedule by the next sixteen. */
TARGET static inline void extend(WORD w[16])
{
    for (int i = 0; i < 16; i++)
        w[i] += SMALL0(w[(i + 1) & 15]) + w[(i + 9) & 15] + SMALL1(w[(i + 14) & 15]);
}

/* Feed one block, already turned into words, to state; w is used up. */
TARGET static inline void rounds(WORD state[8], WORD w[16])
{
    WORD a = state[0], b = state[1], c = state[2], d = state[3];
    WORD e = state[4], f = state[5], g = state[6], h = state[7];

    for (const uint32_t *k = SHA256_K; k < SHA256_K + 64; k += 16) {
        if (k != SHA256_K)
            extend(w);
        EIGHT_ROUNDS(0);
        EIGHT_ROUNDS(8);
    }

    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}
