#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include <stdio.h>
#include <time.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return *seed >> 33;
}

/* ---- numbers --------------------------------------------------------------------------------------------------------
 */

static void test_parse_u64(void **state)
{
    const struct {
        const char *text;
        bool good;
        uint64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "7", true, 7 },
        { "007", true, 7 },
        { "18446744073709551615", true, UINT64_MAX },
        { "000000000000000000000000000001", true, 1 },
        { "18446744073709551616", false, 0 },
        { "18446744073709551620", false, 0 },
        { "99999999999999999999", false, 0 },
        { "", false, 0 },
        { "-1", false, 0 },
        { "+1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "1.0", false, 0 },
        { "1e3", false, 0 },
        { "0x10", false, 0 },
        { "/", false, 0 },
        { ":", false, 0 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint64_t value = 12345;
        assert_int_equal(text_parse_u64(slice_str(cases[i].text), &value), cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].value : 12345);
    }
    uint64_t value = 1;
    assert_false(text_parse_u64(SLICE_NONE, &value));
    assert_false(text_parse_u64(SLICE("1\0"), &value));
}

static void test_parse_i64(void **state)
{
    const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "-1", true, -1 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "-", false, 0 },
        { "--1", false, 0 },
        { "", false, 0 },
        { "1-", false, 0 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int64_t value = 12345;
        assert_int_equal(text_parse_i64(slice_str(cases[i].text), &value), cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].value : 12345);
    }
}

static void test_format_parses_back(void **state)
{
    uint64_t seed = 3;
    for (int i = 0; i < 20000; i++) {
        uint64_t value = (next_random(&seed) << 33 ^ next_random(&seed)) >> i % 64, back = 0;
        char out[20];
        size_t size = text_format_u64(value, out);
        assert_true(size >= 1 && size <= 20);
        assert_true(size == 1 || out[0] != '0');
        assert_true(text_parse_u64(slice_of(out, size), &back));
        assert_int_equal(back, value);
    }
}

/* ---- hex and base64
 * --------------------------------------------------------------------------------------------------- */

static void test_hex(void **state)
{
    uint8_t all[256], back[256];
    char text[512];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    text_format_hex(all, sizeof(all), text);
    assert_true(slice_starts(slice_of(text, 512), SLICE("000102030405060708090a0b0c0d0e0f10")));
    assert_true(text_parse_hex(slice_of(text, 512), back, 256));
    assert_memory_equal(all, back, 256);
    assert_true(text_parse_hex(SLICE("aAfF"), back, 2));
    assert_memory_equal(back, "\xaa\xff", 2);
    const char *bad[] = { "", "a", "abc", "abcde", "gg00", "0x00", "ab g", "zzzz", "abcdef" };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        memcpy(back, "keep", 4);
        assert_false(text_parse_hex(slice_str(bad[i]), back, 2));
        assert_memory_equal(back, "keep", 4);
    }
}

/* Every byte at every place, in texts of all lengths around the steps, from and to odd addresses, and not a byte more. */
static void test_format_hex_like_libc(void **state)
{
    enum { MOST = 70, GUARD = 4 };
    char digits[256][3], wanted[2 * MOST + 1], text[2 * MOST + 2 * GUARD];
    uint8_t bytes[MOST + GUARD];
    struct arena arena;
    arena_init(&arena, MIB);
    for (int byte = 0; byte < 256; byte++)
        snprintf(digits[byte], sizeof(digits[byte]), "%02x", (unsigned)byte);
    for (size_t size = 0; size <= MOST; size++)
        for (int round = 0; round < 256; round++) {
            uint8_t *from = bytes + round % GUARD;
            char *to = text + 1 + (size_t)round / 4 % (GUARD - 1);
            for (size_t i = 0; i < size; i++) {
                from[i] = (uint8_t)(i * 29 + (size_t)round);
                memcpy(wanted + 2 * i, digits[from[i]], 2);
            }
            memset(text, '?', sizeof(text));
            text_format_hex(from, size, to);
            assert_memory_equal(to, wanted, 2 * size);
            assert_int_equal(to[-1], '?');
            assert_int_equal(to[2 * size], '?');
            struct slice copy = text_hex(&arena, slice_of(from, size));
            assert_true(slice_equal(copy, slice_of(wanted, 2 * size)));
            arena_reset(&arena);
        }
    arena_deinit(&arena);
}

