/* json.c: the pull reader and the direct writer of json.h.
 *
 * After a failure `at` is `end`, so every later call fails by itself and json_fail keeps the first error.
 * Strings are scanned for '"', '\\' and controls a block at a time; bytes beyond ASCII are only noted then, and the
 * string is checked as UTF-8 once its end is known (neither '"' nor '\\' can be part of a longer sequence).
 */
#include "codec/json.h"
#include "base/mutant.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/text.h"

static_assert(JSON_DEPTH_MAX < 32, "json_skip keeps one bit a level");

void json_reader_init(struct json_reader *r, struct slice input, struct arena *arena)
{
    const char *start = input.data ? input.data : "";
    *r = (struct json_reader){ .at = start, .end = start + input.size, .start = start, .arena = arena };
}

static struct error json_fail(struct json_reader *r, enum base_error row, const char *at)
{
    if (!failed(r->error))
        r->error = ERROR_SYS(row, (int32_t)(at - r->start));
    r->at = r->end;
    return r->error;
}

static inline void skip_blanks(struct json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

enum json_kind json_peek(struct json_reader *r)
{
    skip_blanks(r);
    if (r->at == r->end)
        return JSON_BAD;
    switch (*r->at) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return *r->at == '-' || text_is_digit(*r->at) ? JSON_NUMBER : JSON_BAD;
    }
}

/* ---- containers
 * --------------------------------------------------------------------------------------------------------- */

static struct error enter(struct json_reader *r, char open)
{
    skip_blanks(r);
    if (r->at == r->end || *r->at != open)
        return json_fail(r, ERR_BAD, r->at);
    if (r->depth == JSON_DEPTH_MAX + (MUTANT(deeper_json) ? 1 : 0))
        return json_fail(r, ERR_TOO_DEEP, r->at);
    r->at++;
    r->depth++;
    r->is_first = true;
    return OK;
}

struct error json_enter_object(struct json_reader *r)
{
    return enter(r, '{');
}

struct error json_enter_array(struct json_reader *r)
{
    return enter(r, '[');
}

/* To the next member or element: past the comma if there must be one. False if the container ends here (and after a
 * failure). */
static inline bool next_item(struct json_reader *r, char close)
{
    skip_blanks(r);
    if (UNLIKELY(r->at == r->end)) {
        json_fail(r, ERR_BAD, r->at);
        return false;
    }
    if (*r->at == close) {
        ASSERT(r->depth > 0);
        r->at++;
        r->depth--;
        r->is_first = false;
        return false;
    }
    if (r->is_first) {
        r->is_first = false;
        return true;
    }
    if (UNLIKELY(*r->at != ',')) {
        json_fail(r, ERR_BAD, r->at);
        return false;
    }
    r->at++;
    return true;
}

bool json_next_element(struct json_reader *r)
{
    return next_item(r, ']');
}

/* ---- strings
 * ------------------------------------------------------------------------------------------------------------ */

struct scanned {
    const char *end; /* at the closing quote */
    bool has_escape, has_high;
};

