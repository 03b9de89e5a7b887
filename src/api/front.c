#include "api/front.h"
#include "api/clock.h"
#include "api/gateway.h"
#include "api/owner.h"
#include "api/pages.h"
#include "api/service.h"
#include "base/mutant.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "sys/spread.h"
#include "sys/sys.h"
#include "sys/thread.h"
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    CALL_ARENA_BYTES_MAX =
        48 * MIB,               /* ten messages of 1 MiB with six-fold JSON escapes stay below by streaming bounds */
    CALLS_KEPT_MAX = 256,       /* free calls, and arenas beside them, that a front keeps */
    FLUSH_WAITING_MAX = 128,    /* replies that may gather before the committer is asked although work is ready, */
    FLUSH_WAIT_MS = 2,          /* and how long: some clients always have work ready */
    LAZY_FLUSH_MS = 10,         /* records nobody waits for (standard leases) reach the disk this much later */
    RECORD_BYTES_TYPICAL = 384, /* of a small message: the place that is asked for ahead */
    READY_MAX = 32,             /* calls that gather before their owners are asked */
    LOG_LINES_PER_S_MAX = 20,   /* of refused requests, a front: whoever floods us must not fill the log */
};

enum call_state { CALL_NEW, CALL_READY, CALL_AT_OWNER, CALL_WAITING, CALL_FREE };

struct front {
    int index;
    struct reactor *reactor;
    struct store *store;
    const struct gateway_options *gateway;

    struct task *ready, **ready_end; /* calls for owners, of this turn */
    uint32_t ready_count;
    struct task *home, **home_end; /* calls that this thread finished, in order */
    _Atomic(struct task *) inbox;  /* calls that others finished, newest first */
    struct link waiting;           /* finished, by rising wait_lsn */
    size_t waiting_count;
    _Atomic int is_waiting_for_disk; /* on_durable wakes us */
    uint64_t asked_ms;               /* the committer, or when the first reply began to wait */
    uint64_t lazy_since_ms;

    struct call *free_calls[CALLS_KEPT_MAX];
    size_t free_count;
    struct arena spare_arenas[CALLS_KEPT_MAX]; /* with a first block each: of calls that wait without one */
    size_t spare_count;
    struct buf body, lines;
    uint64_t random[2];
    uint64_t log_second; /* in which log_lines were written */
    uint32_t log_lines, log_left_out;
    struct front_metrics metrics;
};

static struct {
    struct front *fronts;
    int count;
    struct spread *spread; /* NULL: nothing to spread */
    struct http_server *http;
} all;

static _Thread_local struct front *this_front;
static _Thread_local uint64_t this_turn_ms;

uint64_t front_turn_ms(void)
{
    return this_turn_ms;
}

void front_leave_thread(void)
{
    this_front = NULL;
    this_turn_ms = 0;
}

/* ---- calls -------------------------------------------------------------------------------------------------------- */

