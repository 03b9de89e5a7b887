#include "service/sqs/failure.h"
#include "codec/xml.h"

void sqs_batch_lists_init(struct sqs_batch_lists *l, struct arena *arena, size_t count, size_t success_size)
{
    l->arena = arena;
    *l->successful = (struct values){ .items = arena_zero(arena, count * success_size), .is_set = true };
    *l->failed = (struct values){ .items = arena_zero(arena, count * sizeof(struct sqs_batch_error)), .is_set = true };
}

void *sqs_batch_succeed(struct sqs_batch_lists *l, size_t success_size)
{
    return (char *)l->successful->items + l->successful->count++ * success_size;
}

void sqs_batch_fail(struct sqs_batch_lists *l, struct slice id, struct error e, struct slice text)
{
    const struct error_row *row = error_row(e.code);
    struct sqs_batch_error *out = (struct sqs_batch_error *)l->failed->items + l->failed->count++;
    out->id = id;
    out->sender_fault = row->fault == SENDER;
    out->code = slice_str(row->query);
    out->message =
        slice_is_none(text) ? slice_str(row->text) : xml_clean(l->arena, text); /* it may quote what was sent */
}
