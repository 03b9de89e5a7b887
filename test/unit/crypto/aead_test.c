#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/digest.h"
#include "unit/crypto/hex.h"
#include <pthread.h>

/* Test cases 13 to 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega), submitted to NIST: AES-256 */
static const struct {
    const char *key, *nonce, *associated, *text, *sealed;
} cases[] = {
    { "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
        "530f8afbc74536b9a963b4f1c4cb738b" },
    { "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
        "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
    { "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
        "b16aedf5aa0de657ba637b391aafd255",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
        "c5f61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6c" },
    { "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
        "b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
        "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b" },
};

static void test_published_vectors(void **state)
{
    for (int round = 0; round < 2; round++) /* the second one with a used context */
        for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
            uint8_t key[AEAD_KEY_BYTES], nonce[AEAD_NONCE_BYTES], associated[32], text[64], sealed[80], out[80];
            unhex(cases[i].key, key);
            unhex(cases[i].nonce, nonce);
            struct slice a = unhex(cases[i].associated, associated), t = unhex(cases[i].text, text);
            struct slice s = unhex(cases[i].sealed, sealed);
            assert_int_equal(s.size, t.size + AEAD_TAG_BYTES);
            aead_seal(key, nonce, a, t, out);
            assert_memory_equal(out, sealed, s.size);
            memset(out, 0, sizeof(out));
            assert_true(aead_open(key, nonce, a, s, out));
            assert_memory_equal(out, text, t.size);
        }
}

static void test_any_changed_bit_is_refused(void **state)
{
    uint8_t key[AEAD_KEY_BYTES] = { 1 }, nonce[AEAD_NONCE_BYTES] = { 2 }, sealed[40 + AEAD_TAG_BYTES], out[40];
    uint8_t zeros[40] = { 0 };
    char associated[] = "purpose";
    struct slice a = slice_of(associated, 7), s = slice_of(sealed, sizeof(sealed));
    aead_seal(key, nonce, a, SLICE("0123456789012345678901234567890123456789"), sealed);
    assert_true(aead_open(key, nonce, a, s, out));
    struct {
        uint8_t *bytes;
        size_t size;
    } const places[] = { { sealed, sizeof(sealed) }, { key, sizeof(key) }, { nonce, sizeof(nonce) },
        { (uint8_t *)associated, 7 } };
    for (size_t p = 0; p < ARRAY_COUNT(places); p++)
        for (size_t bit = 0; bit < 8 * places[p].size; bit++) {
            places[p].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(aead_open(key, nonce, a, s, out));
            assert_memory_equal(out, zeros, sizeof(out)); /* nothing of it leaks */
            places[p].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    assert_true(aead_open(key, nonce, a, s, out));
    assert_memory_equal(out, "0123456789012345678901234567890123456789", 40);
}

static void test_short_inputs_are_refused(void **state)
{
    uint8_t key[AEAD_KEY_BYTES] = { 0 }, nonce[AEAD_NONCE_BYTES] = { 0 }, sealed[AEAD_TAG_BYTES], out[1];
    aead_seal(key, nonce, SLICE_NONE, SLICE_NONE, sealed);
    for (size_t size = 0; size < AEAD_TAG_BYTES; size++)
        assert_false(aead_open(key, nonce, SLICE_NONE, slice_of(sealed, size), out));
    assert_false(aead_open(key, nonce, SLICE_NONE, SLICE_NONE, out));
    assert_true(aead_open(key, nonce, SLICE_NONE, slice_of(sealed, sizeof(sealed)), out));
}

/* Each thread with keys of its own, and the contexts of threads that ended are gone (the leak checker looks). */
static void *seal_and_open(void *argument)
{
    uint8_t key[AEAD_KEY_BYTES], nonce[AEAD_NONCE_BYTES] = { 0 }, sealed[100 + AEAD_TAG_BYTES], text[100], out[100];
    size_t good = 0;
    memset(key, *(int *)argument, sizeof(key));
    for (uint8_t i = 0; i < 200; i++) {
        nonce[0] = i;
        memset(text, i, sizeof(text));
        aead_seal(key, nonce, SLICE("thread"), slice_of(text, i % 100), sealed);
        if (aead_open(key, nonce, SLICE("thread"), slice_of(sealed, i % 100 + AEAD_TAG_BYTES), out) &&
            memcmp(text, out, i % 100) == 0)
            good++;
    }
    *(int *)argument = (int)good;
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[8];
    int numbers[8];
    for (int i = 0; i < 8; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, seal_and_open, &numbers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(numbers[i], 200);
    }
}

/* A thread's contexts keep their last key: the next text may be of another. */
static void test_keys_in_turn(void **state)
{
    (void)state;
    const uint8_t keys[2][AEAD_KEY_BYTES] = { { 1 }, { 2 } }, nonce[AEAD_NONCE_BYTES] = { 7 };
    uint8_t sealed[2][5 + AEAD_TAG_BYTES], again[5 + AEAD_TAG_BYTES], out[5];
    for (int i = 0; i < 2; i++)
        aead_seal(keys[i], nonce, SLICE_NONE, SLICE("hello"), sealed[i]);
    for (int round = 0; round < 20; round++) {
        int i = round / 2 % 2, other = 1 - i;
        aead_seal(keys[i], nonce, SLICE_NONE, SLICE("hello"), again);
        assert_memory_equal(again, sealed[i], sizeof(again));
        assert_false(aead_open(keys[other], nonce, SLICE_NONE, slice_of(sealed[i], sizeof(sealed[i])), out));
        assert_true(aead_open(keys[i], nonce, SLICE_NONE, slice_of(sealed[i], sizeof(sealed[i])), out));
        assert_memory_equal(out, "hello", 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_any_changed_bit_is_refused),
        cmocka_unit_test(test_short_inputs_are_refused),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_keys_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
