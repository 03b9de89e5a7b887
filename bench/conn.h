/* conn.h: one connection of the load generator: one request out, one reply in, and the receipt handles it holds.
 *
 *      closed ──conn_send──> sending ──all bytes out──> waiting ──reply──> idle ──conn_send──> ...
 *         ^                                                │                │
 *         └──────────── failure, or the server closed ─────┴────────────────┘
 *
 * Owner    its worker. In a shared pool: whoever holds its claim, who is also its `worker` for that time.
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

/* Shared pool: the bits of a claim. An event is a mark: a thread that sets it on a connection nobody holds is the holder,
 * and the holder cannot let go before it has looked for all marks. So one thread at a time, and no event is lost. */
enum { CLAIM_HELD = 1, CLAIM_LOOK = 2, CLAIM_ENDS = 4 /* look behind the reply, too: the server has hung up */ };

struct conn {
    _Atomic unsigned claim; /* shared pool: of the thread that works on the connection */
    struct worker *worker;
    struct conn *next_idle; /* of the pool */
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
    bool waits_for_room; /* registered for EPOLLOUT; in a shared pool it always is, for edges */
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

/* False when somebody holds it. */
bool conn_claim(struct conn *c);

/* Leaves marks of an event. True when nobody held the connection: now the caller does, with these marks to work off. */
bool conn_mark(struct conn *c, unsigned marks);

/* Lets go, if there are no marks: true. Else false, the marks are taken off and the caller holds it still. */
bool conn_let_go(struct conn *c, unsigned *ret_marks);

void handles_push(struct handles *h, struct span handle);
const char *handles_at(const struct handles *h, size_t index);
void handles_pop(struct handles *h, size_t count);

#endif
