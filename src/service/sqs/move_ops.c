/* move_ops.c: StartMessageMoveTask, CancelMessageMoveTask, ListMessageMoveTasks (contract 1.5, 1.4 "Move tasks"). */
#include "api/bind.h"
#include "api/gateway.h"
#include "base/text.h"
#include "codec/json.h"
#include "service/sqs/access.h"
#include "service/sqs/catalog.h"
#include "service/sqs/move_task.h"
#include "service/sqs/state.h"
#include <pthread.h>

enum { HANDLE_BYTES_MAX = 1024, UUID_CHARS = 36 };

static struct error fail_resource(struct call *c, const char *parameter)
{
    return call_fail(
        c, SQS_RESOURCE_NOT_FOUND, "The resource that you specified for the %s parameter doesn't exist.", parameter);
}

/* ---- routes ---------------------------------------------------------------------------------------------------------------- */

static struct error route_to(struct call *c, struct slice source_arn)
{
    struct slice region, account, name;
    if (!sqs_arn_parse(source_arn, &region, &account, &name))
        return fail_resource(c, "SourceArn");
    c->region = region;
    c->account = account;
    c->resource = name;
    c->log = owner_log_of(account, region, name);
    return OK;
}

static struct error check_fields(struct call *c, const void *in)
{
    return bind_check(c, c->op->in, in, c->protocol != PROTOCOL_JSON);
}

struct error sqs_route_move_start(struct call *c, const void *in, void *out)
{
    (void)out;
    TRY(check_fields(c, in));
    return route_to(c, ((const struct sqs_start_message_move_task_in *)in)->source_arn);
}

struct error sqs_route_move_list(struct call *c, const void *in, void *out)
{
    (void)out;
    TRY(check_fields(c, in));
    return route_to(c, ((const struct sqs_list_message_move_tasks_in *)in)->source_arn);
}

/* ---- handles: base64 of {"taskId": "...", "sourceArn": "..."} ------------------------------------------------------------------ */

struct task_handle {
    struct slice task_id, source_arn;
};

static struct slice handle_format(struct arena *arena, const uint8_t id[CHANNEL_TASK_ID_BYTES], struct slice source_arn)
{
    char uuid[UUID_CHARS + 1];
    text_format_uuid(id, uuid);
    struct slice json = arena_printf(arena, "{\"taskId\":\"%s\",\"sourceArn\":\"%.*s\"}", uuid, SLICE_ARG(source_arn));
    char *text = arena_alloc(arena, BASE64_ENCODED_BYTES(json.size));
    return slice_of(text, text_base64_encode(json.data, json.size, text));
}

static bool handle_parse(struct slice text, struct arena *arena, struct task_handle *ret)
{
    struct json_reader r;
    struct slice key;
    size_t size;
    if (text.size > HANDLE_BYTES_MAX)
        return false;
    char *bytes = arena_alloc(arena, text.size + 1);
    if (!text_base64_decode(text, bytes, &size))
        return false;
    *ret = (struct task_handle){ SLICE_NONE, SLICE_NONE };
    json_reader_init(&r, slice_of(bytes, size), arena);
    if (failed(json_enter_object(&r)))
        return false;
    while (json_next_key(&r, &key)) {
        struct slice *value = slice_equal(key, SLICE("taskId"))      ? &ret->task_id
                              : slice_equal(key, SLICE("sourceArn")) ? &ret->source_arn
                                                                     : NULL;
        if (failed(value ? json_read_string(&r, value) : json_skip(&r)))
            return false;
    }
    return !failed(json_end(&r)) && ret->task_id.size && ret->source_arn.size;
}

struct error sqs_route_move_cancel(struct call *c, const void *in, void *out)
{
    const struct sqs_cancel_message_move_task_in *args = in;
    struct task_handle *handle = ARENA_NEW(&c->arena, struct task_handle);
    struct slice region, account, name;
    (void)out;
    TRY(check_fields(c, in));
    if (!handle_parse(args->task_handle, &c->arena, handle) ||
        !sqs_arn_parse(handle->source_arn, &region, &account, &name))
        return call_fail(c, SQS_INVALID_PARAMETER, "Value for parameter TaskHandle is invalid.");
    c->scratch = handle;
    return route_to(c, handle->source_arn);
}

/* ---- at the owner ------------------------------------------------------------------------------------------------------------------ */

static struct error enter(struct call *c, struct queue **ret_queue)
{
    if (!sqs_queue_find(sqs_state_of(c->owner), c->account, c->region, c->resource)) {
        TRY(sqs_access_check(c, NULL));
        (void)fail_resource(c, "SourceArn");
        return ERROR_OF(SQS_RESOURCE_NOT_FOUND);
    }
    return sqs_queue_enter(c, ret_queue);
}

/* What is answered from the catalogue stands only when all it has seen is durable. */
static void wait_for_catalog(struct call *c)
{
    lsn_t lsn = sqs_catalog_lsn();
    if (lsn > c->wait_lsn)
        c->wait_lsn = lsn;
}

static struct error check_source(struct call *c, const struct queue *q)
{
    const struct sqs_catalog_key key = { q->account, q->region, q->name };
    struct sqs_catalog_facts facts;
    if (!sqs_catalog_find(&key, SLICE_NONE, &facts) || !facts.is_dead_letter)
        return call_fail(c, SQS_INVALID_PARAMETER, "Source queue must be configured as a Dead Letter Queue.");
    return OK;
}

