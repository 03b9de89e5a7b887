/* The chunked body: what is decoded, what is refused, and that pieces make no difference; see src/http/http1.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/http1.h"

struct decoded {
    enum http1_result result;
    size_t used;
    struct buf body;
    struct http1_refusal refusal;
};

/* in pieces of `step` bytes, each in memory of exactly its size */
static void decode(struct decoded *d, struct slice in, size_t step)
{
    struct http1_chunked decoder;
    http1_chunked_init(&decoder);
    *d = (struct decoded){ .result = HTTP1_MORE };
    buf_init(&d->body);
    while (d->result == HTTP1_MORE && d->used < in.size) {
        size_t size = in.size - d->used < step ? in.size - d->used : step, used, kept;
        char *piece = malloc(size);
        assert_non_null(piece);
        memcpy(piece, in.data + d->used, size);
        uint64_t coming = http1_chunked_coming(&decoder);
        d->result = http1_chunked_decode(&decoder, piece, size, &used, &kept);
        assert_true(used <= size && kept <= used);
        if (d->result == HTTP1_MORE)
            assert_int_equal(used, size);
        if (d->result == HTTP1_DONE)
            assert_true(used >= (coming < size ? coming : size)); /* what was promised belonged to the body */
        buf_add(&d->body, slice_of(piece, kept));
        d->used += used;
        free(piece);
    }
    assert_int_equal(decoder.body_bytes, d->body.size);
    d->refusal = decoder.refusal;
}

static const struct {
    const char *in, *body, *rest;
} good[] = {
    { "0\r\n\r\n", "", "" },
    { "5\r\nhello\r\n0\r\n\r\n", "hello", "" },
    { "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "hello", "GET / HTTP/1.1\r\n" },
    { "1\r\na\r\n2\r\nbc\r\n03\r\ndef\r\n000\r\n\r\n", "abcdef", "" },
    { "00000005\r\nhello\r\n0\r\n\r\n", "hello", "" },
    { "a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij", "" },
    { "2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "" },
    { "5;x=y;z=\"q;r\"\r\nhello\r\n0;last\r\n\r\n", "hello", "" },
    { "5;\r\nhello\r\n0\r\n\r\n", "hello", "" },
    { "5\r\nhello\r\n0\r\nTrailer: value\r\nOther:\r\n\r\nX", "hello", "X" },
    { "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", "" },
};

static void bodies_are_decoded(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(good); index++) {
        struct slice in = slice_str(good[index].in);
        for (size_t step = 1; step <= in.size; step++) {
            struct decoded d;
            decode(&d, in, step);
            if (d.result != HTTP1_DONE)
                fail_msg("case %zu step %zu: %d %s", index, step, d.result, d.refusal.sentence);
            assert_true(slice_equal(buf_slice(&d.body), slice_str(good[index].body)));
            assert_true(slice_equal(slice_from(in, d.used), slice_str(good[index].rest)));
            buf_deinit(&d.body);
        }
        for (size_t size = 1; size < in.size - strlen(good[index].rest); size++) {
            struct decoded d;
            decode(&d, slice_head(in, size), size);
            assert_int_equal(d.result, HTTP1_MORE);
            buf_deinit(&d.body);
        }
    }
}

static const struct {
    int status;
    const char *in;
    size_t size;
} bad[] = {
#define R(status, literal)                                                                                             \
    {                                                                                                                  \
        status, literal, sizeof literal - 1                                                                            \
    }
    R(400, "\r\n"),
    R(400, " 5\r\nhello\r\n"),
    R(400, "5 \r\nhello\r\n"),
    R(400, "5\t;x\r\nhello\r\n"),
    R(400, "+5\r\nhello\r\n"),
    R(400, "-5\r\nhello\r\n"),
    R(400, "0x5\r\nhello\r\n"),
    R(400, "g\r\n"),
    R(400, "5_\r\nhello\r\n"),
    R(400, ";x\r\n"),
    R(400, "5\nhello\r\n"),
    R(400, "5\rhello\r\n"),
    R(400, "5;x\nhello\r\n"),
    R(400, "5;x\n0\r\n\r\n"), /* one reader ends the line at LF, another goes on to CR LF */
    R(400, "5;x\ry\r\nhello"),
    R(400, "5;x\0\r\nhello"),
    R(400, "5\r\nhello0\r\n\r\n"),
    R(400, "5\r\nhello\n0\r\n\r\n"),
    R(400, "5\r\nhello\rX"),
    R(400, "5\r\nhello!!"),
    R(400, "000000005\r\nhello\r\n"),
    R(400, "fffffffff\r\n"),
    R(400, "0\r\nX\r\n\r\n"),
    R(413, "ffffffff\r\n"),
    R(413, "400001\r\n"),
    R(400, "0\r\n Folded: x\r\n\r\n"),
    R(400, "0\r\nName : x\r\n\r\n"),
    R(400, "0\r\n: x\r\n\r\n"),
    R(400, "0\r\nNoColon\r\n\r\n"),
    R(400, "0\r\nA: b\nC: d\r\n\r\n"),
    R(400, "0\r\nA: b\r\r\n\r\n"),
    R(400, "0\r\nA: \x01\r\n\r\n"),
    R(400, "0\r\n\rX"),
    R(400, "0\r\n\n"),
#undef R
};

static void bad_bodies_are_refused(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(bad); index++) {
        struct slice in = slice_of(bad[index].in, bad[index].size);
        for (size_t step = 1; step <= in.size; step++) {
            struct decoded d;
            decode(&d, in, step);
            if (d.result != HTTP1_BAD || d.refusal.status != bad[index].status)
                fail_msg("case %zu '%s' step %zu: %d %d", index, in.data, step, d.result, d.refusal.status);
            buf_deinit(&d.body);
        }
    }
}

static void add_chunk(struct buf *b, size_t size)
{
    buf_printf(b, "%zx\r\n", size);
    memset(buf_reserve(b, size), 'c', size);
    b->size += size;
    buf_add_lit(b, "\r\n");
}

static void limits_hold_exactly(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    for (size_t more = 0; more <= 1; more++) {
        struct decoded d;
        /* the body as a whole, not only one chunk of it */
        buf_reset(&b);
        add_chunk(&b, HTTP_BODY_BYTES_MAX - 1000);
        add_chunk(&b, 1000 + more);
        buf_add_lit(&b, "0\r\n\r\n");
        decode(&d, buf_slice(&b), 100 * 1000);
        assert_int_equal(d.result, more ? HTTP1_BAD : HTTP1_DONE);
        assert_int_equal(d.refusal.status, more ? 413 : 0);
        assert_int_equal(d.body.size, more ? HTTP_BODY_BYTES_MAX - 1000 : HTTP_BODY_BYTES_MAX);
        buf_deinit(&d.body);
        /* what is thrown away: the CR counts, the ';' and the LF do not */
        buf_reset(&b);
        buf_add_lit(&b, "1;");
        memset(buf_reserve(&b, HTTP_CHUNK_EXTRA_BYTES_MAX), 'e', HTTP_CHUNK_EXTRA_BYTES_MAX);
        b.size += HTTP_CHUNK_EXTRA_BYTES_MAX - 1 - 4 + more;
        buf_add_lit(&b, "\r\nx\r\n0\r\nT:v\r\n\r\n");
        decode(&d, buf_slice(&b), 1000);
        assert_int_equal(d.result, more ? HTTP1_BAD : HTTP1_DONE);
        buf_deinit(&d.body);
    }
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_decoded),
        cmocka_unit_test(bad_bodies_are_refused),
        cmocka_unit_test(limits_hold_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
