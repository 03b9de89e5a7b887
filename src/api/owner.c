#include "api/owner.h"
#include "api/clock.h"
#include "api/front.h"
#include "api/service.h"
#include "crypto/digest.h"
#include "sys/sys.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { RECORDS_INLINE_MAX = 32, WAIT_YIELDS = 100, WAIT_PAUSE_NS = 100 * 1000 };

struct durable_wait {
    struct durable_wait *next;
    struct task *task;
    struct owner *owner;
    lsn_t lsn;
};

/* A task of the owner's own, in its inbox at most once. */
struct own_task {
    struct task task;
    _Atomic int is_queued;
};

struct owner_private {
    _Atomic int token;            /* 1: held */
    _Atomic(struct task *) inbox; /* newest first; reversed when taken */
    struct task *deferred, **deferred_end;
    struct heap deadlines;           /* of parked calls */
    uint64_t next_tie;               /* calls with one deadline end in the order they were parked */
    uint64_t wake_ms;                /* under the token */
    _Atomic uint64_t published_wake; /* what the driver of the timers sees */
    struct own_task tick, end_waits;
};

static struct {
    struct owner owners[LOG_COUNT];
    struct owner_private private[LOG_COUNT];
    struct service *services[SERVICE_COUNT_MAX];
    size_t service_count;
    struct store *store;
    void (*_Atomic on_earlier_wake)(uint16_t log);
    uint64_t latest_record_ms;

    pthread_mutex_t durable_lock;
    struct durable_wait *durable_waits; /* unordered, few: what crosses logs */
    _Atomic uint64_t durable_next;      /* lowest LSN waited for; UINT64_MAX: none */
} all = { .durable_lock = PTHREAD_MUTEX_INITIALIZER, .durable_next = UINT64_MAX };

struct owner *owner_of(uint16_t log)
{
    ASSERT(log < LOG_COUNT);
    return &all.owners[log];
}

uint16_t owner_log_of(struct slice account, struct slice region, struct slice name)
{
    /* FNV-1a with separators: written into the data directory's layout, so it may never change */
    uint64_t h = 0xcbf29ce484222325ull;
    const struct slice parts[3] = { account, region, name };
    for (int i = 0; i < 3; i++) {
        for (size_t at = 0; at < parts[i].size; at++)
            h = (h ^ (uint8_t)parts[i].data[at]) * 0x100000001b3ull;
        h = (h ^ 0xff) * 0x100000001b3ull;
    }
    h ^= h >> 32;
    return (uint16_t)(h % LOG_COUNT);
}

/* ---- the token ---------------------------------------------------------------------------------------------------- */

/* The look before the exchange must not move up before a push into the inbox: either the holder that lets go sees the
 * task, or we see that it let go. So both are sequentially consistent, as is token_release. */
static bool token_try(struct owner *o)
{
    int free = 0;
    return atomic_load(&o->private->token) == 0 && atomic_compare_exchange_strong(&o->private->token, &free, 1);
}

static void refresh_now(struct owner *o)
{
    uint64_t now = front_turn_ms();
    if (now == 0)
        now = clock_ms();
    if (now > o->now_ms)
        o->now_ms = now;
}

static void run_advance(struct owner *o)
{
    struct owner_private *p = o->private;
    while (p->wake_ms <= o->now_ms) {
        p->wake_ms = UINT64_MAX;
        struct heap_node *node;
        while ((node = heap_top(&p->deadlines)) && node->key <= o->now_ms) {
            struct call *c = CONTAINER_OF(node, struct call, deadline);
            heap_remove(&p->deadlines, node);
            list_remove(&c->waiting);
            c->is_timed_out = true;
            owner_defer(o, &c->task);
        }
        for (size_t i = 0; i < all.service_count; i++)
            if (all.services[i]->advance)
                all.services[i]->advance(o->state[i], o->now_ms);
        if ((node = heap_top(&p->deadlines)))
            owner_wake_at(o, node->key);
        if (p->wake_ms <= o->now_ms) /* a service that asks for "now" in advance gets the next millisecond */
            p->wake_ms = o->now_ms + 1;
    }
}

/* Runs one task and everything it deferred. */
static void run_task(struct owner *o, struct task *t)
{
    struct owner_private *p = o->private;
    refresh_now(o);
    t->run(o, t);
    for (;;) {
        while (p->deferred) {
            struct task *next = p->deferred;
            p->deferred = next->next;
            if (!p->deferred)
                p->deferred_end = &p->deferred;
            next->run(o, next);
        }
        if (p->wake_ms > o->now_ms)
            break;
        run_advance(o);
    }
}

