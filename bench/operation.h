/* operation.h: the API calls the generator makes: how each request is written and its reply judged.
 *
 * Owner    stateless rows; `build` and `check` touch only the connection they are given.
 * Fails    check returns -1 and one sentence; otherwise the number of messages the reply acknowledges.
 */
#ifndef BENCH_OPERATION_H
#define BENCH_OPERATION_H

#include "conn.h"

struct operation {
    const char *name;
    const char *target; /* X-Amz-Target */
    void (*build)(const struct conn *c, struct buf *body);
    long (*check)(struct conn *c, struct span body, char ret_error[ERROR_TEXT_MAX]);
};

extern const struct operation operations[OP_COUNT];

#endif
