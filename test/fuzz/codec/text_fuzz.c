/* Any bytes: each parser of text.h either refuses them or gives a value whose text is again the same (or parses to the
 * same); the fast UTF-8 checks agree with a plain decoder.
 */
#include "base/limits.h"
#include "base/text.h"
#include "codec/xml.h"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_numbers(struct slice s)
{
    uint64_t u, u_again;
    int64_t i, i_again;
    char digits[20];
    if (text_parse_u64(s, &u)) {
        size_t size = text_format_u64(u, digits);
        ASSERT(size <= s.size && text_parse_u64(slice_of(digits, size), &u_again) && u == u_again);
    }
    if (text_parse_i64(s, &i)) {
        struct buf b;
        buf_init(&b);
        buf_add_i64(&b, i);
        ASSERT(text_parse_i64(buf_slice(&b), &i_again) && i == i_again);
        buf_deinit(&b);
    }
}

static void check_base64(struct slice s)
{
    uint8_t *bytes = malloc(s.size + 4);
    char *text = malloc(BASE64_ENCODED_BYTES(s.size) + 4);
    size_t size;
    ASSERT(bytes && text);
    if (text_base64_decode(s, bytes, &size)) {
        ASSERT(size <= s.size / 4 * 3);
        ASSERT(slice_equal(slice_of(text, text_base64_encode(bytes, size, text)), s));
    }
    if (text_base64url_decode(s, bytes, &size))
        ASSERT(slice_equal(slice_of(text, text_base64url_encode(bytes, size, text)), s));
    ASSERT(text_base64_decode(slice_of(text, text_base64_encode(s.data, s.size, text)), bytes, &size));
    ASSERT(slice_equal(slice_of(bytes, size), s));
    free(bytes);
    free(text);
}

/* The length of the valid prefix and whether all of it are XML characters, from the code points. */
static size_t plain_utf8(struct slice s, bool *ret_is_xml)
{
    const uint8_t *b = (const uint8_t *)s.data;
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    *ret_is_xml = true;
    for (size_t i = 0; i < s.size;) {
        size_t tails = b[i] < 0x80 ? 0 : b[i] < 0xe0 ? 1 : b[i] < 0xf0 ? 2 : 3;
        uint32_t c = tails ? b[i] & 0x3fu >> tails : b[i];
        bool good = b[i] < 0x80 || (b[i] >= 0xc0 && b[i] < 0xf8);
        for (size_t k = 1; good && k <= tails; k++) {
            good = i + k < s.size && (b[i + k] & 0xc0) == 0x80;
            if (good)
                c = c << 6 | (b[i + k] & 0x3f);
        }
        if (!good || c < least[tails] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
            *ret_is_xml = false;
            return i;
        }
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0xfffe || c == 0xffff)
            *ret_is_xml = false;
        i += tails + 1;
    }
    return s.size;
}

static void check_utf8(struct slice s)
{
    bool is_xml;
    size_t valid = plain_utf8(s, &is_xml);
    ASSERT(text_utf8_valid(s) == valid);
    ASSERT(text_is_xml_chars(s) == is_xml);
    struct buf b;
    buf_init(&b);
    xml_write_text(&b, s);
    for (size_t i = 0; i < b.size; i++)
        ASSERT(b.data[i] != '<' && b.data[i] != '>' && b.data[i] != '"' && b.data[i] != '\r');
    buf_deinit(&b);
}

static void check_percent(struct arena *a, struct slice s)
{
    struct slice decoded, again;
    for (int form = 0; form < 2; form++) {
        if (!text_percent_decode(a, s, form, &decoded))
            continue;
        struct buf b;
        buf_init(&b);
        text_percent_encode(&b, decoded, !form);
        ASSERT(text_percent_decode(a, buf_slice(&b), form, &again));
        ASSERT(slice_equal(decoded, again));
        buf_deinit(&b);
    }
}

static void check_dates_and_hex(struct slice s)
{
    int64_t epoch_s, again;
    char iso[21];
    uint8_t bytes[16], bytes_again[16];
    char hex[32];
    if (text_parse_amz_date(s, &epoch_s)) {
        text_format_iso8601(epoch_s, iso);
        ASSERT(text_parse_amz_date(slice_of(iso, 20), &again) && again == epoch_s);
    }
    if (text_parse_hex(s, bytes, sizeof(bytes))) {
        text_format_hex(bytes, sizeof(bytes), hex);
        ASSERT(slice_equal_nocase(slice_of(hex, 32), s));
        ASSERT(text_parse_hex(slice_of(hex, 32), bytes_again, 16) && memcmp(bytes, bytes_again, 16) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_of(data, size);
    struct arena a;
    arena_init(&a, 64 * MIB);
    check_numbers(s);
    check_base64(s);
    check_utf8(s);
    check_percent(&a, s);
    check_dates_and_hex(s);
    arena_deinit(&a);
    return 0;
}
