/* Any text as a receipt handle: only what was sealed opens, and it opens to what was sealed. The first 32 bytes are also
 * taken as a plaintext to seal: its handle opens, and with any one character changed it does not. */
#include "service/sqs/receipt.h"
#include "service/sqs/state.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct sqs_keys *keys, const uint8_t *data)
{
    struct receipt in, out;
    char text[RECEIPT_TEXT_BYTES], again[RECEIPT_TEXT_BYTES];
    memcpy(&in.uid, data, 8);
    memcpy(&in.seq, data + 8, 8);
    memcpy(&in.group_key, data + 16, 8);
    memcpy(&in.generation, data + 24, 4);
    memcpy(&in.epoch, data + 28, 4);
    receipt_seal(keys, &in, text);
    receipt_seal(keys, &in, again);
    ASSERT(memcmp(text, again, sizeof(text)) == 0); /* the same receive, the same handle */
    ASSERT(receipt_open(keys, slice_of(text, sizeof(text)), &out));
    ASSERT(in.uid == out.uid && in.seq == out.seq && in.group_key == out.group_key);
    ASSERT(in.generation == out.generation && in.epoch == out.epoch);
    size_t at = data[0] % sizeof(text);
    text[at] = text[at] == 'A' ? 'B' : 'A';
    ASSERT(!receipt_open(keys, slice_of(text, sizeof(text)), &out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[32] = "a secret that the fuzzer lacks";
    struct sqs_keys keys;
    struct receipt r;
    sqs_keys_derive(&keys, secret);
    ASSERT(!receipt_open(&keys, slice_of(data, size), &r));
    if (size >= RECEIPT_PLAIN_BYTES)
        round_trip(&keys, data);
    return 0;
}
