/* text.h: numbers, hex, base64, percent-encoding, UTF-8: small pure functions on slices.
 *
 * Fails    parse_* return false and leave *ret_x alone when the whole slice is not exactly one value in range.
 * Source   base64 RFC 4648 section 4 (strict: padding required, no blanks, no bits left over in the last character: one
 *          text for each value); UTF-8 RFC 3629; percent-encoding RFC 3986.
 */
#ifndef MILLRACE_BASE_TEXT_H
#define MILLRACE_BASE_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

bool text_parse_u64(struct slice s, uint64_t *ret_value); /* decimal digits only */
bool text_parse_i64(struct slice s, int64_t *ret_value);  /* optional minus */
size_t text_format_u64(uint64_t value, char out[20]);     /* returns the length; no NUL */

bool text_parse_hex(struct slice s, void *out, size_t size);     /* exactly 2*size digits, either case */
void text_format_hex(const void *bytes, size_t size, char *out); /* 2*size lower-case digits, no NUL */
struct slice text_hex(struct arena *a, struct slice bytes);
/* 16 bytes as 8-4-4-4-12 lower-case digits, NUL-terminated: RFC 9562 section 4 */
void text_format_uuid(const uint8_t bytes[16], char out[37]);

#define BASE64_ENCODED_BYTES(n) (((n) + 2) / 3 * 4)
size_t text_base64_encode(const void *bytes, size_t size, char *out);    /* standard alphabet, padded; returns length */
bool text_base64_decode(struct slice s, void *out, size_t *ret_size);    /* out holds at least s.size/4*3 */
size_t text_base64url_encode(const void *bytes, size_t size, char *out); /* no padding */
bool text_base64url_decode(struct slice s, void *out, size_t *ret_size);

void text_percent_encode(struct buf *b, struct slice s, bool keep_slash); /* RFC 3986 unreserved kept, upper-case hex */
/* form=true also turns '+' into a blank. Returns false on a broken escape. The result is `s` itself if there was
 * nothing to decode, else up to s.size bytes of the arena. */
bool text_percent_decode(struct arena *a, struct slice s, bool form, struct slice *ret_text);

/* The length of the longest valid UTF-8 prefix (no surrogates, no overlong forms). Fast on ASCII. */
size_t text_utf8_valid(struct slice s);
/* True if valid UTF-8 made only of #x9 #xA #xD, #x20-#xD7FF, #xE000-#xFFFD, #x10000-#x10FFFF (XML 1.0 Char). */
bool text_is_xml_chars(struct slice s);
size_t text_utf8_encode(uint32_t code_point, char out[4]);

static inline bool text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool text_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool text_is_alnum(char c)
{
    return text_is_digit(c) || text_is_alpha(c);
}
static inline char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* UTC: 20260131T235959Z and 2026-01-31T23:59:59Z; seconds since 1970. */
bool text_parse_amz_date(struct slice s, int64_t *ret_epoch_s);
void text_format_iso8601(int64_t epoch_s, char out[21]);   /* NUL-terminated */
void text_format_http_date(int64_t epoch_s, char out[30]); /* IMF-fixdate of RFC 9110, NUL-terminated */

/* The directory that a path lies in: a view, "." for a path without slashes; slashes at the end do not count. */
struct slice text_parent_dir(const char *path);

#endif
