/* client.c: virtual clients with connections of their own: patient ones, slow ones, and such that fall silent, close half or
 * all, or ask again what they got no answer to. See net.h. */
#include "net.h"
#include "support/faulty_disk.h"
#include "support/faulty_net.h"
#include "sys/sys.h"
#include "api/error_rows.h"
#include <stdlib.h>

enum { CLIENTS_MAX = 24, PIPELINE_MAX = 4, PIECE_BYTES = 64 * KIB, IN_BYTES_MAX = 32 * MIB };
#define NEVER UINT64_MAX

struct asked {
    struct sim_call *call;
    uint64_t serial;               /* of the call: its slot may be another's by now */
    uint64_t begin, head_end, end; /* in what this client sends */
};
struct client {
    bool is_used, is_closed; /* closed: it has gone away; kept until the server knows */
    bool dribbles, is_deaf, has_ended;
    int connection;
    uint64_t silent_at; /* the byte after which it sends nothing any more, and reads nothing if it is deaf */
    bool ends_early;    /* closes its half when it sends no more */
    struct buf out, in;
    uint64_t sent, read_off; /* bytes of `out` and of `in` that are done with */
    bool is_last;            /* the server said close */
    uint32_t count;
    struct asked asked[PIPELINE_MAX];
};
static struct client clients[CLIENTS_MAX];
static uint64_t next_serial = 1;

static bool happens(uint32_t one_in)
{
    return one_in && !sim.is_draining && prng_one_in(&sim.random, one_in);
}

/* ---- slots of calls ------------------------------------------------------------------------------------------------------------- */

static bool is_server_done(const struct sim_call *c)
{
    if (c->net.state == NET_ON_WIRE)
        return c->net.is_lost;
    if (c->net.state == NET_LEFT)
        return c->state == SIM_ON_WIRE || c->state == SIM_CANCELLED || (c->state == SIM_DECIDED && !c->net.owes_undo);
    return c->net.state == NET_ANSWERED;
}

void client_release(struct sim_call *c)
{
    if (c->state == SIM_FREE || c->net.serial == 0 || !is_server_done(c))
        return;
    c->net.call = NULL; /* the server may use that one for another already */
    if (!c->net.is_done)
        return;
    c->net.serial = 0;
    c->state = SIM_FREE;
}

static bool is_still(const struct asked *a)
{
    return a->call->net.serial == a->serial && a->call->state != SIM_FREE;
}

/* ---- connections ------------------------------------------------------------------------------------------------------------------ */

static void draw_habits(struct client *k)
{
    const struct net_plan *p = &sim.plan.net;
    k->dribbles = happens(p->dribble);
    k->silent_at = happens(p->stall) ? prng_below(&sim.random, prng_one_in(&sim.random, 2) ? 400 : 3000) : NEVER;
    k->ends_early = happens(k->silent_at == NEVER ? p->early_end : 3);
    k->is_deaf = happens(2) && k->silent_at != NEVER;
    if (k->silent_at == NEVER && happens(p->stall)) { /* says all, and reads nothing of the answer */
        k->is_deaf = true;
        k->silent_at = 0;
    }
}

static struct client *open_client(void)
{
    struct client *k = clients;
    while (k < clients + CLIENTS_MAX && k->is_used)
        k++;
    int connection = k < clients + CLIENTS_MAX ? faulty_net_connect(4566) : -1;
    if (connection < 0)
        return NULL;
    struct buf out = k->out, in = k->in;
    *k = (struct client){ .is_used = true, .connection = connection, .out = out, .in = in };
    buf_reset(&k->out);
    buf_reset(&k->in);
    draw_habits(k);
    TRACE("client %llu connects, dribbles %llu silent at %lld deaf %llu ends %llu", k - clients, k->dribbles,
        k->silent_at, k->is_deaf, k->ends_early);
    return k;
}

