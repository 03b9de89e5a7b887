/* move_task.c: StartMessageMoveTask, CancelMessageMoveTask, ListMessageMoveTasks: refused by name. */
#include "api/bind.h"
#include "api/gateway.h"
#include "service/sqs/sqs.h"

static struct error refuse(struct call *c)
{
    return call_fail(c, SQS_UNSUPPORTED_OPERATION, "Message move tasks are not supported.");
}

struct error sqs_route_move_start(struct call *c, const void *in, void *out)
{
    (void)out;
    TRY(bind_check(c, c->op->in, in, c->protocol != PROTOCOL_JSON));
    return refuse(c);
}

struct error sqs_route_move_cancel(struct call *c, const void *in, void *out)
{
    (void)out;
    TRY(bind_check(c, c->op->in, in, c->protocol != PROTOCOL_JSON));
    return refuse(c);
}

struct error sqs_route_move_list(struct call *c, const void *in, void *out)
{
    (void)out;
    TRY(bind_check(c, c->op->in, in, c->protocol != PROTOCOL_JSON));
    return refuse(c);
}

struct error sqs_start_message_move_task(struct call *c, const void *in, void *out)
{
    (void)in;
    (void)out;
    return refuse(c);
}

struct error sqs_cancel_message_move_task(struct call *c, const void *in, void *out)
{
    (void)in;
    (void)out;
    return refuse(c);
}

struct error sqs_list_message_move_tasks(struct call *c, const void *in, void *out)
{
    (void)in;
    (void)out;
    return refuse(c);
}
