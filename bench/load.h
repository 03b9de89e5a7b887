/* load.h: the shape of one run of the load generator.
 *
 *      main ──starts──> workers (threads) ──take from──> pool of connections ──one request at a time──> server
 *        │                  ^                                  │
 *        └── phase: warm, measure, stop ───────────────────────┴── replies are checked, timed and counted
 *
 * Owner    struct load: written by main before the workers start; afterwards only its atomics change.
 *          struct worker: one thread. A pool and its connections: see pool.h.
 * Limits   CONNECTIONS_MAX, THREADS_MAX, BATCH_MAX, BODY_MAX.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "hist.h"
#include "reply.h"
#include "sign.h"
#include "util.h"
#include "wire.h"

enum {
    THREADS_MAX = 64,
    CONNECTIONS_MAX = 200000,
    BATCH_MAX = 10,         /* of the protocol */
    BODY_MIN = 8,           /* room for the number of the body */
    BODY_MAX = 1024 * 1024, /* of the protocol */
    ERROR_TEXT_MAX = 320,
    DRAIN_S = 5,              /* how long answers are awaited after the stop */
    OPENING_MAX = 128,        /* connections, for each thread, whose first request is not yet out */
    EMPTY_RECEIVES_MAX = 200, /* in a row, while messages are awaited: then the queue does not hold them */
    FAILURES_MAX = 50,        /* failed connections in a row: then the server is gone */
};

enum phase { PHASE_WARM, PHASE_MEASURE, PHASE_STOP };

enum op { OP_SEND, OP_SEND_BATCH, OP_RECEIVE, OP_DELETE_BATCH, OP_CREATE, OP_COUNT, OP_NONE = OP_COUNT };

struct conn;
struct pool;
struct workload;

/* Message bodies, made once: their number in eight digits, then letters. Every run of the same size has the same ones. */
struct bodies {
    size_t count;
    size_t size;
    char *text; /* count * size bytes */
    char (*md5)[32];
};

struct load {
    char host[64];
    char host_header[96];
    uint16_t port;
    SSL_CTX *tls; /* NULL: plain */
    const struct workload *workload;
    unsigned threads;
    unsigned connections;
    double rate; /* requests per second over all connections; 0: closed loop */
    double duration_s;
    double warmup_s;
    double limit_s; /* for work that ends by itself, and for getting ready */
    uint64_t count; /* messages (or queues) to do; 0: until the time is over */
    const char *queue;
    unsigned queues; /* names are QUEUE-0 ... */
    unsigned groups; /* > 0: a FIFO queue, messages dealt to so many groups */
    const char *group_prefix;
    unsigned batch;
    unsigned inflight; /* messages kept received and undeleted, over all connections */
    unsigned wait_s;
    int visibility_s; /* < 0: the queue's */
    bool raw;         /* any reply with status 200 is a good one */
    bool reconnect;
    bool show; /* print one signed request and end */
    pid_t pid; /* the server; 0: unknown */
    uint64_t nonce;
    struct bodies bodies;

    _Atomic int phase;
    _Atomic uint64_t window_start_ns; /* 0: not yet */
    _Atomic uint64_t window_end_ns;   /* 0: not yet */
    _Atomic uint64_t ready;           /* connections that have reached their steady state */
    _Atomic uint64_t claimed;         /* of count, and the number of the next message */
    _Atomic unsigned finished;        /* workers with nothing left to do */
    _Atomic(const char *) fatal;
};

struct stats {
    struct hist latency[OP_COUNT];
    /* fixed rate, in the measured window: how long after it was due a request left */
    struct hist late;
    uint64_t requests;                 /* answered well, in the measured window */
    uint64_t messages[OP_COUNT];       /* in the measured window */
    uint64_t total_messages[OP_COUNT]; /* acknowledged in the whole run */
    uint64_t errors;                   /* in the whole run */
    uint64_t unanswered;               /* sent before the stop, no answer within DRAIN_S after it */
    uint64_t behind;                   /* fixed rate: due before the stop and never sent */
    uint64_t empty_receives;
    uint64_t opened;
    char first_error[ERROR_TEXT_MAX];
};

struct worker {
    pthread_t thread;
    struct load *load;
    struct pool *pool; /* closed loop: its own; fixed rate: everybody's */
    unsigned index;
    struct signer *signer;
    uint64_t random;
    struct buf body; /* the JSON of the request being made */
    struct stats stats;
};

/* target.c: what requests are about. */
void bodies_make(struct bodies *b, size_t size);
void add_queue_url(const struct load *l, struct buf *out, uint64_t queue);
void add_message(const struct load *l, struct buf *out, uint64_t number);
static inline size_t body_index(const struct bodies *b, uint64_t number)
{
    return (size_t)(number % b->count);
}

/* worker.c: the thread's loop. */
void worker_init(struct worker *w, struct load *l, struct pool *pool, unsigned index);
void *worker_run(void *worker);

#endif
