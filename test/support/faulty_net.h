/* faulty_net.h: a `struct sys_net` wholly in memory, on one thread and in virtual time, behind a network as bad as TCP may be.
 *
 *   client ──faulty_net_send──> on the way, in order, each piece with a time of arrival ──receive──> server's descriptor
 *          <──faulty_net_receive── the same the other way <──send──
 *
 * Bytes come in order and whole or not at all, as TCP promises; everything else is drawn: how long they take, how many a
 * call takes or gives, interrupted calls, accepts that fail. A reset loses what its receiver has not read. One epoll a
 * process, level-triggered (eventfds: each signal is an edge); epoll_wait never sleeps, but remembers how long it would
 * have: whoever turns the reactor asks faulty_net_is_due. Descriptors are small numbers from 1000 on, used again at once.
 * Everything random comes from one seed. Memory   malloc; faulty_net_reset frees all of it.
 */
#ifndef MILLRACE_TEST_FAULTY_NET_H
#define MILLRACE_TEST_FAULTY_NET_H

#include "sys/net.h"
#include <stdbool.h>
#include <stddef.h>

extern const struct sys_net sys_net_faulty;

struct faulty_net_plan { /* rates: one call in so many, 0: none */
    uint32_t late;       /* a piece is up to late_us_max on its way instead of arriving at once */
    uint32_t part;       /* a call moves only a part */
    uint32_t interrupt;  /* EINTR */
    uint32_t accept;     /* an accept fails: no descriptors, or that client is gone */
    uint64_t late_us_max;
    size_t window_bytes; /* unread bytes of one direction */
};
/* Forgets everything. `now_us` is the clock. */
void faulty_net_reset(uint64_t seed, const struct faulty_net_plan *plan, uint64_t (*now_us)(void));
void faulty_net_change(const struct faulty_net_plan *plan);

/* ---- the other end ------------------------------------------------------------------------------------------------ */

/* A connection on its way to be accepted; its peer address is 127.0.0.1. -1: nobody listens there. */
int faulty_net_connect(uint16_t port);
size_t faulty_net_send(
    int c, const void *bytes, size_t size);               /* how many were taken; 0: the window is full or it is over */
size_t faulty_net_receive(int c, void *out, size_t size); /* what is here; 0: nothing now, or it is over */
enum faulty_peer { FAULTY_PEER_OPEN, FAULTY_PEER_ENDED, FAULTY_PEER_BROKEN };
enum faulty_peer faulty_net_peer(int c); /* ENDED: everything was read, and no more will come */
void faulty_net_end(int c);              /* sends no more, goes on reading */
void faulty_net_break(int c);            /* a reset */
void faulty_net_close(int c);            /* as close(2): an end, or a reset if something is unread */
void faulty_net_forget(int c);           /* the number may be used again */

/* ---- what the server did with it ------------------------------------------------------------------------------------ */

struct faulty_net_view {
    bool is_accepted, is_over;                /* over: the server has closed it, or never will accept it */
    int descriptor;                           /* the server's; -1: none */
    uint64_t taken, given;                    /* bytes that the server received and sent */
    uint64_t accepted_us, taken_us, given_us; /* when, last */
    uint64_t unread;                          /* given, and not yet received by the client */
};
struct faulty_net_view faulty_net_view(int c);

/* ---- the server's process --------------------------------------------------------------------------------------------- */

/* Would epoll_wait have returned by now? */
bool faulty_net_is_due(void);
size_t faulty_net_open_descriptors(void);

#endif