static void run_inbox(struct owner *o)
{
    if (LIKELY(atomic_load_explicit(&o->private->inbox, memory_order_relaxed) == NULL))
        return; /* who lets go of the token looks again */
    struct task *oldest = tasks_turned(atomic_exchange(&o->private->inbox, NULL));
    while (oldest) {
        struct task *next = oldest->next;
        run_task(o, oldest);
        oldest = next;
    }
}

/* The driver of the timers sleeps until the least time it saw here. Every change to an earlier one is told, measured
 * against what stood there at that instant: owners_tick may have put "none" there meanwhile. */
static void publish_wake(struct owner *o)
{
    struct owner_private *p = o->private;
    uint64_t wake = p->wake_ms;
    if (atomic_load_explicit(&p->published_wake, memory_order_relaxed) == wake)
        return;
    uint64_t was = atomic_exchange(&p->published_wake, wake);
    void (*call)(uint16_t) = atomic_load(&all.on_earlier_wake);
    if (wake < was && call)
        call(o->log);
}

/* Lets go; takes the token again as long as tasks came in meanwhile and nobody else took it. */
static void token_release(struct owner *o)
{
    struct owner_private *p = o->private;
    for (;;) {
        run_inbox(o);
        publish_wake(o);
        atomic_store(&p->token, 0);
        if (LIKELY(atomic_load(&p->inbox) == NULL) || !token_try(o))
            return;
    }
}

void owner_submit(struct owner *o, struct task *t)
{
    if (token_try(o)) {
        run_inbox(o);
        run_task(o, t);
        token_release(o);
        return;
    }
    struct task *head = atomic_load_explicit(&o->private->inbox, memory_order_relaxed);
    do {
        t->next = head;
    } while (!atomic_compare_exchange_weak(&o->private->inbox, &head, t));
    if (token_try(o))
        token_release(o);
}

void owner_defer(struct owner *o, struct task *t)
{
    t->next = NULL;
    *o->private->deferred_end = t;
    o->private->deferred_end = &t->next;
}

/* ---- records ------------------------------------------------------------------------------------------------------ */

static struct error apply_one(struct owner *o, const struct record *r)
{
    size_t service = r->type >> 8;
    if (service >= all.service_count || !all.services[service]->apply)
        return ERROR_OF(ERR_NEWER_FORMAT);
    o->last_lsn = r->lsn;
    o->last_time_ms = r->time_ms;
    return all.services[service]->apply(o->state[service], r);
}

/* What `apply` looks at. Bodies are not copied for it: they may be a megabyte. */
static struct slice gather(const struct record_in *in, struct buf *scratch)
{
    ASSERT(in->opaque_parts < in->part_count);
    size_t count = in->part_count - in->opaque_parts;
    if (count == 1)
        return in->parts[0];
    buf_reset(scratch);
    for (size_t i = 0; i < count; i++)
        buf_add(scratch, in->parts[i]);
    return buf_slice(scratch);
}

struct error owner_record(struct owner *o, const struct record_in *records, size_t count, bool urgent, lsn_t *ret_lsns)
{
    lsn_t inline_lsns[RECORDS_INLINE_MAX];
    lsn_t *lsns = ret_lsns ? ret_lsns : inline_lsns;
    ASSERT(count > 0 && (ret_lsns || count <= RECORDS_INLINE_MAX));
    uint64_t time_ms = o->now_ms > o->last_time_ms ? o->now_ms : o->last_time_ms;
    TRY(store_append(o->store, o->log, time_ms, records, count, urgent, lsns));
    struct buf scratch;
    buf_init(&scratch);
    for (size_t i = 0; i < count; i++) {
        struct record r = { .lsn = lsns[i],
            .time_ms = time_ms,
            .log = o->log,
            .type = records[i].type,
            .version = records[i].version,
            .flags = records[i].flags,
            .object = records[i].object,
            .payload = gather(&records[i], &scratch) };
        struct error e = apply_one(o, &r);
        ASSERT(!failed(e)); /* what decide wrote, apply must take: the log already has it */
    }
    buf_deinit(&scratch);
    return OK;
}

