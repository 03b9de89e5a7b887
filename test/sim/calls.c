/* calls.c: a call's way, as api/front.c leads it, without sockets: bind, route, owner, finish, hold, deliver. */
#include "api/bind.h"
#include "base/mutant.h"
#include "api/gateway.h"
#include "model.h"
#include "net.h"
#include "support/faulty_disk.h"
#include <stdlib.h>

enum { ARENA_BYTES_MAX = 48 * MIB };

bool calls_have_room(void)
{
    for (int i = 0; i < CALLS_MAX; i++)
        if (sim.calls[i].state == SIM_FREE)
            return true;
    return false;
}

static void run_at_owner(struct owner *o, struct task *t);

struct sim_call *call_slot(void)
{
    struct sim_call *c = sim.calls;
    while (c < sim.calls + CALLS_MAX && c->state != SIM_FREE)
        c++;
    if (c == sim.calls + CALLS_MAX)
        return NULL;
    struct arena arena = c->call.arena;
    if (arena.limit_bytes == 0)
        arena_init(&arena, ARENA_BYTES_MAX);
    arena_reset(&arena);
    struct buf request = c->net.request, decided = c->net.decided;
    memset(c, 0, sizeof(*c));
    c->call.arena = arena;
    c->net.request = request;
    c->net.decided = decided;
    buf_reset(&c->net.request);
    buf_reset(&c->net.decided);
    return c;
}

struct sim_call *call_begin(enum op_kind kind, enum sqs_op op, uint32_t queue)
{
    struct sim_call *c = call_slot();
    if (!c)
        return NULL;
    c->kind = kind;
    c->queue = queue;
    struct call *call = &c->call;
    call->op = op_row(op);
    call->service = &sqs_service;
    call->protocol = PROTOCOL_JSON;
    call->task.run = run_at_owner;
    memcpy(call->caller.account, "000000000000", ACCOUNT_BYTES);
    call->caller.arn = SLICE("arn:aws:iam::000000000000:root");
    call->caller.user_id = SLICE("000000000000");
    call->caller.access_key = SLICE("test");
    call->caller.is_root = true;
    call->region = SLICE("us-east-1");
    call->account = slice_str(call->caller.account);
    call->endpoint = SLICE("http://localhost:4566");
    call->started_us = faulty_clock_us();
    call->in = arena_alloc(&call->arena, call->op->in->size + 1);
    call->out = arena_zero(&call->arena, call->op->out->size + 1);
    shape_clear(call->op->in, call->in);
    shape_clear(call->op->out, call->out);
    return c;
}

static void call_end(struct sim_call *c)
{
    c->state = SIM_FREE;
}

/* ---- at the owner ------------------------------------------------------------------------------------------------------- */

/* Over the network the model hears it at once: the call may be gone when the turn ends. */
void call_note(enum event_kind kind, struct sim_call *c, const struct owner *o)
{
    ASSERT(sim.event_count < EVENTS_MAX);
    struct event *e = &sim.events[sim.event_count++];
    *e = (struct event){ .kind = kind, .call = c };
    if (!o)
        return;
    e->now_ms = o->now_ms;
    e->lsn = o->last_lsn;
    e->log = o->log;
    moves_call_ended(o->log);
    if (o->now_ms > sim.now_ms)
        sim.now_ms = o->now_ms;
    if (sim.plan.net.is_on)
        calls_take_inbox();
}

static void run_at_owner(struct owner *o, struct task *t)
{
    struct sim_call *c = CONTAINER_OF(t, struct sim_call, call.task);
    struct call *call = &c->call;
    call->owner = o;
    if (c->state == SIM_AT_OWNER)
        c->started_ms = o->now_ms;
    struct error e = call->op->run(call, call->in, call->out);
    if (e.code == ERR_PENDING) {
        c->state = SIM_PARKED;
        call_note(EVENT_PARKED, c, o);
        return;
    }
    c->state = SIM_DECIDED;
    call->error = e;
    if (!call->is_wait_chosen && o->last_lsn > call->wait_lsn)
        call->wait_lsn = o->last_lsn;
    call_note(EVENT_DONE, c, o);
}

