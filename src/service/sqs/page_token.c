#include "service/sqs/page_token.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "sys/sys.h"

enum {
    KEY_ID = 1, /* of the way the key is made from the root secret: a later one may be told from it */
    HEAD_BYTES = 1 + AEAD_NONCE_BYTES,
    TOKEN_BYTES_MAX = 1024, /* a name and the rest; ours */
};

static void derive_key(const uint8_t secret[32], uint8_t key[AEAD_KEY_BYTES])
{
    hmac_sha256(slice_of(secret, 32), SLICE("sqs page token 1"), key);
}

struct slice sqs_page_token_seal(
    const uint8_t secret[32], struct slice question, struct slice position, struct arena *arena)
{
    uint8_t key[AEAD_KEY_BYTES];
    size_t size = HEAD_BYTES + position.size + AEAD_TAG_BYTES;
    uint8_t *bytes = arena_alloc(arena, size);
    char *text = arena_alloc(arena, BASE64_ENCODED_BYTES(size));
    ASSERT(size <= TOKEN_BYTES_MAX);
    derive_key(secret, key);
    bytes[0] = KEY_ID;
    sys->entropy(bytes + 1, AEAD_NONCE_BYTES);
    aead_seal(key, bytes + 1, question, position, bytes + HEAD_BYTES);
    return slice_of(text, text_base64_encode(bytes, size, text));
}

bool sqs_page_token_open(const uint8_t secret[32], struct slice question, struct slice token, struct arena *arena,
    struct slice *ret_position)
{
    uint8_t key[AEAD_KEY_BYTES];
    size_t size;
    if (token.size > BASE64_ENCODED_BYTES(TOKEN_BYTES_MAX))
        return false;
    uint8_t *bytes = arena_alloc(arena, token.size / 4 * 3 + 4);
    if (!text_base64_decode(token, bytes, &size) || size < HEAD_BYTES + AEAD_TAG_BYTES || bytes[0] != KEY_ID)
        return false;
    size_t sealed = size - HEAD_BYTES;
    uint8_t *position = arena_alloc(arena, sealed);
    derive_key(secret, key);
    if (!aead_open(key, bytes + 1, question, slice_of(bytes + HEAD_BYTES, sealed), position))
        return false;
    *ret_position = slice_of(position, sealed - AEAD_TAG_BYTES);
    return true;
}
