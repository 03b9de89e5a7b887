#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/limits.h"
#include "unit/base/aborts.h"

static void test_all_sizes_are_aligned_and_apart(void **state)
{
    struct arena a;
    char *places[600];
    arena_init(&a, 64 * MIB);
    for (size_t size = 0; size < ARRAY_COUNT(places); size++) {
        places[size] = arena_alloc(&a, size);
        assert_non_null(places[size]);
        assert_int_equal((uintptr_t)places[size] % 16, 0);
        memset(places[size], (int)(size & 0xff), size);
    }
    for (size_t size = 0; size < ARRAY_COUNT(places); size++)
        for (size_t i = 0; i < size; i++)
            assert_int_equal((unsigned char)places[size][i], size & 0xff);
    arena_deinit(&a);
    assert_null(a.blocks);
    assert_int_equal(a.used_bytes, 0);
}

static void test_nothing_has_an_address(void **state)
{
    struct arena a;
    arena_init(&a, 0);
    assert_non_null(arena_alloc(&a, 0));
    assert_null(a.blocks);
    assert_false(slice_is_none(arena_copy(&a, SLICE(""))));
    assert_true(slice_is_none(arena_copy(&a, SLICE_NONE)));
    arena_deinit(&a);
}

static void test_zero_and_copy(void **state)
{
    struct arena a;
    arena_init(&a, MIB);
    memset(arena_alloc(&a, 512), 0xaa, 512);
    arena_reset(&a);
    const char *zeros = arena_zero(&a, 512);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(zeros[i], 0);
    struct slice copy = arena_copy(&a, SLICE("a\0b"));
    assert_true(slice_equal(copy, SLICE("a\0b")));
    uint64_t *numbers = ARENA_ARRAY(&a, uint64_t, 3);
    assert_int_equal(numbers[0] | numbers[1] | numbers[2], 0);
    arena_deinit(&a);
}

static void test_reset_keeps_one_small_block(void **state)
{
    struct arena a;
    arena_init(&a, 64 * MIB);
    char *first = arena_alloc(&a, 8);
    for (int i = 0; i < 1000; i++)
        arena_alloc(&a, 1000);
    arena_alloc(&a, MIB);
    assert_true(a.used_bytes > 2 * MIB - 100 * KIB);
    arena_reset(&a);
    assert_int_equal(a.used_bytes, ARENA_BLOCK_BYTES);
    assert_ptr_equal(arena_alloc(&a, 8), first);
    arena_deinit(&a);

    /* one that began with a large value keeps nothing */
    arena_init(&a, 64 * MIB);
    arena_alloc(&a, MIB);
    arena_reset(&a);
    assert_int_equal(a.used_bytes, 0);
    arena_deinit(&a);
}

static void test_a_sized_first_block(void **state)
{
    struct arena a;
    arena_init_sized(&a, 64 * MIB, 100);
    size_t first = a.used_bytes;
    assert_in_range(first, 112, 160); /* rounded up, and a header */
    char *at = arena_alloc(&a, 50);
    arena_alloc(&a, 48);
    assert_int_equal(a.used_bytes, first);
    arena_alloc(&a, 1); /* grows from what there is, not from a whole block */
    assert_in_range(a.used_bytes, 2 * first, 3 * first);
    for (int i = 0; i < 1000; i++)
        memset(arena_alloc(&a, 100), i, 100);
    memset(at, 1, 50);
    arena_reset(&a); /* too small to be worth keeping */
    assert_int_equal(a.used_bytes, 0);
    arena_alloc(&a, 1);
    assert_int_equal(a.used_bytes, ARENA_BLOCK_BYTES);
    arena_deinit(&a);
    arena_init_sized(&a, MIB, 0);
    assert_non_null(arena_alloc(&a, 0));
    arena_deinit(&a);
}

static void test_a_large_value_leaves_the_block_in_use(void **state)
{
    struct arena a;
    arena_init(&a, 64 * MIB);
    char *small = arena_alloc(&a, 16);
    arena_alloc(&a, MIB);
    assert_ptr_equal(arena_alloc(&a, 16), small + 16);
    arena_deinit(&a);
}

