/* send_keys.h: keyed hashes of what clients call their messages by: groups, deduplication ids, receive attempts. */
#ifndef MILLRACE_SERVICE_SQS_SEND_KEYS_H
#define MILLRACE_SERVICE_SQS_SEND_KEYS_H

#include "service/sqs/state.h"

/* 0 for none, never 0 otherwise. */
uint64_t sqs_group_key(const struct sqs_keys *keys, struct slice group_id);
/* The scope is the queue's, or its groups' if that is how it was made. */
void sqs_dedup_hash(const struct queue *q, struct slice group_id, struct slice dedup_id, uint64_t ret_hash[2]);
void sqs_attempt_hash(const struct queue *q, struct slice attempt_id, uint64_t ret_hash[2]);

#endif