void owner_wake_at(struct owner *o, uint64_t ms)
{
    if (ms < o->private->wake_ms)
        o->private->wake_ms = ms;
}

/* ---- parked calls ------------------------------------------------------------------------------------------------- */

struct error call_wait(struct call *c, struct link *list, uint64_t deadline_ms)
{
    struct owner *o = c->owner;
    ASSERT(!c->is_timed_out && c->op->is_waiting);
    list_push_back(list, &c->waiting);
    heap_insert(&o->private->deadlines, &c->deadline, deadline_ms, o->private->next_tie++);
    owner_wake_at(o, deadline_ms);
    return ERROR_OF(ERR_PENDING);
}

static void unpark(struct owner *o, struct call *c)
{
    list_remove(&c->waiting);
    heap_remove(&o->private->deadlines, &c->deadline);
}

bool call_wake_first(struct owner *o, struct link *list)
{
    if (list_is_empty(list))
        return false;
    struct call *c = LIST_ENTRY(list->next, struct call, waiting);
    unpark(o, c);
    owner_defer(o, &c->task);
    return true;
}

void call_wake_all(struct owner *o, struct link *list)
{
    while (call_wake_first(o, list))
        ;
}

bool owner_unpark(struct owner *o, struct call *c)
{
    if (!list_is_linked(&c->waiting))
        return false;
    unpark(o, c);
    return true;
}

static void submit_own(struct owner *o, struct own_task *t)
{
    int idle = 0;
    if (atomic_compare_exchange_strong(&t->is_queued, &idle, 1))
        owner_submit(o, &t->task);
}

static void run_end_waits(struct owner *o, struct task *t)
{
    struct heap_node *node;
    (void)t;
    atomic_store(&o->private->end_waits.is_queued, 0);
    while ((node = heap_top(&o->private->deadlines))) {
        struct call *c = CONTAINER_OF(node, struct call, deadline);
        unpark(o, c);
        c->is_timed_out = true;
        owner_defer(o, &c->task);
    }
}

void owners_end_waits(void)
{
    for (uint16_t i = 0; i < LOG_COUNT; i++)
        submit_own(owner_of(i), &all.private[i].end_waits);
}

/* ---- work that waits for the disk --------------------------------------------------------------------------------- */

void owner_submit_when_durable(struct owner *o, struct task *t, lsn_t lsn)
{
    struct durable_wait *w = calloc(1, sizeof(*w));
    ASSERT(w);
    *w = (struct durable_wait){ .task = t, .owner = o, .lsn = lsn };
    pthread_mutex_lock(&all.durable_lock);
    w->next = all.durable_waits;
    all.durable_waits = w;
    if (lsn < atomic_load(&all.durable_next))
        atomic_store(&all.durable_next, lsn);
    pthread_mutex_unlock(&all.durable_lock);
    if (store_durable(all.store) > lsn)
        owners_on_durable();
    else
        store_kick(all.store);
}

void owners_on_durable(void)
{
    lsn_t durable = store_durable(all.store);
    if (LIKELY(atomic_load(&all.durable_next) >= durable))
        return;
    struct durable_wait *due = NULL, **due_end = &due;
    pthread_mutex_lock(&all.durable_lock);
    uint64_t next = UINT64_MAX;
    for (struct durable_wait **at = &all.durable_waits; *at;) {
        struct durable_wait *w = *at;
        if (w->lsn < durable) {
            *at = w->next;
            w->next = NULL;
            *due_end = w;
            due_end = &w->next;
            continue;
        }
        if (w->lsn < next)
            next = w->lsn;
        at = &w->next;
    }
    atomic_store(&all.durable_next, next);
    pthread_mutex_unlock(&all.durable_lock);
    while (due) {
        struct durable_wait *w = due;
        due = w->next;
        owner_submit(w->owner, w->task);
        free(w);
    }
}

/* ---- timers ------------------------------------------------------------------------------------------------------- */

void owners_on_earlier_wake(void (*call)(uint16_t log))
{
    atomic_store(&all.on_earlier_wake, call);
}

uint64_t owners_next_wake(uint16_t first, uint16_t step)
{
    uint64_t earliest = UINT64_MAX;
    for (uint16_t i = first; i < LOG_COUNT; i = (uint16_t)(i + step)) {
        uint64_t at = atomic_load_explicit(&all.private[i].published_wake, memory_order_relaxed);
        if (at < earliest)
            earliest = at;
    }
    return earliest;
}

