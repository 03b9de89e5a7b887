/* tag_ops.c: TagQueue, UntagQueue, ListQueueTags. */
#include "service/sqs/access.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"

struct error sqs_tag_queue(struct call *c, const void *in, void *out)
{
    const struct sqs_tag_queue_in *args = in;
    struct sqs_fault fault = { .arena = &c->arena };
    struct queue *q;
    (void)out;
    TRY(sqs_queue_for_call(c, &q));
    if (args->tags.count == 0)
        return call_fail(c, SQS_MISSING_PARAMETER, "The request must contain the parameter Tags.");
    struct sqs_config draft = *q->config;
    struct error e = sqs_config_tag(&draft, &args->tags, c->resource, &fault);
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    return sqs_queue_change(q, &draft);
}

struct error sqs_untag_queue(struct call *c, const void *in, void *out)
{
    const struct sqs_untag_queue_in *args = in;
    struct queue *q;
    (void)out;
    TRY(sqs_queue_for_call(c, &q));
    if (args->tag_keys.count == 0)
        return call_fail(c, SQS_MISSING_PARAMETER, "The request must contain the parameter TagKeys.");
    struct sqs_config draft = *q->config;
    sqs_config_untag(&draft, &args->tag_keys, &c->arena);
    return draft.tag_count == q->config->tag_count ? OK : sqs_queue_change(q, &draft);
}

struct error sqs_list_queue_tags(struct call *c, const void *in, void *out)
{
    struct sqs_list_queue_tags_out *result = out;
    struct queue *q;
    (void)in;
    TRY(sqs_queue_for_call(c, &q));
    struct pair *pairs = ARENA_ARRAY(&c->arena, struct pair, q->config->tag_count + 1);
    for (size_t i = 0; i < q->config->tag_count; i++) {
        const struct sqs_tag *tag = &q->config->tags[i];
        pairs[i] = (struct pair){ .key = arena_copy(&c->arena, tag->key), .text = arena_copy(&c->arena, tag->value) };
    }
    result->tags = (struct values){ .items = pairs, .count = q->config->tag_count, .is_set = true };
    return OK;
}
