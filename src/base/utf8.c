/* utf8.c: UTF-8 of RFC 3629 (text.h).
 *
 *   U+0000..007F     00..7F
 *   U+0080..07FF     C2..DF  80..BF
 *   U+0800..0FFF     E0      A0..BF  80..BF
 *   U+1000..FFFF     E1..EF  80..BF  80..BF            (ED only with 80..9F: no surrogates)
 *   U+10000..10FFFF  F0..F4  80..BF  80..BF  80..BF    (F0 only with 90..BF, F4 only with 80..8F)
 */
#include "base/scan.h"
#include "base/text.h"

static inline bool is_tail(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

/* The length of the well-formed sequence at `at`, 0 if there is none; `at` < `end`. */
static inline size_t sequence_size(const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    uint8_t c = at[0];
    if (c < 0x80)
        return 1;
    if (c < 0xe0)
        return c >= 0xc2 && left >= 2 && is_tail(at[1]) ? 2 : 0;
    if (c < 0xf0) {
        if (left < 3 || !is_tail(at[1]) || !is_tail(at[2]))
            return 0;
        if (c == 0xe0)
            return at[1] >= 0xa0 ? 3 : 0;
        return c == 0xed && at[1] >= 0xa0 ? 0 : 3;
    }
    if (c > 0xf4 || left < 4 || !is_tail(at[1]) || !is_tail(at[2]) || !is_tail(at[3]))
        return 0;
    if (c == 0xf0)
        return at[1] >= 0x90 ? 4 : 0;
    return c == 0xf4 && at[1] >= 0x90 ? 0 : 4;
}

size_t text_utf8_valid(struct slice s)
{
    if (s.size == 0)
        return 0;
    const uint8_t *at = (const uint8_t *)s.data, *end = at + s.size;
    while (at < end) {
        if (*at < 0x80) {
            while ((size_t)(end - at) >= SCAN_BYTES && !scan_any(scan_high(scan_load((const char *)at))))
                at += SCAN_BYTES;
            while (at < end && *at < 0x80)
                at++;
        } else {
            size_t size = sequence_size(at, end);
            if (size == 0)
                break;
            at += size;
        }
    }
    return s.size - (size_t)(end - at);
}

/* What needs a look: controls that are not tab, line feed or carriage return, and everything beyond ASCII. */
static inline scan_mask suspects(scan_block b)
{
    scan_mask allowed = scan_or(scan_is(b, '\t'), scan_or(scan_is(b, '\n'), scan_is(b, '\r')));
    return scan_or(scan_high(b), scan_and_not(scan_below(b, 0x20), allowed));
}

static inline bool is_xml_control(uint8_t c)
{
    return c == '\t' || c == '\n' || c == '\r';
}

bool text_is_xml_chars(struct slice s)
{
    if (s.size == 0)
        return true;
    const uint8_t *at = (const uint8_t *)s.data, *end = at + s.size;
    while (at < end) {
        if ((size_t)(end - at) >= SCAN_BYTES && *at < 0x80) {
            scan_mask found = suspects(scan_load((const char *)at));
            if (!scan_any(found)) {
                at += SCAN_BYTES;
                continue;
            }
            at += scan_index(found);
        }
        size_t size = sequence_size(at, end);
        if (size == 0 || (*at < 0x20 && !is_xml_control(*at)))
            return false;
        /* U+FFFE and U+FFFF: EF BF BE, EF BF BF */
        if (size == 3 && at[0] == 0xef && at[1] == 0xbf && at[2] >= 0xbe)
            return false;
        at += size;
    }
    return true;
}

size_t text_utf8_encode(uint32_t code_point, char out[4])
{
    ASSERT(code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff));
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xc0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xe0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}
