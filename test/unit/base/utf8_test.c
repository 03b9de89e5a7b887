#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include <stdlib.h>

enum { AROUND = 40 }; /* more than two blocks before and behind what is tested */

/* A copy of exactly that size on the heap, so that a read past its end is seen. */
static struct slice exact(const char *bytes, size_t size)
{
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    return slice_of(copy, size);
}

/* `middle` with up to AROUND letters before and after it, at every place of a block. */
static void check(struct slice middle, size_t valid, bool is_xml)
{
    char text[3 * AROUND];
    for (size_t before = 0; before <= AROUND; before++)
        for (size_t after = 0; after <= AROUND; after += 13) {
            memset(text, 'a', sizeof(text));
            if (middle.size)
                memcpy(text + before, middle.data, middle.size);
            size_t size = before + middle.size + after;
            struct slice s = exact(text, size);
            assert_int_equal(text_utf8_valid(s), valid == middle.size ? size : before + valid);
            assert_int_equal(text_is_xml_chars(s), is_xml);
            free((void *)s.data);
        }
}

static void test_table(void **state)
{
    const struct {
        struct slice text;
        size_t valid;
        bool is_xml;
    } cases[] = {
        { SLICE(""), 0, true },
        { SLICE("plain"), 5, true },
        { SLICE("\t\n\r"), 3, true },
        { SLICE("\x7f"), 1, true },
        { SLICE("\0"), 1, false },
        { SLICE("\x08"), 1, false },
        { SLICE("\x0b"), 1, false },
        { SLICE("\x1f"), 1, false },
        { SLICE("\xc2\x80"), 2, true },
        { SLICE("\xdf\xbf"), 2, true },
        { SLICE("\xe0\xa0\x80"), 3, true },
        { SLICE("\xed\x9f\xbf"), 3, true },
        { SLICE("\xee\x80\x80"), 3, true },
        { SLICE("\xef\xbf\xbd"), 3, true },
        { SLICE("\xef\xbf\xbe"), 3, false },
        { SLICE("\xef\xbf\xbf"), 3, false },
        { SLICE("\xef\xb7\x90"), 3, true },
        { SLICE("\xf0\x90\x80\x80"), 4, true },
        { SLICE("\xf0\x9f\x98\x80"), 4, true },
        { SLICE("\xf0\x9f\xbf\xbf"), 4, true },
        { SLICE("\xf4\x8f\xbf\xbf"), 4, true },
        /* refused: alone, overlong, surrogates, too large, cut, wrong tails */
        { SLICE("\x80"), 0, false },
        { SLICE("\xbf"), 0, false },
        { SLICE("\xc0\x80"), 0, false },
        { SLICE("\xc1\xbf"), 0, false },
        { SLICE("\xe0\x80\x80"), 0, false },
        { SLICE("\xe0\x9f\xbf"), 0, false },
        { SLICE("\xed\xa0\x80"), 0, false },
        { SLICE("\xed\xbf\xbf"), 0, false },
        { SLICE("\xed\xa0\xbd\xed\xb8\x80"), 0, false },
        { SLICE("\xf0\x80\x80\x80"), 0, false },
        { SLICE("\xf0\x8f\xbf\xbf"), 0, false },
        { SLICE("\xf4\x90\x80\x80"), 0, false },
        { SLICE("\xf5\x80\x80\x80"), 0, false },
        { SLICE("\xf8\x88\x80\x80\x80"), 0, false },
        { SLICE("\xfe"), 0, false },
        { SLICE("\xff"), 0, false },
        { SLICE("\xc3"), 0, false },
        { SLICE("\xe2\x82"), 0, false },
        { SLICE("\xf0\x9f\x98"), 0, false },
        { SLICE("\xc3\xc3\xa9"), 0, false },
        { SLICE("\xe2\x28\xa1"), 0, false },
        { SLICE("\xe2\x82\x28"), 0, false },
        { SLICE("\xf0\x28\x8c\xbc"), 0, false },
        { SLICE("\xf0\x90\x28\xbc"), 0, false },
        { SLICE("\xf0\x90\x8c\x28"), 0, false },
        { SLICE("\xc3\xa9\xff"), 2, false },
        { SLICE("ok\xe2\x82\xac\xe2"), 5, false },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        check(cases[i].text, cases[i].valid, cases[i].is_xml);
    assert_int_equal(text_utf8_valid(SLICE_NONE), 0);
    assert_true(text_is_xml_chars(SLICE_NONE));
}

/* What XML 1.0 calls Char, as its grammar says it. */
static bool is_char(uint32_t c)
{
    return c == 0x9 || c == 0xa || c == 0xd || (c >= 0x20 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) ||
           (c >= 0x10000 && c <= 0x10ffff);
}

static void test_every_code_point(void **state)
{
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char bytes[4];
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        size_t size = text_utf8_encode(c, bytes);
        struct slice s = slice_of(bytes, size);
        assert_int_equal(text_utf8_valid(s), size);
        assert_int_equal(text_is_xml_chars(s), is_char(c));
        if (size > 1)
            assert_int_equal(text_utf8_valid(slice_head(s, size - 1)), 0);
    }
}

/* A second opinion, from the code points: decodes and looks at the range. */
static bool slow_is_valid(const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t tails = at[i] < 0x80 ? 0 : (at[i] & 0xe0) == 0xc0 ? 1 : (at[i] & 0xf0) == 0xe0 ? 2 : 3;
        const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
        if (at[i] >= 0x80 && ((at[i] & 0xc0) == 0x80 || at[i] >= 0xf8))
            return false;
        uint32_t c = tails ? at[i] & (0x3fu >> tails) : at[i];
        for (size_t k = 1; k <= tails; k++) {
            if (i + k >= size || (at[i + k] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (at[i + k] & 0x3f);
        }
        if (c < least[tails] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
        i += 1 + tails;
    }
    return true;
}

static void test_all_short_sequences(void **state)
{
    const uint8_t interesting[] = { 0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
        0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff };
    enum { N = sizeof(interesting) };
    size_t good = 0;
    for (size_t n = 0; n < N * N * N * N; n++) {
        uint8_t bytes[4] = { interesting[n % N], interesting[n / N % N], interesting[n / N / N % N],
            interesting[n / N / N / N] };
        bool valid = text_utf8_valid(slice_of(bytes, 4)) == 4;
        assert_int_equal(valid, slow_is_valid(bytes, 4));
        good += valid;
    }
    assert_true(good > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_all_short_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
