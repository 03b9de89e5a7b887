#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include <stdio.h>

static void assert_buf(const struct buf *b, const char *text)
{
    struct slice s = buf_slice(b);
    assert_non_null(s.data);
    assert_int_equal(s.size, strlen(text));
    assert_memory_equal(s.data, text, s.size);
}

static void test_appends(void **state)
{
    struct buf b;
    buf_init(&b);
    assert_buf(&b, "");
    buf_add(&b, SLICE_NONE);
    buf_add(&b, SLICE("ab"));
    buf_add_byte(&b, 'c');
    buf_add_lit(&b, "-");
    buf_add_hex(&b, "\x00\x9f\xff", 3);
    buf_printf(&b, " %s %d", "x", -5);
    assert_buf(&b, "abc-009fff x -5");
    const char *memory = b.data;
    buf_reset(&b);
    assert_buf(&b, "");
    buf_add_lit(&b, "z");
    assert_ptr_equal(b.data, memory);
    buf_deinit(&b);
    assert_null(b.data);
}

static void test_numbers_like_printf(void **state)
{
    struct buf b;
    buf_init(&b);
    for (int digits = 0; digits < 20; digits++) {
        uint64_t power = 1;
        for (int i = 0; i < digits; i++)
            power *= 10;
        const uint64_t values[] = { power - 1, power, power + 1, power * 7 / 3, UINT64_MAX / power };
        for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
            char expected[64];
            buf_reset(&b);
            buf_add_u64(&b, values[i]);
            buf_add_byte(&b, ' ');
            buf_add_i64(&b, (int64_t)values[i]);
            buf_add_byte(&b, ' ');
            buf_add_i64(&b, (int64_t)(0 - values[i]));
            snprintf(expected, sizeof(expected), "%llu %lld %lld", (unsigned long long)values[i], (long long)values[i],
                (long long)(0 - values[i]));
            assert_buf(&b, expected);
        }
    }
    buf_deinit(&b);
}

static void test_growth_keeps_what_was_there(void **state)
{
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < 100000; i++)
        buf_add_byte(&b, (char)(i * 7));
    buf_reserve(&b, 1 << 20);
    assert_true(b.capacity >= 100000 + (1 << 20));
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], (char)(i * 7));
    buf_deinit(&b);
}

static void test_printf_of_every_length(void **state)
{
    struct buf b;
    buf_init(&b);
    size_t size = 0;
    for (int width = 1; width < 700; width++) {
        buf_printf(&b, "%*d", width, 7);
        size += (size_t)width;
        assert_int_equal(b.size, size);
        assert_int_equal(b.data[size - 1], '7');
    }
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_numbers_like_printf),
        cmocka_unit_test(test_growth_keeps_what_was_there),
        cmocka_unit_test(test_printf_of_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
