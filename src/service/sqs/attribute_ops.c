/* attribute_ops.c: GetQueueAttributes, SetQueueAttributes. */
#include "service/sqs/access.h"
#include "service/sqs/catalog.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"

struct error sqs_get_queue_attributes(struct call *c, const void *in, void *out)
{
    const struct sqs_get_queue_attributes_in *args = in;
    struct sqs_get_queue_attributes_out *result = out;
    struct sqs_fault fault = { .arena = &c->arena };
    struct queue *q;
    TRY(sqs_queue_enter(c, &q));
    const struct sqs_config_facts facts = {
        .arn = sqs_arn(&c->arena, q->region, q->account, q->name),
        .created_ms = q->created_ms,
        .changed_ms = q->changed_ms,
        .visible = queue_visible(q),
        .in_flight = q->in_flight + q->in_transit, /* on its way to another queue: not visible here, not yet there */
        .delayed = q->delayed,
    };
    struct error e = sqs_config_list(q->config, &facts, &args->names, &result->attributes, &fault);
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    /* The reply is written when the queue's config may be another one already. */
    struct pair *pairs = result->attributes.items;
    for (size_t i = 0; i < result->attributes.count; i++)
        pairs[i].text = arena_copy(&c->arena, pairs[i].text);
    return OK;
}

static bool is_asked(const struct values *attributes, struct slice name)
{
    const struct pair *pairs = attributes->items;
    for (size_t i = 0; i < attributes->count; i++)
        if (slice_equal(pairs[i].key, name))
            return true;
    return false;
}

struct error sqs_set_queue_attributes(struct call *c, const void *in, void *out)
{
    const struct sqs_set_queue_attributes_in *args = in;
    const struct sqs_config_subject subject = { .region = c->region, .account = c->account, .name = c->resource };
    struct sqs_fault fault = { .arena = &c->arena };
    struct queue *q;
    (void)out;
    TRY(sqs_queue_for_call(c, &q));
    if (args->attributes.count == 0)
        return OK;
    struct sqs_config draft = *q->config;
    struct error e = sqs_config_set(&draft, &subject, &args->attributes, &fault);
    bool is_redrive = is_asked(&args->attributes, SLICE("RedrivePolicy"));
    if (!failed(e) && is_redrive)
        e = sqs_config_check_target(&draft, &subject, &fault);
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    if (is_redrive) { /* the target that was seen must be there after a crash, too */
        lsn_t lsn = sqs_catalog_lsn();
        if (lsn > c->wait_lsn)
            c->wait_lsn = lsn;
    }
    return sqs_queue_change(q, &draft);
}