static bool may_ask(const struct client *k, uint32_t count_max)
{
    return k->is_used && !k->is_closed && !k->has_ended && !k->is_last && k->count <= count_max &&
           faulty_net_peer(k->connection) == FAULTY_PEER_OPEN;
}

/* An idle one, a busy one (then the requests are pipelined), or a new one. */
static struct client *choose_client(void)
{
    bool pipelines = happens(sim.plan.net.pipeline);
    uint32_t first = (uint32_t)prng_below(&sim.random, CLIENTS_MAX);
    for (uint32_t i = 0; i < CLIENTS_MAX && !happens(4); i++) {
        struct client *k = &clients[(first + i) % CLIENTS_MAX];
        if (may_ask(k, pipelines ? PIPELINE_MAX - 1 : 0))
            return k;
    }
    struct client *k = open_client();
    for (uint32_t i = 0; i < CLIENTS_MAX && !k; i++)
        if (may_ask(&clients[i], PIPELINE_MAX - 1))
            k = &clients[i];
    return k;
}

static void ask(struct client *k, struct sim_call *c)
{
    struct asked *a = &k->asked[k->count++];
    ASSERT(k->count <= PIPELINE_MAX);
    *a = (struct asked){ .call = c,
        .serial = c->net.serial,
        .begin = k->out.size,
        .head_end = k->out.size + c->net.head_bytes,
        .end = k->out.size + c->net.request.size };
    buf_add(&k->out, buf_slice(&c->net.request));
    TRACE("client %llu asks call %llu, behind %llu others", k - clients, c - sim.calls, k->count - 1);
}

static void number_it(struct sim_call *c)
{
    char digits[SERIAL_DIGITS + 1];
    c->net.serial = next_serial++;
    snprintf(digits, sizeof(digits), "%0*llu", SERIAL_DIGITS, (unsigned long long)c->net.serial);
    memcpy(c->net.request.data + c->net.serial_at, digits, SERIAL_DIGITS);
}

static void give_to_client(struct sim_call *c)
{
    struct client *k = choose_client();
    number_it(c);
    c->state = SIM_ON_WIRE;
    c->net.state = NET_ON_WIRE;
    if (k) {
        ask(k, c);
        return;
    }
    c->net.is_done = c->net.is_lost = true; /* nobody listens: that was it */
    client_release(c);
}

void clients_start(struct sim_call *c)
{
    wire_encode(c);
    give_to_client(c);
}

/* ---- asking again what had no answer: the same signed bytes, from a connection of its own ------------------------------------------- */

static bool copy_messages(struct sim_call *to)
{
    for (uint32_t i = 0; i < to->count && (to->kind == DO_SEND || to->kind == DO_SEND_BATCH); i++) {
        const struct model_message *old = &model.messages[to->messages[i].index];
        uint32_t index = model_new_message(to->queue);
        if (index == UINT32_MAX)
            return false;
        struct model_message *m = &model.messages[index];
        m->content = old->content;
        m->size = old->size;
        m->group = old->group;
        m->dedup = old->dedup;
        to->messages[i].index = index;
    }
    return true;
}

static void ask_again(const struct sim_call *c)
{
    struct sim_call *again = call_slot();
    if (!again)
        return;
    struct call *call = &again->call;
    again->kind = c->kind;
    again->queue = c->queue;
    again->count = c->count;
    memcpy(again->messages, c->messages, sizeof(c->messages));
    memcpy(again->number, c->number, sizeof(c->number));
    again->number[4] = c->kind == DO_RECEIVE ? 0 : c->number[4];
    call->op = c->call.op;
    call->service = c->call.service;
    call->out = arena_zero(&call->arena, call->op->out->size + 1);
    again->net.signed_s = c->net.signed_s;
    again->net.is_query = c->net.is_query;
    again->net.is_xml = c->net.is_xml;
    again->net.serial_at = c->net.serial_at;
    again->net.head_bytes = c->net.head_bytes;
    buf_add(&again->net.request, buf_slice(&c->net.request));
    if (!copy_messages(again))
        return; /* the slot is still free */
    sim.figures.resent++;
    TRACE("call %llu is sent again as %llu", c - sim.calls, again - sim.calls);
    give_to_client(again);
}

