/* conn.h: one connection of the load generator: one request out, one reply in, and the receipt handles it holds.
 *
 *      closed ──conn_send──> sending ──all bytes out──> waiting ──reply──> idle ──conn_send──> ...
 *         ^                                                │                │
 *         └──────────── failure, or the server closed ─────┴────────────────┘
 *
 * Owner    its worker.
 * Memory   buffers grow to the largest request and reply and stay; conn_deinit returns them.
 * Fails    every CONN_FAILED has closed the socket; the next conn_send opens a new one.
 */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include "load.h"

/* Receipt handles in the order they were received. */
struct handles {
    char **items; /* ring of room entries */
    size_t room;
    size_t first;
    size_t count;
};

struct conn {
    struct worker *worker;
    struct conn *next_idle;
    struct wire wire;
    struct buf out;
    size_t out_done;
    struct buf in;
    struct reply reply;
    uint64_t start_ns; /* when the request was due (fixed rate) or made */
    enum op op;        /* the request under way, or the last one */
    unsigned batch;    /* its messages */
    uint64_t number;   /* of its first message, or of its queue */
    unsigned received; /* messages in the last receive reply */
    unsigned owed;     /* messages deleted and not yet sent again */
    unsigned empty_in_a_row;
    unsigned failures; /* in a row */
    struct handles handles;
    bool waits_for_room; /* registered for EPOLLOUT */
    bool busy;
    bool is_opening; /* no request has left this socket yet */
    bool is_ready;
};

enum conn_status { CONN_MORE, CONN_REPLY, CONN_FAILED, CONN_ENDED };

void conn_init(struct conn *c, struct worker *w);
void conn_deinit(struct conn *c);

/* Sends what `out` holds, opening the connection when there is none. CONN_MORE: under way. */
enum conn_status conn_send(struct conn *c);

/* After an epoll event. CONN_REPLY: `reply` is whole. CONN_ENDED: closed by the server while idle. */
enum conn_status conn_continue(struct conn *c);

void conn_close(struct conn *c);

void handles_push(struct handles *h, struct span handle);
const char *handles_at(const struct handles *h, size_t index);
void handles_pop(struct handles *h, size_t count);

#endif
