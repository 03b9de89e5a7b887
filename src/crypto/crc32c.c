/* crc32c.c: CRC32C (digest.h): the processor's instruction where it has one, else eight tables.
 *
 * The instruction has a latency of three cycles but one can start in each: long inputs run as three lanes
 *
 *      | lane a: LANE_BYTES | lane b: LANE_BYTES | lane c: LANE_BYTES |
 *
 * and are joined by crc(a b) = shift(crc(a)) ^ crc(b), where shift runs a state over LANE_BYTES zeros. It is linear, so
 * four tables of its results for each byte do it.
 */
#include "base/check.h"
#include "crypto/digest.h"
#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

enum { LANE_BYTES = 256 };
static const uint32_t polynomial = 0x82f63b78; /* reflected */

/* slice_table[k][v]: the state v after k + 1 zero bytes. All made before main. */
static uint32_t slice_table[8][256];
static uint32_t shift_table[4][256];

static inline uint64_t load_le64(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint32_t crc_by_table(uint32_t crc, const uint8_t *at, size_t size)
{
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t w = load_le64(at) ^ crc;
        crc = slice_table[7][w & 0xff] ^ slice_table[6][w >> 8 & 0xff] ^ slice_table[5][w >> 16 & 0xff] ^
              slice_table[4][w >> 24 & 0xff] ^ slice_table[3][w >> 32 & 0xff] ^ slice_table[2][w >> 40 & 0xff] ^
              slice_table[1][w >> 48 & 0xff] ^ slice_table[0][w >> 56];
    }
    for (; size; size--, at++)
        crc = crc >> 8 ^ slice_table[0][(crc ^ *at) & 0xff];
    return crc;
}

static uint32_t (*crc_run)(uint32_t crc, const uint8_t *at, size_t size) = crc_by_table;

#if defined(__x86_64__)
#define HARDWARE __attribute__((target("sse4.2")))
#define CRC_WORD(crc, word) ((uint32_t)_mm_crc32_u64((crc), (word)))
#define CRC_BYTE(crc, byte) _mm_crc32_u8((crc), (byte))
static bool has_hardware(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__) && defined(__linux__)
/* Assembler, because compilers disagree on how to switch the extension on for one function. */
#define HARDWARE
static inline uint32_t crc_word_arm(uint32_t crc, uint64_t word)
{
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
}
static inline uint32_t crc_byte_arm(uint32_t crc, uint8_t byte)
{
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(byte));
    return crc;
}
#define CRC_WORD(crc, word) crc_word_arm((crc), (word))
#define CRC_BYTE(crc, byte) crc_byte_arm((crc), (byte))
static bool has_hardware(void)
{
    return getauxval(AT_HWCAP) & 1u << 7; /* HWCAP_CRC32 */
}
#endif

#ifdef HARDWARE
static inline uint32_t shift(uint32_t crc)
{
    return shift_table[0][crc & 0xff] ^ shift_table[1][crc >> 8 & 0xff] ^ shift_table[2][crc >> 16 & 0xff] ^
           shift_table[3][crc >> 24];
}

HARDWARE static uint32_t crc_by_hardware(uint32_t crc, const uint8_t *at, size_t size)
{
    for (; size >= 3 * LANE_BYTES; size -= 3 * LANE_BYTES, at += 3 * LANE_BYTES) {
        uint32_t b = 0, c = 0;
        for (size_t i = 0; i < LANE_BYTES; i += 8) {
            crc = CRC_WORD(crc, load_le64(at + i));
            b = CRC_WORD(b, load_le64(at + LANE_BYTES + i));
            c = CRC_WORD(c, load_le64(at + 2 * LANE_BYTES + i));
        }
        crc = shift(shift(crc) ^ b) ^ c;
    }
    for (; size >= 8; size -= 8, at += 8)
        crc = CRC_WORD(crc, load_le64(at));
    for (; size; size--, at++)
        crc = CRC_BYTE(crc, *at);
    return crc;
}
#endif

__attribute__((constructor)) static void make_tables(void)
{
    static const uint8_t zeros[LANE_BYTES];
    for (uint32_t v = 0; v < 256; v++) {
        uint32_t crc = v;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
        slice_table[0][v] = crc;
    }
    for (size_t k = 1; k < 8; k++)
        for (uint32_t v = 0; v < 256; v++)
            slice_table[k][v] = slice_table[k - 1][v] >> 8 ^ slice_table[0][slice_table[k - 1][v] & 0xff];
    for (size_t k = 0; k < 4; k++)
        for (uint32_t v = 1; v < 256; v++) {
            /* one bit by running it, more by linearity */
            uint32_t low = v & -v;
            uint32_t one = v == low ? crc_by_table(v << 8 * k, zeros, sizeof(zeros)) : shift_table[k][low];
            shift_table[k][v] = one ^ shift_table[k][v ^ low];
        }
#ifdef HARDWARE
    if (has_hardware())
        crc_run = crc_by_hardware;
#endif
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return ~crc_run(~crc, bytes, size);
}

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size)
{
    return ~crc_by_table(~crc, bytes, size);
}
