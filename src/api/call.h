/* call.h: one request from its bound input to its reply.
 *
 *   front: new -> bound -> route ──> owner: run (again, if it waits) ──> front: finish -> encode -> wait durable -> reply
 *
 * Owner    one thread at a time: the front's, then the owner's while queued there, then the front's again.
 * Memory   everything in `arena`, which dies with the call.
 */
#ifndef MILLRACE_API_CALL_H
#define MILLRACE_API_CALL_H

#include "api/error_rows.h"
#include "api/op.h"
#include "auth/sigv4.h"
#include "http/server.h"
#include "base/heap.h"
#include "base/list.h"
#include "store/store.h"

struct owner;
struct front;
struct service;

struct task { /* a piece of work for an owner; see owner.h */
    struct task *next;
    void (*run)(struct owner *o, struct task *t);
};

static inline struct task *tasks_turned(struct task *newest) /* the oldest first */
{
    struct task *oldest = NULL;
    while (newest) {
        struct task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

struct call {
    struct task task; /* in the owner's inbox, then in the front's */
    const struct op *op;
    const struct service *service;
    struct front *front;
    struct owner *owner; /* set while (and after) decided at one */
    struct arena arena;
    void *in, *out;

    /* who asks, for what */
    struct caller caller;  /* auth/credential.h: account, ARN, rights */
    struct slice region;   /* of the signature's scope */
    struct slice account;  /* of the target resource: the caller's, or the one in the queue URL */
    struct slice resource; /* its name */
    uint16_t log;
    struct slice endpoint;     /* "http://host:port" as the client addressed us: for URLs in replies */
    struct slice path;         /* of the request, decoded: a queue-URL endpoint */
    struct slice trace_header; /* X-Amzn-Trace-Id, none if absent */
    struct http_peer peer;     /* for policies: call_source_ip */
    char request_id[37];
    uint64_t started_us;

    /* what came out */
    struct error error;
    struct slice error_message; /* none: the row's sentence */
    lsn_t wait_lsn;             /* the reply waits until store_durable() > this; 0: needs nothing */
    bool is_wait_chosen;        /* run set wait_lsn itself (a standard receive); else it becomes the log's last LSN */
    void *scratch;              /* from run to finish */
    struct {                    /* call_md5_later */
        struct slice text;
        uint8_t *out; /* NULL: nothing to do */
    } md5;

    /* waiting */
    struct link waiting;       /* in a list of the service's (long poll), see call_wait */
    struct heap_node deadline; /* in the owner's */
    bool is_timed_out;         /* run is called the last time: it must answer now */
    bool is_gone;              /* the client left (front's thread only) */

    /* front.c's and gateway.c's */
    struct task cancel;          /* takes a parked call out when its client has left */
    _Atomic uint32_t references; /* the call itself, and a cancel or undo on its way */
    uint8_t state;
    uint8_t protocol;
    bool is_query_mode; /* x-amzn-query-mode: true */
    uint16_t status;    /* of the reply */
    struct slice cors;  /* header lines for a web page's request, usually none */
    void *stream;
    struct gateway_request *request; /* until the input is bound */
    struct link front_link;
};

/* Sets the sentence (printf) for an error row and returns the error. NULL format: the row's own sentence. */
struct error call_fail(struct call *c, uint32_t code, const char *format, ...) PRINTF_LIKE(3, 4);
/* the row's sentence is the format */
#define call_fail_row(c, code, ...) call_fail_format((c), (code), 0, ##__VA_ARGS__)
struct error call_fail_format(struct call *c, uint32_t code, int unused, ...);

/* The MD5 of `text` into out[16] before run is called, for routes: the front works out those of all calls of a turn side by
 * side, four in the time of one. Both stay where they are until then: not for operations that wait. A run function that may
 * have been called by someone else asks call_md5_now, which does nothing if it was done. */
void call_md5_later(struct call *c, struct slice text, uint8_t *out);
void call_md5_now(struct call *c);

/* For run functions: append and apply one record; c->wait_lsn moves up. See owner_record. */
struct error call_record(struct call *c, uint16_t type, uint64_t object, struct slice payload);
/* "127.0.0.1", "::1"; empty if unknown. In the call's arena. */
struct slice call_source_ip(struct call *c);
uint64_t call_now_ms(const struct call *c); /* the owner's clock; wall, monotone per log */

/* run could not answer yet: parks the call in `list` until call_wake or `deadline_ms` (then is_timed_out), and returns
 * ERR_PENDING for run to return. Input is copied, so request memory is released. */
struct error call_wait(struct call *c, struct link *list, uint64_t deadline_ms);
/* The first call of `list` runs again when the present task is done. False: the list is empty. */
bool call_wake_first(struct owner *o, struct link *list);
void call_wake_all(struct owner *o, struct link *list);

#endif
