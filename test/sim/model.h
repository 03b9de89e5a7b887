/* model.h: SQS as it should be, in plain arrays: what every queue and message is, decided again for every call.
 *
 * All state that records make is words changed through model_set, which remembers the old value under the LSN of the call's
 * last record. When a crash took the records after some LSN, model_crash takes the same changes back. What time does is
 * never stored: a message is visible, delayed, leased or expired by its words and the server's time.
 *
 * Memory   fixed arrays, sized by the number of steps; a queue's list of messages holds dead ones until model_tidy.
 */
#ifndef MILLRACE_TEST_MODEL_H
#define MILLRACE_TEST_MODEL_H

#include "sim.h"

typedef uint64_t word;

enum message_state {
    M_NONE,
    M_LIVE,
    M_DELETED,
    M_PURGED,
    M_EXPIRED,
    M_GONE,    /* with its queue */
    M_TRANSIT, /* left for another queue, which has not decided */
    M_ARRIVED, /* taken there, its own queue does not know yet */
    M_REFUSED, /* the same, refused */
    M_MOVED,
};

struct model_message {
    /* words */
    word state;
    word order; /* in its queue, rising */
    word sent_ms;
    word visible_ms;          /* standard: when its own delay ends */
    word lease_ms, leased_ms; /* the lease's end and start; lease_ms 0: never leased or taken back */
    word generation, undone;
    word first_ms;
    word is_changed;                 /* the lease was changed: attempts are void */
    word id[2], sequence;            /* of the reply; 0: nobody was told yet */
    word moved_from;                 /* queue + 1 that it was a dead letter of */
    word transit_number, transit_to; /* in the channel of its log to that one's; the queue */
    word is_orphan;                  /* its queue was purged or deleted meanwhile */
    word was_refused;                /* it came back: received once before the next try */
    word by_task;                    /* it travels by a move task */
    /* chosen by the client before */
    uint32_t queue, content, size, group, dedup; /* group 0: none; dedup 0: none, UINT32_MAX: by content */
    char body_md5[32];                           /* of the body; known when it was sent */
    uint64_t born;
};

struct model_dedup {
    word key; /* scope and id */
    word time_ms, message;
};
struct model_attempt {
    word id, time_ms, count;
    word messages[10], generations[10];
};

enum { TASK_NONE, TASK_RUNNING, TASK_COMPLETED, TASK_CANCELLING, TASK_CANCELLED, TASK_FAILED };
#define DEDUP_BY_NAME 0x80000000u /* of a dead letter: its id, that of the message it was */

enum { DEDUP_MAX = 1 << 16, ATTEMPTS_MAX = 1 << 12, TAGS = 4 };

struct model_queue {
    /* words */
    word exists, born;
    word delay_s, retention_s, visibility_s, wait_s, max_bytes;
    word content_dedup, group_scope;
    word next_order, last_sequence; /* orders go on when a queue is made again: its first message is order_base + 1 */
    word order_base;
    word created_ms;
    word tags[TAGS];              /* 0: none, else the value */
    word labels;                  /* of permissions: a bit each */
    word redrive_to, max_receive; /* queue + 1; 0: no policy */
    word task_count, task_status, task_started_ms, task_to_move, task_moved, task_refused, task_transit,
        task_destination; /* of the newest task */
    word list_count, dedup_count, attempt_count;
    word dead_count; /* of the list, about */
    /* what words count */
    uint32_t *list; /* messages, by order */
    struct model_dedup *dedups;
    struct model_attempt *attempts;
    /* fixed */
    bool is_fifo, is_fair;
    uint16_t log;
    char name[32];
    uint64_t newest_born;
};

struct model {
    struct model_queue queues[QUEUES_MAX];
    struct model_message *messages;
    uint32_t message_count, message_max;
    uint32_t content_count;           /* contents ever used: bodies */
    word marks[LOG_COUNT][LOG_COUNT]; /* the newest number that the second log decided about, of the first log's */
    lsn_t acked_lsn;                  /* the highest LSN that a delivered reply stands on */
    const char *acked_what;
};
extern struct model model;

void model_start(uint32_t steps);

void model_set(word *at, word value);
/* Everything set since the last call of this belongs to a call whose newest record is `lsn` (in `log`). */
void model_commit(lsn_t lsn, uint16_t log);
void model_durable(lsn_t durable);
/* The records after `last` are gone; `logs[i]` is what each log has. Checks that nothing durable is. */
void model_crash(lsn_t last, const lsn_t logs[LOG_COUNT]);
void model_tidy(void);

/* ---- what is, at a time ---- */
bool message_is_there(const struct model_message *m, uint64_t now_ms); /* not expired either */
bool message_is_leased(const struct model_message *m, uint64_t now_ms);
bool message_is_delayed(const struct model_message *m, uint64_t now_ms);
struct model_figures {
    uint64_t visible, in_flight, delayed, in_transit, receivable;
};
struct model_figures model_figures(const struct model_queue *q, uint64_t now_ms);
uint64_t model_ended_between(const struct model_queue *q, uint64_t from_ms, uint64_t to_ms); /* by retention */
/* When something next changes by time alone; UINT64_MAX: never. */
uint64_t model_next_ms(const struct model_queue *q, uint64_t now_ms);

/* ---- a decided call: checks its answer (not yet the bodies of a receive), changes the state ---- */
void model_decided(struct sim_call *c);
void model_parked(struct sim_call *c);
void model_undone(struct sim_call *c);
/* The finished reply of a receive: every message byte for byte. */
void model_check_messages(struct sim_call *c);
void model_delivered(struct sim_call *c);

/* moves.c asks and tells decide.c */
void model_message_dies(struct model_message *m, enum message_state state);
void model_arrives(const struct model_message *from, uint32_t queue, bool is_dead_letter, uint64_t now_ms);
bool model_is_due(const struct model_message *m);  /* a receive must move it instead of returning it */
bool model_is_away(const struct model_message *m); /* on its way to another queue */

uint32_t model_new_message(uint32_t queue);                              /* UINT32_MAX: no room */
struct model_message *model_find(struct model_queue *q, uint64_t order); /* live or dead; NULL */

#endif