static void test_uuids(void **state)
{
    for (int round = 0; round < 256; round++) {
        uint8_t b[17];
        char text[38], wanted[38];
        for (size_t i = 0; i < sizeof(b); i++)
            b[i] = (uint8_t)(i * 17 + (size_t)round);
        const uint8_t *u = b + 1;
        snprintf(wanted, sizeof(wanted), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
            u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
        memset(text, '?', sizeof(text));
        text_format_uuid(u, text);
        assert_string_equal(text, wanted);
        assert_int_equal(text[37], '?');
    }
}

static void test_base64_vectors_of_rfc_4648(void **state)
{
    const struct {
        const char *plain, *standard, *url;
    } cases[] = {
        { "", "", "" },
        { "f", "Zg==", "Zg" },
        { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg==", "Zm9vYg" },
        { "fooba", "Zm9vYmE=", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
        { "\xfb\xff\xfe", "+//+", "-__-" },
        { "\xff", "/w==", "_w" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char out[32];
        size_t plain_size = strlen(cases[i].plain), size;
        size = text_base64_encode(cases[i].plain, plain_size, out);
        assert_true(slice_equal(slice_of(out, size), slice_str(cases[i].standard)));
        assert_int_equal(size, BASE64_ENCODED_BYTES(plain_size));
        size = text_base64url_encode(cases[i].plain, plain_size, out);
        assert_true(slice_equal(slice_of(out, size), slice_str(cases[i].url)));
        assert_true(text_base64_decode(slice_str(cases[i].standard), out, &size));
        assert_true(slice_equal(slice_of(out, size), slice_str(cases[i].plain)));
        assert_true(text_base64url_decode(slice_str(cases[i].url), out, &size));
        assert_true(slice_equal(slice_of(out, size), slice_str(cases[i].plain)));
    }
}

static void test_base64_refuses(void **state)
{
    const char *bad[] = { "Z", "Zg", "Zg=", "Zg===", "Zm8", "=", "==", "====", "Z===", "Zm9v=", "Zg==Zg==", "Zm 9",
        "Zm9v\n", "Zm9-", "Zm9_", "Zm=v", "Z=9v", "Zh==", "Zm9=", "Z\x80==", "Zm9vZ===", "Zm9vZm9*" };
    char out[32];
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        size_t size = 77;
        assert_false(text_base64_decode(slice_str(bad[i]), out, &size));
        assert_int_equal(size, 77);
    }
    const char *bad_url[] = { "Z", "Zg==", "Zh", "Zm9", "Zm9+", "Zm9/", "Zm9vZ" };
    for (size_t i = 0; i < ARRAY_COUNT(bad_url); i++) {
        size_t size = 77;
        assert_false(text_base64url_decode(slice_str(bad_url[i]), out, &size));
        assert_int_equal(size, 77);
    }
}

static void test_base64_of_random_bytes_comes_back(void **state)
{
    uint8_t bytes[200], back[300];
    char text[300];
    uint64_t seed = 5;
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)next_random(&seed);
        size_t got, encoded = text_base64_encode(bytes, size, text);
        assert_true(text_base64_decode(slice_of(text, encoded), back, &got));
        assert_int_equal(got, size);
        assert_memory_equal(back, bytes, size);
        encoded = text_base64url_encode(bytes, size, text);
        assert_true(text_base64url_decode(slice_of(text, encoded), back, &got));
        assert_int_equal(got, size);
        assert_memory_equal(back, bytes, size);
    }
}

/* ---- percent-encoding
 * ------------------------------------------------------------------------------------------------- */

static void test_percent_encode(void **state)
{
    const struct {
        const char *plain, *all, *slashes;
    } cases[] = {
        { "", "", "" },
        { "AZaz09-._~", "AZaz09-._~", "AZaz09-._~" },
        { "a/b c", "a%2Fb%20c", "a/b%20c" },
        { "+*%", "%2B%2A%25", "%2B%2A%25" },
        { "\xc3\xa9\x7f", "%C3%A9%7F", "%C3%A9%7F" },
    };
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        buf_reset(&b);
        text_percent_encode(&b, slice_str(cases[i].plain), false);
        assert_true(slice_equal(buf_slice(&b), slice_str(cases[i].all)));
        buf_reset(&b);
        text_percent_encode(&b, slice_str(cases[i].plain), true);
        assert_true(slice_equal(buf_slice(&b), slice_str(cases[i].slashes)));
    }
    buf_deinit(&b);
}

