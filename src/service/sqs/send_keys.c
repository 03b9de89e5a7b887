#include "service/sqs/send_keys.h"
#include "base/mutant.h"
#include "crypto/digest.h"

uint64_t sqs_group_key(const struct sqs_keys *keys, struct slice group_id)
{
    uint64_t hash[2];
    if (slice_is_none(group_id))
        return 0;
    siphash128(keys->group, group_id, hash);
    return hash[0] ? hash[0] : 1;
}

/* kind, length of the group, group, id: no two pairs make the same bytes */
static void hash_pair(const struct queue *q, char kind, struct slice group, struct slice id, uint64_t ret_hash[2])
{
    char bytes[2 + 2 * 255];
    ASSERT(group.size <= 255 && id.size <= 255);
    bytes[0] = kind;
    bytes[1] = (char)group.size;
    if (group.size)
        memcpy(bytes + 2, group.data, group.size);
    if (id.size)
        memcpy(bytes + 2 + group.size, id.data, id.size);
    siphash128(sqs_state_keys(q->state)->dedup, slice_of(bytes, 2 + group.size + id.size), ret_hash);
}

void sqs_dedup_hash(const struct queue *q, struct slice group_id, struct slice dedup_id, uint64_t ret_hash[2])
{
    bool by_group = q->config->dedup_scope_born == SQS_DEDUP_GROUP;
    hash_pair(q, 'd', by_group && !MUTANT(dedup_ignores_group) ? group_id : SLICE(""), dedup_id, ret_hash);
}

void sqs_attempt_hash(const struct queue *q, struct slice attempt_id, uint64_t ret_hash[2])
{
    hash_pair(q, 'r', SLICE(""), attempt_id, ret_hash);
}
