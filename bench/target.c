/* target.c: message bodies, queue URLs and the members that name a message; see load.h. */
#include "load.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

enum { POOL_BYTES = 4 * 1024 * 1024, POOL_MAX = 64, POOL_MIN = 2 };

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static void fill_body(char *text, size_t size, size_t index)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char number[BODY_MIN + 1];
    snprintf(number, sizeof number, "%08u", (unsigned)(index % 100000000));
    memcpy(text, number, BODY_MIN);
    for (size_t at = BODY_MIN; at < size; at++)
        text[at] = letters[mix(index * BODY_MAX + at) & 63];
}

void bodies_make(struct bodies *b, size_t size)
{
    b->size = size;
    b->count = POOL_BYTES / size;
    if (b->count > POOL_MAX)
        b->count = POOL_MAX;
    if (b->count < POOL_MIN)
        b->count = POOL_MIN;
    b->text = must_alloc(b->count * size);
    b->md5 = must_alloc(b->count * sizeof *b->md5);
    for (size_t index = 0; index < b->count; index++) {
        unsigned char sum[16];
        fill_body(b->text + index * size, size, index);
        if (EVP_Digest(b->text + index * size, size, sum, NULL, EVP_md5(), NULL) != 1)
            die("libcrypto: no MD5");
        hex_encode(sum, sizeof sum, b->md5[index]);
    }
}

void add_queue_url(const struct load *l, struct buf *out, uint64_t queue)
{
    buf_text(out, "\"QueueUrl\":\"http://");
    buf_text(out, l->host_header);
    buf_text(out, "/000000000000/");
    buf_text(out, l->queue);
    if (l->queues > 0) {
        buf_text(out, "-");
        buf_number(out, queue);
    }
    buf_text(out, "\"");
}

/* The members of one message. A FIFO message has a deduplication id that no other message of any run has. */
void add_message(const struct load *l, struct buf *out, uint64_t number)
{
    const struct bodies *b = &l->bodies;
    buf_text(out, "\"MessageBody\":\"");
    buf_add(out, b->text + body_index(b, number) * b->size, b->size);
    buf_text(out, "\"");
    if (l->groups == 0)
        return;
    buf_text(out, ",\"MessageGroupId\":\"");
    buf_text(out, l->group_prefix);
    buf_number(out, number % l->groups);
    buf_text(out, "\",\"MessageDeduplicationId\":\"");
    buf_number(out, l->nonce);
    buf_text(out, "-");
    buf_number(out, number);
    buf_text(out, "\"");
}