static void test_percent_decode(void **state)
{
    const struct {
        const char *text, *plain, *form; /* NULL: refused */
    } cases[] = {
        { "", "", "" },
        { "abc", "abc", "abc" },
        { "a+b", "a+b", "a b" },
        { "a%2Bb+%20", "a+b+ ", "a+b  " },
        { "%41%6a%6A", "Ajj", "Ajj" },
        { "%2541", "%41", "%41" },
        { "%ff", "\xff", "\xff" },
        { "%", NULL, NULL },
        { "a%4", NULL, NULL },
        { "%g0", NULL, NULL },
        { "%0g", NULL, NULL },
        { "%%41", NULL, NULL },
        { "+%4", NULL, NULL },
        { "% 41", NULL, NULL },
    };
    struct arena a;
    arena_init(&a, MIB);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct slice text;
        assert_int_equal(text_percent_decode(&a, slice_str(cases[i].text), false, &text), cases[i].plain != NULL);
        if (cases[i].plain)
            assert_true(slice_equal(text, slice_str(cases[i].plain)) && !slice_is_none(text));
        assert_int_equal(text_percent_decode(&a, slice_str(cases[i].text), true, &text), cases[i].form != NULL);
        if (cases[i].form)
            assert_true(slice_equal(text, slice_str(cases[i].form)));
    }
    struct slice zero, plain = SLICE("plain");
    /* the digit behind the end does not count */
    assert_false(text_percent_decode(&a, slice_head(SLICE("a%41"), 3), false, &zero));
    assert_false(text_percent_decode(&a, slice_head(SLICE("a%41"), 2), false, &zero));
    assert_true(text_percent_decode(&a, SLICE("%00"), false, &zero));
    assert_true(slice_equal(zero, SLICE("\0")));
    assert_true(text_percent_decode(&a, SLICE_NONE, true, &zero));
    assert_false(slice_is_none(zero));
    assert_true(text_percent_decode(&a, plain, true, &zero));
    assert_ptr_equal(zero.data, plain.data); /* no copy */
    arena_deinit(&a);
}

static void test_percent_round_trip(void **state)
{
    struct arena a;
    struct buf b;
    char all[256];
    struct slice back;
    arena_init(&a, MIB);
    buf_init(&b);
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    text_percent_encode(&b, slice_of(all, 256), false);
    assert_true(text_percent_decode(&a, buf_slice(&b), true, &back));
    assert_true(slice_equal(back, slice_of(all, 256)));
    buf_deinit(&b);
    arena_deinit(&a);
}

/* ---- dates
 * ------------------------------------------------------------------------------------------------------------ */

