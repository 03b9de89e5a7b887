/* error_rows_test.c: every code has a row. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/error_rows.h"
#include "base/check.h"
#include "base/error.h"

static void api_rows_are_found(void **state)
{
    for (uint32_t code = API_ERROR_FIRST + 1; code < API_ERROR_END; code++) {
        const struct error_row *row = error_row(code);
        assert_int_equal(row->code, code);
        assert_non_null(row->shape);
        assert_non_null(row->query);
        assert_non_null(row->text);
        assert_true(row->status >= 400 && row->status < 600);
        assert_int_equal(row->fault, row->status >= 500 ? RECEIVER : SENDER);
    }
    assert_string_equal(error_row(API_ACCESS_DENIED)->name, "API_ACCESS_DENIED");
    assert_string_equal(error_row(API_ACCESS_DENIED)->shape, "AccessDeniedException");
    assert_string_equal(error_row(API_BAD_SIGNATURE)->query, "SignatureDoesNotMatch");
}

static void other_codes_have_a_row(void **state)
{
    static const struct {
        uint32_t code, expected;
    } rows[] = {
        { 0, API_INTERNAL_FAILURE },
        { ERR_IO, API_INTERNAL_FAILURE },
        { ERR_CORRUPT, API_INTERNAL_FAILURE },
        { ERR_AGAIN, API_THROTTLED },
        { ERR_FULL, API_DISK_FULL },
        { API_ERROR_END, API_INTERNAL_FAILURE },
        { 511, API_INTERNAL_FAILURE },
        { 7 * 256, API_INTERNAL_FAILURE },
        { 4096, API_INTERNAL_FAILURE },
        { UINT32_MAX, API_INTERNAL_FAILURE },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++)
        assert_int_equal(error_row(rows[row].code)->code, rows[row].expected);
}

static void services_register_rows(void **state)
{
    static const struct error_row rows[] = {
        { 5 * 256, "A", "ShapeA", "QueryA", 400, SENDER, "a" },
        { 5 * 256 + 1, "B", "ShapeB", "QueryB", 403, SENDER, "b" },
    };
    error_rows_register(5 * 256, rows, ARRAY_COUNT(rows));
    assert_ptr_equal(error_row(5 * 256), &rows[0]);
    assert_ptr_equal(error_row(5 * 256 + 1), &rows[1]);
    assert_int_equal(error_row(5 * 256 + 2)->code, API_INTERNAL_FAILURE);
    assert_int_equal(error_row(6 * 256)->code, API_INTERNAL_FAILURE);
}

static void codes_are_walked_in_order(void **state)
{
    uint32_t codes[1024], count = 0;
    for (uint32_t code = 0; code != UINT32_MAX; code = error_rows_after(code)) {
        assert_true(count == 0 || code > codes[count - 1]);
        assert_true(count < ARRAY_COUNT(codes));
        codes[count++] = code;
    }
    assert_int_equal(codes[ERR_BASE_COUNT - 1], ERR_BASE_COUNT - 1);
    assert_int_equal(codes[ERR_BASE_COUNT], API_ERROR_FIRST + 1);
    assert_int_equal(codes[count - 3], API_ERROR_END - 1);
    assert_int_equal(codes[count - 1], 5 * 256 + 1); /* of services_register_rows */
    assert_int_equal(error_rows_after(5 * 256 + 1), UINT32_MAX);
    assert_int_equal(error_rows_after(4096), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(api_rows_are_found),
        cmocka_unit_test(other_codes_have_a_row),
        cmocka_unit_test(services_register_rows),
        cmocka_unit_test(codes_are_walked_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