static struct error check_destination(struct call *c, const struct queue *q, struct slice arn)
{
    struct sqs_catalog_key key;
    struct sqs_catalog_facts facts;
    if (slice_is_none(arn))
        return OK;
    if (!sqs_arn_parse(arn, &key.region, &key.account, &key.name) || !slice_equal(key.account, q->account) ||
        !slice_equal(key.region, q->region) || !sqs_catalog_find(&key, SLICE_NONE, &facts))
        return fail_resource(c, "DestinationArn");
    if (facts.uid == q->uid)
        return call_fail(c, SQS_INVALID_PARAMETER,
            "Value %.*s for parameter DestinationArn is invalid. Reason: Source and destination must be different "
            "queues.",
            SLICE_ARG(arn));
    if (facts.is_fifo != q->is_fifo)
        return call_fail(c, SQS_INVALID_PARAMETER,
            "Value %.*s for parameter DestinationArn is invalid. Reason: Source and destination must be of the same "
            "type.",
            SLICE_ARG(arn));
    return OK;
}

/* Owners on several threads count the tasks of one account: counting and starting is one step. */
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

static struct error start_counted(struct call *c, const struct queue *q, struct slice payload)
{
    uint32_t max = sqs_quotas.move_tasks_max;
    pthread_mutex_lock(&starting);
    bool is_full = max && sqs_catalog_moving(q->account, max) == max;
    struct error e = is_full ? OK : record_append(q->state, SQS_RECORD_TASK_STARTED, q->uid, payload, false);
    pthread_mutex_unlock(&starting);
    if (is_full)
        return call_fail(c, SQS_OVER_LIMIT,
            "%u message move tasks of this account are active, which is the maximum: start again when one has ended, "
            "or "
            "cancel one.",
            max);
    return e;
}

struct error sqs_start_message_move_task(struct call *c, const void *in, void *out)
{
    const struct sqs_start_message_move_task_in *args = in;
    struct sqs_start_message_move_task_out *result = out;
    struct queue *q;
    TRY(enter(c, &q));
    TRY(check_source(c, q));
    TRY(check_destination(c, q, args->destination_arn));
    if (move_task_active(q))
        return call_fail(c, SQS_INVALID_PARAMETER,
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.");
    struct record_task_started r = { .rate = args->max_per_second == INT_ABSENT ? 0 : (uint32_t)args->max_per_second,
        .to_move = queue_visible(q),
        .destination = args->destination_arn };
    uint64_t number = q->moves ? q->moves->started : 0;
    message_id_derive(sqs_state_keys(q->state), q->uid, UINT64_MAX - number, r.id); /* no message gets that far */
    struct buf b;
    buf_init(&b);
    record_task_started(&b, &r);
    wait_for_catalog(c);
    struct error e = start_counted(c, q, buf_slice(&b));
    buf_deinit(&b);
    TRY(e);
    result->task_handle = handle_format(&c->arena, r.id, sqs_arn(&c->arena, q->region, q->account, q->name));
    return OK;
}

static struct move_task *find_task(const struct queue *q, struct slice text)
{
    char uuid[UUID_CHARS + 1];
    if (!q->moves)
        return NULL;
    for (struct link *l = q->moves->tasks.next; l != &q->moves->tasks; l = l->next) {
        struct move_task *t = LIST_ENTRY(l, struct move_task, link);
        text_format_uuid(t->id, uuid);
        if (slice_equal_nocase(text, slice_str(uuid)))
            return t;
    }
    return NULL;
}

struct error sqs_cancel_message_move_task(struct call *c, const void *in, void *out)
{
    const struct task_handle *handle = c->scratch;
    struct sqs_cancel_message_move_task_out *result = out;
    struct queue *q;
    (void)in;
    TRY(enter(c, &q));
    struct move_task *t = find_task(q, handle->task_id);
    if (!t)
        return call_fail(c, SQS_RESOURCE_NOT_FOUND, "Task does not exist.");
    if (t->status != MOVE_RUNNING)
        return call_fail(c, SQS_UNSUPPORTED_OPERATION, "The task is %s: only a running task can be cancelled.",
            move_status_names[t->status]);
    result->moved = (int64_t)t->moved;
    return move_task_set_status(q, t, MOVE_CANCELLING, MOVE_NOT_FAILED);
}

/* ---- list -------------------------------------------------------------------------------------------------------------------------- */

static void show(struct call *c, const struct move_task *t, struct slice source_arn, struct sqs_move_task *ret)
{
    shape_clear(&sqs_move_task_shape, ret);
    ret->status = slice_str(move_status_names[t->status]);
    ret->source_arn = source_arn;
    ret->moved = (int64_t)t->moved;
    ret->to_move = (int64_t)t->to_move;
    ret->started_ms = (int64_t)t->started_ms;
    if (t->destination.size)
        ret->destination_arn = arena_copy(&c->arena, t->destination);
    if (t->rate)
        ret->max_per_second = t->rate;
    if (t->status == MOVE_RUNNING)
        ret->task_handle = handle_format(&c->arena, t->id, source_arn);
    if (t->failure != MOVE_NOT_FAILED)
        ret->failure_reason = slice_str(move_failure_names[t->failure]);
}

struct error sqs_list_message_move_tasks(struct call *c, const void *in, void *out)
{
    const struct sqs_list_message_move_tasks_in *args = in;
    struct sqs_list_message_move_tasks_out *result = out;
    size_t max = args->max_results == INT_ABSENT ? 1 : (size_t)args->max_results, count = 0;
    struct queue *q;
    TRY(enter(c, &q));
    if (!q->moves)
        return OK;
    struct slice arn = sqs_arn(&c->arena, q->region, q->account, q->name);
    struct sqs_move_task *tasks = ARENA_ARRAY(&c->arena, struct sqs_move_task, max);
    for (struct link *l = q->moves->tasks.next; l != &q->moves->tasks && count < max; l = l->next)
        show(c, LIST_ENTRY(l, struct move_task, link), arn, &tasks[count++]);
    result->results = (struct values){ .items = tasks, .count = count, .is_set = true };
    return OK;
}
