/* apply.h: one function a row of records.def; see apply.c. */
#ifndef MILLRACE_SERVICE_SQS_APPLY_H
#define MILLRACE_SERVICE_SQS_APPLY_H

#include "service/sqs/state.h"

enum { QUEUE_EXPIRE_MAX = 1000 }; /* messages that one decision or one look of the sweep lets expire */

#define RECORD(number, name, apply, describe) struct error apply(struct sqs_state *s, const struct record *r);
#include "service/sqs/records.def"
#undef RECORD

/* ---- what apply.c and snapshot.c need of state.c ---- */
/* Unlinked; takes config. The caller sets uid, times, next_seq. */
struct queue *sqs_queue_new(
    struct sqs_state *s, struct slice account, struct slice region, struct slice name, struct sqs_config *config);
void sqs_queue_link(struct sqs_state *s, struct queue *q, lsn_t lsn);                    /* into maps and catalogue */
void sqs_queue_unlink(struct sqs_state *s, struct queue *q, uint64_t now_ms, lsn_t lsn); /* ends its waits */
void sqs_deleted_add(
    struct sqs_state *s, struct slice account, struct slice region, struct slice name, uint64_t deleted_ms);
void sqs_deleted_expire(struct sqs_state *s, uint64_t now_ms);
void sqs_state_plan_sweep(struct sqs_state *s, uint64_t now_ms); /* there is a message: look at it now and then */

#endif
