/* xml.c: the writer of xml.h. */
#include "codec/xml.h"
#include "base/scan.h"
#include "base/text.h"

static inline bool is_special(char c)
{
    return c == '&' || c == '<' || c == '>' || c == '"' || c == '\r';
}

static const char *find_special(const char *at, const char *end)
{
    while ((size_t)(end - at) >= SCAN_BYTES) {
        scan_block b = scan_load(at);
        scan_mask angles = scan_or(scan_is(b, '<'), scan_is(b, '>'));
        scan_mask others = scan_or(scan_is(b, '"'), scan_is(b, '\r'));
        scan_mask special = scan_or(scan_or(angles, others), scan_is(b, '&'));
        if (scan_any(special))
            return at + scan_index(special);
        at += SCAN_BYTES;
    }
    while (at < end && !is_special(*at))
        at++;
    return at;
}

static struct slice entity_of(char c)
{
    switch (c) {
    case '&':
        return SLICE("&amp;");
    case '<':
        return SLICE("&lt;");
    case '>':
        return SLICE("&gt;");
    case '"':
        return SLICE("&quot;");
    default:
        return SLICE("&#xD;");
    }
}

void xml_write_text(struct buf *b, struct slice text)
{
    const char *at = text.data ? text.data : "", *end = at + text.size;
    while (at < end) {
        const char *special = find_special(at, end);
        buf_add(b, slice_of(at, (size_t)(special - at)));
        at = special;
        if (at < end)
            buf_add(b, entity_of(*at++));
    }
}

/* Bytes of the character the text begins with; what begins none stands for itself. */
static size_t first_char_size(struct slice text)
{
    for (size_t size = 1; size <= 4 && size <= text.size; size++)
        if (text_utf8_valid(slice_head(text, size)) == size)
            return size;
    return 1;
}

struct slice xml_clean(struct arena *arena, struct slice text)
{
    if (text_is_xml_chars(text))
        return text;
    char *clean = arena_alloc(arena, text.size);
    size_t used = 0;
    while (text.size) {
        struct slice one = slice_head(text, first_char_size(text));
        if (text_is_xml_chars(one)) {
            memcpy(clean + used, one.data, one.size);
            used += one.size;
        } else {
            clean[used++] = '?';
        }
        text = slice_from(text, one.size);
    }
    return slice_of(clean, used);
}

void xml_open(struct buf *b, struct slice name)
{
    buf_reserve(b, name.size + 2);
    buf_add_byte(b, '<');
    buf_add(b, name);
    buf_add_byte(b, '>');
}

void xml_close(struct buf *b, struct slice name)
{
    buf_reserve(b, name.size + 3);
    buf_add_lit(b, "</");
    buf_add(b, name);
    buf_add_byte(b, '>');
}

void xml_element(struct buf *b, struct slice name, struct slice text)
{
    xml_open(b, name);
    xml_write_text(b, text);
    xml_close(b, name);
}
