/* sqs.h: the rows of SQS as C: structs of the shapes, numbers of the errors, names of the operations.
 *
 * Shapes   shapes.def   struct sqs_send_message_in, ... (api/shape.h)
 * Errors   errors.def   SQS_QUEUE_DOES_NOT_EXIST = 512, ... (api/error_rows.h)
 * Ops      ops.def      struct error sqs_send_message(struct call *c, const void *in, void *out), ... (api/op.h)
 * Use      sqs_register() once at start, before the service is given to the server.
 */
#ifndef MILLRACE_SERVICE_SQS_SQS_H
#define MILLRACE_SERVICE_SQS_SQS_H

#include "api/call.h"
#include "api/service.h"
#include "service/sqs/limits.h"

#include "api/shapes_struct.inc"
#include "service/sqs/shapes.def"
#include "api/shapes_end.inc"

enum { SQS_INDEX = 0 }; /* of the service: records are SQS_INDEX << 8 | n, errors (SQS_INDEX + 2) * 256 + n */

enum sqs_error {
    SQS_ERROR_FIRST = (SQS_INDEX + 2) * 256 - 1,
#define ERROR(name, shape, query, status, fault, text) name,
#include "service/sqs/errors.def"
#undef ERROR
    SQS_ERROR_END
};

enum sqs_op {
#define OP(function, name, action, ...) OP_##function,
#include "service/sqs/ops.def"
#undef OP
    SQS_OP_COUNT
};

/* the functions of ops.def */
#define OP(function, name, action, ...) op_fn function;
#include "service/sqs/ops.def"
#undef OP
op_fn sqs_receive_message_finish, sqs_receive_message_undo;

/* Routes, on the front: who is asked (c->account, region, resource, log), and every check that needs no queue. */
op_fn sqs_route_create;     /* QueueName of the caller, checked */
op_fn sqs_route_name;       /* QueueName of GetQueueUrl */
op_fn sqs_route_queue;      /* QueueUrl, the first field of `in`, or the path of the request */
op_fn sqs_route_receive;    /* and the names of system attributes */
op_fn sqs_route_send;       /* and the plan of the message in c->scratch (send.h) */
op_fn sqs_route_send_batch; /* and batch rules, and the plan */
op_fn sqs_route_delete_batch, sqs_route_visibility_batch;
op_fn sqs_route_move_start, sqs_route_move_cancel, sqs_route_move_list; /* SourceArn, or that in the TaskHandle */

extern struct service sqs_service; /* `index` is set at registration: it must be SQS_INDEX */
void sqs_register(void);           /* error rows; asserts that the tables agree with each other */

/* A queue's ARN: "arn:aws:sqs:<region>:<account>:<name>". */
struct slice sqs_arn(struct arena *arena, struct slice region, struct slice account, struct slice name);
/* Views of `arn`. False: not the ARN of a queue. */
bool sqs_arn_parse(struct slice arn, struct slice *ret_region, struct slice *ret_account, struct slice *ret_name);
/* 1 to 80 letters, digits, hyphens, underscores; of a FIFO queue the last five are ".fifo". */
bool sqs_is_standard_name(struct slice name);
bool sqs_is_fifo_name(struct slice name);
bool sqs_is_queue_name(struct slice name);
bool sqs_is_region(struct slice region); /* lower-case letters, digits, hyphens: queues exist only in such */

#endif