/* ---- ends --------------------------------------------------------------------------------------------------------------------------- */

static void give_up(struct client *k)
{
    for (uint32_t i = 0; i < k->count; i++) {
        struct sim_call *c = k->asked[i].call;
        if (!is_still(&k->asked[i]) || c->net.is_done)
            continue;
        sim.figures.given_up++;
        if (happens(sim.plan.net.retry))
            ask_again(c);
        c->net.is_done = true;
        client_release(c);
    }
}

static void close_client(struct client *k)
{
    TRACE("client %llu goes away", k - clients);
    k->is_closed = true;
    give_up(k);
}

static void forget(struct client *k)
{
    faulty_net_forget(k->connection);
    for (uint32_t i = 0; i < k->count; i++) {
        struct sim_call *c = k->asked[i].call;
        if (!is_still(&k->asked[i]))
            continue;
        c->net.is_lost = true;
        client_release(c);
    }
    k->is_used = false;
}

static void leave(struct client *k)
{
    if (prng_one_in(&sim.random, 2))
        faulty_net_break(k->connection);
    faulty_net_close(k->connection);
    close_client(k);
}

/* ---- replies -------------------------------------------------------------------------------------------------------------------------- */

/* Said by src/http on its own, without a call: only of a request that never came to its end. */
static void refused_by_http(const struct client *k, struct sim_call *c, const struct wire_reply *r)
{
    uint64_t waited_us = faulty_clock_us() - c->net.began_us + 1000; /* the server counts milliseconds */
    bool is_late = r->status == 408 && waited_us >= HTTP_HEAD_TIMEOUT_MS * 1000ull;
    bool is_starved = r->status == 503 && (sim.plan.net.body_budget || sim.plan.net.starve);
    sim.figures.turned_away++;
    CHECK(INV_ONE_REPLY, is_late || is_starved, "client %d was refused with status %d", (int)(k - clients), r->status);
    CHECK(INV_ONE_REPLY, c->net.state != NET_AT_SERVER && c->net.state != NET_ANSWERED && !c->net.is_decided,
        "call %d was refused with status %d, and handled", (int)(c - sim.calls), r->status);
    c->net.is_lost = true; /* of this connection nothing is read any more */
}

