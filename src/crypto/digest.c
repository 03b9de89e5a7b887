/* digest.c: SHA-256 and HMAC over libcrypto's block function, MD5 of our own (digest.h).
 *
 * Low-level SHA256_* functions, although OpenSSL 3 calls them deprecated: their state is plain data, so a prepared HMAC
 * key is 64 bytes that any thread may copy, nothing is allocated or fetched, and a digest is 0.03 us faster than with
 * EVP and a reused context (the block function is the same). This is the only file that needs them.
 *
 * No MD5 of libcrypto: ours is as fast (md5.c), and FIPS builds have none.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/digest.h"
#include "base/check.h"
#include "base/mutant.h"
#include "crypto/md5.h"
#include <openssl/crypto.h>
#include <openssl/sha.h>

enum { SHA256_BLOCK_BYTES = 64 };

void sha256_parts(const struct slice *parts, size_t count, uint8_t out[SHA256_BYTES])
{
    SHA256_CTX c;
    SHA256_Init(&c);
    for (size_t i = 0; i < count; i++)
        SHA256_Update(&c, parts[i].data, parts[i].size);
    SHA256_Final(out, &c);
}

void sha256(struct slice s, uint8_t out[SHA256_BYTES])
{
    sha256_parts(&s, 1, out);
}

/* As if `bytes`, whole blocks, had been hashed. */
static void resume(SHA256_CTX *c, const uint32_t state[8], size_t bytes)
{
    SHA256_Init(c);
    memcpy(c->h, state, sizeof(c->h));
    c->Nl = (SHA_LONG)(8 * bytes);
}

void sha256_remember(struct sha256_memo *m, struct slice s, size_t stable, uint8_t out[SHA256_BYTES])
{
    SHA256_CTX c;
    size_t whole = (stable < sizeof(m->text) ? stable : sizeof(m->text)) / SHA256_BLOCK_BYTES * SHA256_BLOCK_BYTES;
    ASSERT(stable <= s.size);
    if (whole && (m->size != whole || (memcmp(m->text, s.data, whole) != 0 && !MUTANT(any_beginning)))) {
        SHA256_Init(&c);
        SHA256_Update(&c, s.data, whole);
        memcpy(m->state, c.h, sizeof(m->state));
        memcpy(m->text, s.data, whole);
        m->size = whole;
    } else if (whole) {
        resume(&c, m->state, whole);
    } else {
        SHA256_Init(&c);
    }
    struct slice rest = slice_from(s, whole);
    SHA256_Update(&c, rest.data, rest.size);
    SHA256_Final(out, &c);
}

void md5_parts(const struct slice *parts, size_t count, uint8_t out[MD5_BYTES])
{
    struct md5_state s;
    md5_start(&s);
    for (size_t i = 0; i < count; i++)
        md5_add(&s, parts[i]);
    md5_finish(&s, out);
}

void md5_each(const struct slice *items, size_t count, uint8_t (*out)[MD5_BYTES])
{
    for (; count >= MD5_LANES; count -= MD5_LANES, items += MD5_LANES, out += MD5_LANES)
        md5_side_by_side(items, out);
    if (count < 2) {
        if (count)
            md5(items[0], out[0]);
        return;
    }
    struct slice last[MD5_LANES];
    uint8_t digests[MD5_LANES][MD5_BYTES];
    for (size_t i = 0; i < MD5_LANES; i++)
        last[i] = i < count ? items[i] : SLICE("");
    md5_side_by_side(last, digests);
    memcpy(out, digests, count * MD5_BYTES);
}

void md5(struct slice s, uint8_t out[MD5_BYTES])
{
    md5_parts(&s, 1, out);
}

/* ---- HMAC (RFC 2104)
 * -------------------------------------------------------------------------------------------------- */

/* The state after one block of `key` xor `pad`. */
static void absorb_pad(const uint8_t key[SHA256_BLOCK_BYTES], uint8_t pad, uint32_t ret_state[8])
{
    uint8_t block[SHA256_BLOCK_BYTES];
    SHA256_CTX c;
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = key[i] ^ pad;
    SHA256_Init(&c);
    SHA256_Update(&c, block, sizeof(block));
    ASSERT(c.num == 0);
    memcpy(ret_state, c.h, sizeof(c.h));
    OPENSSL_cleanse(block, sizeof(block));
    OPENSSL_cleanse(&c, sizeof(c));
}

void hmac_key_init(struct hmac_key *k, struct slice key)
{
    static_assert(sizeof(((SHA256_CTX *)0)->h) == sizeof(k->inner), "the state is eight words");
    uint8_t block[SHA256_BLOCK_BYTES] = { 0 };
    if (key.size > sizeof(block))
        sha256(key, block);
    else if (key.size)
        memcpy(block, key.data, key.size);
    absorb_pad(block, 0x36, k->inner);
    absorb_pad(block, 0x5c, k->outer);
    OPENSSL_cleanse(block, sizeof(block));
}

void hmac_sha256_keyed(const struct hmac_key *k, struct slice s, uint8_t out[SHA256_BYTES])
{
    SHA256_CTX c;
    uint8_t inner[SHA256_BYTES];
    resume(&c, k->inner, SHA256_BLOCK_BYTES);
    SHA256_Update(&c, s.data, s.size);
    SHA256_Final(inner, &c);
    resume(&c, k->outer, SHA256_BLOCK_BYTES);
    SHA256_Update(&c, inner, sizeof(inner));
    SHA256_Final(out, &c);
}

void hmac_sha256(struct slice key, struct slice s, uint8_t out[SHA256_BYTES])
{
    struct hmac_key k;
    hmac_key_init(&k, key);
    hmac_sha256_keyed(&k, s, out);
    OPENSSL_cleanse(&k, sizeof(k));
}

/* CRYPTO_memcmp goes byte by byte: 460 instructions for a signature. Eight at a time are as constant: the compiler may not
 * look at what was gathered before the end. */
bool bytes_equal_constant_time(const void *a, const void *b, size_t size)
{
    const char *left = a, *right = b;
    uint64_t difference = 0;
    for (; size >= sizeof(difference);
         left += sizeof(difference), right += sizeof(difference), size -= sizeof(difference)) {
        uint64_t x, y;
        memcpy(&x, left, sizeof(x));
        memcpy(&y, right, sizeof(y));
        difference |= x ^ y;
        __asm__("" : "+r"(difference));
    }
    for (size_t i = 0; i < size; i++)
        difference |= (uint8_t)(left[i] ^ right[i]);
    __asm__("" : "+r"(difference));
    return difference == 0;
}
