/* slice_nocase_test.c: the comparison by eight bytes is the plain one, for texts of all lengths and bytes of all values. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/slice.h"
#include "base/text.h"

static bool plain_is(struct slice name, struct slice lower_case)
{
    for (size_t index = 0; index < name.size && name.size == lower_case.size; index++) {
        if (text_lower(name.data[index]) != lower_case.data[index])
            return false;
    }
    return name.size == lower_case.size;
}

/* Every pair of bytes at every place of a name: what differs in one byte must be told apart, cases must not. */
static void every_byte_at_every_place(void **state)
{
    static const char lower_case[] = "x-amz-content-sha256";
    char name[sizeof lower_case], other[sizeof lower_case];
    for (size_t size = 1; size < sizeof lower_case; size++) {
        for (size_t at = 0; at < size; at++) {
            memcpy(name, lower_case, sizeof name);
            memcpy(other, lower_case, sizeof other);
            for (int byte = 0; byte < 256; byte++) {
                for (int bit = 0; bit < 8; bit++) {
                    name[at] = (char)byte;
                    other[at] = text_lower((char)(byte ^ 1 << bit));
                    struct slice a = slice_of(name, size), b = slice_of(other, size);
                    if (slice_equal_nocase(a, b) != plain_is(a, b))
                        fail_msg("byte %02x at %zu of %zu", byte, at, size);
                }
            }
        }
    }
}

static void names_are_compared(void **state)
{
    assert_true(slice_equal_nocase(SLICE("X-AMZ-Date"), SLICE("x-amz-date")));
    assert_true(slice_equal_nocase(SLICE("x-amz-date"), SLICE("X-AMZ-Date")));
    assert_true(slice_equal_nocase(SLICE(""), SLICE("")));
    assert_false(slice_equal_nocase(SLICE("x-amz-dat"), SLICE("x-amz-date")));
    assert_false(slice_equal_nocase(SLICE("x-amz-datf"), SLICE("x-amz-date")));
    assert_false(slice_equal_nocase(SLICE("x-amz^dateA"), SLICE("x-amz~datea")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_at_every_place),
        cmocka_unit_test(names_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
