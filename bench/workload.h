/* workload.h: what a connection does next.
 *
 * A workload is a row: a name, a function that chooses the next operation of a connection from what it did last, and the
 * operation whose messages are the workload's messages.
 *
 * Owner    stateless rows; `next` touches its connection and claims message numbers from the run.
 * Fails    `next` returns OP_NONE when the connection has nothing left to do.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "conn.h"

enum ready_when { READY_ON_REPLY, READY_ON_SENT, READY_BY_ITSELF };

struct workload {
    const char *name;
    const char *help;
    enum op (*next)(struct conn *c);
    enum op (*settle)(struct conn *c); /* after the stop, until OP_NONE; NULL: nothing is left to do then */
    enum op counted;
    enum ready_when ready;
    bool keeps_handles;
    bool needs_count; /* without --count it would never end */
    bool raw;
    bool reconnect;
};

extern const struct workload workloads[];
extern const size_t workload_count;

const struct workload *workload_find(const char *name); /* NULL: unknown */

/* Once per connection. */
void mark_ready(struct conn *c);

#endif
