/* server.c: the real server inside the simulator: its reactor turned by the scheduler, and hooks at the seams. See net.h. */
#include "net.h"
#include "api/bind.h"
#include "api/clock.h"
#include "api/gateway.h"
#include "api/service.h"
#include "base/text.h"
#include "http/core.h" /* how many blocks its pools gave */
#include "support/faulty_disk.h"
#include "support/faulty_net.h"
#include "sys/sys.h"

enum { TURNS_MAX = 20000, CLOCK_WINDOW_S = 900 };

static struct {
    struct http_server *http;
    struct credential_set *_Atomic credentials;
    struct gateway_options gateway;
    bool is_dead;         /* what goes on is only the freeing of memory */
    uint64_t turned_us;   /* the last turn */
    size_t largest_reply; /* of this seed */
    uint64_t starve_at;   /* which look at an arena finds no room; 0: none */
    struct sim_call *starved;
    struct op rows[SQS_OP_COUNT];
    const struct op *own_rows;
} server;

/* ---- whose is it -------------------------------------------------------------------------------------------------------- */

static struct sim_call *call_of_serial(uint64_t serial)
{
    for (int i = 0; i < CALLS_MAX; i++)
        if (sim.calls[i].state != SIM_FREE && sim.calls[i].net.serial == serial)
            return &sim.calls[i];
    sim_fail(INV_ONE_REPLY, "request %llu came, which nobody waits for", (unsigned long long)serial);
}

static struct sim_call *call_of_stream(const struct stream *s)
{
    for (int i = 0; i < CALLS_MAX; i++) {
        struct sim_call *c = &sim.calls[i];
        if (c->state != SIM_FREE && c->net.stream == s && c->net.state != NET_ON_WIRE)
            return c;
    }
    sim_fail(INV_ONE_REPLY, "a stream ends that nobody's request began");
}

static struct sim_call *call_of(const struct call *call)
{
    for (int i = 0; i < CALLS_MAX; i++)
        if (sim.calls[i].state != SIM_FREE && sim.calls[i].net.call == call)
            return &sim.calls[i];
    sim_fail(INV_ONE_REPLY, "a call runs that is nobody's");
}

/* ---- between src/http and front.c ------------------------------------------------------------------------------------------- */

static struct sim_call *call_of_request(const struct http_request *r)
{
    uint64_t serial = 0;
    CHECK(INV_OWN_REPLY, text_parse_u64(http_header_find(r, SLICE("x-serial")), &serial),
        "a request came without its number");
    return call_of_serial(serial);
}

static void draw_starvation(struct sim_call *c)
{
    server.starved = c;
    server.starve_at = sim.plan.net.starve && !sim.is_draining && prng_one_in(&sim.random, sim.plan.net.starve)
                           ? 1 + prng_below(&sim.random, 6)
                           : 0;
}

/* The front makes this one anew: whose it was before must be done with. */
static void check_forgotten(const struct call *call)
{
    for (int i = 0; i < CALLS_MAX; i++) {
        const struct sim_call *c = &sim.calls[i];
        bool is_its = c->state != SIM_FREE && c->net.call == call;
        CHECK(INV_GIVEN_BACK, !is_its || !c->net.owes_undo,
            "call %d leased messages for a client that is gone, and is forgotten", i);
        CHECK(INV_ONE_REPLY, !is_its, "call %d is forgotten, state %d at the server", i, c->net.state);
    }
}

static bool on_head(struct stream *s)
{
    struct sim_call *c = call_of_request(&s->request);
    int64_t age_s = sys->clock.wall_ms() / 1000 - c->net.signed_s;
    CHECK(INV_ONE_REPLY, c->net.state == NET_ON_WIRE, "request %llu came twice", (unsigned long long)c->net.serial);
    TRACE("the head of call %llu is there", c - sim.calls);
    c->net.state = NET_AT_HEAD;
    c->net.stream = s;
    c->net.is_skewed = age_s > CLOCK_WINDOW_S || age_s < -CLOCK_WINDOW_S;
    bool is_agreed = front_handler.on_head(s);
    if (is_agreed) {
        check_forgotten(s->user);
        c->net.call = s->user;
        memcpy(c->net.request_id, c->net.call->request_id, sizeof(c->net.request_id));
    }
    CHECK(INV_ANSWER, is_agreed == !c->net.is_skewed, "a request signed %lld s ago was %s", (long long)age_s,
        is_agreed ? "taken" : "refused");
    return is_agreed;
}

