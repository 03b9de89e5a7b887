#include "service/sqs/record.h"
#include "service/sqs/config.h"
#include "service/sqs/state.h"

struct error record_append(struct sqs_state *s, enum sqs_record type, uint64_t uid, struct slice payload, bool urgent)
{
    const struct record_in in = { .type = (uint16_t)type,
        .version = SQS_RECORD_VERSION,
        .flags = RECORD_MUST_UNDERSTAND,
        .object = uid,
        .parts = &payload,
        .part_count = 1 };
    return owner_record(s->owner, &in, 1, urgent, NULL);
}

/* ---- queues ------------------------------------------------------------------------------------------------------- */

void record_queue_created(
    struct buf *b, struct slice account, struct slice region, struct slice name, const struct sqs_config *config)
{
    pack_bytes(b, account);
    pack_bytes(b, region);
    pack_bytes(b, name);
    record_queue_changed(b, config);
}

void record_queue_changed(struct buf *b, const struct sqs_config *config)
{
    struct buf text;
    buf_init(&text);
    sqs_config_encode(&text, config);
    pack_bytes(b, buf_slice(&text));
    buf_deinit(&text);
}

bool record_queue_parse(struct slice payload, struct record_queue *ret)
{
    struct unpack u = unpack_of(payload);
    ret->account = unpack_bytes(&u);
    ret->region = unpack_bytes(&u);
    ret->name = unpack_bytes(&u);
    ret->config = unpack_bytes(&u);
    return !u.is_bad;
}

/* ---- leases ------------------------------------------------------------------------------------------------------- */

static void sort_u64(uint64_t *values, uint32_t count) /* at most ten */
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t k = i; k > 0 && values[k - 1] > values[k]; k--) {
            uint64_t swap = values[k];
            values[k] = values[k - 1];
            values[k - 1] = swap;
        }
}

void record_leased(struct buf *b, const struct record_leased *r)
{
    pack_u64(b, r->flags);
    pack_u64(b, r->visibility_s);
    if (r->flags & LEASED_HAS_ATTEMPT) {
        buf_add(b, slice_of(r->attempt, sizeof(r->attempt)));
        pack_u64(b, r->epoch);
    }
    pack_u64(b, r->run_count);
    for (uint32_t i = 0; i < r->run_count; i++) {
        struct record_run run = r->runs[i];
        if (r->flags & LEASED_HAS_GROUPS)
            buf_add(b, slice_of(&run.group_key, sizeof(run.group_key)));
        sort_u64(run.seqs, run.count);
        pack_u64(b, run.count);
        for (uint32_t k = 0; k < run.count; k++)
            pack_u64(b, run.seqs[k] - (k ? run.seqs[k - 1] : 0));
    }
}

static uint64_t unpack_key(struct unpack *u)
{
    uint64_t key = 0;
    struct slice bytes = unpack_raw(u, sizeof(key));
    if (!u->is_bad)
        memcpy(&key, bytes.data, sizeof(key));
    return key;
}

static bool parse_run(struct unpack *u, bool has_group, struct record_run *run, uint32_t *total)
{
    run->group_key = has_group ? unpack_key(u) : 0;
    uint64_t count = unpack_u64(u), seq = 0;
    if (u->is_bad || count == 0 || count > SQS_RECEIVE_MAX - *total)
        return false;
    run->count = (uint32_t)count;
    *total += run->count;
    for (uint32_t k = 0; k < run->count; k++)
        run->seqs[k] = seq += unpack_u64(u);
    return true;
}

bool record_leased_parse(struct slice payload, struct record_leased *ret)
{
    struct unpack u = unpack_of(payload);
    ret->flags = unpack_u32(&u);
    ret->visibility_s = unpack_u32(&u);
    ret->attempt[0] = ret->attempt[1] = ret->epoch = 0;
    if (ret->flags & LEASED_HAS_ATTEMPT) {
        ret->attempt[0] = unpack_key(&u);
        ret->attempt[1] = unpack_key(&u);
        ret->epoch = unpack_u64(&u);
    }
    ret->run_count = unpack_u32(&u);
    uint32_t total = 0;
    if (u.is_bad || ret->run_count > SQS_RECEIVE_MAX || ret->visibility_s > SQS_VISIBILITY_S_MAX)
        return false;
    for (uint32_t i = 0; i < ret->run_count; i++)
        if (!parse_run(&u, ret->flags & LEASED_HAS_GROUPS, &ret->runs[i], &total))
            return false;
    return !u.is_bad && u.at == u.end;
}

/* ---- lists of messages -------------------------------------------------------------------------------------------- */

void record_seqs(struct buf *b, enum sqs_record type, struct record_seqs *r)
{
    for (uint32_t i = 1; i < r->count; i++)
        for (uint32_t k = i; k > 0 && r->items[k - 1].seq > r->items[k].seq; k--) {
            struct record_seq swap = r->items[k];
            r->items[k] = r->items[k - 1];
            r->items[k - 1] = swap;
        }
    uint64_t before = 0;
    pack_u64(b, r->count);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct record_seq *item = &r->items[i];
        uint64_t step = item->seq - before;
        ASSERT(i == 0 || step > 0);
        before = item->seq;
        if (type == SQS_RECORD_DELETED)
            pack_u64(b, step << 1 | (item->in_lane ? 1 : 0));
        else
            pack_u64(b, step);
        if (type == SQS_RECORD_DELETED && item->in_lane)
            buf_add(b, slice_of(&item->group_key, sizeof(item->group_key)));
        if (type == SQS_RECORD_VISIBILITY)
            pack_u64(b, item->visibility_s);
    }
}

bool record_seqs_parse(enum sqs_record type, struct slice payload, struct record_seqs *ret)
{
    struct unpack u = unpack_of(payload);
    uint64_t seq = 0;
    ret->count = unpack_u32(&u);
    if (u.is_bad || ret->count > SQS_RECEIVE_MAX)
        return false;
    for (uint32_t i = 0; i < ret->count; i++) {
        struct record_seq *item = &ret->items[i];
        *item = (struct record_seq){ 0 };
        uint64_t step = unpack_u64(&u);
        if (type == SQS_RECORD_DELETED) {
            item->in_lane = step & 1;
            step >>= 1;
        }
        item->seq = seq += step;
        if (item->in_lane)
            item->group_key = unpack_key(&u);
        if (type == SQS_RECORD_VISIBILITY)
            item->visibility_s = unpack_u32(&u);
    }
    return !u.is_bad && u.at == u.end;
}