static void run_cancel(struct owner *o, struct task *t)
{
    struct sim_call *c = CONTAINER_OF(t, struct sim_call, call.cancel);
    if (owner_unpark(o, &c->call))
        call_note(EVENT_CANCELLED, c, o);
}

static void run_undo(struct owner *o, struct task *t)
{
    struct sim_call *c = CONTAINER_OF(t, struct sim_call, call.task);
    c->call.owner = o;
    c->call.error = c->call.op->undo(&c->call, c->call.in, c->call.out);
    call_note(EVENT_UNDONE, c, o);
}

/* The linker puts this in the place of the front's: a reader thread is done with what a call's finish waited for. */
void __real_front_done(struct call *call);
void __wrap_front_done(struct call *call);
void __wrap_front_done(struct call *call)
{
    sim.figures.cold++;
    if (sim.plan.net.is_on)
        __real_front_done(call);
    else
        call_note(EVENT_WARM, CONTAINER_OF(call, struct sim_call, call), NULL);
}

/* ---- home again ----------------------------------------------------------------------------------------------------------- */

static void drop_reply(struct sim_call *c)
{
    struct call *call = &c->call;
    if (failed(call->error) || !call->op->undo || !call->owner) {
        call_end(c);
        return;
    }
    c->state = SIM_UNDOING;
    call->task.run = run_undo;
    owner_submit(call->owner, &call->task);
}

static void finish(struct sim_call *c)
{
    struct call *call = &c->call;
    if (c->is_gone) {
        drop_reply(c);
        return;
    }
    if (!failed(call->error) && call->op->finish) {
        struct error e = call->op->finish(call, call->in, call->out);
        if (e.code == ERR_PENDING)
            return;
        call->error = e;
        CHECK(INV_NOT_INVENTED, !failed(e), "a receive on %s could not be finished: error %u",
            model.queues[c->queue].name, e.code);
        if (c->kind == DO_RECEIVE)
            model_check_messages(c);
    }
    c->state = SIM_HELD;
}

static void take_event(const struct event *e, bool is_alive)
{
    struct sim_call *c = e->call;
    if (e->kind == EVENT_RECORD) {
        moves_take(e);
        model_commit(e->lsn, e->log);
        return;
    }
    if (e->kind == EVENT_WARM) {
        if (is_alive)
            finish(c);
        return;
    }
    c->decided_ms = e->now_ms;
    c->decided_lsn = e->lsn;
    c->moved_before = moves_since_last_call(e->log);
    if (e->kind == EVENT_DONE)
        model_decided(c);
    else if (e->kind == EVENT_PARKED)
        model_parked(c);
    else if (e->kind == EVENT_UNDONE)
        model_undone(c);
    model_commit(e->lsn, e->log);
    if (!is_alive || e->kind == EVENT_PARKED)
        return;
    if (sim.plan.net.is_on) {
        if (e->kind == EVENT_CANCELLED) {
            c->state = SIM_CANCELLED;
            client_release(c); /* its owner may have been busy when the client left */
        }
    } else if (e->kind != EVENT_DONE) {
        call_end(c);
    } else if (sim.plan.finishes_late && prng_one_in(&sim.random, 3)) {
        c->finish_at = sim.step + 1 + (uint32_t)prng_below(&sim.random, 40);
    } else {
        finish(c);
    }
}

void calls_take_inbox(void)
{
    for (uint32_t i = 0; i < sim.event_count; i++) { /* finishing may add more */
        const struct event e = sim.events[i];
        take_event(&e, true);
    }
    sim.event_count = 0;
    arena_reset(&sim.details);
}

void calls_finish_late(bool all)
{
    if (sim.plan.net.is_on)
        return;
    for (int i = 0; i < CALLS_MAX; i++) {
        struct sim_call *c = &sim.calls[i];
        if (c->state != SIM_DECIDED || !c->finish_at || (!all && c->finish_at > sim.step))
            continue;
        c->finish_at = 0;
        sim.figures.late++;
        finish(c);
        calls_take_inbox();
    }
}