static void on_request(struct stream *s)
{
    struct sim_call *c = call_of_stream(s);
    CHECK(
        INV_ONE_REPLY, c->net.state == NET_AT_HEAD, "request %llu is handled twice", (unsigned long long)c->net.serial);
    sim.figures.requests++;
    TRACE("call %llu is at the server", c - sim.calls);
    c->net.state = NET_AT_SERVER;
    c->state = SIM_AT_OWNER;
    draw_starvation(c);
    front_handler.on_request(s);
    server.starve_at = 0;
    server.starved = NULL;
}

static void on_gone(struct stream *s)
{
    if (!server.is_dead) {
        struct sim_call *c = call_of_stream(s);
        CHECK(INV_ONE_REPLY, c->net.state == NET_AT_HEAD || c->net.state == NET_AT_SERVER,
            "request %llu was answered, and then ended", (unsigned long long)c->net.serial);
        TRACE("the server lets call %llu go, decided %llu", c - sim.calls, c->net.is_decided);
        c->net.owes_undo = c->net.is_decided && !failed(c->call.error) && c->call.op->undo;
        c->net.state = NET_LEFT;
        c->net.stream = NULL;
    }
    front_handler.on_gone(s);
    for (int i = 0; i < CALLS_MAX && !server.is_dead; i++)
        client_release(&sim.calls[i]);
}

static const struct http_handler handler = { .on_head = on_head, .on_request = on_request, .on_gone = on_gone };

/* The linker puts these in the place of what front.c, owner.c and others call. */
void __real_stream_reply(struct stream *s, const struct http_reply *reply);
void __wrap_stream_reply(struct stream *s, const struct http_reply *reply);
void __wrap_stream_reply(struct stream *s, const struct http_reply *reply)
{
    struct sim_call *c = call_of_stream(s);
    CHECK(INV_ONE_REPLY, c->net.state == NET_AT_HEAD || c->net.state == NET_AT_SERVER,
        "request %llu is answered twice, or after it was ended", (unsigned long long)c->net.serial);
    TRACE("the server answers call %llu: status %llu", c - sim.calls, reply->status);
    if (reply->body_buf && reply->body_buf->size > server.largest_reply)
        server.largest_reply = reply->body_buf->size;
    if (c->net.state == NET_AT_HEAD) { /* refused by its head: front.c had no time to tell us the id */
        struct slice lines = reply->header_lines;
        slice_cut(&lines, ' ');
        memcpy(c->net.request_id, lines.data, 36);
    }
    c->net.state = NET_ANSWERED;
    c->net.answered_us = faulty_clock_us();
    c->net.call = NULL;
    c->net.stream = NULL;
    __real_stream_reply(s, reply);
    client_release(c);
}

bool __real_owner_unpark(struct owner *o, struct call *call);
bool __wrap_owner_unpark(struct owner *o, struct call *call);
bool __wrap_owner_unpark(struct owner *o, struct call *call)
{
    bool was_parked = __real_owner_unpark(o, call);
    if (was_parked && server.http && !server.is_dead)
        call_note(EVENT_CANCELLED, call_of(call), o);
    return was_parked;
}

/* In a dead process owners decide nothing: their tasks only let go of memory. */
void __real_owner_submit(struct owner *o, struct task *t);
void __wrap_owner_submit(struct owner *o, struct task *t);
void __wrap_owner_submit(struct owner *o, struct task *t)
{
    if (server.is_dead)
        t->run(o, t);
    else
        __real_owner_submit(o, t);
}

bool __real_arena_room(const struct arena *a, size_t bytes);
bool __wrap_arena_room(const struct arena *a, size_t bytes);
bool __wrap_arena_room(const struct arena *a, size_t bytes)
{
    bool is_binding = server.starve_at && server.starved->net.call->in; /* its signature is good */
    if (is_binding && --server.starve_at == 0) {
        server.starved->net.is_starved = true;
        return false;
    }
    return __real_arena_room(a, bytes);
}

static bool has_no_memory(void)
{
    return server.http && sim.plan.net.starve && !sim.is_draining && prng_one_in(&sim.random, sim.plan.net.starve);
}

char *__real_body_new(size_t bytes);
char *__wrap_body_new(size_t bytes);
char *__wrap_body_new(size_t bytes)
{
    return has_no_memory() ? NULL : __real_body_new(bytes);
}

char *__real_body_grow(char *body, size_t bytes);
char *__wrap_body_grow(char *body, size_t bytes);
char *__wrap_body_grow(char *body, size_t bytes)
{
    return has_no_memory() ? NULL : __real_body_grow(body, bytes);
}

/* ---- the rows, with ears ------------------------------------------------------------------------------------------------------- */

