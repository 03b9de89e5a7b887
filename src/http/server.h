/* server.h: the HTTP/1.1 front (HTTP/2 fits behind the same `struct stream` later): listeners, connections, streams.
 *
 *   listener (reactor 0) ──accept, dealt to the least loaded reactor──> connection ──one request at a time──> stream
 *
 * A connection handles pipelined requests one after the other: the next one is parsed when the reply of the one before
 * is on its way. The handler answers now or later, exactly once, on the connection's reactor thread.
 *
 * Framing  strict (RFC 9112): CRLF only, one Host, no obs-fold, no blank before ':', Content-Length digits only and
 *          once, Transfer-Encoding only exactly "chunked" (any case) and never beside Content-Length, no NUL or control
 *          bytes in values, token method, HTTP/1.0 and 1.1 only. A refusal is answered (400, 408, 413, 414, 417, 431,
 *          501, 503, 505) with a sentence and closes. Absolute-form targets are accepted (the authority replaces Host
 *          for nothing but routing). HEAD: body suppressed. Expect: 100-continue is answered after on_head agreed,
 *          unless the body is already coming. Any other Expect: 417. Chunk extensions and trailers are thrown away.
 * Memory   per idle connection: struct conn (<= 512 bytes) and no buffer: input and output blocks are taken from the
 *          reactor's pool when needed and given back when empty. Head and small body share one 4 KiB block (which has
 *          the header table beside it); a head larger than that takes one of 20 KiB; larger bodies take exactly their
 *          size (chunked: doubling) out of options.body_budget_bytes, before reading (else 503, close). Replies count
 *          in it too and are never refused, but while they are more than it holds every request is (503, close). Who is
 *          not `is_known` has an eighth of as much instead (at least one body), for large heads too: strangers can take
 *          memory from one another only. While a reply is pending the handler may call
 *          stream_release_input: then an idle long poll holds no block.
 * Limits   base/limits.h HTTP_*; connections: options.max_connections (default: RLIMIT_NOFILE less 500), more are
 *          refused by accepting and closing. A connection that pipelines has HTTP_PIPELINE_TURN_MAX requests handled,
 *          then the others have their turn; none while more than 256 KiB of its replies are unsent, or any byte when all
 *          of its thread's are more than 8 MiB.
 * Slow     head not complete in HTTP_HEAD_TIMEOUT_MS (from its first byte; TLS: from the connection's start) -> 408;
 *          body without progress HTTP_BODY_TIMEOUT_MS -> 408; a reply of which less than HTTP_PROGRESS_BYTES was taken
 *          in HTTP_WRITE_TIMEOUT_MS -> closed; idle HTTP_IDLE_TIMEOUT_MS -> closed. A pending reply has no limit here:
 *          that time is the handler's.
 * Gone     while a reply is pending, a client that ends its side (FIN) counts as gone, because a client that closed
 *          looks the same as one that only will send no more, and messages must not be handed to nobody. So a client
 *          that closes its half gets the replies that are made in the turn that read its requests, and no later ones.
 *          A client that sends while its reply is pending is not read until the reply.
 * End      after a last reply that the client did not ask for (refusal, `close`, drain) what it still sends is thrown
 *          away for up to HTTP_LINGER_MS, so that a reset does not destroy the reply on its way.
 * TLS      a filter between socket and parser (net/tls.h): 1.2 and 1.3, ALPN http/1.1; buffers released when idle.
 */
#ifndef MILLRACE_HTTP_SERVER_H
#define MILLRACE_HTTP_SERVER_H

#include "base/buf.h"
#include "base/limits.h"
#include "codec/header.h"
#include "net/reactor.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS, HTTP_PATCH, HTTP_OTHER };

struct http_request {
    enum http_method method;
    struct slice method_text;
    struct slice target; /* raw, as received */
    struct slice path;   /* raw (still percent-encoded), without the query */
    struct slice query;  /* raw, without '?'; none if there is no '?' */
    const struct header *headers;
    size_t header_count;
    struct slice body;               /* decoded from chunks; complete in on_request */
    struct slice content_type, host; /* none if absent: the two that routing needs */
    bool is_tls;
    bool is_keep_alive;
};

/* the value of the first header of that name, or none */
static inline struct slice http_header_find(const struct http_request *r, struct slice name)
{
    return header_find(r->headers, r->header_count, name);
}
/* made of what names, addresses and ports are made of, as a Host header must be */
bool http_is_host(struct slice text);