static bool has(struct slice text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static void check_error(const struct sim_call *c, const struct wire_reply *r)
{
    uint32_t code = c->call.error.code;
    if (!c->net.is_decided) {
        bool is_right = c->net.is_skewed ? code == 0 : c->net.is_starved;
        code = c->net.is_skewed ? API_SIGNATURE_EXPIRED : API_BODY_TOO_LARGE;
        sim.figures.turned_away++;
        CHECK(INV_ANSWER, is_right, "call %d was answered with status %d, and nobody decided it: %.*s",
            (int)(c - sim.calls), r->status, SLICE_ARG(r->body));
    }
    const struct error_row *row = error_row(code);
    CHECK(INV_OWN_REPLY, r->status >= 400 && has(r->body, c->net.is_query ? row->query : row->shape),
        "call %d failed with %s, its reply says status %d: %.*s", (int)(c - sim.calls), row->name, r->status,
        SLICE_ARG(r->body));
}

static void check_fields(struct sim_call *c, const struct wire_reply *r)
{
    CHECK(INV_OWN_REPLY, r->status == 200, "call %d succeeded, its reply says status %d: %.*s", (int)(c - sim.calls),
        r->status, SLICE_ARG(r->body));
    wire_decode(c, r);
    if (c->kind == DO_RECEIVE)
        model_check_messages(c);
}

static void take_reply(struct client *k, const struct wire_reply *r)
{
    CHECK(INV_OWN_REPLY, k->count > 0, "client %d got a reply it did not ask for: status %d", (int)(k - clients),
        r->status);
    struct sim_call *c = k->asked[0].call;
    ASSERT(is_still(&k->asked[0]));
    TRACE("client %llu has the reply to call %llu: status %llu", k - clients, c - sim.calls, r->status);
    sim.figures.replies++;
    k->is_last |= r->closes;
    if (slice_is_none(r->request_id)) {
        refused_by_http(k, c, r);
    } else {
        CHECK(INV_OWN_REPLY, slice_equal(r->request_id, slice_of(c->net.request_id, 36)),
            "call %d has the request id %s, its reply %.*s", (int)(c - sim.calls), c->net.request_id,
            SLICE_ARG(r->request_id));
        CHECK(INV_OWN_REPLY, c->net.state == NET_ANSWERED, "call %d has a reply that the server did not give",
            (int)(c - sim.calls));
        if (!c->net.is_decided || failed(c->call.error))
            check_error(c, r);
        else
            check_fields(c, r);
        if (c->net.is_decided)
            model_delivered(c);
    }
    c->net.is_done = true;
    client_release(c);
    memmove(k->asked, k->asked + 1, --k->count * sizeof(k->asked[0]));
}

static void read_replies(struct client *k)
{
    struct wire_reply r;
    size_t at = 0;
    while (wire_parse_reply(slice_of(k->in.data + at, k->in.size - at), &r)) {
        at += r.head_bytes + r.body_bytes;
        if (r.status != 100)
            take_reply(k, &r);
    }
    memmove(k->in.data, k->in.data + at, k->in.size - at);
    k->in.size -= at;
}

/* ---- moving bytes ------------------------------------------------------------------------------------------------------------------------ */

static bool send_some(struct client *k)
{
    size_t left = k->out.size - (size_t)k->sent;
    bool is_silent = k->silent_at != NEVER && k->silent_at > 0 && k->sent >= k->silent_at;
    if (k->ends_early && !k->has_ended && (is_silent || (left == 0 && k->sent > 0))) {
        faulty_net_end(k->connection);
        k->has_ended = true;
    }
    if (left == 0 || is_silent || k->has_ended)
        return false;
    if (k->silent_at != NEVER && k->silent_at > k->sent && left > k->silent_at - k->sent)
        left = (size_t)(k->silent_at - k->sent);
    if (k->dribbles)
        left = 1 + (size_t)prng_below(&sim.random, left < 200 ? left : 200);
    size_t count = faulty_net_send(k->connection, k->out.data + k->sent, left < PIECE_BYTES ? left : PIECE_BYTES);
    k->sent += count;
    return count > 0;
}

static bool receive_some(struct client *k)
{
    static char piece[PIECE_BYTES];
    if (k->is_deaf && k->sent >= k->silent_at)
        return false;
    size_t most = k->dribbles ? 1 + (size_t)prng_below(&sim.random, 300) : sizeof(piece);
    size_t count = faulty_net_receive(k->connection, piece, most);
    if (count == 0)
        return false;
    ASSERT(k->in.size + count < IN_BYTES_MAX);
    buf_add(&k->in, slice_of(piece, count));
    read_replies(k);
    return true;
}

static bool move(struct client *k)
{
    if (k->is_closed) {
        if (!faulty_net_view(k->connection).is_over)
            return false;
        forget(k);
        return true;
    }
    bool did = send_some(k);
    did |= receive_some(k);
    if (faulty_net_peer(k->connection) != FAULTY_PEER_OPEN) {
        faulty_net_close(k->connection);
        close_client(k);
        return true;
    }
    return did;
}

bool clients_move(bool all)
{
    bool did = false;
    for (int i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].is_used && (all || prng_one_in(&sim.random, 3)))
            did |= move(&clients[i]);
    return did;
}