/* The model looks at a call's answer in c->call: what the owner made stands there while it does. */
static void judge(enum event_kind kind, struct sim_call *c, const struct call *call, struct error e)
{
    void *out = c->call.out;
    c->call.error = e;
    c->call.error_message = call->error_message;
    c->call.out = call->out;
    c->call.scratch = call->scratch;
    if (call->owner) {
        call_note(kind, c, call->owner);
    } else {
        c->decided_ms = sim.now_ms;
        model_decided(c);
    }
    c->call.out = out;
    c->call.scratch = NULL;
}

static void keep_decided(struct sim_call *c, const void *out)
{
    buf_reset(&c->net.decided);
    bind_json_encode(&c->net.decided, c->call.op->out, out);
}

static struct error heard_run(struct call *call, const void *in, void *out)
{
    if (server.is_dead)
        return ERROR_OF(ERR_CLOSED);
    struct sim_call *c = call_of(call);
    CHECK(INV_ONE_REPLY, !c->net.is_decided, "call %d is decided twice", (int)(c - sim.calls));
    struct error e = server.own_rows[call->op->id].run(call, in, out);
    if (e.code == ERR_PENDING) {
        c->state = SIM_PARKED;
        judge(EVENT_PARKED, c, call, e);
        return e;
    }
    c->state = SIM_DECIDED;
    c->net.is_decided = true;
    if (c->net.state == NET_LEFT)
        c->net.owes_undo = !failed(e) && call->op->undo;
    if (!failed(e))
        keep_decided(c, out);
    judge(EVENT_DONE, c, call, e);
    client_release(c);
    return e;
}

static struct error heard_finish(struct call *call, const void *in, void *out)
{
    if (server.is_dead)
        return OK;
    struct sim_call *c = call_of(call);
    struct error e = server.own_rows[call->op->id].finish(call, in, out);
    if (e.code == ERR_PENDING)
        return e;
    CHECK(INV_NOT_INVENTED, !failed(e), "a receive on %s could not be finished: error %u", model.queues[c->queue].name,
        e.code);
    keep_decided(c, out);
    return e;
}

static struct error heard_undo(struct call *call, const void *in, void *out)
{
    if (server.is_dead)
        return OK;
    struct sim_call *c = call_of(call);
    CHECK(INV_GIVEN_BACK, c->net.owes_undo, "call %d is undone, and its client has its reply", (int)(c - sim.calls));
    struct error e = server.own_rows[call->op->id].undo(call, in, out);
    c->net.owes_undo = false;
    judge(EVENT_UNDONE, c, call, e);
    client_release(c);
    return e;
}

const struct op *op_row(enum sqs_op op)
{
    ASSERT(server.own_rows[op].id == op);
    return &server.own_rows[op];
}

void server_register(void)
{
    server.own_rows = sqs_service.ops;
    for (size_t i = 0; i < SQS_OP_COUNT; i++) {
        struct op *row = &server.rows[i];
        *row = server.own_rows[i];
        row->run = heard_run;
        row->finish = row->finish ? heard_finish : NULL;
        row->undo = row->undo ? heard_undo : NULL;
    }
}

/* ---- life --------------------------------------------------------------------------------------------------------------------------- */

void server_open(void)
{
    static const struct http_listener_options listener = { .address = { "127.0.0.1:4566", 14 } };
    const struct http_server_options options = { .listeners = &listener,
        .listener_count = 1,
        .threads = 1,
        .max_connections = sim.plan.net.connections_max ? sim.plan.net.connections_max : 1000,
        .body_budget_bytes = sim.plan.net.body_budget,
        .handler = handler };
    struct slice sentence = SLICE("");
    sqs_service.ops = server.rows;
    server.credentials = credential_set_development();
    server.gateway = (struct gateway_options){ .credentials = &server.credentials, .clock_window_s = CLOCK_WINDOW_S };
    struct error e = http_server_open(&options, &server.http, &sentence);
    CHECK(INV_START, !failed(e), "the network was refused: %.*s", SLICE_ARG(sentence));
    fronts_open(
        &(struct front_options){ .http = server.http, .store = sim.store, .threads = 1, .gateway = &server.gateway });
    http_server_start_here(server.http);
}

/* A crash may have come in the middle of a request: what follows frees memory, as the end of the process would. */
static void free_dead(void)
{
    struct http_thread *t = &server.http->threads[0];
    server.is_dead = true;
    for (struct link *l = t->conns.next; l != &t->conns; l = l->next)
        LIST_ENTRY(l, struct conn, link)->is_running = false;
}

