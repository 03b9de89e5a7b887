/* sigv4_names_test.c: which lists of SignedHeaders are read, and which headers of a request each name means. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/sigv4_names.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- lists -------------------------------------------------------------------------------------------------------- */

static void lists_are_read(void **state)
{
    static const struct {
        struct slice list;
        size_t count; /* 0: refused */
    } rows[] = {
        { { "host", 4 }, 1 },
        { { "a", 1 }, 1 },
        { { "host;x-amz-date", 15 }, 2 },
        { { "a;ab;b", 6 }, 3 },
        { { "a;a-;a-b;a.b;a_b;aa", 19 }, 6 },
        { { "!#$%&'*+-.^_`|~09az", 19 }, 1 },
        /* nothing where a name should be */
        { { NULL, 0 }, 0 },
        { { "", 0 }, 0 },
        { { ";", 1 }, 0 },
        { { "a;", 2 }, 0 },
        { { ";a", 2 }, 0 },
        { { "a;;b", 4 }, 0 },
        /* not ascending */
        { { "b;a", 3 }, 0 },
        { { "a;a", 3 }, 0 },
        { { "ab;a", 4 }, 0 },
        { { "a;c;b", 5 }, 0 },
        { { "aa;a_b", 6 }, 0 },
        /* no lower-case names */
        { { "Host", 4 }, 0 },
        { { "a;B", 3 }, 0 },
        { { "a;b b", 5 }, 0 },
        { { " a;b", 4 }, 0 },
        { { "a;b ", 4 }, 0 },
        { { "a,b", 3 }, 0 },
        { { "a;b\0", 4 }, 0 },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct signed_names n;
        struct slice rest = rows[row].list;
        if (signed_names_read(rest, &n) != (rows[row].count > 0))
            fail_msg("'%.*s'", SLICE_ARG(rest));
        if (rows[row].count == 0)
            continue;
        assert_int_equal(n.count, rows[row].count);
        for (size_t index = 0; index < n.count; index++) {
            struct slice name = slice_cut(&rest, ';');
            assert_ptr_equal(rows[row].list.data + n.names[index].at, name.data);
            assert_int_equal(n.names[index].size, name.size);
            assert_int_equal(n.names[index].key, header_key(name));
        }
    }
}

