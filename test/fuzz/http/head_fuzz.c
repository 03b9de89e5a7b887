/* The head of a request, whole and in pieces: both must say the same, and what is accepted must be made of allowed
 * bytes. Input: two bytes that choose the pieces, then the head. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct parsed {
    struct http1_head head;
    struct http_request request;
    struct header table[HTTP_HEADERS_MAX];
    enum http1_result result;
};

static void parse(struct parsed *p, struct slice bytes, size_t first, size_t step)
{
    memset(p, 0, sizeof *p);
    http1_head_init(&p->head, &p->request, p->table);
    p->result = HTTP1_MORE;
    for (size_t have = first; p->result == HTTP1_MORE; have = bytes.size - have > step ? have + step : bytes.size) {
        if (have > bytes.size)
            have = bytes.size;
        p->result = http1_head_parse(&p->head, slice_head(bytes, have));
        if (have == bytes.size)
            return;
    }
}

static void check_inside(struct slice whole, struct slice part)
{
    if (slice_is_none(part) || part.size == 0 || slice_equal(part, SLICE("/")))
        return;
    ASSERT(part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
    for (size_t index = 0; index < part.size; index++)
        ASSERT(((uint8_t)part.data[index] >= 0x20 && part.data[index] != 0x7f) || part.data[index] == '\t');
}

static void check_accepted(const struct parsed *p, struct slice bytes)
{
    struct slice head = slice_head(bytes, p->head.at);
    ASSERT(p->head.at <= HTTP_HEAD_BYTES_MAX && slice_ends(head, SLICE("\r\n\r\n")));
    ASSERT(p->request.header_count <= HTTP_HEADERS_MAX);
    ASSERT(p->head.content_length <= HTTP_BODY_BYTES_MAX);
    ASSERT(!(p->head.is_chunked && p->head.has_length));
    ASSERT(!slice_is_none(p->request.path) && p->request.path.size > 0);
    check_inside(head, p->request.target);
    check_inside(head, p->request.path);
    check_inside(head, p->request.query);
    check_inside(head, p->request.host);
    check_inside(head, p->request.content_type);
    size_t lengths = 0, encodings = 0, hosts = 0;
    for (size_t index = 0; index < p->request.header_count; index++) {
        const struct header *header = &p->table[index];
        check_inside(head, header->name);
        check_inside(head, header->value);
        for (size_t at = 0; at < header->name.size; at++)
            ASSERT(http1_is_token_byte(header->name.data[at]));
        ASSERT(slice_trim(header->value).size == header->value.size);
        lengths += slice_equal_nocase(header->name, SLICE("Content-Length"));
        encodings += slice_equal_nocase(header->name, SLICE("Transfer-Encoding"));
        hosts += slice_equal_nocase(header->name, SLICE("Host"));
    }
    ASSERT(lengths <= 1 && encodings <= 1 && lengths + encodings <= 1 && hosts <= 1);
    ASSERT((encodings == 1) == p->head.is_chunked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 3 * HTTP_HEAD_BYTES_MAX)
        return 0;
    static struct parsed whole, pieces;
    struct slice in = slice_of(data + 2, size - 2);
    char *bytes = malloc(in.size + 1); /* of exactly the size: reading past it shows */
    ASSERT(bytes);
    memcpy(bytes, in.data, in.size);
    bytes[in.size] = '\n'; /* a line that comes in pieces is judged when its end is there */
    struct slice s = slice_of(bytes, in.size + 1);
    parse(&whole, s, s.size, s.size);
    parse(&pieces, s, 1 + data[0] % s.size, 1 + data[1]);
    ASSERT(whole.result == pieces.result);
    if (whole.result == HTTP1_DONE) {
        check_accepted(&whole, s);
        ASSERT(whole.head.at == pieces.head.at && whole.request.header_count == pieces.request.header_count);
        ASSERT(memcmp(whole.table, pieces.table, whole.request.header_count * sizeof whole.table[0]) == 0);
        ASSERT(whole.head.content_length == pieces.head.content_length);
        ASSERT(whole.head.is_chunked == pieces.head.is_chunked);
        ASSERT(whole.request.is_keep_alive == pieces.request.is_keep_alive);
        ASSERT(whole.head.expects_continue == pieces.head.expects_continue);
    }
    if (whole.result == HTTP1_BAD)
        ASSERT(whole.head.refusal.status == pieces.head.refusal.status && whole.head.refusal.sentence);
    free(bytes);
    return 0;
}
