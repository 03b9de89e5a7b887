#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/histogram.h"
#include <stdbool.h>

static void test_empty(void **state)
{
    struct histogram h = { 0 };
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_int_equal(histogram_count_upto(&h, UINT64_MAX), 0);
}

/* A value alone is found again within an eighth of itself, and never below itself. */
static void test_one_value(void **state)
{
    for (int power = 0; power <= 40; power++) {
        for (int part = 0; part < 16; part++) {
            struct histogram h = { 0 };
            uint64_t value = ((uint64_t)1 << power) + (((uint64_t)1 << power) * (uint64_t)part >> 4);
            histogram_add(&h, value);
            uint64_t found = histogram_quantile(&h, 0.5);
            assert_true(found >= value && found <= value + value / 8);
            assert_int_equal(histogram_quantile(&h, 0), found);
            assert_int_equal(histogram_quantile(&h, 1), found);
            assert_int_equal(histogram_count_upto(&h, found), 1);
            assert_int_equal(histogram_count_upto(&h, value - 1), 0);
            assert_int_equal(h.sum, value);
        }
    }
}

static void test_small_values_are_exact(void **state)
{
    for (uint64_t value = 0; value < 16; value++) {
        struct histogram h = { 0 };
        histogram_add(&h, value);
        assert_int_equal(histogram_quantile(&h, 0.99), value);
    }
}

static void test_huge_values_stay_in_the_last_bucket(void **state)
{
    struct histogram h = { 0 };
    histogram_add(&h, UINT64_MAX);
    assert_int_equal(h.buckets[HISTOGRAM_BUCKETS - 1], 1);
    assert_true(histogram_quantile(&h, 1) >= (uint64_t)1 << 40);
}

static void test_quantiles(void **state)
{
    struct histogram h = { 0 };
    for (uint64_t value = 1; value <= 10000; value++)
        histogram_add(&h, value);
    const struct {
        double q;
        uint64_t exact;
    } cases[] = { { 0.01, 100 }, { 0.5, 5000 }, { 0.9, 9000 }, { 0.99, 9900 }, { 1, 10000 } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t got = histogram_quantile(&h, cases[i].q);
        assert_true(got >= cases[i].exact && got <= cases[i].exact + cases[i].exact / 8);
    }
    assert_int_equal(h.count, 10000);
    assert_int_equal(h.sum, 10000 * 10001 / 2);
    assert_int_equal(histogram_count_upto(&h, 1023), 1023);
    assert_int_equal(histogram_count_upto(&h, 1000000), 10000);
}

static void test_merge(void **state)
{
    struct histogram a = { 0 }, b = { 0 }, both = { 0 };
    for (uint64_t value = 1; value < 5000; value += 7) {
        histogram_add(value % 2 ? &a : &b, value);
        histogram_add(&both, value);
    }
    histogram_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_one_value),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_huge_values_stay_in_the_last_bucket),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
