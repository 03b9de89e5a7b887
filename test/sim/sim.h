/* sim.h: one history: virtual clients, the real state machines and store, a disk that fails, and a model that knows better.
 *
 *   seed ──> scheduler ──┬─ a client starts an operation ──> route, owner_submit ──> decided ──> model (checks) ──> held
 *                        ├─ flush ──────────────────────────────────────────────────────────────────> durable ──> delivered
 *                        ├─ store_step, clocks, timers, clients that vanish
 *                        └─ crash, power loss, failed sync, full disk, flipped bits ──> recovered ──> model goes back, too
 *
 * The model (model.h) decides every call again from its own idea of SQS, at the moment the owner decided it, and compares
 * what the reply says with what must be true. What a crash may take away is exactly what came after the last record that
 * was recovered: the model forgets the same, so there are no unknown outcomes, only ones the client never learned.
 *
 * One thread, one store, everything random from one seed: the same seed is the same history, bit for bit.
 */
#ifndef MILLRACE_TEST_SIM_H
#define MILLRACE_TEST_SIM_H

#include "api/call.h"
#include "api/owner.h"
#include "service/sqs/sqs.h"
#include "sim/figures.h"
#include "support/prng.h"
#include <stdio.h>

enum {
    CALLS_MAX = 48, /* outstanding at one time */
    HELD_MAX = 256, /* deliveries clients remember */
    QUEUES_MAX = 8,
    GROUPS = 5,
    HANDLE_BYTES = 84,
};

/* ---- numbered invariants: doc/testing.md says what they mean ---------------------------------------------------------- */

enum invariant {
    INV_KEPT = 1,     /* an acknowledged send is received unless deleted, expired, purged or moved */
    INV_NOT_INVENTED, /* nothing is received that was not sent, byte for byte */
    INV_DELETED,      /* an acknowledged delete never comes back */
    INV_LEASE,        /* no second delivery while a lease lasts; delays */
    INV_FIFO_ORDER,   /* order within a group, group lock */
    INV_DEDUP,        /* deduplication window exact */
    INV_COUNTS,       /* receive counts and times exact */
    INV_FIGURES,      /* Approximate* equal the audit */
    INV_ANSWER,       /* the answer or error the state calls for, and no other */
    INV_WAKE,         /* no long poll sleeps beside a message it could have, or past its deadline */
    INV_DURABLE,      /* what was durable or acknowledged is there after a crash, nothing between is missing */
    INV_REPLAY,       /* live state = snapshot + tail = full replay */
    INV_START,        /* a start succeeds after every crash; damage is refused or without effect */
    INV_SPACE,        /* files follow live data */
    INV_MOVED,        /* dead letters: moved when due, found where they went, counted once */
    INV_REPEAT,       /* one seed, one history */
    INV_CRASHED,      /* the server under test aborted */
    INV_MEMORY,       /* memory follows live data */
    INV_ONE_REPLY,    /* a request that arrived whole gets one reply, or its connection ends */
    INV_OWN_REPLY,    /* a reply belongs to its request, byte for byte */
    INV_PATIENCE,     /* slow and half-open clients hold bounded memory, and are gone when their time is over */
    INV_GIVEN_BACK,   /* what a client that left was to receive is given back */
};

/* ---- one seed's plan: what this history is like (swarm testing: every seed leaves something out) ------------------------ */

struct plan {
    uint32_t queue_count;
    uint32_t weight[DO_COUNT];
    uint32_t body_max, big_one_in, huge_one_in;
    uint32_t flush, work, clock, leap, wall_jump, vanish;           /* weights of the scheduler's other choices */
    uint32_t crash, restart, compare, disk_full, fail, flip, press; /* rare ones: in ten thousand steps */
    uint32_t step_us_max, cold_one_in;
    struct net_plan {
        bool is_on;                             /* clients come over the network */
        uint32_t step;                          /* weight */
        uint32_t late, part, interrupt, accept; /* support/faulty_net.h */
        uint64_t late_us_max;
        size_t window_bytes;
        uint32_t stall, dribble, early_end, pipeline, retry; /* clients' habits, one in so many; 0: never */
        uint32_t query;
        size_t connections_max, body_budget; /* 0: plenty */
        uint32_t starve;                     /* an arena has no room, one request in so many */
        uint64_t sync_us;
    } net;
    bool finishes_late; /* replies are built some steps after they were decided, as by another thread */
    bool has_fifo_only, has_standard_only;
};

