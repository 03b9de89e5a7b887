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

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static void check_ranges(const char *bytes, uint8_t low, uint8_t high)
{
    bool inside[SCAN_BYTES], outside[SCAN_BYTES], letter[SCAN_BYTES], same[SCAN_BYTES], other[SCAN_BYTES];
    const bool all[SCAN_BYTES] = { [0 ... SCAN_BYTES - 1] = true }, none[SCAN_BYTES] = { false };
    scan_block b = scan_load(bytes);
    for (size_t i = 0; i < SCAN_BYTES; i++) {
        uint8_t byte = (uint8_t)bytes[i];
        inside[i] = byte >= low && byte <= high;
        outside[i] = !inside[i];
        letter[i] = is_letter(byte);
        same[i] = (byte | 0x20) == 'q'; /* only q and Q are */
        other[i] = !same[i];
    }
    scan_mask between = scan_between(b, low, high), is_q = scan_is(scan_lower(b), 'q');
    expect(between, inside);
    expect(scan_not(between), outside);
    expect(scan_not(scan_not(between)), inside);
    expect(scan_and_not(scan_not(between), between), outside);
    expect(scan_or(between, scan_not(between)), all);
    expect(scan_not(scan_or(between, scan_not(between))), none);
    expect(scan_between(scan_lower(b), 'a', 'z'), letter);
    expect(is_q, same);
    expect(scan_not(is_q), other);
}

static void test_ranges_and_letters(void **state)
{
    const uint8_t around[] = { 0x00, 0x1f, '0', 'a', 'Q', 0x7f, 0x80, 0xff };
    const uint8_t ranges[][2] = { { 'a', 'z' }, { 'A', 'Z' }, { '0', '9' }, { 1, 0x7e }, { 1, 1 }, { 0x7e, 0x7e },
        { 'q', 'q' }, { 1, 0x1f } };
    char bytes[SCAN_BYTES + 1];
    for (size_t a = 0; a < sizeof(around); a++)
        for (size_t place = 0; place < SCAN_BYTES; place++)
            for (int byte = 0; byte < 256; byte++) {
                memset(bytes, around[a], sizeof(bytes));
                bytes[1 + place] = (char)byte;
                for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++)
                    check_ranges(bytes + 1, ranges[r][0], ranges[r][1]);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_byte_at_each_place),
        cmocka_unit_test(test_ranges_and_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
