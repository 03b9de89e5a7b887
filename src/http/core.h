/* core.h: what the files of http/ share and nobody else sees: server, thread, listener, connection.
 *
 *      listener.c   accepts and deals out
 *      conn.c       a connection's life: events, time, what to wait for, its end
 *      input.c      bytes in: head, body, the handler
 *      output.c     bytes out: the reply, coalescing, what the socket does not take
 *      server.c     threads, start, drain, stop, metrics
 *
 * States of a connection:
 *
 *      IDLE ──byte──> HEAD ──complete──> CHECKING ──agreed──> BODY ──complete──> PENDING ──stream_reply──> IDLE
 *                      │ refused       (in on_head) │ replied   │ refused            └── the last one ─┐
 *                      └────────────────────────────┴───────────┴──────────> CLOSING <─────────────────┘
 *                                                                               └──sent──> LINGERING ──> gone
 *
 * Whether the output is blocked (the socket did not take it) is a second axis: no request is parsed meanwhile.
 *
 * CONN-INV-1  `is_handed` is true from the moment on_head returned true (or on_request is called) until stream_reply or
 *             on_gone: exactly one of the two ends it.
 * CONN-INV-2  input bytes: begin <= next <= end; [begin, next) belongs to the request being answered.
 * CONN-INV-3  a connection is freed only outside of its own input loop (is_running false).
 * CONN-INV-4  with state IDLE and no bytes there is no input block; with nothing to send there is no output block.
 */
#ifndef MILLRACE_HTTP_CORE_H
#define MILLRACE_HTTP_CORE_H

#include <pthread.h>

#include "base/arena.h"
#include "http/http1.h"
#include "http/memory.h"
#include "http/server.h"
#include "net/sock.h"
#include "net/tls.h"

enum {
    INPUT_BYTES = 4 * KIB,
    /* the largest head, and after it room for a chunk's line or the leftover of a read */
    INPUT_LARGE_BYTES = HTTP_HEAD_BYTES_MAX + INPUT_BYTES,
    INPUT_TAIL_BYTES_MIN = 512, /* behind the head of a chunked body: else a larger block */
    OUTPUT_ROOM_BYTES = 4 * KIB,
    OUTPUT_PENDING_BYTES_MAX = 256 * KIB, /* more unsent: the next request waits until it is on its way */
    OUTPUTS_PLENTY = 2048,                /* blocks of a thread, 8 MiB: past it the next request waits for every byte */
    BODY_FIRST_BYTES = 16 * KIB,          /* of a chunked body that outgrows its block; then doubled */
    BODY_READS_MAX = 16,                  /* in one turn of one connection */
    ACCEPTS_MAX = 64,                     /* in one turn */
    ACCEPT_PAUSE_MS = 100,                /* without descriptors */
};

/* == Bytes == */

struct input {
    uint32_t capacity;
    struct header table[HTTP_HEADERS_MAX];
    char data[];
};

struct output {
    struct output *next;
    uint32_t begin, end; /* in room: sent up to here, filled up to here */
    char *body;          /* sent after the room; NULL: none. Nothing is added behind it. */
    size_t body_begin, body_end;
    struct budget *budget; /* that the body counts in */
    struct buf taken;      /* owns body if the handler's buffer was taken, else body_free */
    char room[];
};

/* == Threads == */

struct http_counters { /* written by their thread only */
    _Atomic uint64_t accepted, refused, requests, bad_requests, bytes_in, bytes_out, timeouts;
};
#define COUNT(thread, counter, n)                                                                                      \
    atomic_store_explicit(&(thread)->counters.counter,                                                                 \
        atomic_load_explicit(&(thread)->counters.counter, memory_order_relaxed) + (uint64_t)(n), memory_order_relaxed)

struct http_server;

struct http_thread {
    struct http_server *server;
    struct reactor *reactor;
    void *front;
    int index;
    bool is_started;
    bool is_resume_posted;
    bool is_stopped;
    pthread_t thread;
    struct pool small_inputs, large_inputs, outputs;
    struct link conns;
    struct link resume; /* connections with bytes that were read and not looked at: handled without an event */
    struct reactor_post resume_post, drain_post, stop_post;
    uint64_t date_checked_ms; /* reactor clock */
    int64_t date_s;
    char date_line[40]; /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 37 bytes */
    struct http_counters counters;
    _Alignas(64) _Atomic uint32_t load; /* connections dealt to this thread */
};

struct listener {
    struct reactor_source source;
    struct timer pause; /* out of descriptors */
    struct http_server *server;
    bool is_watched; /* by reactor 0 */
    uint16_t port;
    const char *tls_cert, *tls_key; /* NULL: plain */
    pthread_mutex_t tls_lock;       /* around the pointer, for a reload */
    struct tls_context *tls;
};

