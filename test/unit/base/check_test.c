#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "unit/base/aborts.h"

static void fail_assert(void)
{
    int one = 1;
    ASSERT(one == 2);
}

static void fail_memory(void)
{
    check_out_of_memory(12345);
}

static void test_failures_abort_with_a_sentence(void **state)
{
    ASSERT(1 + 1 == 2);
    assert_aborts(fail_assert, "assertion failed: one == 2");
    assert_aborts(fail_assert, "check_test.c:");
    assert_aborts(fail_memory, "out of memory: could not get 12345 bytes");
}

struct outer {
    char before[3];
    int member;
};

static void test_macros(void **state)
{
    struct outer o;
    int three[3] = { 0 };
    assert_ptr_equal(CONTAINER_OF(&o.member, struct outer, member), &o);
    assert_int_equal(ARRAY_COUNT(three), 3);
}

static struct error pass_on(struct error e, int *reached)
{
    TRY(e);
    ++*reached;
    return OK;
}

static void test_errors_travel(void **state)
{
    int reached = 0;
    struct error e = pass_on(ERROR_SYS(ERR_IO, 5), &reached);
    assert_true(failed(e));
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(e.system, 5);
    assert_int_equal(reached, 0);
    assert_false(failed(pass_on(OK, &reached)));
    assert_int_equal(reached, 1);
}

static void test_every_row_has_its_own_sentence(void **state)
{
    assert_string_equal(error_text(ERROR_OF(ERR_FULL)), "the disk is full");
    assert_string_equal(error_text(ERROR_OF(ERR_BASE_COUNT)), "an error of a service");
    assert_true(ERR_BASE_COUNT <= 256);
    for (uint32_t a = 0; a < ERR_BASE_COUNT; a++) {
        assert_non_null(error_text(ERROR_OF(a)));
        for (uint32_t b = a + 1; b < ERR_BASE_COUNT; b++)
            assert_string_not_equal(error_text(ERROR_OF(a)), error_text(ERROR_OF(b)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_abort_with_a_sentence),
        cmocka_unit_test(test_macros),
        cmocka_unit_test(test_errors_travel),
        cmocka_unit_test(test_every_row_has_its_own_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
