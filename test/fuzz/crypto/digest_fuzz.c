/* Digests, checksums and base64 of ours against others': OpenSSL's MD5, SHA-256, HMAC and base64, the table's CRC32C; in
 * one piece and in two. Input: one byte that says where to cut, then the text. */
#include "base/text.h"
#include "crypto/digest.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_digests(struct slice s, const struct slice parts[2])
{
    uint8_t theirs[EVP_MAX_MD_SIZE], ours[SHA256_BYTES];
    ASSERT(EVP_Digest(s.data, s.size, theirs, NULL, EVP_md5(), NULL));
    md5(s, ours);
    ASSERT(memcmp(ours, theirs, MD5_BYTES) == 0);
    md5_parts(parts, 2, ours);
    ASSERT(memcmp(ours, theirs, MD5_BYTES) == 0);
    ASSERT(EVP_Digest(s.data, s.size, theirs, NULL, EVP_sha256(), NULL));
    sha256(s, ours);
    ASSERT(memcmp(ours, theirs, SHA256_BYTES) == 0);
    sha256_parts(parts, 2, ours);
    ASSERT(memcmp(ours, theirs, SHA256_BYTES) == 0);
}

static void check_hmac(const struct slice parts[2])
{
    uint8_t theirs[EVP_MAX_MD_SIZE], ours[SHA256_BYTES];
    struct hmac_key key;
    ASSERT(HMAC(
        EVP_sha256(), parts[0].data, (int)parts[0].size, (const uint8_t *)parts[1].data, parts[1].size, theirs, NULL));
    hmac_sha256(parts[0], parts[1], ours);
    ASSERT(memcmp(ours, theirs, SHA256_BYTES) == 0);
    hmac_key_init(&key, parts[0]);
    hmac_sha256_keyed(&key, parts[1], ours);
    ASSERT(memcmp(ours, theirs, SHA256_BYTES) == 0);
}

static void check_crc(struct slice s, const struct slice parts[2])
{
    uint32_t crc = crc32c(0, s.data, s.size);
    ASSERT(crc == crc32c_portable(0, s.data, s.size));
    ASSERT(crc == crc32c(crc32c(0, parts[0].data, parts[0].size), parts[1].data, parts[1].size));
}

static void check_base64(struct slice s)
{
    size_t room = BASE64_ENCODED_BYTES(s.size) + 1, size;
    char *ours = malloc(room), *theirs = malloc(room);
    ASSERT(ours && theirs);
    size_t encoded = text_base64_encode(s.data, s.size, ours);
    ASSERT(encoded == (size_t)EVP_EncodeBlock((uint8_t *)theirs, (const uint8_t *)s.data, (int)s.size));
    ASSERT(memcmp(ours, theirs, encoded) == 0);
    /* what we take, they take too, and see the same in it (with zeros for the padding) */
    if (s.size && text_base64_decode(s, ours, &size)) {
        int theirs_size = EVP_DecodeBlock((uint8_t *)theirs, (const uint8_t *)s.data, (int)s.size);
        ASSERT(theirs_size >= 0 && size <= (size_t)theirs_size && size + 2 >= (size_t)theirs_size);
        ASSERT(memcmp(ours, theirs, size) == 0);
    }
    free(ours);
    free(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice s = slice_of(data + 1, size - 1);
    size_t cut = s.size ? data[0] * s.size / 255 : 0;
    const struct slice parts[2] = { slice_head(s, cut), slice_from(s, cut) };
    check_digests(s, parts);
    check_hmac(parts);
    check_crc(s, parts);
    check_base64(s);
    return 0;
}