void calls_deliver(void)
{
    lsn_t durable = store_durable(sim.store);
    model_durable(durable);
    if (sim.plan.net.is_on)
        return;
    for (int i = 0; i < CALLS_MAX; i++) {
        struct sim_call *c = &sim.calls[i];
        if (c->state != SIM_HELD ||
            (c->call.wait_lsn >= durable && c->call.wait_lsn != 0 && !MUTANT(reply_before_sync)))
            continue;
        if (c->is_gone) {
            drop_reply(c);
            calls_take_inbox();
            continue;
        }
        model_delivered(c);
        call_end(c);
    }
}

void call_go(struct sim_call *c)
{
    struct call *call = &c->call;
    if (sim.plan.net.is_on) {
        sim.figures.calls++;
        clients_start(c);
        return;
    }
    struct error e = call->op->route ? call->op->route(call, call->in, call->out) : OK;
    if (!failed(e))
        e = bind_check(call, call->op->in, call->in, false);
    sim.figures.calls++;
    if (failed(e)) {
        sim_fail(INV_ANSWER, "%.*s was refused before it reached its owner: error %u %.*s", SLICE_ARG(call->op->name),
            e.code, SLICE_ARG(call->error_message));
    }
    c->state = SIM_AT_OWNER;
    if (call->op->where == WHERE_FRONT) {
        calls_take_inbox(); /* what owners decided meanwhile is in the catalogue already */
        call->error = call->op->run(call, call->in, call->out);
        c->decided_ms = sim.now_ms;
        model_decided(c);
        c->state = SIM_HELD;
    } else {
        owner_submit(owner_of(call->log), &call->task);
        calls_take_inbox();
    }
    calls_deliver();
}

/* ---- clients that leave ----------------------------------------------------------------------------------------------------- */

static void vanish(struct sim_call *c)
{
    if (c->is_gone)
        return;
    sim.figures.vanished++;
    TRACE("client of call %llu leaves, state %llu", c - sim.calls, c->state);
    if (c->state == SIM_PARKED) {
        c->state = SIM_CANCELLED;
        c->call.cancel.run = run_cancel;
        owner_submit(c->call.owner, &c->call.cancel);
        calls_take_inbox();
    } else if (c->state == SIM_HELD || c->state == SIM_DECIDED) {
        c->is_gone = true;
    }
}

void calls_vanish(void)
{
    if (sim.plan.net.is_on) {
        clients_vanish();
        return;
    }
    uint32_t from = (uint32_t)prng_below(&sim.random, CALLS_MAX);
    for (uint32_t i = 0; i < CALLS_MAX; i++) {
        struct sim_call *c = &sim.calls[(from + i) % CALLS_MAX];
        if (c->state == SIM_PARKED || c->state == SIM_HELD || c->state == SIM_DECIDED) {
            vanish(c);
            return;
        }
    }
}

void calls_vanish_all(void)
{
    if (sim.plan.net.is_on) {
        clients_vanish_all();
        return;
    }
    for (int i = 0; i < CALLS_MAX; i++)
        if (sim.calls[i].state == SIM_PARKED)
            vanish(&sim.calls[i]);
}

void calls_forget(void)
{
    /* what was decided before the crash may be on the disk, so the model must know of it */
    for (uint32_t i = 0; i < sim.event_count; i++) {
        const struct event e = sim.events[i];
        take_event(&e, false);
    }
    sim.event_count = 0;
    arena_reset(&sim.details);
    for (int i = 0; i < CALLS_MAX; i++)
        if (sim.calls[i].state != SIM_FREE)
            call_end(&sim.calls[i]);
}

uint32_t calls_parked(uint32_t queue)
{
    uint32_t count = 0;
    for (int i = 0; i < CALLS_MAX; i++)
        count += sim.calls[i].state == SIM_PARKED && sim.calls[i].queue == queue;
    return count;
}

static uint64_t deadline_of(const struct sim_call *c)
{
    return (c->net.call ? c->net.call : &c->call)->deadline.key;
}

uint64_t calls_first_deadline(void)
{
    uint64_t first = UINT64_MAX;
    for (int i = 0; i < CALLS_MAX; i++)
        if (sim.calls[i].state == SIM_PARKED && deadline_of(&sim.calls[i]) < first)
            first = deadline_of(&sim.calls[i]);
    return first;
}