/* ---- going away ---------------------------------------------------------------------------------------------------------------------------- */

void clients_vanish(void)
{
    uint32_t first = (uint32_t)prng_below(&sim.random, CLIENTS_MAX);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *k = &clients[(first + i) % CLIENTS_MAX];
        if (k->is_used && !k->is_closed && k->count) {
            leave(k);
            return;
        }
    }
}

void clients_vanish_all(void)
{
    for (struct client *k = clients; k < clients + CLIENTS_MAX; k++)
        if (k->is_used && !k->is_closed)
            leave(k);
}

void clients_end(bool reads_first)
{
    for (struct client *k = clients; k < clients + CLIENTS_MAX; k++) {
        if (!k->is_used)
            continue;
        while (reads_first && !k->is_closed && receive_some(k)) {
        }
        faulty_net_forget(k->connection);
        k->is_used = false;
    }
}

void clients_reset(void)
{
    for (struct client *k = clients; k < clients + CLIENTS_MAX; k++) {
        buf_deinit(&k->out);
        buf_deinit(&k->in);
        *k = (struct client){ 0 };
    }
    next_serial = 1;
}

bool clients_are_idle(void)
{
    for (struct client *k = clients; k < clients + CLIENTS_MAX; k++)
        if (k->is_used && (k->is_closed || k->count || k->sent < k->out.size))
            return false;
    return true;
}

/* ---- patience ------------------------------------------------------------------------------------------------------------------------------- */

void clients_after_turn(void)
{
    for (struct client *k = clients; k < clients + CLIENTS_MAX; k++) {
        if (!k->is_used)
            continue;
        uint64_t taken = faulty_net_view(k->connection).taken;
        for (uint32_t i = 0; i < k->count; i++)
            if (is_still(&k->asked[i]) && taken > k->asked[i].begin && k->asked[i].call->net.began_us == 0)
                k->asked[i].call->net.began_us = server_turned_us();
    }
}

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void check_time(const struct client *k, const struct faulty_net_view *v)
{
    uint64_t now_us = faulty_clock_us(), since_us = latest(v->accepted_us, latest(v->taken_us, v->given_us));
    uint64_t limit_ms = HTTP_IDLE_TIMEOUT_MS;
    const struct asked *first = k->count ? &k->asked[0] : NULL;
    for (uint32_t i = 0; i < k->count; i++) {
        const struct sim_call *c = k->asked[i].call;
        if (!is_still(&k->asked[i]))
            continue;
        if (c->net.state == NET_AT_SERVER)
            return; /* the handler's time is its own */
        since_us = latest(since_us, c->net.answered_us);
    }
    bool is_blocked = v->unread >= sim.plan.net.window_bytes && server_has_output(v->descriptor);
    bool is_inside = first && is_still(first) && v->taken > first->begin && v->taken < first->end;
    if (is_blocked)
        limit_ms = HTTP_WRITE_TIMEOUT_MS;
    else if (is_inside && v->taken < first->head_end)
        limit_ms = HTTP_HEAD_TIMEOUT_MS;
    else if (is_inside)
        limit_ms = HTTP_BODY_TIMEOUT_MS;
    if (is_inside && v->taken < first->head_end && v->given_us <= first->call->net.began_us)
        since_us = first->call->net.began_us; /* however often another byte comes */
    CHECK(INV_PATIENCE, now_us < since_us + limit_ms * 1000 + 2000,
        "client %d does nothing for %llu ms, the limit is %llu, and its connection is still there", (int)(k - clients),
        (unsigned long long)(now_us - since_us) / 1000, (unsigned long long)limit_ms);
}

void clients_check_times(void)
{
    for (const struct client *k = clients; k < clients + CLIENTS_MAX; k++) {
        if (!k->is_used)
            continue;
        struct faulty_net_view v = faulty_net_view(k->connection);
        if (v.is_accepted && !v.is_over)
            check_time(k, &v);
    }
}
