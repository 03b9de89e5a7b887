/* Any text as a receipt handle or as a page token: only what was sealed opens, and it opens to what was sealed. The first 32
 * bytes are also taken as a plaintext to seal, all of them as the position of a page: what was sealed opens, with any one
 * character changed, or for another question, it does not. */
#include "base/limits.h"
#include "service/sqs/page_token.h"
#include "service/sqs/receipt.h"
#include "service/sqs/state.h"
#include <stddef.h>
#include <stdint.h>

enum { PAGE_POSITION_BYTES_MAX = 512 };

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

static void page_round_trip(const uint8_t secret[32], struct slice position, struct arena *arena)
{
    struct slice again = SLICE_NONE, question = slice_head(position, position.size / 2);
    struct slice token = sqs_page_token_seal(secret, question, position, arena);
    ASSERT(sqs_page_token_open(secret, question, token, arena, &again) && slice_equal(again, position));
    ASSERT(!sqs_page_token_open(secret, SLICE("another question"), token, arena, &again));
    char *changed = arena_alloc(arena, token.size);
    memcpy(changed, token.data, token.size);
    size_t at = position.size ? (uint8_t)position.data[0] * token.size / 256 : 0;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    ASSERT(!sqs_page_token_open(secret, question, slice_of(changed, token.size), arena, &again));
    ASSERT(!sqs_page_token_open(secret, question, slice_head(token, at), arena, &again));
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
    struct arena arena;
    struct slice text = slice_of(data, size), position;
    arena_init(&arena, MIB);
    ASSERT(!sqs_page_token_open(secret, SLICE("question"), text, &arena, &position));
    if (size <= PAGE_POSITION_BYTES_MAX)
        page_round_trip(secret, text, &arena);
    arena_deinit(&arena);
    return 0;
}
