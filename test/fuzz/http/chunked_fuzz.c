/* The chunked body, whole and in pieces: both must give the same bytes; and what was decoded, encoded again, decodes to
 * itself. Input: one byte that chooses the pieces, then the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
    struct http1_chunked decoder;
    enum http1_result result;
    size_t used;
    struct buf body;
};

static void decode(struct decoded *d, struct slice in, size_t step)
{
    *d = (struct decoded){ .result = HTTP1_MORE };
    http1_chunked_init(&d->decoder);
    buf_init(&d->body);
    while (d->result == HTTP1_MORE && d->used < in.size) {
        size_t size = in.size - d->used < step ? in.size - d->used : step, used = 0, kept = 0;
        char *piece = malloc(size); /* of exactly the size: reading or writing past it shows */
        ASSERT(piece);
        memcpy(piece, in.data + d->used, size);
        uint64_t coming = http1_chunked_coming(&d->decoder);
        d->result = http1_chunked_decode(&d->decoder, piece, size, &used, &kept);
        ASSERT(used <= size && kept <= used);
        ASSERT(d->result != HTTP1_MORE || used == size);
        ASSERT(d->result != HTTP1_DONE || used >= (coming < size ? coming : size));
        buf_add(&d->body, slice_of(piece, kept));
        d->used += used;
        free(piece);
    }
    ASSERT(d->body.size == d->decoder.body_bytes && d->body.size <= HTTP_BODY_BYTES_MAX);
}

static void encode_again(struct slice body, size_t step)
{
    struct buf encoded;
    struct decoded d;
    buf_init(&encoded);
    for (struct slice rest = body; rest.size > 0; rest = slice_from(rest, step)) {
        struct slice chunk = slice_head(rest, step);
        buf_printf(&encoded, "%zx\r\n", chunk.size);
        buf_add(&encoded, chunk);
        buf_add_lit(&encoded, "\r\n");
    }
    buf_add_lit(&encoded, "0\r\n\r\n");
    decode(&d, buf_slice(&encoded), 3 * step);
    ASSERT(d.result == HTTP1_DONE && d.used == encoded.size && slice_equal(buf_slice(&d.body), body));
    buf_deinit(&d.body);
    buf_deinit(&encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 64 * KIB)
        return 0;
    struct slice in = slice_of(data + 1, size - 1);
    struct decoded whole, pieces;
    decode(&whole, in, in.size);
    decode(&pieces, in, 1 + data[0] % 61);
    ASSERT(whole.result == pieces.result);
    ASSERT(slice_equal(buf_slice(&whole.body), buf_slice(&pieces.body)));
    if (whole.result != HTTP1_MORE)
        ASSERT(whole.used == pieces.used && whole.decoder.refusal.status == pieces.decoder.refusal.status);
    if (whole.result == HTTP1_DONE)
        encode_again(buf_slice(&whole.body), 1 + data[0]);
    buf_deinit(&whole.body);
    buf_deinit(&pieces.body);
    return 0;
}
