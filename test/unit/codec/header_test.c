/* header_test.c: a field is found by its name whatever the case, and by no other name, however alike their keys are. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "codec/header.h"

enum { NAME_BYTES_MAX = 20 };
static const char lower_case[] = "x-amz-content-sha256";
static_assert(sizeof lower_case == NAME_BYTES_MAX + 1, "");

static bool plain_is(struct slice a, struct slice b)
{
    for (size_t index = 0; index < a.size && a.size == b.size; index++) {
        if (text_lower(a.data[index]) != text_lower(b.data[index]))
            return false;
    }
    return a.size == b.size;
}

static void expect_found(struct slice given, struct slice asked)
{
    struct header h = header_of(given, SLICE("v"));
    bool is_same = plain_is(given, asked);
    if (header_is(&h, asked) != is_same || slice_is_none(header_find(&h, 1, asked)) == is_same)
        fail_msg("'%.*s' and '%.*s'", SLICE_ARG(given), SLICE_ARG(asked));
    if (is_same)
        assert_int_equal(h.key, header_key(asked));
}

static void names_are_equal_whatever_their_case(void **state)
{
    char given[NAME_BYTES_MAX], asked[NAME_BYTES_MAX];
    uint32_t random = 1;
    for (size_t size = 0; size <= NAME_BYTES_MAX; size++)
        for (int round = 0; round < 500; round++) {
            for (size_t at = 0; at < size; at++) {
                char c = lower_case[(at + (size_t)round) % NAME_BYTES_MAX];
                random = random * 1664525 + 1013904223;
                given[at] = text_is_alpha(c) && random >> 30 & 1 ? (char)(c ^ 0x20) : c;
                asked[at] = text_is_alpha(c) && random >> 31 & 1 ? (char)(c ^ 0x20) : c;
            }
            assert_true(plain_is(slice_of(given, size), slice_of(asked, size)));
            expect_found(slice_of(given, size), slice_of(asked, size));
        }
}

/* Each byte at each place, with each of its bits the other way: 0x20 is case for letters only. */
static void a_bit_makes_another_name(void **state)
{
    char given[NAME_BYTES_MAX + 1], asked[NAME_BYTES_MAX + 1];
    for (size_t size = 1; size <= NAME_BYTES_MAX; size++)
        for (size_t at = 0; at < size; at++) {
            memcpy(given, lower_case, sizeof given);
            memcpy(asked, lower_case, sizeof asked);
            for (int byte = 0; byte < 256; byte++)
                for (int bit = 0; bit < 8; bit++) {
                    given[at] = (char)byte;
                    asked[at] = (char)(byte ^ 1 << bit);
                    expect_found(slice_of(given, size), slice_of(asked, size));
                }
        }
}

static void other_names_are_not_found(void **state)
{
    static const struct {
        const char *given, *asked;
    } rows[] = {
        { "a@b", "a`b" },
        { "[", "{" },
        { "a]", "a}" },
        { "x\\yz", "x|yz" },
        { "^^^^^", "~~~~~" },
        { "a_", "a\x7f" },
        { "abc", "abcd" },
        { "abcd", "abc" },
        { "abcd", "bcd" },
        { "", "a" },
        { "a", "" },
        { "x-amz-aaaa-date", "x-amz-bbbb-date" }, /* their ends are the same */
        { "x-amz-date", "x-amz--date" },
        { "abcabc", "abccabc" },
        { "aaaaa", "aaaa" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct header h = header_of(slice_str(rows[row].given), SLICE("v"));
        if (header_is(&h, slice_str(rows[row].asked)) || !slice_is_none(header_find(&h, 1, slice_str(rows[row].asked))))
            fail_msg("'%s' and '%s'", rows[row].given, rows[row].asked);
    }
}

static void the_first_of_a_name_is_found(void **state)
{
    const struct header headers[] = {
        header_of(SLICE("x-amz-aaaa-date"), SLICE("0")),
        header_of(SLICE("Host"), SLICE("1")),
        header_of(SLICE("x-amz-bbbb-date"), SLICE("2")),
        header_of(SLICE("HOST"), SLICE("3")),
        header_of(SLICE("te"), SLICE("")),
        header_of(SLICE("te"), SLICE("5")),
        header_of(SLICE("X-AMZ-BBBB-DATE"), SLICE("6")),
    };
    static const struct {
        const char *asked, *value; /* NULL: none */
    } rows[] = {
        { "host", "1" },
        { "hOST", "1" },
        { "X-Amz-Bbbb-Date", "2" },
        { "x-amz-aaaa-date", "0" },
        { "TE", "" }, /* empty is not none */
        { "x-amz-cccc-date", NULL },
        { "t", NULL },
        { "", NULL },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct slice found = header_find(headers, ARRAY_COUNT(headers), slice_str(rows[row].asked));
        assert_int_equal(slice_is_none(found), rows[row].value == NULL);
        if (rows[row].value)
            assert_true(slice_equal(found, slice_str(rows[row].value)));
    }
    assert_true(slice_is_none(header_find(headers, 1, SLICE("host")))); /* past the count */
    assert_true(slice_is_none(header_find(NULL, 0, SLICE("host"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_equal_whatever_their_case),
        cmocka_unit_test(a_bit_makes_another_name),
        cmocka_unit_test(other_names_are_not_found),
        cmocka_unit_test(the_first_of_a_name_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