static void run_tick(struct owner *o, struct task *t)
{
    (void)t;
    atomic_store(&o->private->tick.is_queued, 0); /* run_task runs what is due after this */
}

void owners_tick(uint16_t first, uint16_t step, uint64_t now_ms)
{
    for (uint16_t i = first; i < LOG_COUNT; i = (uint16_t)(i + step)) {
        struct owner_private *p = &all.private[i];
        if (LIKELY(atomic_load_explicit(&p->published_wake, memory_order_relaxed) > now_ms))
            continue;
        /* Taken: nothing is due until the tick ran, so that nobody spins while another thread holds the token. Whatever
         * is published after it is earlier than "none" and wakes us. */
        atomic_store(&p->published_wake, UINT64_MAX);
        submit_own(&all.owners[i], &p->tick);
    }
}

/* ---- tasks of the store's background thread: run and wait for the end ---------------------------------------------- */

struct waited_task {
    struct task task;
    void (*body)(struct owner *o, struct waited_task *t);
    const void *in;
    void *out;
    struct error error;
    _Atomic int is_done;
};

static void run_waited(struct owner *o, struct task *t)
{
    struct waited_task *w = CONTAINER_OF(t, struct waited_task, task);
    w->body(o, w);
    atomic_store(&w->is_done, 1);
}

/* The holder of the token runs tasks for microseconds at a time, so yielding is nearly always waiting enough. */
static struct error run_and_wait(uint16_t log, struct waited_task *w)
{
    w->task.run = run_waited;
    owner_submit(owner_of(log), &w->task);
    for (int looks = 0; !atomic_load(&w->is_done); looks++) {
        const struct timespec pause = { .tv_nsec = WAIT_PAUSE_NS };
        if (looks < WAIT_YIELDS)
            sched_yield();
        else
            nanosleep(&pause, NULL); /* it waits for the disk */
    }
    return w->error;
}

static void capture_body(struct owner *o, struct waited_task *w)
{
    struct snapshot_writer *writer = w->out;
    const lsn_t last[2] = { o->last_lsn, o->last_time_ms };
    snapshot_add(writer, last, sizeof(last));
    for (size_t i = 0; i < all.service_count; i++)
        if (all.services[i]->capture)
            all.services[i]->capture(o->state[i], writer);
    *(lsn_t *)(uintptr_t)w->in = o->last_lsn;
}

static struct error capture_log(void *context, uint16_t log, struct snapshot_writer *writer, lsn_t *ret_covers)
{
    (void)context;
    struct waited_task w = { .body = capture_body, .in = ret_covers, .out = writer };
    return run_and_wait(log, &w);
}

static void relocate_body(struct owner *o, struct waited_task *w)
{
    const struct record *r = w->in;
    size_t service = r->type >> 8;
    if (service < all.service_count && all.services[service]->relocate)
        w->error = all.services[service]->relocate(o->state[service], r);
}

static struct error relocate_record(void *context, const struct record *r)
{
    (void)context;
    struct waited_task w = { .body = relocate_body, .in = r };
    return run_and_wait(r->log, &w);
}

/* ---- start and end ------------------------------------------------------------------------------------------------ */

/* Past the year 10889 nobody has been: then a sum of times cannot overflow. */
static bool is_time(uint64_t ms)
{
    return ms >> 48 == 0;
}

static struct error replay_apply(void *context, const struct record *r)
{
    (void)context;
    struct owner *o = owner_of(r->log);
    o->store = all.store; /* store_open fills it in before it replays */
    if (!is_time(r->time_ms) || r->time_ms < o->last_time_ms)
        return ERROR_OF(ERR_CORRUPT);
    if (r->time_ms > all.latest_record_ms)
        all.latest_record_ms = r->time_ms;
    return apply_one(o, r);
}

/* To the services that want it, those that follow each other for one of them together. */
static void replay_look_ahead(void *context, const struct record *records, size_t count)
{
    (void)context;
    for (size_t from = 0, to; from < count; from = to) {
        const struct record *first = &records[from];
        size_t service = first->type >> 8;
        for (to = from + 1; to < count; to++)
            if (records[to].log != first->log || records[to].type >> 8 != (uint16_t)service)
                break;
        if (first->log < LOG_COUNT && service < all.service_count && all.services[service]->look_ahead)
            all.services[service]->look_ahead(owner_of(first->log)->state[service], first, to - from);
    }
}