struct http_server {
    struct http_handler handler;
    struct http_thread *threads;
    int thread_count;
    int next_thread; /* reactor 0 only: where the search for the least loaded begins */
    struct listener *listeners;
    size_t listener_count;
    size_t max_connections;
    struct arena strings;
    pthread_mutex_t conn_lock; /* around the pool: connections are taken by reactor 0 and given back by their own */
    struct pool conns;
    struct budget bodies, strangers;
    bool is_started, is_stopped, has_threads;
    atomic_bool is_draining;
    atomic_int open_listeners;
};

/* == Connections == */

enum conn_state { CONN_IDLE, CONN_HEAD, CONN_CHECKING, CONN_BODY, CONN_PENDING, CONN_CLOSING, CONN_LINGERING };
enum { TIMED_NONE = 255, TIMED_BLOCKED = 254 }; /* conn.timed_state, beside the states */

struct conn {
    struct reactor_source source;
    struct http_thread *thread;
    struct tls *tls; /* NULL: plain */
    struct input *input;
    uint32_t begin, next, end; /* see CONN-INV-2 */
    uint32_t body_at;          /* where the head ends */
    uint8_t state;
    uint8_t timed_state; /* the state the deadline was set for */
    bool is_http10 : 1;
    bool is_running : 1;        /* inside its input loop: stream_reply only adds to the output */
    bool is_handed : 1;         /* see CONN-INV-1 */
    bool has_unparsed : 1;      /* bytes in the block that the parser has not seen */
    bool has_more_tls : 1;      /* bytes inside the TLS filter */
    bool is_blocked : 1;        /* the socket did not take the output */
    bool has_unread : 1;        /* plain: bytes in the socket that were told of */
    bool has_ended : 1;         /* the client will send no more; that was told of */
    bool is_paused : 1;         /* TLS: a client that sends while its reply is pending is not read */
    bool receive_wants_out : 1; /* TLS: receiving waits until writable */
    bool send_wants_in : 1;     /* TLS: sending waits until readable */
    bool lingers : 1;           /* after the last reply */
    bool is_body_external : 1;
    bool is_body_chunked : 1;
    bool is_body_missing : 1; /* it has not been read to its end */
    char *body;
    size_t body_size; /* decoded so far */
    size_t body_capacity;
    struct output *output, *output_last;
    size_t output_bytes;
    struct timer timer;
    uint32_t progress_bytes; /* went in or out since the deadline was set */
    uint64_t deadline_ms;    /* the timer is never later than this, and looks here when it fires */
    struct link link;        /* in thread->conns */
    struct link resume_link; /* in thread->resume */
    union {
        struct http1_head head;       /* IDLE, HEAD */
        struct http1_chunked chunked; /* BODY */
        struct {                      /* before it belongs to a thread, and when it stays after its last reply */
            struct reactor_post post;
            struct listener *listener;
        } arrival;
        size_t lingered_bytes;
    };
    uint8_t peer_family;
    uint8_t peer_bytes[16];
    struct stream stream;
};
static_assert(sizeof(struct conn) <= 512, "what an idle connection costs");

#define CONN_OF(stream_pointer) CONTAINER_OF(stream_pointer, struct conn, stream)

/* == conn.c == */
struct conn *conn_new(struct http_server *h, int fd, const union sock_address *peer);
void conn_discard(struct http_server *h, struct conn *c); /* never started */
void conn_start(struct conn *c, struct http_thread *t);   /* on its thread; c->arrival is set */
void conn_settle(struct conn *c);                         /* sends, then waits for what must come next; may free c */
void conn_abort(struct conn *c);                          /* on_gone if somebody is waiting, then frees c */
void conn_resume_all(struct http_thread *t);
ssize_t conn_receive(struct conn *c, void *out, size_t size); /* SOCK_ results */

/* == input.c == */
bool input_read(struct conn *c); /* from the socket; false: the connection is at its end */
void input_run(struct conn *c);  /* parses and handles what was read, within the turn's bound */
void input_finish_request(struct conn *c);
struct budget *input_budget(const struct conn *c); /* that the present request's bytes count in */
void input_release(struct conn *c);                /* everything that was read */

/* == output.c == */
enum output_result { OUTPUT_SENT, OUTPUT_BLOCKED, OUTPUT_BROKEN };
enum output_result output_flush(struct conn *c);
void output_release(struct conn *c);
void output_continue(struct conn *c); /* 100 */
/* Answers for the handler, which is told that the stream is gone; closes. */
void output_refuse(struct conn *c, int status, const char *sentence);

/* == listener.c == */
void listener_init(struct listener *l, struct http_server *h);
void listener_deinit(struct listener *l); /* closed */
struct error listener_open(struct listener *l, const struct http_listener_options *options, struct slice *ret_sentence);
struct error listener_start(struct listener *l); /* on reactor 0, or before it runs */
void listener_close(struct listener *l);         /* likewise; fine if not open */
struct error listener_load_tls(struct listener *l, char ret_reason[TLS_REASON_BYTES]); /* any thread */
struct tls_context *listener_tls(struct listener *l); /* any thread; counted; NULL: plain */

#endif