/* RFC 9110 5.6.2, without capital letters */
static void every_byte_is_a_names_or_refused(void **state)
{
    static const char good[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
    for (int byte = 0; byte < 256; byte++) {
        struct signed_names n;
        bool is_good = byte && strchr(good, byte);
        for (size_t place = 1; place < 4; place++) { /* ';' leaves an order or an end that is refused */
            char list[] = "zzz;";
            list[place] = (char)byte;
            assert_int_equal(signed_names_read(slice_of(list, 1 + place), &n), is_good);
        }
    }
}

static void lists_have_bounds(void **state)
{
    static char list[UINT16_MAX + 1];
    struct signed_names n;
    size_t used = 0;
    for (int count = 1; count <= HTTP_HEADERS_MAX + 1; count++) {
        used += (size_t)sprintf(list + used, "%sn%03d", count == 1 ? "" : ";", count);
        assert_int_equal(signed_names_read(slice_of(list, used), &n), count <= HTTP_HEADERS_MAX);
        if (count <= HTTP_HEADERS_MAX)
            assert_int_equal(n.count, count);
    }
    memset(list, 'a', sizeof list); /* what two bytes can say a place is */
    assert_true(signed_names_read(slice_of(list, UINT16_MAX), &n));
    assert_int_equal(n.names[0].size, UINT16_MAX);
    assert_false(signed_names_read(slice_of(list, UINT16_MAX + 1), &n));
}

static void a_name_is_held_or_not(void **state)
{
    static const struct slice list = { "content-type;host;x-amz-date", 28 };
    struct signed_names n;
    assert_true(signed_names_read(list, &n));
    assert_true(signed_names_hold(&n, list, SLICE("host")));
    assert_true(signed_names_hold(&n, list, SLICE("content-type")));
    assert_true(signed_names_hold(&n, list, SLICE("x-amz-date")));
    const char *const others[] = { "", "hos", "hosts", "ost", "Host", "x-amz-dat", "type", ";" };
    for (size_t index = 0; index < ARRAY_COUNT(others); index++)
        assert_false(signed_names_hold(&n, list, slice_str(others[index])));
}

/* ---- headers ------------------------------------------------------------------------------------------------------ */

static void names_mean_headers(void **state)
{
    static const struct {
        const char *list, *headers, *order; /* "1 0 2+": + is SIGNED_AGAIN; "-x": no header is x */
    } rows[] = {
        { "host", "Host", "0" },
        { "host;x-amz-date", "host x-amz-date", "0 1" },
        { "host;x-amz-date", "X-AMZ-Date Host", "1 0" },
        { "host;x-amz-date", "accept x-amz-date cookie HOST via", "3 1" },
        { "a;b;c", "c b a", "2 1 0" },
        /* those of one name as they came */
        { "a;b", "a b A a b", "0 2+ 3+ 1 4+" },
        { "a;b", "b b a", "2 0 1+" },
        { "a", "a a", "0 1+" },
        /* missing */
        { "host", "", "-host" },
        { "host", "hos hosts ost", "-host" },
        { "a;b;c", "b c", "-a" },
        { "a;b;c", "c a", "-b" },
        { "a;b;c", "b a d", "-c" },
        /* what looks alike to the key */
        { "x-amz-aaaa-date", "x-amz-bbbb-date", "-x-amz-aaaa-date" },
        { "x-amz-aaaa-date", "x-amz-bbbb-date x-amz-AAAA-date", "1" },
        { "a`bc", "a@bc", "-a`bc" },
        { "a^bc;a|bc", "a\\bc a|bc a~bc A^BC", "3 1" },
        { "~", "^", "-~" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct header headers[HTTP_HEADERS_MAX];
        struct sigv4_request r = { .headers = headers };
        struct signed_names n;
        struct signed_order order;
        struct slice list = slice_str(rows[row].list), rest = slice_str(rows[row].headers), missing;
        char said[256] = "";
        size_t used = 0;
        while (rest.size)
            headers[r.header_count++] = header_of(slice_cut(&rest, ' '), SLICE("v"));
        assert_true(signed_names_read(list, &n));
        if (!signed_names_match(&n, list, &r, &order, &missing))
            snprintf(said, sizeof said, "-%.*s", SLICE_ARG(missing));
        else
            for (size_t index = 0; index < order.count; index++)
                used += (size_t)snprintf(said + used, sizeof said - used, "%s%d%s", index ? " " : "",
                    order.at[index] & ~SIGNED_AGAIN, order.at[index] & SIGNED_AGAIN ? "+" : "");
        if (strcmp(said, rows[row].order) != 0)
            fail_msg("'%s' of '%s': '%s' instead of '%s'", rows[row].list, rows[row].headers, said, rows[row].order);
    }
}

/* As many names as there may be, as many headers of one name, and both the other way round. */
static void all_headers_may_be_signed(void **state)
{
    char names[HTTP_HEADERS_MAX][8], list[HTTP_HEADERS_MAX * 8];
    struct header headers[HTTP_HEADERS_MAX], same[HTTP_HEADERS_MAX];
    struct sigv4_request r = { .headers = headers, .header_count = HTTP_HEADERS_MAX };
    struct signed_names n;
    struct signed_order order;
    struct slice missing;
    size_t used = 0;
    for (int index = 0; index < HTTP_HEADERS_MAX; index++) {
        used += (size_t)sprintf(list + used, "%sn%03d", index ? ";" : "", index);
        sprintf(names[index], "N%03d", index);
        headers[HTTP_HEADERS_MAX - 1 - index] = header_of(slice_str(names[index]), SLICE_NONE);
        same[index] = header_of(index % 2 ? SLICE("N000") : SLICE("n000"), SLICE_NONE);
    }
    assert_true(signed_names_read(slice_of(list, used), &n));
    assert_true(signed_names_match(&n, slice_of(list, used), &r, &order, &missing));
    assert_int_equal(order.count, HTTP_HEADERS_MAX);
    for (int index = 0; index < HTTP_HEADERS_MAX; index++)
        assert_int_equal(order.at[index], HTTP_HEADERS_MAX - 1 - index);
    r.headers = same;
    assert_true(signed_names_read(SLICE("n000"), &n));
    assert_true(signed_names_match(&n, SLICE("n000"), &r, &order, &missing));
    assert_int_equal(order.count, HTTP_HEADERS_MAX);
    for (int index = 0; index < HTTP_HEADERS_MAX; index++)
        assert_int_equal(order.at[index], index | (index ? SIGNED_AGAIN : 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(every_byte_is_a_names_or_refused),
        cmocka_unit_test(lists_have_bounds),
        cmocka_unit_test(a_name_is_held_or_not),
        cmocka_unit_test(names_mean_headers),
        cmocka_unit_test(all_headers_may_be_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
