/* queue_ops.c: CreateQueue, DeleteQueue, GetQueueUrl, ListQueues, ListDeadLetterSourceQueues. */
#include "service/sqs/access.h"
#include "service/sqs/catalog.h"
#include "service/sqs/page_token.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"
#include "service/sqs/url.h"

static struct slice url_of(struct call *c, struct slice account, struct slice region, struct slice name)
{
    return sqs_url_format(&c->arena, c->endpoint, region, account, name);
}

/* What is answered from the catalogue stands only when all it has seen is durable. */
static void wait_for_catalog(struct call *c)
{
    lsn_t lsn = sqs_catalog_lsn();
    if (lsn > c->wait_lsn)
        c->wait_lsn = lsn;
}

/* ---- create ---------------------------------------------------------------------------------------------------- */

static struct error make_draft(struct call *c, const struct sqs_create_queue_in *args,
    const struct sqs_config_subject *subject, struct sqs_config *draft)
{
    struct sqs_fault fault = { .arena = &c->arena };
    *draft = sqs_config_default;
    struct error e = sqs_config_set(draft, subject, &args->attributes, &fault);
    if (!failed(e))
        e = sqs_config_tag(draft, &args->tags, c->resource, &fault);
    return failed(e) ? sqs_fault_raise(c, e, &fault) : OK;
}

static struct error check_quarantine(struct call *c, struct sqs_state *s)
{
    if (!sqs_quotas.is_aws)
        return OK;
    uint64_t deleted_ms = sqs_queue_deleted_ms(s, c->account, c->region, c->resource);
    if (deleted_ms && call_now_ms(c) < deleted_ms + SQS_QUARANTINE_MS)
        return call_fail(c, SQS_QUEUE_DELETED_RECENTLY, NULL);
    return OK;
}

struct error sqs_create_queue(struct call *c, const void *in, void *out)
{
    const struct sqs_create_queue_in *args = in;
    struct sqs_create_queue_out *result = out;
    struct sqs_state *s = sqs_state_of(c->owner);
    const struct sqs_config_subject subject = {
        .region = c->region, .account = c->account, .name = c->resource, .is_new = true
    };
    struct sqs_fault fault = { .arena = &c->arena };
    struct sqs_config draft;
    TRY(sqs_access_check(c, NULL));
    TRY(make_draft(c, args, &subject, &draft));
    struct queue *q = sqs_queue_find(s, c->account, c->region, c->resource);
    struct error e = OK;
    if (q) {
        e = sqs_config_compare(q->config, &draft, &args->attributes, &fault);
    } else {
        TRY(check_quarantine(c, s));
        e = sqs_config_check_target(&draft, &subject, &fault);
    }
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    if (!q)
        TRY(sqs_queue_create(s, c->account, c->region, c->resource, &draft, &q));
    if (draft.redrive.is_set)
        wait_for_catalog(c);
    result->queue_url = url_of(c, c->account, c->region, c->resource);
    return OK;
}

struct error sqs_delete_queue(struct call *c, const void *in, void *out)
{
    struct queue *q;
    (void)in;
    (void)out;
    TRY(sqs_queue_for_call(c, &q));
    return sqs_queue_delete(q);
}

struct error sqs_get_queue_url(struct call *c, const void *in, void *out)
{
    struct sqs_get_queue_url_out *result = out;
    struct queue *q;
    (void)in;
    TRY(sqs_queue_for_call(c, &q));
    result->queue_url = url_of(c, c->account, c->region, c->resource);
    return OK;
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

static struct error fail_token(struct call *c, struct slice token)
{
    return call_fail(c, SQS_INVALID_PARAMETER,
        "Value %.*s for parameter NextToken is invalid. Reason: Invalid or expired next token.", SLICE_ARG(token));
}

static struct values urls_of(struct call *c, const struct sqs_catalog_page *page)
{
    struct values urls = { .is_set = true };
    struct slice *items = ARENA_ARRAY(&c->arena, struct slice, page->count + 1);
    for (; urls.count < page->count; urls.count++) {
        const struct sqs_catalog_key *key = &page->keys[urls.count];
        items[urls.count] = url_of(c, key->account, key->region, key->name);
    }
    urls.items = items;
    return urls;
}

struct error sqs_list_queues(struct call *c, const void *in, void *out)
{
    const struct sqs_list_queues_in *args = in;
    struct sqs_list_queues_out *result = out;
    const uint8_t *secret = store_secret(owners_store());
    struct slice after = SLICE_NONE, prefix = slice_is_none(args->prefix) ? SLICE("") : args->prefix;
    struct slice question = arena_printf(
        &c->arena, "ListQueues:%.*s:%.*s:%.*s", SLICE_ARG(c->account), SLICE_ARG(c->region), SLICE_ARG(prefix));
    bool is_paged = args->max_results != INT_ABSENT;
    struct sqs_catalog_page page;
    TRY(sqs_access_check(c, NULL));
    if (args->next_token.size && !sqs_page_token_open(secret, question, args->next_token, &c->arena, &after))
        return fail_token(c, args->next_token);
    sqs_catalog_list(c->account, c->region, prefix, after, is_paged ? (size_t)args->max_results : SQS_LIST_RESULTS_MAX,
        &c->arena, &page);
    wait_for_catalog(c);
    result->queue_urls = urls_of(c, &page);
    if (is_paged && page.has_more)
        result->next_token = sqs_page_token_seal(secret, question, page.keys[page.count - 1].name, &c->arena);
    return OK;
}

/* A position among the sources: none of the three can hold a colon. */
static struct slice format_key(struct arena *arena, const struct sqs_catalog_key *key)
{
    return arena_printf(arena, "%.*s:%.*s:%.*s", SLICE_ARG(key->account), SLICE_ARG(key->region), SLICE_ARG(key->name));
}

static void parse_key(struct slice text, struct sqs_catalog_key *key)
{
    key->account = slice_cut(&text, ':');
    key->region = slice_cut(&text, ':');
    key->name = text;
}

struct error sqs_list_dead_letter_source_queues(struct call *c, const void *in, void *out)
{
    const struct sqs_list_dead_letter_source_queues_in *args = in;
    struct sqs_list_dead_letter_source_queues_out *result = out;
    const uint8_t *secret = store_secret(c->owner->store);
    bool is_paged = args->max_results != INT_ABSENT;
    struct sqs_catalog_key after;
    struct sqs_catalog_page page;
    struct slice position;
    struct queue *q;
    TRY(sqs_queue_for_call(c, &q));
    struct slice arn = sqs_arn(&c->arena, c->region, c->account, c->resource);
    struct slice question = arena_printf(&c->arena, "ListDeadLetterSourceQueues:%.*s", SLICE_ARG(arn));
    if (args->next_token.size) {
        if (!sqs_page_token_open(secret, question, args->next_token, &c->arena, &position))
            return fail_token(c, args->next_token);
        parse_key(position, &after);
    }
    sqs_catalog_sources(arn, args->next_token.size ? &after : NULL,
        is_paged ? (size_t)args->max_results : SQS_LIST_RESULTS_MAX, &c->arena, &page);
    wait_for_catalog(c);
    result->queue_urls = urls_of(c, &page);
    if (is_paged && page.has_more)
        result->next_token =
            sqs_page_token_seal(secret, question, format_key(&c->arena, &page.keys[page.count - 1]), &c->arena);
    return OK;
}
