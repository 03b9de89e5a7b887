#include "service/sts/sts.h"

#include "api/shapes_table.inc"
#include "service/sts/shapes.def"
#include "api/shapes_end.inc"

#define OP(fn, ...) static op_fn fn;
#include "service/sts/ops.def"
#undef OP

static struct error sts_get_caller_identity(struct call *c, const void *in, void *out)
{
    struct sts_get_caller_identity_out *o = out;
    (void)in;
    o->arn = c->caller.arn;
    o->user_id = c->caller.user_id;
    o->account = slice_of(c->caller.account, ACCOUNT_BYTES);
    return OK;
}

enum {
#define OP(fn, ...) OP_ID_##fn,
#include "service/sts/ops.def"
#undef OP
};

static const struct op ops[] = {
#define OP(fn, wire, act, ...)                                                                                         \
    { .name = { wire, sizeof(wire) - 1 },                                                                              \
        .action = { act, sizeof(act) - 1 },                                                                            \
        .in = &fn##_in_shape,                                                                                          \
        .out = &fn##_out_shape,                                                                                        \
        .id = OP_ID_##fn,                                                                                              \
        .run = fn,                                                                                                     \
        __VA_ARGS__ },
#include "service/sts/ops.def"
#undef OP
};

struct service sts_service = {
    .name = { "sts", 3 },
    .query_version = { "2011-06-15", 10 },
    .xml_namespace = { "https://sts.amazonaws.com/doc/2011-06-15/", 41 },
    .error_namespace = { "com.amazonaws.sts#", 18 },
    .ops = ops,
    .op_count = ARRAY_COUNT(ops),
};