void server_close(bool is_crash)
{
    sqs_service.ops = server.own_rows;
    if (!server.http)
        return;
    if (is_crash)
        free_dead();
    http_server_stop(server.http);
    fronts_close();
    fronts_free();
    http_server_free(server.http);
    server.http = NULL;
    server.is_dead = false;
    server.starve_at = 0;
    front_leave_thread();
    CHECK(INV_PATIENCE, faulty_net_open_descriptors() == 0, "the server ended and left %zu descriptors open",
        faulty_net_open_descriptors());
}

void server_forget(void)
{
    server.http = NULL;
    owners_on_earlier_wake(NULL); /* the front it would wake is gone */
    server.starve_at = 0;
    sqs_service.ops = server.own_rows;
    front_leave_thread();
}

void server_drain(void)
{
    http_server_drain(server.http);
    server_turns();
    owners_end_waits();
    server_turns();
}

/* ---- turns ---------------------------------------------------------------------------------------------------------------------------- */

static void turn(void)
{
    server.turned_us = faulty_clock_us();
    reactor_turn(http_server_reactor(server.http, 0));
    front_leave_thread();
    calls_take_inbox();
    clients_after_turn();
}

bool server_turn(void)
{
    if (!server.http || !faulty_net_is_due())
        return false;
    turn();
    return true;
}

void server_turns(void)
{
    int count = 0;
    while (server_turn())
        CHECK(INV_WAKE, ++count < TURNS_MAX, "the reactor finds no sleep");
}

uint64_t server_late_ms(void)
{
    if (!sim.plan.net.is_on)
        return 0;
    return (faulty_clock_us() - server.turned_us) / 1000 * CLOCK_SLEW_PERCENT / 100 + 2 * CLOCK_STEP_MAX_MS;
}

void server_check_replies(void)
{
    lsn_t durable = store_durable(sim.store);
    for (int i = 0; i < CALLS_MAX; i++) {
        const struct sim_call *c = &sim.calls[i];
        bool waits = c->state == SIM_DECIDED && c->net.state == NET_AT_SERVER;
        CHECK(INV_ONE_REPLY, !waits || c->net.call->wait_lsn >= durable,
            "the reactor sleeps, and the reply to call %d waits for record %llu, which is durable", i,
            (unsigned long long)c->net.call->wait_lsn);
    }
}

uint64_t server_turned_us(void)
{
    return server.turned_us;
}

bool server_has_output(int fd)
{
    const struct http_thread *t = &server.http->threads[0];
    for (const struct link *l = t->conns.next; l != &t->conns; l = l->next)
        if (LIST_ENTRY(l, const struct conn, link)->source.fd == fd)
            return LIST_ENTRY(l, const struct conn, link)->output != NULL;
    return false;
}

/* ---- what it holds -------------------------------------------------------------------------------------------------------------------- */

/* By contract (http/server.h): a block or two for each connection, bodies within the budget, and replies: 256 KiB unsent and
 * the one that went over it. */
void server_check_memory(bool is_quiet)
{
    struct http_metrics m;
    if (!server.http)
        return;
    const struct http_thread *t = &server.http->threads[0];
    http_server_get_metrics(server.http, &m);
    size_t unsent = t->outputs.taken * OUTPUT_ROOM_BYTES;
    size_t budget = sim.plan.net.body_budget ? sim.plan.net.body_budget : HTTP_BODY_BUDGET_BYTES;
    CHECK(INV_PATIENCE, m.connections <= (sim.plan.net.connections_max ? sim.plan.net.connections_max : 1000),
        "%llu connections are open", (unsigned long long)m.connections);
    CHECK(INV_PATIENCE, t->small_inputs.taken + t->large_inputs.taken <= m.connections,
        "%zu input blocks are taken by %llu connections", t->small_inputs.taken + t->large_inputs.taken,
        (unsigned long long)m.connections);
    size_t replies = m.connections * (OUTPUT_PENDING_BYTES_MAX + server.largest_reply + 2 * OUTPUT_ROOM_BYTES);
    CHECK(INV_PATIENCE, m.body_bytes_held + unsent <= budget + replies,
        "%llu bytes of bodies and %zu of replies are held for %llu connections", (unsigned long long)m.body_bytes_held,
        unsent, (unsigned long long)m.connections);
    if (is_quiet)
        CHECK(INV_PATIENCE,
            t->small_inputs.taken + t->large_inputs.taken + t->outputs.taken == 0 && m.body_bytes_held == 0,
            "with every client idle the server holds %zu blocks and %llu bytes",
            t->small_inputs.taken + t->large_inputs.taken + t->outputs.taken, (unsigned long long)m.body_bytes_held);
}
