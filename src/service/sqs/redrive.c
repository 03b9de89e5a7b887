#include "base/mutant.h"
#include "service/sqs/redrive.h"
#include "service/sqs/catalog.h"
#include "service/sqs/channel.h"
#include "service/sqs/state.h"

enum { ARN_BYTES_MAX = 12 + REGION_BYTES_MAX + 1 + ACCOUNT_DIGITS + 1 + SQS_QUEUE_NAME_BYTES_MAX };

/* "arn:aws:sqs:<region>:<account>:<name>" in `out`, which holds ARN_BYTES_MAX; none if it does not fit. */
static struct slice arn_of(const struct queue *q, char *out)
{
    const struct slice parts[] = { SLICE("arn:aws:sqs:"), q->region, SLICE(":"), q->account, SLICE(":"), q->name };
    size_t size = 0;
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (parts[i].size > ARN_BYTES_MAX - size)
            return SLICE_NONE;
        memcpy(out + size, parts[i].data, parts[i].size);
        size += parts[i].size;
    }
    return slice_of(out, size);
}

/* As far as the catalogue knows; the owner of the target decides again when the message arrives. */
static bool find_target(const struct queue *q, struct channel_target *target)
{
    char text[ARN_BYTES_MAX];
    struct sqs_catalog_key key;
    struct sqs_catalog_facts facts;
    struct slice source_arn = arn_of(q, text);
    if (slice_is_none(source_arn) ||
        !sqs_arn_parse(q->config->redrive.target_arn, &key.region, &key.account, &key.name) ||
        !sqs_catalog_find(&key, source_arn, &facts))
        return false;
    *target = (struct channel_target){
        .kind = CHANNEL_REDRIVE, .account = key.account, .region = key.region, .name = key.name
    };
    return facts.is_allowed && facts.is_fifo == q->is_fifo && facts.uid != q->uid;
}

void sqs_redrive_begin(struct redrive *r, struct queue *q)
{
    r->q = q;
    r->is_aimed = false;
    r->room = 0;
    r->count = 0;
}

static void aim(struct redrive *r)
{
    r->is_aimed = true;
    r->room = find_target(r->q, &r->target) ? channel_room(r->q->state, &r->target) : 0;
}

enum redrive_choice sqs_redrive_choose(struct redrive *r, uint32_t entry)
{
    const struct flight *e = flights_get(&r->q->flights, entry);
    const struct sqs_redrive *rule = &r->q->config->redrive;
    if (!rule->is_set || flight_count(e) + (MUTANT(redrive_too_early) ? 1 : 0) <
                             rule->max_receive_count + (MUTANT(redrive_too_late) ? 1 : 0))
        return REDRIVE_STAYS;
    if (e->flags & FLIGHT_REFUSED) /* it came back: received once before the next try */
        return REDRIVE_STAYS;
    if (!r->is_aimed)
        aim(r);
    if (r->room == 0)
        return REDRIVE_STAYS;
    if (r->count == CHANNEL_BATCH_MAX || r->count == r->room)
        return REDRIVE_LATER;
    r->entries[r->count++] = entry;
    return REDRIVE_LEAVES;
}

struct error sqs_redrive_end(struct redrive *r)
{
    if (r->count == 0)
        return OK;
    struct error e = channel_move_out(r->q, &r->target, r->entries, r->count);
    for (uint32_t i = 0; i < r->count && failed(e); i++)
        queue_unpick(r->q, r->entries[i]);
    r->count = 0;
    return e;
}
