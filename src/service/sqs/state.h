/* state.h: all queues of one log: the state machine that `struct service` points to.
 *
 * Use      rows.c: .state_new = sqs_state_new, .apply = sqs_state_apply, ...
 *          operations: struct sqs_state *s = sqs_state_of(c->owner); TRY(sqs_queue_for_call(c, &q));
 * Rules    only apply.c changes what records made; decisions call queue_advance(q, now) first (sqs_queue_enter).
 */
#ifndef MILLRACE_SERVICE_SQS_STATE_H
#define MILLRACE_SERVICE_SQS_STATE_H

#include "api/metrics.h"
#include "api/service.h"
#include "service/sqs/channel.h"
#include "service/sqs/move_task.h"
#include "service/sqs/expired.h"
#include "service/sqs/queue.h"
#include "service/sqs/record.h"

/* Derived from the directory's root secret, one for each purpose; immutable once made. */
struct sqs_keys {
    uint8_t group[16], dedup[16], message_id[16], receipt_nonce[16], receipt[32];
};

struct sqs_deleted { /* a name that was deleted less than SQS_QUARANTINE_MS ago */
    struct link link;
    struct slice account, region, name;
    uint64_t deleted_ms;
};

struct sqs_state {
    struct owner *owner;
    struct map by_uid, by_name;
    struct link queues; /* all, oldest first */
    uint64_t messages;
    struct sqs_keys keys;
    bool has_keys;
    struct link deleted; /* struct sqs_deleted, oldest first */
    size_t deleted_count;

    struct channels channels; /* messages on their way between logs */
    struct moves moves;       /* move tasks that are not over */

    struct expired expired;
    struct link graves;     /* what purges and deletions left (grave.h) */
    struct heap watched;    /* queues with waiters, by next deadline */
    struct queue *sweep_at; /* the next one the sweep looks at; NULL: no round is under way */
    uint64_t sweep_ms;      /* when the next round or slice is due; 0: none is planned */
    bool sweeps_again;      /* something came, or this round saw what goes by time alone: another round follows */
};

static inline struct sqs_state *sqs_state_of(const struct owner *o)
{
    return o->state[SQS_INDEX];
}
const struct sqs_keys *sqs_state_keys(struct sqs_state *s);
void sqs_keys_derive(struct sqs_keys *keys, const uint8_t secret[32]);

/* ---- finding ---- */
/* The queue a call is about (access.h), its views brought to now: how every operation on messages begins. */
struct error sqs_queue_enter(struct call *c, struct queue **ret_queue);
/* NULL if absent */
struct queue *sqs_queue_find(struct sqs_state *s, struct slice account, struct slice region, struct slice name);
struct queue *sqs_queue_find_uid(struct sqs_state *s, uint64_t uid);
/* When a queue of this name was deleted, if within the quarantine; 0 if not. */
uint64_t sqs_queue_deleted_ms(struct sqs_state *s, struct slice account, struct slice region, struct slice name);

/* ---- changing queues, within a task of the owner: append, apply ---- */
/* *ret_queue: the new queue */
struct error sqs_queue_create(struct sqs_state *s, struct slice account, struct slice region, struct slice name,
    const struct sqs_config *config, struct queue **ret_queue);
/* q->config is another object afterwards */
struct error sqs_queue_change(struct queue *q, const struct sqs_config *config);
/* Ends its waits (they get QueueDoesNotExist when they run again); q is gone afterwards. */
struct error sqs_queue_delete(struct queue *q);

/* ---- for `struct service` ---- */
void *sqs_state_new(struct owner *o);
void sqs_state_free(void *state);
struct error sqs_state_apply(void *state, const struct record *r);
void sqs_state_look_ahead(void *state, const struct record *records, size_t count);
void sqs_state_advance(void *state, uint64_t now_ms);
void sqs_state_capture(void *state, struct snapshot_writer *w);
struct error sqs_state_restore(void *state, struct slice bytes);
void sqs_state_resume(void *state);
struct error sqs_state_relocate(void *state, const struct record *r);
void sqs_state_digest(void *state, uint8_t out[32]);
struct slice sqs_record_describe(struct arena *arena, const struct record *r);
void sqs_state_metrics(void *state, struct metrics_writer *w);
extern const struct metric_row sqs_metric_rows[]; /* label "queue" */

#endif
