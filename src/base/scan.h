/* scan.h: finding the first interesting byte, a block at a time: SSE2, NEON, or eight bytes in a word.
 *
 * Use      while (at + SCAN_BYTES <= end) { scan_mask m = scan_or(scan_is(b, '"'), scan_below(b, 0x20)); ... }
 *          A mask has a mark in each byte that matched; scan_index(mask) is the first one (the mask must not be empty).
 *          SCAN_PORTABLE (tests) takes the word everywhere.
 * Reads    exactly SCAN_BYTES at any alignment; what is left at the end is the caller's, byte by byte.
 */
#ifndef MILLRACE_BASE_SCAN_H
#define MILLRACE_BASE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
#include <emmintrin.h>

enum { SCAN_BYTES = 16 };
typedef __m128i scan_block;
typedef __m128i scan_mask;

static inline scan_block scan_load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)at);
}
static inline scan_mask scan_is(scan_block b, char byte)
{
    return _mm_cmpeq_epi8(b, _mm_set1_epi8(byte));
}
/* bytes below `limit`, unsigned; limit 1..128 */
static inline scan_mask scan_below(scan_block b, uint8_t limit)
{
    return _mm_cmpeq_epi8(_mm_min_epu8(b, _mm_set1_epi8((char)(limit - 1))), b);
}
/* low..high, 1..0x7e */
static inline scan_mask scan_between(scan_block b, uint8_t low, uint8_t high)
{
    scan_block from_low = _mm_sub_epi8(b, _mm_set1_epi8((char)low));
    return _mm_cmpeq_epi8(_mm_min_epu8(from_low, _mm_set1_epi8((char)(high - low))), from_low);
}
static inline scan_block scan_lower(scan_block b) /* letters; what else it changes stays none */
{
    return _mm_or_si128(b, _mm_set1_epi8(0x20));
}
static inline scan_mask scan_high(scan_block b) /* 0x80..0xff */
{
    return _mm_cmplt_epi8(b, _mm_setzero_si128());
}
static inline scan_mask scan_not(scan_mask m)
{
    return _mm_xor_si128(m, _mm_set1_epi8(-1));
}
static inline scan_mask scan_or(scan_mask a, scan_mask b)
{
    return _mm_or_si128(a, b);
}
static inline scan_mask scan_and_not(scan_mask a, scan_mask without)
{
    return _mm_andnot_si128(without, a);
}
static inline bool scan_any(scan_mask m)
{
    return _mm_movemask_epi8(m) != 0;
}
static inline size_t scan_index(scan_mask m)
{
    return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(m));
}

#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(SCAN_PORTABLE)
#include <arm_neon.h>

enum { SCAN_BYTES = 16 };
typedef uint8x16_t scan_block;
typedef uint8x16_t scan_mask;

static inline scan_block scan_load(const char *at)
{
    return vld1q_u8((const uint8_t *)at);
}
static inline scan_mask scan_is(scan_block b, char byte)
{
    return vceqq_u8(b, vdupq_n_u8((uint8_t)byte));
}
static inline scan_mask scan_below(scan_block b, uint8_t limit)
{
    return vcltq_u8(b, vdupq_n_u8(limit));
}
static inline scan_mask scan_between(scan_block b, uint8_t low, uint8_t high)
{
    return vcleq_u8(vsubq_u8(b, vdupq_n_u8(low)), vdupq_n_u8((uint8_t)(high - low)));
}
static inline scan_block scan_lower(scan_block b)
{
    return vorrq_u8(b, vdupq_n_u8(0x20));
}
static inline scan_mask scan_high(scan_block b)
{
    return vcgeq_u8(b, vdupq_n_u8(0x80));
}
static inline scan_mask scan_not(scan_mask m)
{
    return vmvnq_u8(m);
}
static inline scan_mask scan_or(scan_mask a, scan_mask b)
{
    return vorrq_u8(a, b);
}
static inline scan_mask scan_and_not(scan_mask a, scan_mask without)
{
    return vbicq_u8(a, without);
}
/* four bits for each byte, in order */
static inline uint64_t scan_nibbles(scan_mask m)
{
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(m), 4)), 0);
}
static inline bool scan_any(scan_mask m)
{
    return scan_nibbles(m) != 0;
}
static inline size_t scan_index(scan_mask m)
{
    return (size_t)__builtin_ctzll(scan_nibbles(m)) / 4;
}

#else

enum { SCAN_BYTES = 8 };
typedef uint64_t scan_block;
typedef uint64_t scan_mask; /* 0x80 in each byte that matched */

#define SCAN_EACH(byte) (UINT64_C(0x0101010101010101) * (uint8_t)(byte))

static inline scan_block scan_load(const char *at)
{
    uint64_t b;
    memcpy(&b, at, sizeof(b));
    return b;
}
/* No carry leaves a byte here, so that a match never marks its neighbour. */
static inline scan_mask scan_is(scan_block b, char byte)
{
    uint64_t x = b ^ SCAN_EACH(byte);
    return ~(((x & SCAN_EACH(0x7f)) + SCAN_EACH(0x7f)) | x) & SCAN_EACH(0x80);
}
static inline scan_mask scan_high(scan_block b)
{
    return b & SCAN_EACH(0x80);
}
static inline scan_mask scan_below(scan_block b, uint8_t limit)
{
    return ~(((b & SCAN_EACH(0x7f)) + SCAN_EACH(0x80 - limit)) | b) & SCAN_EACH(0x80);
}
static inline scan_mask scan_between(scan_block b, uint8_t low, uint8_t high)
{
    return scan_below(b, (uint8_t)(high + 1)) & ~scan_below(b, low);
}
static inline scan_block scan_lower(scan_block b)
{
    return b | SCAN_EACH(0x20);
}
static inline scan_mask scan_not(scan_mask m)
{
    return m ^ SCAN_EACH(0x80);
}
static inline scan_mask scan_or(scan_mask a, scan_mask b)
{
    return a | b;
}
static inline scan_mask scan_and_not(scan_mask a, scan_mask without)
{
    return a & ~without;
}
static inline bool scan_any(scan_mask m)
{
    return m != 0;
}
static inline size_t scan_index(scan_mask m)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (size_t)__builtin_clzll(m) / 8;
#else
    return (size_t)__builtin_ctzll(m) / 8;
#endif
}

#endif
#endif
