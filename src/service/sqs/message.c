#include "service/sqs/message.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "service/sqs/attribute_value.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"

enum { MOVED_ID_BYTES = 16, MD5_SIZE = 16, SHA256_SIZE = 32 };

/* ---- the stored form ---------------------------------------------------------------------------------------------- */

void message_encode_head(struct buf *b, const struct message *m)
{
    pack_u64(b, m->flags);
    pack_u64(b, m->seq);
    if (m->flags & MESSAGE_DELAY)
        pack_u64(b, m->delay_s);
    if (m->flags & MESSAGE_SENT)
        pack_u64(b, m->sent_ms);
    if (m->flags & MESSAGE_MOVED) {
        ASSERT(m->moved_id.size == MOVED_ID_BYTES);
        buf_add(b, m->moved_id);
        pack_bytes(b, m->source_arn);
        pack_u64(b, m->receives);
        pack_u64(b, m->first_after_ms);
    }
    if (m->flags & MESSAGE_DEDUP_HASH) {
        ASSERT(m->dedup_hash.size == SHA256_SIZE);
        buf_add(b, m->dedup_hash);
    }
}

void message_encode_tail(struct buf *b, const struct message *m)
{
    if (m->flags & MESSAGE_SENDER)
        pack_bytes(b, m->sender);
    if (m->flags & MESSAGE_GROUP)
        pack_bytes(b, m->group_id);
    if (m->flags & MESSAGE_DEDUP)
        pack_bytes(b, m->dedup_id);
    if (m->flags & MESSAGE_TRACE)
        pack_bytes(b, m->trace);
    if (m->flags & MESSAGE_ATTRIBUTES)
        pack_bytes(b, m->attributes);
    ASSERT(m->body_md5.size == MD5_SIZE);
    buf_add(b, m->body_md5);
}

static void decode_head(struct unpack *u, struct message *m)
{
    if (m->flags & MESSAGE_DELAY)
        m->delay_s = unpack_u32(u);
    if (m->flags & MESSAGE_SENT)
        m->sent_ms = unpack_ms(u);
    if (m->flags & MESSAGE_MOVED) {
        m->moved_id = unpack_raw(u, MOVED_ID_BYTES);
        m->source_arn = unpack_bytes(u);
        m->receives = unpack_u32(u);
        m->first_after_ms = unpack_ms(u);
    }
    if (m->flags & MESSAGE_DEDUP_HASH)
        m->dedup_hash = unpack_raw(u, SHA256_SIZE);
}

struct error message_decode(struct slice payload, struct message *ret)
{
    struct unpack u = unpack_of(payload);
    struct message m = { .flags = unpack_u32(&u) };
    m.seq = unpack_u64(&u);
    decode_head(&u, &m);
    if (m.flags & MESSAGE_SENDER)
        m.sender = unpack_bytes(&u);
    if (m.flags & MESSAGE_GROUP)
        m.group_id = unpack_bytes(&u);
    if (m.flags & MESSAGE_DEDUP)
        m.dedup_id = unpack_bytes(&u);
    if (m.flags & MESSAGE_TRACE)
        m.trace = unpack_bytes(&u);
    if (m.flags & MESSAGE_ATTRIBUTES)
        m.attributes = unpack_bytes(&u);
    m.body_md5 = unpack_raw(&u, MD5_SIZE);
    m.body = slice_of(u.at, (size_t)(u.end - u.at));
    if (u.is_bad)
        return ERROR_OF(ERR_CORRUPT);
    *ret = m;
    return OK;
}

/* ---- attributes --------------------------------------------------------------------------------------------------- */

void message_pack_attributes(struct buf *b, const struct values *attributes)
{
    const struct pair *pairs = attributes->items;
    pack_u64(b, attributes->count);
    for (size_t i = 0; i < attributes->count; i++) {
        const struct sqs_attribute_value *v = pairs[i].value;
        pack_bytes(b, pairs[i].key);
        pack_bytes(b, v->data_type);
        pack_u64(b, sqs_attribute_transport(v));
        pack_bytes(b, sqs_attribute_bytes(v));
    }
}

struct error message_unpack_attributes(struct slice packed, struct arena *arena, struct values *ret_attributes)
{
    struct unpack u = unpack_of(packed);
    uint64_t count = unpack_u64(&u);
    if (count > SQS_ATTRIBUTES_MAX)
        return ERROR_OF(ERR_CORRUPT);
    struct pair *pairs = ARENA_ARRAY(arena, struct pair, count);
    for (uint64_t i = 0; i < count; i++) {
        struct sqs_attribute_value *v = arena_alloc(arena, sizeof(*v));
        shape_clear(&sqs_attribute_value_shape, v);
        pairs[i].key = unpack_bytes(&u);
        pairs[i].value = v;
        v->data_type = unpack_bytes(&u);
        bool is_binary = unpack_u64(&u) == SQS_TRANSPORT_BINARY;
        *(is_binary ? &v->binary_value : &v->string_value) = unpack_bytes(&u);
    }
    if (u.is_bad || u.at != u.end)
        return ERROR_OF(ERR_CORRUPT);
    *ret_attributes = (struct values){ .items = pairs, .count = (size_t)count, .is_set = true };
    return OK;
}

/* ---- names of messages -------------------------------------------------------------------------------------------- */

void message_id_derive(const struct sqs_keys *keys, uint64_t uid, uint64_t seq, uint8_t out[16])
{
    const uint64_t name[2] = { uid, seq };
    uint64_t hash[2];
    siphash128(keys->message_id, slice_of(name, sizeof(name)), hash);
    memcpy(out, hash, sizeof(hash));
    out[6] = (uint8_t)((out[6] & 0x0f) | 0x40); /* RFC 4122: version 4, variant 1 */
    out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

void message_sequence_format(uint64_t seq, char out[SEQUENCE_DIGITS + 1])
{
    /* The real service's numbers have 20 digits from the start; so have ours. */
    const uint64_t offset = 18000000000000000000ull;
    size_t size = text_format_u64(offset + seq % 400000000000000000ull, out);
    ASSERT(size == SEQUENCE_DIGITS);
    out[size] = 0;
}