static void test_known_dates(void **state)
{
    const struct {
        int64_t epoch_s;
        const char *iso, *http;
    } cases[] = {
        { 0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT" },
        { 784111777, "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT" }, /* RFC 9110 */
        { -1, "1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 GMT" },
        { 951782400, "2000-02-29T00:00:00Z", "Tue, 29 Feb 2000 00:00:00 GMT" },
        { 4107542400, "2100-03-01T00:00:00Z", "Mon, 01 Mar 2100 00:00:00 GMT" },
        { 253402300799, "9999-12-31T23:59:59Z", "Fri, 31 Dec 9999 23:59:59 GMT" },
        { -62167219200, "0000-01-01T00:00:00Z", "Sat, 01 Jan 0000 00:00:00 GMT" },
        { INT64_MAX, "9999-12-31T23:59:59Z", "Fri, 31 Dec 9999 23:59:59 GMT" },
        { INT64_MIN, "0000-01-01T00:00:00Z", "Sat, 01 Jan 0000 00:00:00 GMT" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char iso[21], http[30];
        text_format_iso8601(cases[i].epoch_s, iso);
        text_format_http_date(cases[i].epoch_s, http);
        assert_string_equal(iso, cases[i].iso);
        assert_string_equal(http, cases[i].http);
    }
}

static void test_dates_like_libc(void **state)
{
    uint64_t seed = 11;
    for (int i = 0; i < 100000; i++) {
        int64_t epoch_s = (int64_t)(next_random(&seed) << 20 ^ next_random(&seed)) % 253402300800, back;
        time_t t = (time_t)epoch_s;
        struct tm tm;
        char iso[21], http[30], expected[40];
        assert_non_null(gmtime_r(&t, &tm));
        text_format_iso8601(epoch_s, iso);
        text_format_http_date(epoch_s, http);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_string_equal(iso, expected);
        strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_string_equal(http, expected);
        assert_true(text_parse_amz_date(slice_of(iso, 20), &back));
        assert_int_equal(back, epoch_s);
        strftime(expected, sizeof(expected), "%Y%m%dT%H%M%SZ", &tm);
        assert_true(text_parse_amz_date(slice_str(expected), &back));
        assert_int_equal(back, epoch_s);
    }
}

static void test_dates_refused(void **state)
{
    const char *bad[] = { "", "20260131", "20260131T235959", "20260131T235959z", "20260131t235959Z",
        "20260131T235959ZZ", "20261331T235959Z", "20260001T000000Z", "20260100T000000Z", "20260132T000000Z",
        "20260229T000000Z", "21000229T000000Z", "20260431T000000Z", "20260131T240000Z", "20260131T236000Z",
        "20260131T235960Z", "2026013aT000000Z", "-0260131T000000Z", "+0260131T000000Z", "2026-01-31T23:59:59",
        "2026-01-31 23:59:59Z", "2026/01/31T23:59:59Z", "2026-01-31T23:59:5 Z", "2026-0131T23:59:59ZZ",
        " 0260131T000000Z" };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        int64_t epoch_s = 5;
        assert_false(text_parse_amz_date(slice_str(bad[i]), &epoch_s));
        assert_int_equal(epoch_s, 5);
    }
    int64_t epoch_s;
    assert_true(text_parse_amz_date(SLICE("20000229T000000Z"), &epoch_s));
}

static void parent_directories(void **state)
{
    (void)state;
    static const char *const cases[][2] = { { "/a/b", "/a" }, { "/a/b//", "/a" }, { "/a//b", "/a" }, { "/a", "/" },
        { "/", "/" }, { "//", "/" }, { "a/b", "a" }, { "./a", "." }, { "a", "." }, { "a/", "." }, { "", "." } };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct slice parent = text_parent_dir(cases[i][0]);
        if (!slice_equal(parent, slice_str(cases[i][1])))
            fail_msg("'%s': '%.*s', wanted '%s'", cases[i][0], SLICE_ARG(parent), cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parent_directories),
        cmocka_unit_test(test_parse_u64),
        cmocka_unit_test(test_parse_i64),
        cmocka_unit_test(test_format_parses_back),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_format_hex_like_libc),
        cmocka_unit_test(test_uuids),
        cmocka_unit_test(test_base64_vectors_of_rfc_4648),
        cmocka_unit_test(test_base64_refuses),
        cmocka_unit_test(test_base64_of_random_bytes_comes_back),
        cmocka_unit_test(test_percent_encode),
        cmocka_unit_test(test_percent_decode),
        cmocka_unit_test(test_percent_round_trip),
        cmocka_unit_test(test_known_dates),
        cmocka_unit_test(test_dates_like_libc),
        cmocka_unit_test(test_dates_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
