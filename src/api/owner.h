/* owner.h: who decides. One owner a log; whoever holds its token runs its state machine.
 *
 * A thread that brings a task takes the token if it is free and runs the task at once; otherwise the task is queued and the
 * holder runs it before letting go. State is never touched by two, nobody waits for a lock, and a quiet server decides on
 * the thread that read the request.
 *
 * decide -> record -> apply: owner_record appends (store_append) and applies through the service's apply; records of one
 * call of owner_record are atomic. Time: owner->now_ms, wall milliseconds, never back in a log.
 * Timers: owner_wake_at; `advance` of every service runs then (views only: no record is needed for what time alone does).
 */
#ifndef MILLRACE_API_OWNER_H
#define MILLRACE_API_OWNER_H

#include "api/call.h"
#include "base/heap.h"

enum { SERVICE_COUNT_MAX = 8 };

struct owner {
    uint16_t log;
    struct store *store;
    void *state[SERVICE_COUNT_MAX]; /* by service index */
    uint64_t now_ms;                /* of the task being run */
    uint64_t last_time_ms;          /* of the last record */
    lsn_t last_lsn;                 /* of the last record applied */
    bool is_replaying;              /* apply during start: no calls, no counters */
    struct owner_private *private;
};

/* Runs `t` now or soon, on this thread or the holder's. Any thread. */
void owner_submit(struct owner *o, struct task *t);
/* The owner of a log. Any thread. */
struct owner *owner_of(uint16_t log);
uint16_t owner_log_of(
    struct slice account, struct slice region, struct slice name); /* hash mod LOG_COUNT; stable for ever */

/* Within a task: append and apply. ret_lsns may be NULL when count <= 32. On failure nothing was applied. */
struct error owner_record(struct owner *o, const struct record_in *records, size_t count, bool urgent, lsn_t *ret_lsns);
/* Within a task: advance(now >= ms) will run. Earlier ones win; 0 is "as soon as this task is done". */
void owner_wake_at(struct owner *o, uint64_t ms);
/* Within a task: `t` runs after the present task, before the token is let go. */
void owner_defer(struct owner *o, struct task *t);
/* Any thread: run `t` (submit) once everything appended up to lsn is durable: what crosses logs waits for this. */
void owner_submit_when_durable(struct owner *o, struct task *t, lsn_t lsn);

/* ---- the set of owners: made once at start ------------------------------------------------------------------------ */

struct service;
/* Registers the services (index = place), opens the store with their state machines, replays. ret_sentence on failure. */
struct error owners_open(const struct store_options *options, struct service *const *services, size_t service_count,
    struct arena *arena, struct store **ret_store, struct slice *ret_sentence);
void owners_close(bool snapshot); /* no task may be running or queued; closes the store */
void owners_abandon(void);        /* the same without any I/O: a simulated crash */
/* Takes a parked call out of its list; false if it is not parked. Within a task. */
bool owner_unpark(struct owner *o, struct call *c);
/* Runs `resume` of every service at every owner, after replay and before the first request. */
void owners_resume(void);
/* A timer of `log` became earlier than what owners_next_wake said: the driver of its timers must look again.
 * Set once; called on any thread. The simulator needs none. */
void owners_on_earlier_wake(void (*call)(uint16_t log));
/* The earliest wake-up of the logs first, first + step, ...; UINT64_MAX: none. */
uint64_t owners_next_wake(uint16_t first, uint16_t step);
/* Runs what is due. */
void owners_tick(uint16_t first, uint16_t step, uint64_t now_ms);
/* Runs tasks of owner_submit_when_durable that became due; called after a flush on any thread. */
void owners_on_durable(void);
/* Ends every waiting call as if its time were over (shutdown). */
void owners_end_waits(void);
const struct service *owners_service(size_t index); /* NULL past the last */
struct store *owners_store(void);
/* For tests and the simulator: the digest of every log's state of one service. */
void owners_digest(size_t service, uint8_t out[32]);
uint64_t owners_latest_record_ms(void);

#endif
