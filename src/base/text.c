/* text.c: numbers, hex, base64, percent-encoding, dates (text.h). UTF-8 is in utf8.c. */
#include "base/text.h"

#include <endian.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ---- numbers --------------------------------------------------------------------------------------------------------
 */

bool text_parse_u64(struct slice s, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (!text_is_digit(s.data[i]))
            return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (unsigned)(s.data[i] - '0'), &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool text_parse_i64(struct slice s, int64_t *ret_value)
{
    uint64_t magnitude;
    bool negative = s.size && s.data[0] == '-';
    if (!text_parse_u64(slice_from(s, negative), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                  "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

size_t text_format_u64(uint64_t value, char out[20])
{
    char digits[20];
    char *at = digits + sizeof(digits);
    while (value >= 100) {
        at -= 2;
        memcpy(at, digit_pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(at, digit_pairs + 2 * value, 2);
    } else {
        *--at = (char)('0' + value);
    }
    size_t size = (size_t)(digits + sizeof(digits) - at);
    memcpy(out, at, size);
    return size;
}

/* ---- hex ------------------------------------------------------------------------------------------------------------
 */

static int hex_value(char c)
{
    if (text_is_digit(c))
        return c - '0';
    char lower = text_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool text_parse_hex(struct slice s, void *out, size_t size)
{
    if (s.size % 2 || s.size / 2 != size)
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (hex_value(s.data[i]) < 0)
            return false;
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(16 * hex_value(s.data[2 * i]) + hex_value(s.data[2 * i + 1]));
    return true;
}

#ifdef __SSE2__
static __m128i hex_digits(__m128i nibbles)
{
    __m128i is_letter = _mm_cmpgt_epi8(nibbles, _mm_set1_epi8(9));
    __m128i more = _mm_and_si128(is_letter, _mm_set1_epi8('a' - '0' - 10));
    return _mm_add_epi8(_mm_add_epi8(nibbles, _mm_set1_epi8('0')), more);
}

static void format_sixteen(const uint8_t *b, char *out)
{
    __m128i x = _mm_loadu_si128((const __m128i *)b), four_bits = _mm_set1_epi8(15);
    __m128i high = _mm_and_si128(_mm_srli_epi16(x, 4), four_bits), low = _mm_and_si128(x, four_bits);
    _mm_storeu_si128((__m128i *)out, hex_digits(_mm_unpacklo_epi8(high, low)));
    _mm_storeu_si128((__m128i *)(out + 16), hex_digits(_mm_unpackhi_epi8(high, low)));
}
#endif

void text_format_hex(const void *bytes, size_t size, char *out)
{
    const uint8_t *b = bytes;
#ifdef __SSE2__
    for (; size >= 16; size -= 16, b += 16, out += 32)
        format_sixteen(b, out);
#endif
    /* four bytes at a time: nibbles spread over eight lanes, then '0' + n, and 39 more from ten on */
    for (; size >= 4; size -= 4, b += 4, out += 8) {
        uint32_t four;
        memcpy(&four, b, 4);
        uint64_t x = le32toh(four);
        x = (x | x << 16) & 0x0000ffff0000ffffull;
        x = (x | x << 8) & 0x00ff00ff00ff00ffull;
        x = (x >> 4 & 0x000f000f000f000full) | (x & 0x000f000f000f000full) << 8;
        uint64_t is_letter = (x + 0x0606060606060606ull) >> 4 & 0x0101010101010101ull;
        x += 0x3030303030303030ull + is_letter * 39;
        x = htole64(x);
        memcpy(out, &x, 8);
    }
    static const char digits[] = "0123456789abcdef";
    for (; size; size--, b++) {
        *out++ = digits[*b >> 4];
        *out++ = digits[*b & 15];
    }
}

struct slice text_hex(struct arena *a, struct slice bytes)
{
    char *text = arena_alloc(a, 2 * bytes.size);
    text_format_hex(bytes.data, bytes.size, text);
    return slice_of(text, 2 * bytes.size);
}

void text_format_uuid(const uint8_t bytes[16], char out[37])
{
    char digits[32];
    text_format_hex(bytes, 16, digits);
    memcpy(out, digits, 8);
    memcpy(out + 9, digits + 8, 4);
    memcpy(out + 14, digits + 12, 4);
    memcpy(out + 19, digits + 16, 4);
    memcpy(out + 24, digits + 20, 12);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[36] = 0;
}

/* ---- base64 ---------------------------------------------------------------------------------------------------------
 */

static const char base64_standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t base64_encode(const void *bytes, size_t size, const char *alphabet, bool padded, char *out)
{
    const uint8_t *b = bytes;
    char *at = out;
    for (; size >= 3; size -= 3, b += 3) {
        uint32_t group = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        *at++ = alphabet[group >> 6 & 63];
        *at++ = alphabet[group & 63];
    }
    if (size) {
        uint32_t group = (uint32_t)b[0] << 16 | (size == 2 ? (uint32_t)b[1] << 8 : 0);
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        if (size == 2)
            *at++ = alphabet[group >> 6 & 63];
        for (size_t i = size; padded && i < 3; i++)
            *at++ = '=';
    }
    return (size_t)(at - out);
}

#define BASE64_VALUES_COMMON                                                                                           \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10,     \
    ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,        \
    ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,        \
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,        \
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46,        \
    ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,        \
    ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62

/* value + 1; 0: not in the alphabet */
static const uint8_t standard_values[256] = { BASE64_VALUES_COMMON, ['+'] = 63, ['/'] = 64 };
static const uint8_t url_values[256] = { BASE64_VALUES_COMMON, ['-'] = 63, ['_'] = 64 };

/* `s` without its padding. The bits of the last character that belong to no byte must be zero. */
static bool base64_decode(struct slice s, const uint8_t *values, uint8_t *out, size_t *ret_size)
{
    const uint8_t *at = (const uint8_t *)s.data;
    uint8_t *to = out;
    size_t left = s.size;
    for (; left >= 4; left -= 4, at += 4) {
        uint32_t a = values[at[0]], b = values[at[1]], c = values[at[2]], d = values[at[3]];
        if (!a || !b || !c || !d)
            return false;
        uint32_t group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        *to++ = (uint8_t)(group >> 16);
        *to++ = (uint8_t)(group >> 8);
        *to++ = (uint8_t)group;
    }
    if (left == 1)
        return false;
    if (left) {
        uint32_t a = values[at[0]], b = values[at[1]], c = left == 3 ? values[at[2]] : 1;
        if (!a || !b || !c)
            return false;
        uint32_t group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6;
        if (group & (left == 2 ? 0xffffu : 0xffu))
            return false;
        *to++ = (uint8_t)(group >> 16);
        if (left == 3)
            *to++ = (uint8_t)(group >> 8);
    }
    *ret_size = (size_t)(to - out);
    return true;
}

size_t text_base64_encode(const void *bytes, size_t size, char *out)
{
    return base64_encode(bytes, size, base64_standard, true, out);
}

size_t text_base64url_encode(const void *bytes, size_t size, char *out)
{
    return base64_encode(bytes, size, base64_url, false, out);
}

bool text_base64_decode(struct slice s, void *out, size_t *ret_size)
{
    if (s.size % 4)
        return false;
    size_t padding = 0;
    while (padding < 2 && padding < s.size && s.data[s.size - 1 - padding] == '=')
        padding++;
    return base64_decode(slice_head(s, s.size - padding), standard_values, out, ret_size);
}

bool text_base64url_decode(struct slice s, void *out, size_t *ret_size)
{
    return base64_decode(s, url_values, out, ret_size);
}

/* ---- percent-encoding -----------------------------------------------------------------------------------------------
 */

static bool is_unreserved(char c)
{
    return text_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void text_percent_encode(struct buf *b, struct slice s, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    char *at = buf_reserve(b, 3 * s.size);
    char *start = at;
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        if (is_unreserved(c) || (keep_slash && c == '/')) {
            *at++ = c;
        } else {
            *at++ = '%';
            *at++ = digits[(unsigned char)c >> 4];
            *at++ = digits[(unsigned char)c & 15];
        }
    }
    b->size += (size_t)(at - start);
}

bool text_percent_decode(struct arena *a, struct slice s, bool form, struct slice *ret_text)
{
    size_t plain = slice_find(s, '%');
    if (form)
        plain = slice_find(slice_head(s, plain), '+');
    if (plain == s.size) {
        *ret_text = s.data ? s : SLICE("");
        return true;
    }
    char *out = arena_alloc(a, s.size);
    memcpy(out, s.data, plain);
    char *to = out + plain;
    for (size_t i = plain; i < s.size; i++) {
        char c = s.data[i];
        if (c == '%') {
            if (s.size - i < 3)
                return false;
            int high = hex_value(s.data[i + 1]), low = hex_value(s.data[i + 2]);
            if (high < 0 || low < 0)
                return false;
            *to++ = (char)(high << 4 | low);
            i += 2;
        } else {
            *to++ = form && c == '+' ? ' ' : c;
        }
    }
    *ret_text = slice_of(out, (size_t)(to - out));
    return true;
}

/* ---- dates ----------------------------------------------------------------------------------------------------------
 */

enum { DAY_S = 24 * 60 * 60 };

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back. The year is counted from March, so that the leap
 * day is the last one of a year; 400 years are 146,097 days. Years here are 0..9999: nothing gets negative but the
 * result. */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
    int64_t months = (month + 9) % 12;
    int64_t years = year + 400 - (month <= 2);
    int64_t day_of_year = (153 * months + 2) / 5 + day - 1;
    return years * 365 + years / 4 - years / 100 + years / 400 + day_of_year - 146097 - 719468;
}

struct date {
    int year, month, day, hour, minute, second, week_day; /* week_day: 0 is Sunday */
};

/* Times outside of the years 0..9999 give the first or the last second of them: the texts have four digits. */
static struct date date_of_epoch(int64_t epoch_s)
{
    const int64_t first = -62167219200, last = 253402300799;
    epoch_s = epoch_s < first ? first : epoch_s > last ? last : epoch_s;
    int64_t days = (epoch_s - first) / DAY_S; /* since 0000-01-01, a Saturday */
    int64_t seconds = (epoch_s - first) % DAY_S;
    int64_t shifted = days - 60 + 146097; /* since -400-03-01 */
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t months = (5 * day_of_year + 2) / 153;
    int64_t month = months < 10 ? months + 3 : months - 9;
    return (struct date){
        .year = (int)(era * 400 + year_of_era - 400 + (month <= 2)),
        .month = (int)month,
        .day = (int)(day_of_year - (153 * months + 2) / 5 + 1),
        .hour = (int)(seconds / 3600),
        .minute = (int)(seconds / 60 % 60),
        .second = (int)(seconds % 60),
        .week_day = (int)((days + 6) % 7),
    };
}

static bool parse_digits(const char *at, int count, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (!text_is_digit(at[i]))
            return false;
        value = value * 10 + (at[i] - '0');
    }
    *ret_value = value;
    return true;
}

static int days_in_month(int year, int month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool text_parse_amz_date(struct slice s, int64_t *ret_epoch_s)
{
    static const char basic[] = "########T######Z", extended[] = "####-##-##T##:##:##Z";
    const char *form = s.size == sizeof(basic) - 1 ? basic : extended;
    char digits[14];
    size_t count = 0;
    if (s.size != sizeof(basic) - 1 && s.size != sizeof(extended) - 1)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (form[i] == '#')
            digits[count++] = s.data[i];
        else if (s.data[i] != form[i])
            return false;
    }
    int year, month, day, hour, minute, second;
    if (!parse_digits(digits, 4, &year) || !parse_digits(digits + 4, 2, &month) || !parse_digits(digits + 6, 2, &day) ||
        !parse_digits(digits + 8, 2, &hour) || !parse_digits(digits + 10, 2, &minute) ||
        !parse_digits(digits + 12, 2, &second))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *ret_epoch_s = days_of_date(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
    return true;
}

static char *put_digits(char *at, int value, int count)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + count;
}

static char *put_clock(char *at, const struct date *d)
{
    at = put_digits(at, d->hour, 2);
    *at++ = ':';
    at = put_digits(at, d->minute, 2);
    *at++ = ':';
    return put_digits(at, d->second, 2);
}

void text_format_iso8601(int64_t epoch_s, char out[21])
{
    struct date d = date_of_epoch(epoch_s);
    char *at = put_digits(out, d.year, 4);
    *at++ = '-';
    at = put_digits(at, d.month, 2);
    *at++ = '-';
    at = put_digits(at, d.day, 2);
    *at++ = 'T';
    at = put_clock(at, &d);
    at[0] = 'Z';
    at[1] = '\0';
}

void text_format_http_date(int64_t epoch_s, char out[30])
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct date d = date_of_epoch(epoch_s);
    memcpy(out, days + 3 * (size_t)d.week_day, 3);
    out[3] = ',';
    out[4] = ' ';
    char *at = put_digits(out + 5, d.day, 2);
    *at++ = ' ';
    memcpy(at, months + 3 * (size_t)(d.month - 1), 3);
    at += 3;
    *at++ = ' ';
    at = put_digits(at, d.year, 4);
    *at++ = ' ';
    at = put_clock(at, &d);
    memcpy(at, " GMT", 5);
}

struct slice text_parent_dir(const char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    while (size > 1 && path[size - 1] == '/')
        size--;
    return size ? slice_of(path, size) : SLICE(".");
}