static uint64_t next_random(struct front *f) /* xorshift128+: ids for people, not secrets */
{
    uint64_t a = f->random[0], b = f->random[1];
    f->random[0] = b;
    a ^= a << 23;
    f->random[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return f->random[1] + b;
}

static void make_request_id(struct front *f, char out[37])
{
    uint8_t bytes[16];
    uint64_t words[2] = { next_random(f), next_random(f) };
    memcpy(bytes, words, 16);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    text_format_uuid(bytes, out);
}

static struct call *call_new(struct front *f, struct stream *s)
{
    struct call *c;
    if (f->free_count) {
        c = f->free_calls[--f->free_count];
        if (f->free_count)
            __builtin_prefetch(f->free_calls[f->free_count - 1]); /* the next request's */
    } else {
        c = malloc(sizeof(*c));
        ASSERT(c);
        arena_init(&c->arena, CALL_ARENA_BYTES_MAX);
    }
    struct arena arena = c->arena;
    if (!arena.blocks && f->spare_count)
        arena = f->spare_arenas[--f->spare_count];
    memset(c, 0, sizeof(*c));
    c->arena = arena;
    c->front = f;
    c->stream = s;
    atomic_init(&c->references, 1);
    c->task.run = front_run_call;
    c->started_us = sys->clock.monotonic_us();
    c->peer = stream_peer(s);
    make_request_id(f, c->request_id);
    s->user = c;
    return c;
}

static void call_free(struct call *c) /* on the front's thread */
{
    struct front *f = c->front;
    arena_reset(&c->arena);
    if (f->free_count < CALLS_KEPT_MAX) {
        f->free_calls[f->free_count++] = c;
        return;
    }
    arena_deinit(&c->arena);
    free(c);
}

/* A wake-up only for the first: whoever pushed that one wakes the front or has yet to, and the front takes all. Its own
 * thread needs none, because every turn ends with a look here. */
static void send_home(struct call *c)
{
    struct front *f = c->front;
    if (f == this_front) {
        c->task.next = NULL;
        *f->home_end = &c->task;
        f->home_end = &c->task.next;
        return;
    }
    struct task *head = atomic_load_explicit(&f->inbox, memory_order_relaxed);
    do {
        c->task.next = head;
    } while (!atomic_compare_exchange_weak(&f->inbox, &head, &c->task));
    if (!head)
        reactor_wake(f->reactor); /* c may be gone by now */
}

/* The last reference frees; on a foreign thread the call goes home for it. Whoever sees that there is only one has it. */
static void call_unref(struct call *c)
{
    bool is_last = atomic_load_explicit(&c->references, memory_order_acquire) == 1;
    if (!is_last && atomic_fetch_sub(&c->references, 1) != 1)
        return;
    if (c->front == this_front) {
        call_free(c);
        return;
    }
    c->state = CALL_FREE;
    send_home(c);
}

/* ---- at the owner ------------------------------------------------------------------------------------------------- */

void front_run_call(struct owner *o, struct task *t)
{
    struct call *c = CONTAINER_OF(t, struct call, task);
    c->owner = o;
    struct error e = c->op->run(c, c->in, c->out);
    if (e.code == ERR_PENDING)
        return;
    c->error = e;
    if (!c->is_wait_chosen && o->last_lsn > c->wait_lsn)
        c->wait_lsn = o->last_lsn;
    front_done(c);
}

void front_done(struct call *c)
{
    send_home(c);
}

static void run_cancel(struct owner *o, struct task *t)
{
    struct call *c = CONTAINER_OF(t, struct call, cancel);
    if (owner_unpark(o, c)) {
        c->error = ERROR_OF(ERR_CLOSED);
        front_done(c);
    }
    call_unref(c);
}

static void run_undo(struct owner *o, struct task *t)
{
    struct call *c = CONTAINER_OF(t, struct call, task);
    c->owner = o;
    c->op->undo(c, c->in, c->out);
    call_unref(c);
}

/* ---- replies ------------------------------------------------------------------------------------------------------ */

static uint32_t op_slot(const struct call *c)
{
    uint32_t slot = c->op->id;
    for (int i = 0; i < c->service->index; i++)
        slot += (uint32_t)owners_service((size_t)i)->op_count;
    return slot < FRONT_OPS_MAX ? slot : FRONT_OPS_MAX - 1;
}

/* One writer: a load and a store are enough. */
static void count_one(uint64_t *counter)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static void show_waiting(struct front *f)
{
    __atomic_store_n(&f->metrics.waiting, f->waiting_count, __ATOMIC_RELAXED);
}

/* False: this second has had its lines. The next second's first line says how many were left out. */
static bool may_log(struct front *f, uint64_t now_us)
{
    uint64_t second = now_us / 1000000;
    if (second != f->log_second) {
        if (f->log_left_out)
            log_event(LOG_INFO, "requests_not_logged", "count=%u", f->log_left_out);
        f->log_second = second;
        f->log_lines = f->log_left_out = 0;
    }
    bool may = f->log_lines < LOG_LINES_PER_S_MAX;
    *(may ? &f->log_lines : &f->log_left_out) += 1;
    return may;
}

/* What failed at info, everything at debug; ids and codes only, no text that a client made but the resource's name. */
static void log_call(struct front *f, const struct call *c, uint64_t now_us)
{
    bool is_failed = failed(c->error);
    enum log_level level = is_failed ? LOG_INFO : LOG_DEBUG;
    if (!log_is_wanted(level) || (is_failed && !log_is_wanted(LOG_DEBUG) && !may_log(f, now_us)))
        return;
    char peer[HTTP_PEER_TEXT_BYTES];
    struct slice from = http_peer_format(&c->peer, peer);
    log_event(level, is_failed ? "request_failed" : "request",
        "request_id=%s operation=%.*s status=%u code=%s account=%s region=%.*s resource=%s peer=%.*s took_us=%llu",
        c->request_id, SLICE_ARG(c->op ? c->op->name : SLICE("-")), c->status,
        is_failed ? error_row(c->error.code)->query : "-", *c->caller.account ? c->caller.account : "-",
        SLICE_ARG(c->region.size ? c->region : SLICE("-")), LOG_QUOTED(slice_head(c->resource, 80)),
        SLICE_ARG(from.size ? from : SLICE("-")), (unsigned long long)(now_us - c->started_us));
}

static void count_call(struct front *f, const struct call *c)
{
    uint64_t now_us = sys->clock.monotonic_us();
    uint32_t slot = c->op ? op_slot(c) : FRONT_OPS_MAX;
    if (c->op) {
        count_one(&f->metrics.calls[slot]);
        histogram_add(&f->metrics.latency_us[slot], now_us - c->started_us);
    }
    if (UNLIKELY(failed(c->error)))
        count_one(&f->metrics.errors[slot][c->error.code < FRONT_ERRORS_MAX ? c->error.code : 0]);
    if (UNLIKELY(failed(c->error) || log_is_wanted(LOG_DEBUG)))
        log_call(f, c, now_us);
}

static void reply_now(struct front *f, struct call *c)
{
    struct stream *s = c->stream;
    c->stream = NULL;
    s->user = NULL;
    buf_reset(&f->body);
    buf_reset(&f->lines);
    struct http_reply reply = { 0 };
    gateway_encode(c, &f->body, &f->lines, &reply);
    c->status = (uint16_t)reply.status;
    count_call(f, c);
    stream_reply(s, &reply);
    call_unref(c);
}

/* The client left before its reply. What run did stands, unless the operation knows how to take it back. */
static void drop_reply(struct call *c)
{
    if (!failed(c->error) && c->op && c->op->undo && c->owner && !MUTANT(gone_keeps_lease)) {
        c->task.run = run_undo;           /* `cancel` may still be on its way */
        owner_submit(c->owner, &c->task); /* takes over our reference */
        return;
    }
    call_unref(c);
}

/* By rising wait_lsn. Calls come nearly in order, so the search from the end is short. */
static void hold(struct front *f, struct call *c)
{
    struct link *at = &f->waiting;
    if (list_is_empty(at))
        f->asked_ms = this_turn_ms;
    while (at->prev != &f->waiting && LIST_ENTRY(at->prev, struct call, front_link)->wait_lsn > c->wait_lsn)
        at = at->prev;
    list_insert_before(at, &c->front_link);
    c->state = CALL_WAITING;
    f->waiting_count++;
    show_waiting(f);
}

/* A finished call: what is durable leaves now, the rest waits in order. */
static void hold_or_reply(struct front *f, struct call *c)
{
    if (c->is_gone)
        drop_reply(c);
    else if (c->wait_lsn == 0 || store_durable(f->store) > c->wait_lsn || MUTANT(reply_before_sync))
        reply_now(f, c);
    else
        hold(f, c);
}

static void finish_call(struct front *f, struct call *c)
{
    if (!failed(c->error) && c->op->finish && !c->is_gone) {
        struct error e = c->op->finish(c, c->in, c->out);
        if (e.code == ERR_PENDING)
            return; /* a reader thread calls front_done */
        c->error = e;
    }
    hold_or_reply(f, c);
}

static bool release_durable(struct front *f)
{
    if (list_is_empty(&f->waiting))
        return false;
    lsn_t durable = store_durable(f->store);
    bool did = false;
    while (!list_is_empty(&f->waiting)) {
        struct call *c = LIST_ENTRY(f->waiting.next, struct call, front_link);
        if (c->wait_lsn >= durable)
            break;
        list_remove(&c->front_link);
        f->waiting_count--;
        did = true;
        if (c->is_gone)
            drop_reply(c);
        else
            reply_now(f, c);
    }
    if (did)
        show_waiting(f);
    return did;
}

static void take_call(struct front *f, struct call *c)
{
    if (c->state == CALL_FREE)
        call_free(c);
    else
        finish_call(f, c);
}

static void take_calls(struct front *f, struct task *oldest)
{
    while (oldest) {
        struct task *next = oldest->next;
        take_call(f, CONTAINER_OF(oldest, struct call, task));
        oldest = next;
    }
}

static struct task *take_home(struct front *f)
{
    struct task *oldest = f->home;
    f->home = NULL;
    f->home_end = &f->home;
    return oldest;
}

static bool take_inbox(struct front *f)
{
    struct task *own = take_home(f), *others = NULL;
    if (UNLIKELY(atomic_load_explicit(&f->inbox, memory_order_relaxed) != NULL))
        others = tasks_turned(atomic_exchange(&f->inbox, NULL));
    take_calls(f, own);
    take_calls(f, others);
    return own || others;
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

static bool on_head(struct stream *s)
{
    struct front *f = s->front;
    const struct http_request *r = &s->request;
    if (pages_is_page(r)) /* /health, /metrics, preflight: no signature */
        return true;
    struct call *c = call_new(f, s);
    c->error = gateway_head(c, r, f->gateway);
    s->is_known = !failed(c->error) && c->request->signature_result == SIGV4_OK;
    if (!failed(c->error))
        return true;
    reply_now(f, c);
    return false;
}

/* Waiting operations give the request's memory back before they are parked, and keep what they need in a block of exactly
 * its size: ten thousand of them may wait. */
static void detach_input(struct front *f, struct call *c, struct stream *s)
{
    struct arena old = c->arena;
    ASSERT(!c->md5.out); /* its text would not stay */
    struct slice *const kept[] = { &c->region, &c->account, &c->resource, &c->endpoint, &c->cors, &c->caller.arn,
        &c->caller.user_id, &c->caller.access_key };
    size_t bytes = shape_copy_bytes(c->op->in, c->in) + ARENA_BYTES_OF(c->op->out->size + 1);
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
        bytes += ARENA_BYTES_OF(kept[i]->size);
    arena_init_sized(&c->arena, CALL_ARENA_BYTES_MAX, bytes);
    c->in = shape_copy(c->op->in, c->in, &c->arena);
    c->out = arena_zero(&c->arena, c->op->out->size + 1);
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
        *kept[i] = arena_copy(&c->arena, *kept[i]);
    c->path = SLICE_NONE;
    c->trace_header = SLICE_NONE;
    c->scratch = NULL;
    c->request = NULL;
    if (f->spare_count < CALLS_KEPT_MAX) {
        arena_reset(&old);
        f->spare_arenas[f->spare_count++] = old;
    } else {
        arena_deinit(&old);
    }
    stream_release_input(s);
}

static struct call *take_ready(struct front *f)
{
    struct task *t = f->ready;
    if (!t)
        return NULL;
    f->ready = t->next;
    if (!f->ready)
        f->ready_end = &f->ready;
    f->ready_count--;
    return CONTAINER_OF(t, struct call, task);
}

/* The input of a call whose client is gone is, too. */
static void digest_ready(struct front *f)
{
    struct slice texts[READY_MAX];
    uint8_t digests[READY_MAX][MD5_BYTES], *out[READY_MAX];
    size_t count = 0;
    for (struct task *t = f->ready; t; t = t->next) {
        struct call *c = CONTAINER_OF(t, struct call, task);
        if (!c->md5.out || c->is_gone)
            continue;
        texts[count] = c->md5.text;
        out[count++] = c->md5.out;
        c->md5.out = NULL;
    }
    if (count)
        md5_each(texts, count, digests);
    for (size_t i = 0; i < count; i++)
        memcpy(out[i], digests[i], MD5_BYTES);
}

/* Owners are asked at the end of the turn, for all its calls in a row: what belongs to a queue is in this core's caches then,
 * while two fronts that took turns at it would fetch it from each other for every call. */
static void submit_ready(struct front *f)
{
    struct call *c;
    if (!f->ready)
        return;
    store_expect(f->store, f->ready_count * RECORD_BYTES_TYPICAL);
    digest_ready(f);
    while ((c = take_ready(f))) {
        if (c->is_gone) { /* nothing has been decided */
            call_unref(c);
            continue;
        }
        c->state = CALL_AT_OWNER;
        owner_submit(owner_of(c->log), &c->task);
    }
}

static void add_ready(struct front *f, struct call *c)
{
    c->state = CALL_READY;
    c->task.next = NULL;
    *f->ready_end = &c->task;
    f->ready_end = &c->task.next;
    if (++f->ready_count == READY_MAX) {
        submit_ready(f);
        take_inbox(f);
    }
}

static void on_request(struct stream *s)
{
    struct front *f = s->front;
    struct call *c = s->user;
    if (!c) {
        pages_serve(s, f->gateway);
        return;
    }
    c->error = gateway_bind(c, &s->request, f->gateway);
    if (failed(c->error)) {
        reply_now(f, c);
        return;
    }
    if (c->op->where == WHERE_FRONT) {
        c->error = c->op->run(c, c->in, c->out);
        hold_or_reply(f, c);
        return;
    }
    if (c->op->is_waiting)
        detach_input(f, c, s);
    add_ready(f, c);
}

static void on_gone(struct stream *s)
{
    struct call *c = s->user;
    s->user = NULL;
    if (!c) {
        pages_gone(s);
        return;
    }
    c->is_gone = true; /* submit_ready and finished calls look at it */
    c->stream = NULL;
    if (c->state == CALL_NEW) { /* the body never came */
        call_unref(c);
        return;
    }
    if (c->state == CALL_AT_OWNER && c->op->is_waiting) {
        atomic_fetch_add(&c->references, 1);
        c->cancel.run = run_cancel;
        owner_submit(owner_of(c->log), &c->cancel);
    }
}

const struct http_handler front_handler = { .on_head = on_head, .on_request = on_request, .on_gone = on_gone };

/* ---- turns -------------------------------------------------------------------------------------------------------- */

static void on_turn(void *context, uint64_t now_ms)
{
    this_front = context;
    this_turn_ms = clock_ms();
    if (all.spread)
        spread_turn(all.spread, this_front->index, now_ms);
}

/* Records that no reply waits for must not stay in memory for long. */
static void flush_lazily(struct front *f)
{
    if (store_end(f->store) <= store_durable(f->store)) {
        f->lazy_since_ms = 0;
        return;
    }
    if (f->lazy_since_ms == 0) {
        f->lazy_since_ms = this_turn_ms;
    } else if (this_turn_ms >= f->lazy_since_ms + LAZY_FLUSH_MS) {
        f->lazy_since_ms = 0;
        store_kick(f->store);
    }
}

static bool commit(struct front *f, bool is_idle)
{
    if (!is_idle) {
        if (f->waiting_count < FLUSH_WAITING_MAX && this_turn_ms < f->asked_ms + FLUSH_WAIT_MS)
            return false;
        f->asked_ms = this_turn_ms;
        store_kick(f->store);
        return false;
    }
    atomic_store(&f->is_waiting_for_disk, 1);
    if (release_durable(f)) /* a flush may have ended between the look and the flag */
        return true;
    if (!store_is_quick(f->store)) {
        store_kick(f->store);
        return false;
    }
    struct error e = store_flush(f->store);
    if (failed(e))
        return false; /* another thread is flushing; on_durable wakes us */
    count_one(&f->metrics.inline_flushes);
    return release_durable(f);
}

static bool before_sleep(void *context, bool is_idle)
{
    struct front *f = context;
    submit_ready(f);
    bool did = take_inbox(f);
    owners_tick((uint16_t)f->index, (uint16_t)all.count, this_turn_ms);
    did |= take_inbox(f);
    did |= release_durable(f);
    if (!list_is_empty(&f->waiting)) {
        f->lazy_since_ms = 0; /* the flush they wait for takes everything */
        did |= commit(f, is_idle);
    } else {
        atomic_store_explicit(&f->is_waiting_for_disk, 0, memory_order_relaxed);
        flush_lazily(f);
    }
    return did;
}

static uint64_t sleep_until(void *context)
{
    struct front *f = context;
    uint64_t wake = owners_next_wake((uint16_t)f->index, (uint16_t)all.count);
    if (f->lazy_since_ms && f->lazy_since_ms + LAZY_FLUSH_MS < wake)
        wake = f->lazy_since_ms + LAZY_FLUSH_MS;
    if (wake == UINT64_MAX)
        return UINT64_MAX;
    uint64_t now = reactor_now_ms(f->reactor);
    return wake <= this_turn_ms ? now : now + (wake - this_turn_ms);
}

static void on_durable(void *context)
{
    (void)context;
    for (int i = 0; i < all.count; i++) {
        struct front *f = &all.fronts[i];
        if (f != this_front && !MUTANT(front_not_woken) && atomic_load(&f->is_waiting_for_disk) &&
            atomic_exchange(&f->is_waiting_for_disk, 0))
            reactor_wake(f->reactor);
    }
    owners_on_durable();
}

static void on_earlier_wake(uint16_t log)
{
    struct front *f = &all.fronts[log % all.count];
    if (f != this_front)
        reactor_wake(f->reactor);
}

/* ---- start and end ------------------------------------------------------------------------------------------------ */

static void front_init(struct front *f, int index, const struct front_options *options)
{
    f->index = index;
    f->store = options->store;
    f->gateway = options->gateway;
    f->ready_end = &f->ready;
    f->home_end = &f->home;
    f->reactor = http_server_reactor(options->http, index);
    list_init(&f->waiting);
    buf_init(&f->body);
    buf_init(&f->lines);
    sys->entropy(f->random, sizeof(f->random));
    const struct reactor_hooks hooks = {
        .context = f, .on_turn = on_turn, .before_sleep = before_sleep, .sleep_until = sleep_until
    };
    reactor_set_hooks(f->reactor, &hooks);
    http_server_set_front(options->http, index, f);
}

void fronts_open(const struct front_options *options)
{
    all.http = options->http;
    all.fronts = calloc((size_t)options->threads, sizeof(struct front));
    ASSERT(all.fronts);
    all.spread = spread_new(options->threads, sys_thread_used_us);
    for (int i = 0; i < options->threads; i++)
        front_init(&all.fronts[i], i, options);
    all.count = options->threads;
    store_on_durable(options->store, on_durable, NULL);
    owners_on_earlier_wake(on_earlier_wake);
}

struct passing {
    struct reactor_post post;
    sem_t *passed;
};

static void on_pass(struct reactor_post *post)
{
    sem_post(CONTAINER_OF(post, struct passing, post)->passed);
}

void fronts_pass_turn(void)
{
    struct passing passing[FRONTS_MAX];
    sem_t passed;
    ASSERT(all.count <= FRONTS_MAX);
    sem_init(&passed, 0, 0);
    for (int i = 0; i < all.count; i++) {
        passing[i] = (struct passing){ .post = { .run = on_pass }, .passed = &passed };
        reactor_post(all.fronts[i].reactor, &passing[i].post);
    }
    for (int i = 0; i < all.count; i++)
        while (sem_wait(&passed) != 0)
            ;
    sem_destroy(&passed);
}

/* Calls whose reply was not to be: their clients are gone, all connections are closed. */
static bool drop_calls(struct front *f)
{
    this_front = f;
    for (struct call *c; (c = take_ready(f));) /* of a turn that did not come to its end */
        call_unref(c);
    bool did = take_inbox(f);
    while (!list_is_empty(&f->waiting)) {
        struct call *c = LIST_ENTRY(f->waiting.next, struct call, front_link);
        list_remove(&c->front_link);
        f->waiting_count--;
        drop_reply(c);
        did = true;
    }
    return did;
}

void fronts_close(void)
{
    for (bool did = true; did;) { /* what one front drops may come home to another */
        did = false;
        for (int i = 0; i < all.count; i++)
            did |= drop_calls(&all.fronts[i]);
    }
    front_leave_thread();
}

/* What came home since: there is no owner any more that could undo it. */
static void free_calls(struct task *t)
{
    while (t) {
        struct call *c = CONTAINER_OF(t, struct call, task);
        t = t->next;
        call_free(c);
    }
}

void fronts_free(void)
{
    owners_on_earlier_wake(NULL);
    for (int i = 0; i < all.count; i++) {
        struct front *f = &all.fronts[i];
        free_calls(take_home(f));
        free_calls(atomic_exchange(&f->inbox, NULL));
        for (size_t k = 0; k < f->free_count; k++) {
            arena_deinit(&f->free_calls[k]->arena);
            free(f->free_calls[k]);
        }
        for (size_t k = 0; k < f->spare_count; k++)
            arena_deinit(&f->spare_arenas[k]);
        buf_deinit(&f->body);
        buf_deinit(&f->lines);
    }
    free(all.fronts);
    spread_free(all.spread);
    all.fronts = NULL;
    all.spread = NULL;
    all.count = 0;
    all.http = NULL;
}

struct http_server *front_http(void)
{
    return all.http;
}

struct reactor *front_reactor(const void *front)
{
    return ((const struct front *)front)->reactor;
}

int front_count(void)
{
    return all.count;
}

const struct front_metrics *front_get_metrics(int index)
{
    return &all.fronts[index].metrics;
}