/* A log's snapshot: last LSN and time, then the one service that has state. */
static struct error replay_restore(void *context, uint16_t log, lsn_t covers, struct slice bytes)
{
    (void)context;
    struct owner *o = owner_of(log);
    o->store = all.store;
    uint64_t last[2];
    if (bytes.size < sizeof(last))
        return ERROR_OF(ERR_CORRUPT);
    memcpy(last, bytes.data, sizeof(last));
    if (last[0] != covers || !is_time(last[1]))
        return ERROR_OF(ERR_CORRUPT);
    o->last_lsn = last[0];
    o->last_time_ms = last[1];
    if (last[1] > all.latest_record_ms)
        all.latest_record_ms = last[1];
    bytes = slice_from(bytes, sizeof(last));
    for (size_t i = 0; i < all.service_count; i++)
        if (all.services[i]->restore)
            return all.services[i]->restore(o->state[i], bytes);
    return OK;
}

static void owner_init(uint16_t log)
{
    struct owner *o = &all.owners[log];
    struct owner_private *p = &all.private[log];
    memset(o, 0, sizeof(*o));
    memset(p, 0, sizeof(*p));
    o->log = log;
    o->private = p;
    o->is_replaying = true;
    p->deferred_end = &p->deferred;
    p->wake_ms = UINT64_MAX;
    p->published_wake = UINT64_MAX;
    p->tick.task.run = run_tick;
    p->end_waits.task.run = run_end_waits;
    heap_init(&p->deadlines);
}

static void free_owners(void);

struct error owners_open(const struct store_options *options, struct service *const *services, size_t service_count,
    struct arena *arena, struct store **ret_store, struct slice *ret_sentence)
{
    ASSERT(service_count <= SERVICE_COUNT_MAX);
    all.service_count = service_count;
    all.latest_record_ms = 0;
    for (size_t i = 0; i < service_count; i++) {
        all.services[i] = services[i];
        services[i]->index = (uint8_t)i;
    }
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        owner_init(log);
        for (size_t i = 0; i < service_count; i++)
            if (services[i]->state_new)
                all.owners[log].state[i] = services[i]->state_new(&all.owners[log]);
    }
    const struct store_state_ops ops = { .apply = replay_apply,
        .look_ahead = replay_look_ahead,
        .restore = replay_restore,
        .capture = capture_log,
        .relocate = relocate_record };
    struct error e = store_open(options, &ops, arena, &all.store, ret_sentence);
    if (failed(e)) {
        free_owners(); /* what was replayed before the damage, too */
        return e;
    }
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        all.owners[log].store = all.store;
        all.owners[log].is_replaying = false;
    }
    *ret_store = all.store;
    return OK;
}

static void resume_body(struct owner *o, struct waited_task *w)
{
    (void)w;
    for (size_t i = 0; i < all.service_count; i++)
        if (all.services[i]->resume)
            all.services[i]->resume(o->state[i]);
}

void owners_resume(void)
{
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        struct waited_task w = { .body = resume_body };
        run_and_wait(log, &w);
    }
}

static void free_owners(void)
{
    while (all.durable_waits) {
        struct durable_wait *w = all.durable_waits;
        all.durable_waits = w->next;
        free(w);
    }
    atomic_store(&all.durable_next, UINT64_MAX);
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        struct owner *o = &all.owners[log];
        for (size_t i = 0; i < all.service_count; i++)
            if (all.services[i]->state_free)
                all.services[i]->state_free(o->state[i]);
        heap_deinit(&o->private->deadlines);
    }
    all.store = NULL;
}

void owners_close(bool snapshot)
{
    store_close(all.store, snapshot);
    free_owners();
}

void owners_abandon(void)
{
    store_abandon(all.store);
    free_owners();
}

const struct service *owners_service(size_t index)
{
    return index < all.service_count ? all.services[index] : NULL;
}

struct store *owners_store(void)
{
    return all.store;
}

uint64_t owners_latest_record_ms(void)
{
    return all.latest_record_ms;
}

void owners_digest(size_t service, uint8_t out[32])
{
    uint8_t digests[LOG_COUNT][32];
    for (uint16_t log = 0; log < LOG_COUNT; log++)
        all.services[service]->digest(all.owners[log].state[service], digests[log]);
    sha256(slice_of(digests, sizeof(digests)), out);
}