static void test_few_blocks_for_many_values(void **state)
{
    struct arena a;
    int slow = 0;
    arena_init(&a, 64 * MIB);
    for (int i = 0; i < 100000; i++) {
        const char *end = a.end;
        arena_alloc(&a, 64);
        slow += a.end != end;
    }
    assert_true(slow < 50);
    assert_true(a.used_bytes < 100000 * 64 * 2);
    arena_deinit(&a);
}

static void test_room(void **state)
{
    struct arena a;
    arena_init(&a, 8 * KIB);
    assert_true(arena_room(&a, 0));
    assert_true(arena_room(&a, 8 * KIB - 64));
    assert_false(arena_room(&a, 8 * KIB));
    assert_false(arena_room(&a, SIZE_MAX));
    assert_false(arena_room(&a, SIZE_MAX - 15));
    /* what there was room for does not pass the limit */
    while (arena_room(&a, 100))
        arena_alloc(&a, 100);
    assert_true(a.used_bytes <= 8 * KIB);
    assert_true(a.used_bytes > 8 * KIB - 200);
    assert_true(arena_room(&a, 0));
    arena_deinit(&a);
}

static void test_past_the_limit_it_still_allocates_up_to_twice(void **state)
{
    struct arena a;
    arena_init(&a, 8 * KIB);
    for (int i = 0; i < 12; i++)
        memset(arena_alloc(&a, KIB), 1, KIB);
    assert_true(a.used_bytes > 8 * KIB && a.used_bytes <= 16 * KIB);
    assert_false(arena_room(&a, KIB));
    arena_deinit(&a);
}

static void overrun(void)
{
    struct arena a;
    arena_init(&a, 8 * KIB);
    for (int i = 0; i < 20; i++)
        arena_alloc(&a, KIB);
}

static void wrap_around(void)
{
    struct arena a;
    arena_init(&a, SIZE_MAX);
    arena_alloc(&a, SIZE_MAX - 3);
}

static void test_then_it_aborts(void **state)
{
    assert_aborts(overrun, "an arena limited to 8192 bytes");
    assert_aborts(wrap_around, "was asked for 18446744073709551612 more");
}

static void test_printf(void **state)
{
    struct arena a;
    char expected[600];
    arena_init(&a, MIB);
    assert_true(slice_equal(arena_printf(&a, "%d-%s", 7, "x"), SLICE("7-x")));
    assert_true(slice_equal(arena_printf(&a, "%s", ""), SLICE("")));
    /* every length, so that some end exactly at a block's end; what follows must not overlap */
    for (int size = 0; size < 600; size++) {
        struct slice text = arena_printf(&a, "%0*d", size, 0);
        memset(arena_alloc(&a, 1), 'x', 1);
        memset(expected, '0', sizeof(expected));
        assert_int_equal(text.size, size ? size : 1);
        assert_memory_equal(text.data, expected, text.size);
    }
    /* exactly what is left of a block: no place for the NUL */
    arena_alloc(&a, (size_t)(a.end - a.at) - 16);
    assert_int_equal(a.end - a.at, 16);
    assert_true(slice_equal(arena_printf(&a, "%s", "0123456789abcdef"), SLICE("0123456789abcdef")));
    arena_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_sizes_are_aligned_and_apart),
        cmocka_unit_test(test_nothing_has_an_address),
        cmocka_unit_test(test_zero_and_copy),
        cmocka_unit_test(test_reset_keeps_one_small_block),
        cmocka_unit_test(test_a_sized_first_block),
        cmocka_unit_test(test_a_large_value_leaves_the_block_in_use),
        cmocka_unit_test(test_few_blocks_for_many_values),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_past_the_limit_it_still_allocates_up_to_twice),
        cmocka_unit_test(test_then_it_aborts),
        cmocka_unit_test(test_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
