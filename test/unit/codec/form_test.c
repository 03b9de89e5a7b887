#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "codec/form.h"

static void test_pairs(void **state)
{
    const struct {
        struct slice text;
        const char *pairs; /* key, value, key, value ... each ended by a newline */
    } cases[] = {
        { SLICE(""), "" },
        { SLICE_NONE, "" },
        { SLICE("&"), "" },
        { SLICE("&&&"), "" },
        { SLICE("a=1"), "a\n1\n" },
        { SLICE("a=1&b=2"), "a\n1\nb\n2\n" },
        { SLICE("&a=1&&b=2&"), "a\n1\nb\n2\n" },
        { SLICE("a"), "a\n\n" },
        { SLICE("a="), "a\n\n" },
        { SLICE("="), "\n\n" },
        { SLICE("=v"), "\nv\n" },
        { SLICE("a=b=c"), "a\nb=c\n" },
        { SLICE("a=1&a=2"), "a\n1\na\n2\n" },
        { SLICE("a+b=c+d%2B"), "a b\nc d+\n" },
        { SLICE("%3d%26=%3D&x=%C3%A9"), "=&\n=\nx\n\xc3\xa9\n" },
        { SLICE("Attribute.1.Name=Visib%69lity&Attribute.1.Value=%7B%22a%22%3A1%7D"),
            "Attribute.1.Name\nVisibility\nAttribute.1.Value\n{\"a\":1}\n" },
        { SLICE("a;b=1"), "a;b\n1\n" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct arena a;
        struct buf got;
        struct form form = { 0 };
        arena_init(&a, MIB);
        buf_init(&got);
        assert_false(failed(form_parse(&a, cases[i].text, &form)));
        for (size_t k = 0; k < form.count; k++) {
            assert_false(slice_is_none(form.pairs[k].key));
            assert_false(slice_is_none(form.pairs[k].value));
            buf_printf(&got, "%.*s\n%.*s\n", SLICE_ARG(form.pairs[k].key), SLICE_ARG(form.pairs[k].value));
        }
        assert_true(slice_equal(buf_slice(&got), slice_str(cases[i].pairs)));
        buf_deinit(&got);
        arena_deinit(&a);
    }
}

static void test_refused(void **state)
{
    const struct {
        const char *text;
        int offset; /* of the key or value that is wrong */
    } cases[] = {
        { "%", 0 },
        { "a=%4", 2 },
        { "a=1&b=%zz", 6 },
        { "a=1&%f=1", 4 },
        { "a=%ff", 2 },
        { "a=%C3", 2 },
        { "%ED%A0%80=1", 0 },
        { "a=\xff", 2 },
        { "\x80=1", 0 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct arena a;
        struct form form = { .count = 77 };
        arena_init(&a, MIB);
        struct error e = form_parse(&a, slice_str(cases[i].text), &form);
        assert_int_equal(e.code, ERR_BAD);
        assert_int_equal(e.system, cases[i].offset);
        assert_int_equal(form.count, 77);
        arena_deinit(&a);
    }
}

static void test_last_value_wins(void **state)
{
    struct arena a;
    struct form form;
    arena_init(&a, MIB);
    assert_false(failed(form_parse(&a, SLICE("a=1&b=&a=2&Action=Send%4dessage"), &form)));
    assert_true(slice_equal(form_get(&form, SLICE("a")), SLICE("2")));
    assert_true(slice_equal(form_get(&form, SLICE("Action")), SLICE("SendMessage")));
    assert_false(slice_is_none(form_get(&form, SLICE("b"))));
    assert_true(slice_is_none(form_get(&form, SLICE("A"))));
    assert_true(slice_is_none(form_get(&form, SLICE("c"))));
    arena_deinit(&a);
}

static void test_bounds(void **state)
{
    struct arena a;
    struct buf text;
    struct form form;
    buf_init(&text);
    for (int i = 0; i < FORM_PAIRS_MAX; i++)
        buf_add_lit(&text, "%61=%62&&");
    arena_init(&a, MIB);
    assert_false(failed(form_parse(&a, buf_slice(&text), &form)));
    assert_int_equal(form.count, FORM_PAIRS_MAX);
    assert_true(slice_equal(form.pairs[FORM_PAIRS_MAX - 1].value, SLICE("b")));
    arena_deinit(&a);

    arena_init(&a, 16 * KIB);
    assert_int_equal(form_parse(&a, buf_slice(&text), &form).code, ERR_NO_MEMORY);
    assert_true(a.used_bytes <= 16 * KIB);
    arena_deinit(&a);

    buf_add_lit(&text, "c");
    arena_init(&a, MIB);
    assert_int_equal(form_parse(&a, buf_slice(&text), &form).code, ERR_TOO_LARGE);
    arena_deinit(&a);
    buf_deinit(&text);
}

/* What fits by form_parse's own sum never passes the limit. */
static void test_memory_stays_within_the_limit(void **state)
{
    struct buf text;
    buf_init(&text);
    for (int i = 0; i < 300; i++)
        buf_add_lit(&text, "%61=%62&");
    for (size_t limit = 1 * KIB; limit < 64 * KIB; limit += 512) {
        struct arena a;
        struct form form;
        arena_init(&a, limit);
        struct error e = form_parse(&a, buf_slice(&text), &form);
        assert_true(e.code == ERR_NONE || e.code == ERR_NO_MEMORY);
        assert_true(a.used_bytes <= limit);
        arena_deinit(&a);
    }
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_last_value_wins),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_memory_stays_within_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
