/* CRC32C and SipHash-128. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/digest.h"
#include "unit/crypto/hex.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

typedef uint32_t crc_fn(uint32_t crc, const void *bytes, size_t size);
static crc_fn *const crcs[] = { crc32c, crc32c_portable };

static void test_crc_of_rfc_3720(void **state)
{
    uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];
    /* an iSCSI read (10) command */
    const uint8_t command[48] = { 0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0,
        0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0 };
    memset(ones, 0xff, sizeof(ones));
    for (uint8_t i = 0; i < 32; i++) {
        up[i] = i;
        down[i] = 31 - i;
    }
    for (size_t i = 0; i < ARRAY_COUNT(crcs); i++) {
        assert_int_equal(crcs[i](0, zeros, 32), 0x8a9136aa);
        assert_int_equal(crcs[i](0, ones, 32), 0x62a8ab43);
        assert_int_equal(crcs[i](0, up, 32), 0x46dd794e);
        assert_int_equal(crcs[i](0, down, 32), 0x113fdb5c);
        assert_int_equal(crcs[i](0, command, 48), 0xd9963a56);
        assert_int_equal(crcs[i](0, "123456789", 9), 0xe3069283);
        assert_int_equal(crcs[i](0, "", 0), 0);
    }
}

static uint32_t crc_by_bits(uint32_t crc, const uint8_t *bytes, size_t size)
{
    crc = ~crc;
    for (; size; size--, bytes++) {
        crc ^= *bytes;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

/* Every length up to several rounds of three lanes, at each alignment of a word. */
static void test_crc_like_its_definition(void **state)
{
    enum { BYTES = 3000 };
    uint8_t *bytes = malloc(BYTES + 8);
    for (size_t i = 0; i < BYTES + 8; i++)
        bytes[i] = (uint8_t)(i * i * 31 >> 4);
    for (size_t align = 0; align < 8; align++) {
        uint32_t expected = 0;
        for (size_t size = 0; size < BYTES; size++) {
            assert_int_equal(crc32c(0, bytes + align, size), expected);
            if (size % 16 == align)
                assert_int_equal(crc32c_portable(0, bytes + align, size), expected);
            expected = crc_by_bits(expected, bytes + align + size, 1);
        }
    }
    free(bytes);
}

static void test_crc_chains(void **state)
{
    uint8_t bytes[2000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 73 >> 2);
    uint32_t whole = crc32c(0, bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++)
        for (size_t i = 0; i < ARRAY_COUNT(crcs); i++)
            assert_int_equal(crcs[i](crcs[i](0, bytes, cut), bytes + cut, sizeof(bytes) - cut), whole);
}

static void siphash_bytes(const uint8_t key[16], const uint8_t *bytes, size_t size, uint8_t out[16])
{
    uint64_t words[2];
    siphash128(key, slice_of(bytes, size), words);
    for (size_t i = 0; i < 16; i++)
        out[i] = (uint8_t)(words[i / 8] >> 8 * (i % 8));
}

/* vectors of the reference implementation: key 00..0f, text 00, 01, ... of that many bytes */
static void test_siphash_vectors(void **state)
{
    const struct {
        size_t size;
        const char *hash;
    } cases[] = {
        { 0, "a3817f04ba25a8e66df67214c7550293" },
        { 1, "da87c1d86b99af44347659119b22fc45" },
        { 2, "8177228da4a45dc7fca38bdef60affe4" },
        { 3, "9c70b60c5267a94e5f33b6b02985ed51" },
        { 4, "f88164c12d9c8faf7d0f6e7c7bcd5579" },
        { 5, "1368875980776f8854527a07690e9627" },
        { 6, "14eeca338b208613485ea0308fd7a15e" },
        { 7, "a1f1ebbed8dbc153c0b84aa61ff08239" },
        { 8, "3b62a9ba6258f5610f83e264f31497b4" },
        { 15, "5493e99933b0a8117e08ec0f97cfc3d9" },
    };
    uint8_t key[16], text[16], out[16];
    for (uint8_t i = 0; i < 16; i++)
        key[i] = text[i] = i;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        siphash_bytes(key, text, cases[i].size, out);
        assert_hex(out, 16, cases[i].hash);
    }
}

static void test_siphash_like_libcrypto(void **state)
{
    uint8_t key[16], text[300], ours[16], theirs[16];
    size_t size_out = 16, got;
    OSSL_PARAM parameters[] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size_out),
        OSSL_PARAM_construct_end() };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    if (!mac)
        skip(); /* a libcrypto without it */
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 151);
    for (size_t size = 0; size <= sizeof(text); size++) {
        for (size_t i = 0; i < 16; i++)
            key[i] = (uint8_t)(size * 3 + i * 17);
        siphash_bytes(key, text, size, ours);
        assert_int_equal(EVP_MAC_init(context, key, 16, parameters), 1);
        assert_int_equal(EVP_MAC_update(context, text, size), 1);
        assert_int_equal(EVP_MAC_final(context, theirs, &got, sizeof(theirs)), 1);
        assert_int_equal(got, 16);
        assert_memory_equal(ours, theirs, 16);
    }
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    uint64_t none[2], empty[2];
    siphash128(key, SLICE_NONE, none);
    siphash128(key, SLICE(""), empty);
    assert_memory_equal(none, empty, sizeof(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc_of_rfc_3720),
        cmocka_unit_test(test_crc_like_its_definition),
        cmocka_unit_test(test_crc_chains),
        cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_siphash_like_libcrypto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
