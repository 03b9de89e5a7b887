/* channel_record.c: the payloads of MOVED_OUT, ARRIVED and OUT_DONE (channel.h). */
#include "service/sqs/channel.h"

void record_moved_out(struct buf *b, const struct record_moved_out *r)
{
    pack_u64(b, r->to);
    pack_u64(b, r->first);
    pack_u64(b, r->kind);
    if (r->kind == CHANNEL_MOVE)
        buf_add(b, slice_of(r->task_id, sizeof(r->task_id)));
    pack_bytes(b, r->account);
    pack_bytes(b, r->region);
    pack_bytes(b, r->name);
    pack_u64(b, r->count);
    for (uint32_t i = 0; i < r->count; i++) {
        uint64_t key = r->items[i].group_key;
        pack_u64(b, r->items[i].seq << 1 | (key ? 1 : 0));
        if (key)
            buf_add(b, slice_of(&key, sizeof(key)));
    }
}

bool record_moved_out_parse(struct slice payload, struct record_moved_out *ret)
{
    struct unpack u = unpack_of(payload);
    uint64_t to = unpack_u64(&u);
    ret->first = unpack_u64(&u);
    uint64_t kind = unpack_u64(&u);
    if (u.is_bad || to >= LOG_COUNT || kind > CHANNEL_MOVE)
        return false;
    ret->to = (uint16_t)to;
    ret->kind = (uint8_t)kind;
    memset(ret->task_id, 0, sizeof(ret->task_id));
    if (kind == CHANNEL_MOVE) {
        struct slice id = unpack_raw(&u, sizeof(ret->task_id));
        if (u.is_bad)
            return false;
        memcpy(ret->task_id, id.data, sizeof(ret->task_id));
    }
    ret->account = unpack_bytes(&u);
    ret->region = unpack_bytes(&u);
    ret->name = unpack_bytes(&u);
    ret->count = unpack_u32(&u);
    if (u.is_bad || ret->count == 0 || ret->count > CHANNEL_BATCH_MAX)
        return false;
    for (uint32_t i = 0; i < ret->count; i++) {
        uint64_t seq = unpack_u64(&u);
        ret->items[i].seq = seq >> 1;
        ret->items[i].group_key = 0;
        if (!(seq & 1))
            continue;
        struct slice key = unpack_raw(&u, sizeof(ret->items[i].group_key));
        if (u.is_bad)
            return false;
        memcpy(&ret->items[i].group_key, key.data, key.size);
    }
    return !u.is_bad && u.at == u.end;
}

void record_decided(struct buf *b, const struct record_decided *r)
{
    pack_u64(b, r->log);
    pack_u64(b, r->base);
    pack_u64(b, r->last - r->base);
    for (size_t i = 0; i < CHANNEL_WINDOW_WORDS; i++)
        pack_u64(b, r->refused[i]);
}

bool record_decided_parse(struct slice payload, struct record_decided *ret)
{
    struct unpack u = unpack_of(payload);
    uint64_t log = unpack_u64(&u);
    ret->base = unpack_u64(&u);
    uint64_t more = unpack_u64(&u);
    for (size_t i = 0; i < CHANNEL_WINDOW_WORDS; i++)
        ret->refused[i] = unpack_u64(&u);
    if (u.is_bad || u.at != u.end || log >= LOG_COUNT || more >= CHANNEL_WINDOW_WORDS * 64 || ret->base == 0)
        return false;
    ret->log = (uint16_t)log;
    ret->last = ret->base + more;
    return ret->last >= ret->base;
}
