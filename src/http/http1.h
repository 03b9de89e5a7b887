/* http1.h: the head of an HTTP/1.x request and the chunked body: pure, resumable decoders.
 *
 *      bytes ──http1_head_parse──> http_request, framing ──(chunked: http1_chunked_decode)──> body
 *
 * One pass: each line is looked at once, names against a table of token bytes, values sixteen bytes at a time for the
 * first control byte, which must be the CR that ends them. A head that arrives in pieces goes on at the first line that
 * was not complete, once a line end came (or the head is full: so a bound may be noticed that late).
 *
 * Memory   nothing is copied or allocated: slices point into the caller's bytes, which must stay where they are until
 *          the request is answered. If they moved, http1_head_init and parse again.
 * Fails    HTTP1_BAD with `refusal`: the status that says it and a sentence; the connection must be closed after it.
 * Limits   HTTP_HEAD_BYTES_MAX, HTTP_TARGET_BYTES_MAX, HTTP_METHOD_BYTES_MAX, HTTP_HEADERS_MAX, HTTP_BODY_BYTES_MAX,
 *          HTTP_CHUNK_EXTRA_BYTES_MAX.
 * Source   RFC 9110, RFC 9112; where they leave a choice the strict one (see server.h).
 */
#ifndef MILLRACE_HTTP_HTTP1_H
#define MILLRACE_HTTP_HTTP1_H

#include "http/server.h"

enum http1_result { HTTP1_MORE, HTTP1_DONE, HTTP1_BAD };

struct http1_refusal {
    int status;
    const char *sentence; /* static */
};

struct http1_head {
    struct http_request *request; /* filled line by line; complete with HTTP1_DONE */
    struct header *table;         /* HTTP_HEADERS_MAX entries */
    uint32_t at;                  /* the first line not parsed yet; with HTTP1_DONE: the size of the head */
    uint32_t scanned;             /* no line ends between `at` and here */
    uint64_t content_length;      /* 0 if there was none */
    struct http1_refusal refusal;
    uint8_t minor; /* HTTP/1.minor */
    bool has_request_line, has_blank_line, has_host, has_length, has_encoding;
    bool is_chunked;
    bool says_close, says_keep_alive;
    bool expects_continue;
};

void http1_head_init(struct http1_head *h, struct http_request *request, struct header *table);
/* `bytes`: everything from the head's first byte on; each time the same ones and perhaps more. */
enum http1_result http1_head_parse(struct http1_head *h, struct slice bytes);

struct http1_chunked {
    uint64_t left;       /* of the chunk being read; while its size is read: the size so far */
    uint64_t body_bytes; /* decoded so far */
    uint32_t extra_bytes;
    uint8_t state, digits;
    struct http1_refusal refusal;
};

void http1_chunked_init(struct http1_chunked *d);
/* Decodes in place: bytes[0..*ret_kept) become body bytes. HTTP1_MORE: everything was used. HTTP1_DONE: what is behind
 * *ret_used belongs to the next request. */
enum http1_result http1_chunked_decode(
    struct http1_chunked *d, char *bytes, size_t size, size_t *ret_used, size_t *ret_kept);
/* How many of the coming bytes are certainly part of this body. */
uint64_t http1_chunked_coming(const struct http1_chunked *d);

bool http1_is_token_byte(char byte);

#endif