/* ---- calls (calls.c) --------------------------------------------------------------------------------------------------- */

enum sim_call_state {
    SIM_FREE,
    SIM_ON_WIRE,
    SIM_AT_OWNER,
    SIM_PARKED,
    SIM_DECIDED,
    SIM_HELD,
    SIM_CANCELLED,
    SIM_UNDOING
};

#define BORN_ELSEWHERE UINT64_MAX /* a handle of another queue, or a broken one */
struct sim_message {              /* one message of a request: what the client meant */
    uint32_t index;               /* the model's: that it would become, or that it is about */
    uint64_t born, generation;    /* of the delivery it is about */
    uint64_t argument;            /* delay, visibility */
};
struct sim_call {
    struct call call; /* first */
    enum sim_call_state state;
    enum op_kind kind;
    uint32_t queue;
    bool is_gone;
    uint64_t decided_ms, started_ms; /* server time of the last and the first run */
    lsn_t decided_lsn;
    uint32_t finish_at; /* step, when finishes_late */
    /* what was asked; `number` means what ops.c and model.c agree on */
    uint32_t count;
    struct sim_message messages[10];
    uint64_t number[8];
    uint32_t moved_before; /* messages that left this log's queues in the same task */
    /* what the model saw of a receive */
    uint32_t got_count;
    uint32_t got[10];
    uint64_t got_generation[10], got_first[10];
    uint32_t got_shown[10]; /* the receive counts that the server said */
    bool is_renewal;
    struct net_call {
        uint64_t serial; /* never used again */
        enum net_state { NET_ON_WIRE, NET_AT_HEAD, NET_AT_SERVER, NET_ANSWERED, NET_LEFT } state;
        bool is_done, is_lost;   /* the client has its reply or gave up; it will never arrive */
        const struct call *call; /* the server's, from on_head to reply or end */
        const void *stream;
        char request_id[37];
        bool is_decided, is_skewed, is_starved, owes_undo;
        bool is_query, is_xml; /* a form; answered with XML, not JSON */
        int64_t signed_s;
        uint64_t began_us, answered_us; /* when the server took its first byte; when it had a reply */
        struct buf request;             /* bytes */
        size_t serial_at, head_bytes;
        struct buf decided; /* the reply's fields as JSON, from the owner */
    } net;
};

/* What happened to calls at their owners, in order; the model follows it. */
enum event_kind { EVENT_PARKED, EVENT_DONE, EVENT_UNDONE, EVENT_WARM, EVENT_CANCELLED, EVENT_RECORD };
struct event {
    enum event_kind kind;
    struct sim_call *call; /* NULL: a record of what crosses queues */
    const void *detail;    /* of a record: moves.c's */
    uint16_t type;
    uint32_t queue; /* of a record: of its object */
    uint64_t now_ms;
    lsn_t lsn;
    uint16_t log;
};
enum { EVENTS_MAX = 4096 };

struct held { /* a delivery a client remembers */
    bool is_used;
    uint32_t message, queue;
    uint64_t born, generation;
    char handle[HANDLE_BYTES];
};

/* ---- the world ------------------------------------------------------------------------------------------------------------ */

struct sim {
    uint64_t seed, net_one_in; /* one seed in so many is over the network */
    uint32_t steps, step;
    struct prng random;
    struct plan plan;
    struct store *store;
    bool is_open, is_draining, is_stopping;
    bool is_working; /* the store is at its background work */
    uint64_t now_ms; /* the highest server time seen */

    lsn_t flushed, flushed_before; /* newest record at the last flush, and at the one before */
    uint64_t excused_ms;    /* until then a long poll may sleep: one that was woken for it was refused by the disk */
    uint64_t history;       /* digest of everything that happened */
    struct arena arena;     /* of opening */
    struct sim_call *calls; /* CALLS_MAX */
    struct event *events;   /* EVENTS_MAX */
    struct arena details;   /* of the events that are not yet taken */
    uint32_t event_count;
    struct held held[HELD_MAX];
    struct task_handle_kept {
        char text[512];
        size_t size;
        uint64_t born, number;
    } tasks[QUEUES_MAX]; /* the newest one clients know */
    uint32_t held_count;
    bool is_full;           /* the disk has been given a bound */
    bool may_fail;          /* a fault is armed: errors of the disk are expected */
    bool has_lost_segments; /* a full replay is not possible any more */
    struct figures figures;
};
extern struct sim sim;