/* One request and its reply. Lives until stream_reply returns or on_gone returned. */
struct stream {
    struct http_request request; /* slices live until stream_release_input or the reply */
    void *user;                  /* the handler's */
    void *front;                 /* the reactor's context (http_server_set_front) */
    bool is_known;               /* on_head says so: one of ours, who may use the memory for bodies and replies */
};

struct http_handler {
    /* The head is complete, the body not read yet: check what can be checked. False: the handler has already replied
     * (the connection then closes, unless the whole body happened to be here). True: it will hear on_request or
     * on_gone, and must not reply before. NULL: always true, everybody is known, and on_gone comes only after on_request. */
    bool (*on_head)(struct stream *s);
    /* Reply in here, or later on this thread. */
    void (*on_request)(struct stream *s);
    /* The client went away, or its body was refused, or the server is stopping, before the reply: no stream_reply any
     * more. Exactly once, instead of a reply. */
    void (*on_gone)(struct stream *s);
};

struct http_reply {
    int status;
    struct slice content_type; /* none: no header */
    struct slice header_lines; /* "Name: value\r\n" ..., ready made; copied */
    struct slice body;         /* copied, unless body_buf is given */
    struct buf *body_buf;      /* its memory is taken when large (the buf is then empty), else copied */
    bool close;                /* close the connection after this reply */
};
/* Date, Content-Length, Connection are added; status 200..599. From inside on_head or on_request the bytes leave when
 * the connection's input has been worked through, all replies in one send; from anywhere else on the thread they leave
 * at once. The next pipelined request is never handled from inside this call when it comes from elsewhere: no
 * recursion. */
void stream_reply(struct stream *s, const struct http_reply *reply);
/* From on_request until the reply: gives the input memory back; request slices are none afterwards. */
void stream_release_input(struct stream *s);
/* Who is on the other side, in 17 bytes; as text only when somebody asks. */
struct http_peer {
    uint8_t family; /* AF_INET, AF_INET6; 0: unknown */
    uint8_t bytes[16];
};
enum { HTTP_PEER_TEXT_BYTES = 64 };
struct http_peer stream_peer(const struct stream *s);
struct http_peer http_peer_of(bool is_v6, const uint8_t bytes[16]); /* the first four of IPv4 */
struct slice http_peer_format(const struct http_peer *peer, char out[HTTP_PEER_TEXT_BYTES]); /* "127.0.0.1", "::1" */

struct http_listener_options {
    struct slice address;           /* "127.0.0.1:4566", "[::1]:4566" */
    const char *tls_cert, *tls_key; /* both NULL: plain */
};
struct http_server_options {
    const struct http_listener_options *listeners;
    size_t listener_count;
    int threads;
    size_t max_connections;   /* 0: from RLIMIT_NOFILE */
    size_t body_budget_bytes; /* 0: HTTP_BODY_BUDGET_BYTES */
    struct http_handler handler;
};

struct http_server;
/* Binds and listens; ERR_CONFIG/ERR_IO with a sentence in ret_sentence (static or leaked once at start). */
struct error http_server_open(
    const struct http_server_options *options, struct http_server **ret_server, struct slice *ret_sentence);
struct reactor *http_server_reactor(struct http_server *h, int index);
void http_server_set_front(struct http_server *h, int index, void *front); /* before start */
uint16_t http_server_port(const struct http_server *h, size_t listener);   /* the bound one, when 0 was asked */
void http_server_start(struct http_server *h);                             /* one thread a reactor */
void http_server_start_here(struct http_server *h); /* without threads: the caller turns the reactors */
/* any thread: reads certificates again; keeps the old ones on failure, and logs */
void http_server_reload_tls(struct http_server *h);
/* any thread: no new connections, idle ones close, busy ones after their reply */
void http_server_drain(struct http_server *h);
bool http_server_is_drained(struct http_server *h); /* any thread */
/* stops and joins the reactors, closes everything (on_gone is called) */
void http_server_stop(struct http_server *h);
void http_server_free(struct http_server *h);

struct http_metrics {
    uint64_t connections, accepted, refused, requests, bad_requests, bytes_in, bytes_out, timeouts, body_bytes_held,
        body_budget_bytes;
};
void http_server_get_metrics(struct http_server *h, struct http_metrics *ret_metrics); /* any thread */

#endif
