/* Every byte at every place of a block, for the block type of this machine; scan_portable_test.c: for the word. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/scan.h"

static void expect(scan_mask got, const bool *wanted)
{
    size_t first = 0;
    while (first < SCAN_BYTES && !wanted[first])
        first++;
    assert_int_equal(scan_any(got), first < SCAN_BYTES);
    if (first < SCAN_BYTES)
        assert_int_equal(scan_index(got), first);
}

static void check_block(const char *bytes, char wanted_byte, uint8_t limit)
{
    bool is[SCAN_BYTES], below[SCAN_BYTES], high[SCAN_BYTES], either[SCAN_BYTES], without[SCAN_BYTES];
    scan_block b = scan_load(bytes);
    for (size_t i = 0; i < SCAN_BYTES; i++) {
        is[i] = bytes[i] == wanted_byte;
        below[i] = (uint8_t)bytes[i] < limit;
        high[i] = (uint8_t)bytes[i] >= 0x80;
        either[i] = is[i] || high[i];
        without[i] = below[i] && !is[i];
    }
    expect(scan_is(b, wanted_byte), is);
    expect(scan_below(b, limit), below);
    expect(scan_high(b), high);
    expect(scan_or(scan_is(b, wanted_byte), scan_high(b)), either);
    expect(scan_and_not(scan_below(b, limit), scan_is(b, wanted_byte)), without);
}

static void test_each_byte_at_each_place(void **state)
{
    const uint8_t around[] = { 0x00, 0x1f, 0x20, 0x21, 'a', 0x7f, 0x80, 0xff };
    const uint8_t limits[] = { 1, 0x20, 0x7f, 0x80 };
    char bytes[SCAN_BYTES + 1]; /* read at an odd address */
    for (size_t a = 0; a < sizeof(around); a++)
        for (size_t place = 0; place < SCAN_BYTES; place++)
            for (int byte = 0; byte < 256; byte++) {
                memset(bytes, around[a], sizeof(bytes));
                bytes[1 + place] = (char)byte;
                check_block(bytes + 1, (char)byte, limits[(size_t)byte % sizeof(limits)]);
                check_block(bytes + 1, (char)(byte + 1), 0x20);
                check_block(bytes + 1, '"', 0x20);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_byte_at_each_place) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