static inline bool is_special(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

/* The first '"', '\\' or control at or after `at`, or `end`. */
static inline const char *find_special(const char *at, const char *end, bool *has_high)
{
    while ((size_t)(end - at) >= SCAN_BYTES) {
        scan_block b = scan_load(at);
        scan_mask special = scan_or(scan_or(scan_is(b, '"'), scan_is(b, '\\')), scan_below(b, 0x20));
        if (scan_any(special)) {
            /* may note bytes behind the special one: that only costs a needless check */
            *has_high |= scan_any(scan_high(b));
            return at + scan_index(special);
        }
        *has_high |= scan_any(scan_high(b));
        at += SCAN_BYTES;
    }
    for (; at < end && !is_special(*at); at++)
        *has_high |= (unsigned char)*at >= 0x80;
    return at;
}

/* `at` is behind the opening quote. False: the reader has failed. */
static bool scan_string(struct json_reader *r, const char *at, struct scanned *ret_scanned)
{
    struct scanned s = { 0 };
    const char *start = at;
    for (;;) {
        at = find_special(at, r->end, &s.has_high);
        if (UNLIKELY(at == r->end || (unsigned char)*at < 0x20)) {
            json_fail(r, ERR_BAD, at);
            return false;
        }
        if (*at == '"')
            break;
        s.has_escape = true;
        if (r->end - at < 2) {
            json_fail(r, ERR_BAD, r->end);
            return false;
        }
        at += 2; /* whatever was escaped is looked at later; a quote must not end the string here */
    }
    if (s.has_high) {
        struct slice text = slice_of(start, (size_t)(at - start));
        size_t valid = text_utf8_valid(text);
        if (valid < text.size) {
            json_fail(r, ERR_BAD, start + valid);
            return false;
        }
    }
    s.end = at;
    *ret_scanned = s;
    return true;
}

/* Four hex digits; 0x10000 if they are not. */
static uint32_t parse_unit(const char *at, const char *end)
{
    uint8_t bytes[2];
    if (end - at < 4 || !text_parse_hex(slice_of(at, 4), bytes, 2))
        return 0x10000;
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* The code point of the \u escape whose digits begin at `at`, and how many bytes follow the 'u'; false if it is none.
 */
static bool parse_unicode(const char *at, const char *end, uint32_t *ret_code_point, size_t *ret_size)
{
    uint32_t unit = parse_unit(at, end);
    if (unit > 0xffff || (unit >= 0xdc00 && unit <= 0xdfff))
        return false;
    if (unit < 0xd800 || unit > 0xdfff) {
        *ret_code_point = unit;
        *ret_size = 4;
        return true;
    }
    if (end - at < 10 || at[4] != '\\' || at[5] != 'u')
        return false;
    uint32_t low = parse_unit(at + 6, end);
    if (low < 0xdc00 || low > 0xdfff)
        return false;
    *ret_code_point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    *ret_size = 10;
    return true;
}

/* What a one-letter escape stands for; 0 if there is no such escape. */
static char simple_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

/* Decodes one escape at the backslash into `out`; *at moves behind it. The number of bytes made, 0 if it is malformed.
 */
static size_t decode_escape(const char **at, const char *end, char out[4])
{
    const char *letter = *at + 1;
    if (*letter == 'u') {
        uint32_t code_point;
        size_t size;
        if (!parse_unicode(letter + 1, end, &code_point, &size))
            return 0;
        *at = letter + 1 + size;
        return text_utf8_encode(code_point, out);
    }
    out[0] = simple_escape(*letter);
    *at = letter + 1;
    return out[0] != 0;
}

/* The text between `at` and `end` with its escapes decoded into `out`, which has room for as much as was written (no
 * escape is shorter than what it stands for). out == NULL: only checks. False: the reader has failed. */
static bool decode_string(struct json_reader *r, const char *at, const char *end, char *out, size_t *ret_size)
{
    size_t size = 0;
    while (at < end) {
        const char *plain = memchr(at, '\\', (size_t)(end - at));
        size_t run = (size_t)((plain ? plain : end) - at);
        if (out)
            memcpy(out + size, at, run);
        size += run;
        at += run;
        if (at == end)
            break;
        const char *escape = at;
        char bytes[4];
        size_t made = decode_escape(&at, end, bytes);
        if (made == 0) {
            json_fail(r, ERR_BAD, escape);
            return false;
        }
        if (out)
            memcpy(out + size, bytes, made);
        size += made;
    }
    *ret_size = size;
    return true;
}

static bool read_escaped(struct json_reader *r, const char *start, const char *end, struct slice *ret_text)
{
    size_t size = (size_t)(end - start);
    if (!arena_room(r->arena, size)) {
        json_fail(r, ERR_NO_MEMORY, start);
        return false;
    }
    char *out = arena_alloc(r->arena, size);
    if (!decode_string(r, start, end, out, &size))
        return false;
    *ret_text = slice_of(out, size);
    return true;
}

/* The string at r->at, which is at its opening quote. ret_text == NULL: only checks. */
static inline bool take_string(struct json_reader *r, struct slice *ret_text)
{
    const char *start = r->at + 1;
    struct scanned s;
    size_t ignored;
    if (!scan_string(r, start, &s))
        return false;
    if (s.has_escape) {
        if (!(ret_text ? read_escaped(r, start, s.end, ret_text) : decode_string(r, start, s.end, NULL, &ignored)))
            return false;
    } else if (ret_text) {
        *ret_text = slice_of(start, (size_t)(s.end - start));
    }
    r->at = s.end + 1;
    return true;
}

static inline bool take_key(struct json_reader *r, struct slice *ret_key)
{
    if (!next_item(r, '}'))
        return false;
    skip_blanks(r);
    if (r->at == r->end || *r->at != '"') {
        json_fail(r, ERR_BAD, r->at);
        return false;
    }
    if (!take_string(r, ret_key))
        return false;
    skip_blanks(r);
    if (r->at == r->end || *r->at != ':') {
        json_fail(r, ERR_BAD, r->at);
        return false;
    }
    r->at++;
    return true;
}

bool json_next_key(struct json_reader *r, struct slice *ret_key)
{
    return take_key(r, ret_key);
}

struct error json_read_string(struct json_reader *r, struct slice *ret_text)
{
    skip_blanks(r);
    if (r->at == r->end || *r->at != '"')
        return json_fail(r, ERR_BAD, r->at);
    return take_string(r, ret_text) ? OK : r->error;
}

/* ---- other scalars
 * ------------------------------------------------------------------------------------------------------ */

/* Past the digits; NULL if there is none. */
static const char *skip_digits(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && text_is_digit(*at))
        at++;
    return at > start ? at : NULL;
}

/* Behind the number at `at`, NULL if there is none: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static const char *number_end(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else
        at = skip_digits(at, end);
    if (at && at < end && *at == '.')
        at = skip_digits(at + 1, end);
    if (at && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = skip_digits(at, end);
    }
    return at;
}

struct error json_read_number(struct json_reader *r, struct slice *ret_literal)
{
    skip_blanks(r);
    const char *start = r->at;
    const char *end = number_end(start, r->end);
    if (!end)
        return json_fail(r, ERR_BAD, start);
    r->at = end;
    *ret_literal = slice_of(start, (size_t)(end - start));
    return OK;
}

static bool take_word(struct json_reader *r, struct slice word)
{
    skip_blanks(r);
    if (!slice_starts(slice_of(r->at, (size_t)(r->end - r->at)), word))
        return false;
    r->at += word.size;
    return true;
}

struct error json_read_bool(struct json_reader *r, bool *ret_value)
{
    bool value = take_word(r, SLICE("true"));
    if (!value && !take_word(r, SLICE("false")))
        return json_fail(r, ERR_BAD, r->at);
    *ret_value = value;
    return OK;
}

struct error json_read_null(struct json_reader *r)
{
    return take_word(r, SLICE("null")) ? OK : json_fail(r, ERR_BAD, r->at);
}

/* ---- whole values
 * ------------------------------------------------------------------------------------------------------- */

/* A scalar, or the opening of a container (its level's bit in *objects tells which). */
static struct error skip_one(struct json_reader *r, uint32_t *objects)
{
    struct slice literal;
    bool value;
    switch (json_peek(r)) {
    case JSON_OBJECT:
        TRY(json_enter_object(r));
        *objects |= 1u << r->depth;
        return OK;
    case JSON_ARRAY:
        TRY(json_enter_array(r));
        *objects &= ~(1u << r->depth);
        return OK;
    case JSON_STRING:
        return take_string(r, NULL) ? OK : r->error;
    case JSON_NUMBER:
        return json_read_number(r, &literal);
    case JSON_TRUE:
    case JSON_FALSE:
        return json_read_bool(r, &value);
    case JSON_NULL:
        return json_read_null(r);
    default:
        return json_fail(r, ERR_BAD, r->at);
    }
}

struct error json_skip(struct json_reader *r)
{
    uint8_t base = r->depth;
    uint32_t objects = 0;
    do {
        TRY(skip_one(r, &objects));
        while (r->depth > base) {
            bool more = objects & 1u << r->depth ? take_key(r, NULL) : json_next_element(r);
            if (failed(r->error))
                return r->error;
            if (more)
                break;
        }
    } while (r->depth > base);
    return OK;
}

struct error json_read_raw(struct json_reader *r, struct slice *ret_value)
{
    skip_blanks(r);
    const char *start = r->at;
    TRY(json_skip(r));
    *ret_value = slice_of(start, (size_t)(r->at - start));
    return OK;
}

struct error json_end(struct json_reader *r)
{
    if (failed(r->error))
        return r->error;
    skip_blanks(r);
    if (r->at < r->end || r->depth > 0)
        return json_fail(r, ERR_BAD, r->at);
    return OK;
}

/* ---- writer
 * ------------------------------------------------------------------------------------------------------------- */

/* The first byte that cannot stand in a string as it is, or `end`. */
static inline const char *find_escaped(const char *at, const char *end)
{
    bool ignored = false;
    return find_special(at, end, &ignored);
}

static void write_escape(struct buf *b, unsigned char c)
{
    static const char letters[0x20] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
    char letter = c < 0x20 ? letters[c] : (char)c;
    if (letter) {
        char *out = buf_reserve(b, 2);
        out[0] = '\\';
        out[1] = letter;
        b->size += 2;
    } else {
        buf_add_lit(b, "\\u00");
        buf_add_hex(b, &c, 1);
    }
}

void json_write_string(struct buf *b, struct slice text)
{
    const char *at = text.data ? text.data : "", *end = at + text.size;
    buf_reserve(b, text.size + 2);
    buf_add_byte(b, '"');
    while (at < end) {
        const char *special = find_escaped(at, end);
        buf_add(b, slice_of(at, (size_t)(special - at)));
        at = special;
        if (at < end)
            write_escape(b, (unsigned char)*at++);
    }
    buf_add_byte(b, '"');
}

void json_write_key(struct buf *b, int *count, struct slice key)
{
    if ((*count)++ > 0)
        buf_add_byte(b, ',');
    json_write_string(b, key);
    buf_add_byte(b, ':');
}
