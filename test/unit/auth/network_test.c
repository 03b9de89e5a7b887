/* network_test.c: addresses and prefixes as text, against inet_pton where both read the same; and what holds what. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/network.h"
#include "base/check.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static void addresses_are_read(void **state)
{
    static const struct {
        const char *text;
        bool is_v6;
        unsigned bits;
        const char *bytes; /* as the C library reads it */
    } rows[] = {
        { "0.0.0.0", false, 32, "0.0.0.0" },
        { "255.255.255.255", false, 32, "255.255.255.255" },
        { "10.1.2.3/8", false, 8, "10.1.2.3" },
        { "10.0.0.0/0", false, 0, "10.0.0.0" },
        { "::", true, 128, "::" },
        { "::1", true, 128, "::1" },
        { "1::", true, 128, "1::" },
        { "2001:DB8::ff00:42:8329/32", true, 32, "2001:db8::ff00:42:8329" },
        { "1:2:3:4:5:6:7:8", true, 128, "1:2:3:4:5:6:7:8" },
        { "1:2:3::5:6:7:8", true, 128, "1:2:3:0:5:6:7:8" },
        { "1::8", true, 128, "1:0:0:0:0:0:0:8" },
        { "64:ff9b::192.0.2.33/96", true, 96, "64:ff9b::c000:221" },
        { "1:2:3:4:5:6:1.2.3.4", true, 128, "1:2:3:4:5:6:102:304" },
        { "::ffff:10.1.2.3", false, 32, "10.1.2.3" },
        { "::ffff:a01:203/112", false, 16, "10.1.2.3" },
        { "::ffff:a01:203/95", true, 95, "::ffff:10.1.2.3" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct network n;
        uint8_t bytes[16];
        if (!network_parse(slice_str(rows[row].text), &n))
            fail_msg("refused: %s", rows[row].text);
        assert_int_equal(n.is_v6, rows[row].is_v6);
        assert_int_equal(n.bits, rows[row].bits);
        assert_int_equal(inet_pton(n.is_v6 ? AF_INET6 : AF_INET, rows[row].bytes, bytes), 1);
        assert_memory_equal(n.bytes, bytes, n.is_v6 ? 16 : 4);
    }
}

static void others_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "/",
        "/8",
        "10",
        "10.0.0",
        "10.0.0.",
        ".10.0.0.0",
        "10.0.0.0.0",
        "10..0.0",
        "10.0.0.256",
        "10.0.0.01",
        "10.0.0.-1",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/",
        "10.0.0.0/8/8",
        "10.0.0.0 ",
        "0x10.0.0.0",
        ":",
        ":::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "1:2:3:4::5:6:7:8",
        "12345::",
        "g::",
        ":1::",
        "1::2:",
        "::1.2.3",
        "1.2.3.4::",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::/129",
        "::1%eth0",
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct network n;
        if (network_parse(slice_str(rows[row]), &n))
            fail_msg("accepted: '%s'", rows[row]);
    }
    assert_false(network_parse(SLICE_NONE, &(struct network){ 0 }));
}

/* Texts of random addresses, whole and damaged by a byte: the C library and we agree (it also takes no leading zeros).
 */
static void agrees_with_the_library(void **state)
{
    static const char alphabet[] = "0123456789abcdefF:.:.::";
    srand(7);
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[16], expected[16];
        char text[INET6_ADDRSTRLEN + 1];
        struct network n;
        int family = rand() % 2 ? AF_INET6 : AF_INET;
        for (size_t index = 0; index < sizeof bytes; index++)
            bytes[index] = rand() % 3 ? 0 : (uint8_t)rand();
        assert_non_null(inet_ntop(family, bytes, text, sizeof text));
        if (round % 2)
            text[(size_t)rand() % strlen(text)] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        family = strchr(text, ':') ? AF_INET6 : AF_INET;
        bool is_right = inet_pton(family, text, expected) == 1;
        bool is_mapped = is_right && family == AF_INET6 && memcmp(expected, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
        if (network_parse(slice_str(text), &n) != is_right)
            fail_msg("%s: the library says %d", text, is_right);
        if (is_right && !is_mapped)
            assert_memory_equal(n.bytes, expected, family == AF_INET6 ? 16 : 4);
    }
}

static void networks_hold_addresses(void **state)
{
    static const struct {
        const char *outer, *inner;
        bool holds;
    } rows[] = {
        { "10.0.0.0/8", "10.255.255.255", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.0.0.0/9", "10.127.0.1", true },
        { "10.0.0.0/9", "10.128.0.1", false },
        { "0.0.0.0/0", "1.2.3.4", true },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "1.2.3.4", false },
        { "::/0", "::1", true },
        { "10.0.0.1", "10.0.0.1", true },
        { "10.0.0.1", "10.0.0.2", false },
        { "10.0.0.1/31", "10.0.0.0", true },
        { "10.0.0.0/8", "10.1.0.0/16", true },
        { "10.1.0.0/16", "10.0.0.0/8", false },
        { "2001:db8::/33", "2001:db8:7fff::", true },
        { "2001:db8::/33", "2001:db8:8000::", false },
        { "10.0.0.0/8", "::ffff:10.1.2.3", true },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct network outer, inner;
        assert_true(
            network_parse(slice_str(rows[row].outer), &outer) && network_parse(slice_str(rows[row].inner), &inner));
        if (network_holds(&outer, &inner) != rows[row].holds)
            fail_msg("%s and %s", rows[row].outer, rows[row].inner);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(agrees_with_the_library),
        cmocka_unit_test(networks_hold_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
