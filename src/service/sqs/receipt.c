#include "service/sqs/receipt.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "service/sqs/state.h"

enum {
    NONCE_AT = 1,
    SEALED_AT = NONCE_AT + AEAD_NONCE_BYTES,
    RECEIPT_BYTES = SEALED_AT + RECEIPT_PLAIN_BYTES + AEAD_TAG_BYTES,
};
static_assert(BASE64_ENCODED_BYTES(RECEIPT_BYTES) == RECEIPT_TEXT_BYTES, "61 bytes make 84 characters");

static void put_be(uint8_t *at, uint64_t value, int size)
{
    while (size-- > 0) {
        at[size] = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get_be(const uint8_t *at, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

static const struct slice purpose = { "sqs receipt 1", sizeof("sqs receipt 1") - 1 };

void receipt_seal(const struct sqs_keys *keys, const struct receipt *r, char out[RECEIPT_TEXT_BYTES])
{
    uint8_t plain[RECEIPT_PLAIN_BYTES], bytes[RECEIPT_BYTES];
    put_be(plain, r->uid, 8);
    put_be(plain + 8, r->seq, 8);
    put_be(plain + 16, r->group_key, 8);
    put_be(plain + 24, r->generation, 4);
    put_be(plain + 28, r->epoch, 4);
    uint64_t nonce[2];
    siphash128(keys->receipt_nonce, slice_of(plain, sizeof(plain)), nonce);
    bytes[0] = RECEIPT_KEY_ID;
    memcpy(bytes + NONCE_AT, nonce, AEAD_NONCE_BYTES);
    aead_seal(keys->receipt, bytes + NONCE_AT, purpose, slice_of(plain, sizeof(plain)), bytes + SEALED_AT);
    text_base64_encode(bytes, sizeof(bytes), out);
}

bool receipt_open(const struct sqs_keys *keys, struct slice text, struct receipt *ret)
{
    uint8_t bytes[RECEIPT_TEXT_BYTES / 4 * 3], plain[RECEIPT_PLAIN_BYTES];
    size_t size = 0;
    if (text.size != RECEIPT_TEXT_BYTES || !text_base64_decode(text, bytes, &size) || size != RECEIPT_BYTES)
        return false;
    if (bytes[0] != RECEIPT_KEY_ID)
        return false;
    struct slice sealed = slice_of(bytes + SEALED_AT, RECEIPT_PLAIN_BYTES + AEAD_TAG_BYTES);
    if (!aead_open(keys->receipt, bytes + NONCE_AT, purpose, sealed, plain))
        return false;
    ret->uid = get_be(plain, 8);
    ret->seq = get_be(plain + 8, 8);
    ret->group_key = get_be(plain + 16, 8);
    ret->generation = (uint32_t)get_be(plain + 24, 4);
    ret->epoch = (uint32_t)get_be(plain + 28, 4);
    return true;
}