void world_explain(uint32_t queue, uint64_t now_ms); /* prints model and server side by side */
bool sim_run_seed(uint64_t seed, uint32_t steps);    /* sim.c; false: it failed, and was reported */
uint64_t sim_server_ms(void);                        /* clock_ms, remembered as the highest */
/* A slot for a new call with its input shape cleared in call.in; NULL: all are taken. */
struct sim_call *call_begin(enum op_kind kind, enum sqs_op op, uint32_t queue);
/* Routes and submits it, and everything that follows at once. */
void call_go(struct sim_call *c);
void calls_take_inbox(void);
void call_note(enum event_kind kind, struct sim_call *c, const struct owner *o);
struct sim_call *call_slot(void);        /* a free one, cleared but for its memory; NULL: all are taken */
const struct op *op_row(enum sqs_op op); /* of the service itself */
void calls_deliver(void);                /* what is durable */
void calls_finish_late(bool all);
void calls_vanish(void); /* one client goes away */
void calls_vanish_all(void);
void calls_forget(void); /* a crash: nobody hears anything */
uint32_t calls_parked(uint32_t queue);
bool calls_have_room(void);
uint64_t calls_first_deadline(void); /* of long polls; UINT64_MAX: none */

/* moves.c: dead letters and move tasks, as their records tell of them */
struct error moves_apply(void *state, const struct record *r); /* in the place of the service's apply */
void moves_take(const struct event *e);
void moves_call_ended(uint16_t log); /* what was appended until here came from a call */
uint32_t moves_since_last_call(uint16_t log);
uint64_t moves_in_transit(void); /* messages that left a queue and are not settled */

/* ops.c */
void ops_start_random(void);
void ops_create_queue(uint32_t queue, bool is_random);
void ops_get_attributes(uint32_t queue);
void ops_purge(uint32_t queue);
void ops_send_batch(uint32_t queue);
void ops_receive_all(uint32_t queue);
struct held *held_new(void);

/* content.c */
struct slice body_text(uint32_t content, uint32_t size, struct arena *arena);
struct values content_attributes(uint32_t content, struct arena *arena);
struct model_message;
void content_md5(uint32_t content, uint32_t size, char ret_hex[32], struct arena *arena);
bool content_is(const struct model_message *m, const struct sqs_message *got, struct arena *arena);

/* memory.c */
size_t memory_held(void); /* bytes this program asked malloc for */

struct sqs_state;
/* weigh.c: what a server may hold beyond what its state needs */
void weigh_start(void);
void weigh_note(struct sqs_state *s, const struct record *r); /* it was applied */
size_t weigh_slack(void);

/* dump.c */
char *dump_state(void); /* malloc'ed */
void dump_differences(const char *before, const char *after);

/* ---- trace: cheap to keep, readable when needed ------------------------------------------------------------------------------ */

/* Up to six numbers for %llu in a constant format; they go into the history's digest. */
void trace_add(const char *format, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
#define TRACE_PICK(format, a, b, c, d, e, f, ...)                                                                      \
    trace_add(format, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), (uint64_t)(f))
#define TRACE(...) TRACE_PICK(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
void trace_clear(void);
void trace_print(FILE *out);
extern bool trace_is_loud; /* every event to stdout at once */

/* Signals that mean the end of the server, and seconds of processor time that a seed may take, become failed seeds. */
void sim_watch(uint32_t seconds);
void sim_report(enum invariant number, const char *sentence);
/* Ends the seed: prints seed, step, invariant, sentence and the last events. */
_Noreturn void sim_fail(enum invariant number, const char *format, ...) PRINTF_LIKE(2, 3);
#define CHECK(number, condition, ...)                                                                                  \
    do {                                                                                                               \
        if (UNLIKELY(!(condition)))                                                                                    \
            sim_fail((number), __VA_ARGS__);                                                                           \
    } while (0)

#endif
