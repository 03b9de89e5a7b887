/* service.h: what a service gives to the server: rows and a state machine. One row each in server/services.def. */
#ifndef MILLRACE_API_SERVICE_H
#define MILLRACE_API_SERVICE_H

#include "api/owner.h"

struct metrics_writer;
struct metric_row;

struct service {
    struct slice name;            /* "sqs": the signature's scope */
    struct slice target_prefix;   /* "AmazonSQS": X-Amz-Target: AmazonSQS.SendMessage; none: query protocol only */
    struct slice error_namespace; /* "com.amazonaws.sqs#" */
    struct slice query_version;   /* "2012-11-05" */
    struct slice xml_namespace;   /* "http://queue.amazonaws.com/doc/2012-11-05/" */
    const struct op *ops;
    size_t op_count;
    uint32_t error_missing;       /* row for an absent REQUIRED field ("The request must contain the parameter %s.") */
    uint32_t error_invalid;       /* row for a value out of its bounds */
    uint32_t error_missing_query; /* the same, query protocol (usually equal) */

    uint8_t index; /* set at registration: owner->state[index], record types index << 8 | n */

    /* the state machine of one log */
    void *(*state_new)(struct owner *o);
    void (*state_free)(void *state);
    /* Deterministic: no clock, no randomness, no I/O. Unknown type: ERR_NEWER_FORMAT; impossible: ERR_CORRUPT. */
    struct error (*apply)(void *state, const struct record *r);
    /* Replay: what `apply` gets next, for asking memory for what it will look at. Changes nothing; NULL: not wanted. */
    void (*look_ahead)(void *state, const struct record *records, size_t count);
    /* Views only. Runs at owner_wake_at times and before every task of this log may see stale views. */
    void (*advance)(void *state, uint64_t now_ms);
    void (*capture)(void *state, struct snapshot_writer *w);
    struct error (*restore)(void *state, struct slice bytes);
    /* After replay of all logs, once: resume what spans logs. Runs as a task of each owner. */
    void (*resume)(void *state);
    /* The cleaner: is the record at r->lsn still pointed at? If so append it again and point there. As a task. */
    struct error (*relocate)(void *state, const struct record *r);
    /* A canonical digest of everything apply made (order-independent of hashing): the simulator's and standby's compare. */
    void (*digest)(void *state, uint8_t out[32]);
    struct slice (*describe)(struct arena *arena, const struct record *r); /* for log dump; any thread */
    /* /metrics of this log's objects; as a task */
    void (*metrics)(void *state, struct metrics_writer *w);
    const struct metric_row *metric_rows; /* ends with a NULL name */
    const char *metric_label;             /* "queue" */
};

#endif
