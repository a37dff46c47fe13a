/*
 * CRC-32C (Castagnoli), by the CPU's own instruction where it has one.
 *
 * It finds what a checksum is for: a slot that was never written whole. Who
 * changes a log on purpose is found by its tree of hashes.
 */
#include <string.h>

#include "common.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

/* Polynomial 0x1edc6f41, reflected; half a byte at a time keeps the table readable. */
static const uint32_t NIBBLES[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
    0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
    0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

static uint32_t crc32c_portable(uint32_t crc, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_cpu(uint32_t crc, const uint8_t *data,
                                                             size_t size)
{
    uint64_t wide = crc;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    for (; size; data++, size--)
        crc = _mm_crc32_u8(crc, *data);
    return crc;
}

static int cpu_has_crc32c(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) static uint32_t crc32c_cpu(uint32_t crc, const uint8_t *data,
                                                           size_t size)
{
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        crc = __crc32cd(crc, word);
    }
    for (; size; data++, size--)
        crc = __crc32cb(crc, *data);
    return crc;
}

static int cpu_has_crc32c(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#else
static uint32_t crc32c_cpu(uint32_t crc, const uint8_t *data, size_t size)
{
    return crc32c_portable(crc, data, size);
}

static int cpu_has_crc32c(void)
{
    return 0;
}
#endif

uint32_t crc32c(const uint8_t *data, size_t size)
{
    return ~(cpu_has_crc32c() ? crc32c_cpu : crc32c_portable)(~0u, data, size);
}
