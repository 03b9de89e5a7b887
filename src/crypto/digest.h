/* digest.h: SHA-256, MD5, HMAC-SHA-256, AES-256-GCM, CRC32C. The only code besides net/tls.c that sees libcrypto.
 *
 * Thread   any. Digests and HMAC keep nothing between calls; AES-GCM keeps two contexts a thread, with their last keys (wiped at thread exit).
 * Memory   a hmac_key is plain data: it may be copied, kept and used by several threads.
 * Cost     SHA-256 of 1 KiB about 0.6 us, MD5 1.4 us; HMAC with a prepared key two SHA-256 blocks more than its text;
 *          sealing 100 bytes about 0.4 us; CRC32C above 20 GB/s. Why not EVP: digest.c.
 * Source   FIPS 180-4, RFC 1321, RFC 2104, NIST SP 800-38D; CRC32C is Castagnoli, reflected, as in RFC 3720 B.4.
 */
#ifndef MILLRACE_CRYPTO_DIGEST_H
#define MILLRACE_CRYPTO_DIGEST_H

#include "base/slice.h"

enum { SHA256_BYTES = 32, MD5_BYTES = 16, AEAD_KEY_BYTES = 32, AEAD_NONCE_BYTES = 12, AEAD_TAG_BYTES = 16 };

void sha256(struct slice s, uint8_t out[SHA256_BYTES]);
void md5(struct slice s, uint8_t out[MD5_BYTES]);
void md5_each(
    const struct slice *items, size_t count, uint8_t (*out)[MD5_BYTES]); /* four at a time, as fast as the longest */
/* the same over several pieces; count of pieces is small */
void sha256_parts(const struct slice *parts, size_t count, uint8_t out[SHA256_BYTES]);
void md5_parts(const struct slice *parts, size_t count, uint8_t out[MD5_BYTES]);

/* For texts that begin alike: the state after the whole blocks of that beginning. Plain data; all zeros: nothing yet. */
enum { SHA256_MEMO_BYTES = 1024 };
struct sha256_memo {
    size_t size;
    uint32_t state[8];
    uint8_t text[SHA256_MEMO_BYTES];
};
/* The digest of s, whose first `stable` bytes are likely to be those of the last time: then they are compared instead of
 * hashed, else remembered. */
void sha256_remember(struct sha256_memo *m, struct slice s, size_t stable, uint8_t out[SHA256_BYTES]);

void hmac_sha256(struct slice key, struct slice s, uint8_t out[SHA256_BYTES]);
struct hmac_key { /* the state after the inner and the outer pad block: a copy of it starts a digest */
    uint32_t inner[8], outer[8];
};
void hmac_key_init(struct hmac_key *k, struct slice key);
void hmac_sha256_keyed(const struct hmac_key *k, struct slice s, uint8_t out[SHA256_BYTES]);

/* out holds s.size + AEAD_TAG_BYTES */
void aead_seal(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES], struct slice associated,
    struct slice s, uint8_t *out);
/* false if the tag does not match; out holds s.size - AEAD_TAG_BYTES */
bool aead_open(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES], struct slice associated,
    struct slice s, uint8_t *out);

bool bytes_equal_constant_time(const void *a, const void *b, size_t size);

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);          /* start with 0; chainable */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size); /* the table, for tests */

/* SipHash-2-4 with 128-bit result: short keyed hashes (deduplication ids). Source: Aumasson, Bernstein 2012.
 * out[0] is the first half: its bytes, little endian, are the first eight of the published vectors. */
void siphash128(const uint8_t key[16], struct slice s, uint64_t out[2]);

#endif
