/* message.h: a message as it is stored: the payload of SENT and RELOCATED records.
 *
 *   varint flags, varint seq, [what the flags say, in the order of their bits], MD5 of the body (16), body to the end
 *
 * The head (flags to seq) is written by the owner, the rest was made by the front (send.h), so that deciding copies nothing.
 * Attributes: count, then name, type, kind (1 string, 2 binary), value each, sorted by name.
 */
#ifndef MILLRACE_SERVICE_SQS_MESSAGE_H
#define MILLRACE_SERVICE_SQS_MESSAGE_H

#include "api/shape.h"
#include "base/arena.h"
#include "base/error.h"
#include "service/sqs/pack.h"

enum message_flags {
    /* in the head, by the owner */
    MESSAGE_DELAY = 1, /* varint seconds: not visible before sent + delay (standard) */
    MESSAGE_SENT = 2,  /* varint ms: sent at another time than the record's */
    MESSAGE_MOVED =
        4, /* came from another queue: its MessageId 16 bytes, source ARN, receives, ms from sent to the first receive */
    MESSAGE_DEDUP_HASH = 8, /* the deduplication id is the SHA-256 of the body: 32 bytes raw instead of the id */
    /* in the tail, by the front */
    MESSAGE_SENDER = 16,      /* SenderId other than the account of the queue */
    MESSAGE_GROUP = 32,       /* MessageGroupId */
    MESSAGE_DEDUP = 64,       /* MessageDeduplicationId as given */
    MESSAGE_TRACE = 128,      /* AWSTraceHeader */
    MESSAGE_ATTRIBUTES = 256, /* byte string: the attributes */
};

struct message {
    uint32_t flags;
    uint64_t seq;
    uint32_t delay_s;
    uint64_t sent_ms;      /* 0: the record's time */
    struct slice moved_id; /* 16 bytes */
    struct slice source_arn;
    uint32_t receives;
    uint64_t first_after_ms;
    struct slice dedup_hash;                        /* 32 bytes */
    struct slice sender, group_id, dedup_id, trace; /* none if absent */
    struct slice attributes;                        /* packed; none if absent */
    struct slice body_md5;                          /* 16 bytes */
    struct slice body; /* nothing in the apply of a send just made (record_in.opaque_parts) */
};

/* Everything is a view of `payload`. ERR_CORRUPT. */
struct error message_decode(struct slice payload, struct message *ret);
void message_encode_head(struct buf *b, const struct message *m); /* flags .. dedup_hash */
void message_encode_tail(struct buf *b, const struct message *m); /* sender .. body_md5, without the body */

struct sqs_attribute_value;
/* `attributes`: as sqs_attributes_check left them (attribute_value.h) */
void message_pack_attributes(struct buf *b, const struct values *attributes);
/* The other way round, views of `packed`; the array is the arena's. ERR_CORRUPT. */
struct error message_unpack_attributes(struct slice packed, struct arena *arena, struct values *ret_attributes);

/* The MessageId of (queue, seq), as a UUID: 36 characters and a NUL. */
struct sqs_keys;
void message_id_derive(const struct sqs_keys *keys, uint64_t uid, uint64_t seq, uint8_t out[16]);
enum { SEQUENCE_DIGITS = 20 };
void message_sequence_format(uint64_t seq, char out[SEQUENCE_DIGITS + 1]); /* SequenceNumber */

#endif
