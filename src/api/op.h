/* op.h: an operation is a row: what it is called, what it takes, who decides it. Rows live in service/x/ops.def. */
#ifndef MILLRACE_API_OP_H
#define MILLRACE_API_OP_H

#include "api/shape.h"
#include "base/error.h"

struct call;

enum op_where {
    WHERE_FRONT, /* decided on the reactor thread that read it: needs no owner (lists from the catalogue) */
    WHERE_OWNER, /* decided by the owner of the log that `route` chose */
};

/* A row's functions. `in` and `out` are the structs of the row's shapes. */
typedef struct error op_fn(struct call *c, const void *in, void *out);

struct op {
    struct slice name;   /* "PurgeQueue" */
    struct slice action; /* "sqs:PurgeQueue" */
    const struct shape *in, *out;
    uint8_t where;
    bool is_waiting;        /* may answer ERR_PENDING for long */
    uint16_t id;            /* index in the service's table: metrics */
    op_fn *route;           /* on the front: sets c->log, c->target...; NULL: WHERE_FRONT */
    op_fn *run;             /* decides; owner's thread for WHERE_OWNER */
    op_fn *finish;          /* optional, on the front after run succeeded: reads bodies, fills out. May answer
                                * ERR_PENDING after store_warm; it is called again. */
    op_fn *undo;            /* optional, at the owner: the client went away and never got this answer */
    const char *owner_only; /* non-NULL: never allowed across accounts, whatever a policy says */
};

#endif
