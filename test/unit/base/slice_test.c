#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/slice.h"

static void assert_slice(struct slice s, const char *text)
{
    assert_non_null(s.data);
    assert_int_equal(s.size, strlen(text));
    assert_memory_equal(s.data, text, s.size);
}

static void test_order(void **state)
{
    const char *ascending[] = { "", "a", "a\xff", "aa", "ab", "b", "\x7f", "\x80", "\xff" };
    const size_t order[] = { 0, 1, 3, 4, 2, 5, 6, 7, 8 };
    for (size_t i = 0; i < ARRAY_COUNT(order); i++)
        for (size_t k = 0; k < ARRAY_COUNT(order); k++) {
            int got = slice_compare(slice_str(ascending[order[i]]), slice_str(ascending[order[k]]));
            assert_int_equal((got > 0) - (got < 0), (i > k) - (i < k));
        }
    assert_int_equal(slice_compare(SLICE_NONE, SLICE("")), 0);
}

static void test_equality(void **state)
{
    assert_true(slice_equal(SLICE("ab"), slice_str("ab")));
    assert_false(slice_equal(SLICE("ab"), SLICE("aB")));
    assert_false(slice_equal(SLICE("ab"), SLICE("abc")));
    assert_true(slice_equal(SLICE_NONE, SLICE("")));
    assert_true(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    assert_true(slice_equal_nocase(SLICE("Content-LENGTH"), SLICE("content-length")));
    assert_false(slice_equal_nocase(SLICE("a["), SLICE("a{")));
    assert_false(slice_equal_nocase(SLICE("\xc4"), SLICE("\xe4")));
    assert_false(slice_equal_nocase(SLICE("a"), SLICE("ab")));
}

static void test_ends(void **state)
{
    assert_true(slice_starts(SLICE("queue.fifo"), SLICE("queue")));
    assert_true(slice_ends(SLICE("queue.fifo"), SLICE(".fifo")));
    assert_false(slice_ends(SLICE("fifo"), SLICE(".fifo")));
    assert_false(slice_starts(SLICE("que"), SLICE("queue")));
    assert_true(slice_starts(SLICE_NONE, SLICE("")));
    assert_true(slice_ends(SLICE_NONE, SLICE_NONE));
    assert_false(slice_starts(SLICE_NONE, SLICE("x")));
}

static void test_parts(void **state)
{
    assert_slice(slice_from(SLICE("abc"), 1), "bc");
    assert_slice(slice_from(SLICE("abc"), 9), "");
    assert_slice(slice_head(SLICE("abc"), 2), "ab");
    assert_slice(slice_head(SLICE("abc"), 9), "abc");
    assert_true(slice_is_none(slice_from(SLICE_NONE, 3)));
    assert_true(slice_is_none(slice_str(NULL)));
    assert_int_equal(slice_find(SLICE("abcb"), 'b'), 1);
    assert_int_equal(slice_find(SLICE("abc"), 'x'), 3);
    assert_int_equal(slice_find(SLICE_NONE, 'x'), 0);
}

static void test_trim(void **state)
{
    assert_slice(slice_trim(SLICE(" \ta b\t ")), "a b");
    assert_slice(slice_trim(SLICE("a")), "a");
    assert_slice(slice_trim(SLICE(" \t ")), "");
    assert_slice(slice_trim(SLICE("\na\r")), "\na\r");
    assert_int_equal(slice_trim(SLICE_NONE).size, 0);
}

static void test_cut(void **state)
{
    struct slice rest = SLICE("a&&bc");
    assert_slice(slice_cut(&rest, '&'), "a");
    assert_slice(slice_cut(&rest, '&'), "");
    assert_slice(rest, "bc");
    assert_slice(slice_cut(&rest, '&'), "bc");
    assert_true(slice_is_none(rest));
    assert_int_equal(slice_cut(&rest, '&').size, 0);
    rest = SLICE("a&");
    assert_slice(slice_cut(&rest, '&'), "a");
    assert_slice(rest, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
