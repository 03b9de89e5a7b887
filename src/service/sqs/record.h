/* record.h: the payloads of records.def, except the stored message (message.h).
 *
 * All numbers are varints (pack.h), byte strings have their length before them; `uid` is the record's object and times that
 * are "at the record" are its time_ms. Lists of messages are in rising seq, each as the difference to the one before.
 *
 *   QUEUE_CREATED  account, region, name, config              its LSN becomes the uid; created at the record
 *   QUEUE_CHANGED  config                                     whole
 *   QUEUE_DELETED  -
 *   LEASED         flags, visibility (s), [attempt hash 16, epoch], runs: group key 8 bytes if flags say so, count, seqs
 *   DELETED        seqs, each << 1 | 1 with a group key 8 bytes when it waits in a lane (its lease was lost in a crash)
 *   VISIBILITY     (visibility (s), seq)...
 *   RETURNED       seqs
 *   PURGED         upto seq (exclusive)
 *   TIME_PASSED    -                                          of the whole log, not of a queue (expired.h)
 *   MOVED_OUT, ARRIVED, OUT_DONE                channel.h (the object of the last two is 0)
 *   TASK_STARTED, TASK_STATUS                   move_task.h
 */
#ifndef MILLRACE_SERVICE_SQS_RECORD_H
#define MILLRACE_SERVICE_SQS_RECORD_H

#include "base/buf.h"
#include "service/sqs/limits.h"
#include "service/sqs/pack.h"
#include "service/sqs/sqs.h"

enum sqs_record {
#define RECORD(number, name, apply, describe) SQS_RECORD_##name = SQS_INDEX << 8 | (number),
#include "service/sqs/records.def"
#undef RECORD
};
enum { SQS_RECORD_VERSION = 1 };

struct sqs_config;
struct sqs_state;

/* Appends and applies one record of the call's log; the reply will wait for it. */
struct error record_append(struct sqs_state *s, enum sqs_record type, uint64_t uid, struct slice payload, bool urgent);

/* ---- queues ---- */

void record_queue_created(
    struct buf *b, struct slice account, struct slice region, struct slice name, const struct sqs_config *config);
void record_queue_changed(struct buf *b, const struct sqs_config *config);

struct record_queue {
    struct slice account, region, name; /* views of the payload */
    struct slice config;
};
bool record_queue_parse(struct slice payload, struct record_queue *ret);

/* ---- messages ---- */

enum record_leased_flags {
    LEASED_HAS_GROUPS = 1,  /* each run has a group key */
    LEASED_HAS_ATTEMPT = 2, /* ReceiveRequestAttemptId: hash and epoch */
    LEASED_IS_RENEWAL = 4,  /* the same attempt again: the same messages and handles, only the time starts anew */
};
struct record_run {
    uint64_t group_key;
    uint32_t count;
    uint64_t seqs[SQS_RECEIVE_MAX];
};
struct record_leased {
    uint32_t flags;
    uint32_t visibility_s;
    uint64_t attempt[2], epoch;
    uint32_t run_count;
    struct record_run runs[SQS_RECEIVE_MAX];
};
void record_leased(struct buf *b, const struct record_leased *r);
bool record_leased_parse(struct slice payload, struct record_leased *ret);

struct record_seq {
    uint64_t seq;
    uint64_t group_key;    /* DELETED, in_lane */
    uint32_t visibility_s; /* VISIBILITY */
    bool in_lane;          /* DELETED */
};
struct record_seqs {
    uint32_t count;
    struct record_seq items[SQS_RECEIVE_MAX];
};
/* Sorts; the seqs must be distinct. */
void record_seqs(struct buf *b, enum sqs_record type, struct record_seqs *r);
bool record_seqs_parse(enum sqs_record type, struct slice payload, struct record_seqs *ret);

#endif
