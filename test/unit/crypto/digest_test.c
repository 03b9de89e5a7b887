#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define OPENSSL_SUPPRESS_DEPRECATED /* for MD5_CTX, whose length can be set */
#include "crypto/digest.h"
#include "crypto/md5.h"
#include "unit/crypto/hex.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <stdlib.h>

/* FIPS 180-4 examples and RFC 1321 A.5 */
static const struct {
    const char *text, *sha256, *md5;
} digests[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "d41d8cd98f00b204e9800998ecf8427e" },
    { "a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", "0cc175b9c0f1b6a831c399e269772661" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "900150983cd24fb0d6963f7d28e17f72" },
    { "message digest", NULL, "f96b697d7cb7938d525a2f31aaf161d0" },
    { "abcdefghijklmnopqrstuvwxyz", NULL, "c3fcd3d76192e4007dfb496cca67e13b" },
    { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", NULL, "d174ab98d277d9f5a5611c2c9f419d9f" },
    { "12345678901234567890123456789012345678901234567890123456789012345678901234567890", NULL,
        "57edf4a22be3c955ac49da2e2107b67a" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", NULL },
    { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrst"
      "u",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1", NULL },
};

static void test_published_digests(void **state)
{
    uint8_t out[SHA256_BYTES];
    for (size_t i = 0; i < ARRAY_COUNT(digests); i++) {
        if (digests[i].sha256) {
            sha256(slice_str(digests[i].text), out);
            assert_hex(out, SHA256_BYTES, digests[i].sha256);
        }
        if (digests[i].md5) {
            md5(slice_str(digests[i].text), out);
            assert_hex(out, MD5_BYTES, digests[i].md5);
        }
    }
    sha256(SLICE_NONE, out);
    assert_hex(out, SHA256_BYTES, digests[0].sha256);
    md5(SLICE_NONE, out);
    assert_hex(out, MD5_BYTES, digests[0].md5);
}

static void test_a_million_a(void **state)
{
    uint8_t out[SHA256_BYTES];
    char *text = malloc(1000000);
    memset(text, 'a', 1000000);
    sha256(slice_of(text, 1000000), out);
    assert_hex(out, SHA256_BYTES, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    md5(slice_of(text, 1000000), out);
    assert_hex(out, MD5_BYTES, "7707d6ae4e027c70eea2a935c2296f21");
    free(text);
}

/* Every length around the blocks, against libcrypto's EVP. */
static void test_every_length_like_evp(void **state)
{
    uint8_t bytes[400], ours[SHA256_BYTES], theirs[SHA256_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 197 + 11);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        struct slice s = slice_of(bytes, size);
        sha256(s, ours);
        assert_true(EVP_Q_digest(NULL, "SHA256", NULL, bytes, size, theirs, NULL));
        assert_memory_equal(ours, theirs, SHA256_BYTES);
        md5(s, ours);
        if (EVP_Q_digest(NULL, "MD5", NULL, bytes, size, theirs, NULL))
            assert_memory_equal(ours, theirs, MD5_BYTES);
    }
}

/* Several at once, of lengths that end in one block more or less than their neighbours. */
static void test_md5_each_like_md5(void **state)
{
    (void)state;
    enum { MOST = 11, BYTES = 400 };
    static uint8_t bytes[MOST][BYTES];
    struct slice items[MOST];
    uint8_t each[MOST + 1][MD5_BYTES], alone[MD5_BYTES];
    uint32_t random = 1;
    for (int round = 0; round < 2000; round++) {
        size_t count = (size_t)round % (MOST + 1);
        for (size_t i = 0; i < count; i++) {
            random = random * 1664525 + 1013904223;
            items[i] = slice_of(bytes[i], random >> 8 & 1 ? (random >> 16) % BYTES : 50 + (random >> 16) % 20);
            for (size_t k = 0; k < items[i].size; k++)
                bytes[i][k] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
        }
        memset(each, 0x5a, sizeof(each));
        md5_each(items, count, each);
        for (size_t i = 0; i < count; i++) {
            md5(items[i], alone);
            assert_memory_equal(each[i], alone, MD5_BYTES);
        }
        assert_int_equal(each[count][0], 0x5a); /* no more than was asked for */
    }
}

/* As if 4 GiB and more had gone before: the length is counted in 64 bits. */
static void test_md5_counts_beyond_32_bits(void **state)
{
    for (uint64_t before = 1 << 26; before < (uint64_t)1 << 60; before *= 8) {
        uint8_t ours[MD5_BYTES], theirs[MD5_BYTES];
        struct md5_state s;
        MD5_CTX c;
        md5_start(&s);
        s.bytes = before;
        md5_add(&s, SLICE("tail"));
        md5_finish(&s, ours);
        MD5_Init(&c);
        c.Nl = (MD5_LONG)(before << 3);
        c.Nh = (MD5_LONG)(before >> 29);
        MD5_Update(&c, "tail", 4);
        MD5_Final(theirs, &c);
        assert_memory_equal(ours, theirs, MD5_BYTES);
    }
}

/* However a text is cut into three, its digest is the same. */
static void test_parts(void **state)
{
    uint8_t bytes[150], whole_sha[SHA256_BYTES], whole_md5[MD5_BYTES], out[SHA256_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    sha256(slice_of(bytes, sizeof(bytes)), whole_sha);
    md5(slice_of(bytes, sizeof(bytes)), whole_md5);
    for (size_t a = 0; a <= sizeof(bytes); a++)
        for (size_t b = a; b <= sizeof(bytes); b++) {
            const struct slice parts[] = { slice_of(bytes, a), SLICE_NONE, slice_of(bytes + a, b - a),
                slice_of(bytes + b, sizeof(bytes) - b) };
            sha256_parts(parts, 4, out);
            assert_memory_equal(out, whole_sha, SHA256_BYTES);
            md5_parts(parts, 4, out);
            assert_memory_equal(out, whole_md5, MD5_BYTES);
        }
    sha256_parts(NULL, 0, out);
    assert_hex(out, SHA256_BYTES, digests[0].sha256);
}

static size_t random_below(uint64_t *seed, size_t limit)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (size_t)(*seed >> 33) % limit;
}

/* One memo over and over, for texts whose beginnings are the last one's, or differ in a byte anywhere, or are longer or
 * shorter: the digest is the text's. */
static void test_remembered_beginnings_like_sha256(void **state)
{
    enum { MOST = 1400, ROUNDS = 60000 };
    static uint8_t bytes[MOST];
    static struct sha256_memo m;
    uint8_t out[SHA256_BYTES], wanted[SHA256_BYTES];
    uint64_t seed = 1;
    size_t stable = 0;
    for (size_t i = 0; i < MOST; i++)
        bytes[i] = (uint8_t)(i * 131 + i / 7);
    for (int round = 0; round < ROUNDS; round++) {
        size_t kind = random_below(&seed, 8);
        if (kind == 0) /* a new beginning, of any length */
            stable = random_below(&seed, MOST + 1);
        if (kind == 1) /* around the blocks and the memo's end */
            stable = 64 * random_below(&seed, 19) + random_below(&seed, 3);
        if (kind == 1 && stable)
            stable--;
        size_t size = stable + random_below(&seed, MOST - stable + 1), whole = stable / 64 * 64;
        const size_t places[] = { 0, whole - 1, whole, stable - 1, stable, 1023, 1024, random_below(&seed, MOST) };
        size_t place = places[random_below(&seed, ARRAY_COUNT(places))] % MOST;
        uint8_t flip = kind < 4 ? 0 : (uint8_t)(1 << random_below(&seed, 8));
        bytes[place] ^= flip;
        sha256(slice_of(bytes, size), wanted);
        for (int again = 0; again < 2; again++) {
            sha256_remember(&m, slice_of(bytes, size), stable, out);
            assert_memory_equal(out, wanted, SHA256_BYTES);
        }
        if (kind < 7) /* else it stays so */
            bytes[place] ^= flip;
    }
}

/* Every length with every beginning of whole blocks and a byte around, from a memo that is empty, and once more. */
static void test_remembered_beginnings_of_every_length(void **state)
{
    static uint8_t bytes[1400];
    uint8_t out[SHA256_BYTES], wanted[SHA256_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 89 + i / 5);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        struct slice s = slice_of(bytes, size);
        sha256(s, wanted);
        for (size_t stable = 0; stable <= size; stable += stable % 64 == 1 ? 62 : 1) {
            struct sha256_memo m = { 0 };
            for (int again = 0; again < 2; again++) {
                sha256_remember(&m, s, stable, out);
                assert_memory_equal(out, wanted, SHA256_BYTES);
            }
        }
    }
    struct sha256_memo m = { 0 };
    sha256_remember(&m, SLICE_NONE, 0, out);
    assert_hex(out, SHA256_BYTES, digests[0].sha256);
}

/* RFC 4231 4.2 to 4.8; case 5 publishes the first 16 bytes only */
static void test_hmac_of_rfc_4231(void **state)
{
    const struct {
        const char *key, *text, *mac;
    } cases[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { "0102030405060708090a0b0c0d0e0f10111213141516171819",
            "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
        { "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "546573742057697468205472756e636174696f6e",
            "a3b6167473100ee06e0c796c2955552b" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint8_t key[64], text[128], out[SHA256_BYTES];
        struct slice key_bytes = unhex(cases[i].key, key), text_bytes = unhex(cases[i].text, text);
        hmac_sha256(key_bytes, text_bytes, out);
        assert_hex(out, strlen(cases[i].mac) / 2, cases[i].mac);
    }
    uint8_t long_key[131], out[SHA256_BYTES];
    memset(long_key, 0xaa, sizeof(long_key));
    hmac_sha256(slice_of(long_key, 131), SLICE("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, SHA256_BYTES, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac_sha256(slice_of(long_key, 131),
        SLICE("This is a test using a larger than block-size key and a larger than block-size data. The key needs to "
              "be hashed before being used by the HMAC algorithm."),
        out);
    assert_hex(out, SHA256_BYTES, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* One key, copied, used again and again, for keys and texts of all lengths around the block. */
static void test_prepared_key_like_hmac(void **state)
{
    uint8_t bytes[200], ours[SHA256_BYTES], theirs[SHA256_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 89 + 1);
    for (size_t key_size = 1; key_size < 140; key_size++) {
        struct hmac_key prepared, copy;
        hmac_key_init(&prepared, slice_of(bytes, key_size));
        memcpy(&copy, &prepared, sizeof(copy));
        for (size_t size = key_size % 7; size < sizeof(bytes); size += 7) {
            assert_non_null(HMAC(EVP_sha256(), bytes, (int)key_size, bytes, size, theirs, NULL));
            hmac_sha256_keyed(size % 2 ? &copy : &prepared, slice_of(bytes, size), ours);
            assert_memory_equal(ours, theirs, SHA256_BYTES);
        }
    }
    hmac_sha256(SLICE_NONE, SLICE_NONE, ours);
    assert_hex(ours, SHA256_BYTES, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_constant_time_equality(void **state)
{
    uint8_t a[33], b[33];
    memset(a, 5, sizeof(a));
    memset(b, 5, sizeof(b));
    assert_true(bytes_equal_constant_time(a, b, sizeof(a)));
    assert_true(bytes_equal_constant_time(a, b, 0));
    for (size_t i = 0; i < sizeof(a); i++)
        for (int bit = 0; bit < 8; bit++) {
            b[i] ^= (uint8_t)(1 << bit);
            assert_false(bytes_equal_constant_time(a, b, sizeof(a)));
            assert_true(bytes_equal_constant_time(a, b, i));
            b[i] ^= (uint8_t)(1 << bit);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_digests),
        cmocka_unit_test(test_a_million_a),
        cmocka_unit_test(test_every_length_like_evp),
        cmocka_unit_test(test_md5_each_like_md5),
        cmocka_unit_test(test_md5_counts_beyond_32_bits),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_remembered_beginnings_like_sha256),
        cmocka_unit_test(test_remembered_beginnings_of_every_length),
        cmocka_unit_test(test_hmac_of_rfc_4231),
        cmocka_unit_test(test_prepared_key_like_hmac),
        cmocka_unit_test(test_constant_time_equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
