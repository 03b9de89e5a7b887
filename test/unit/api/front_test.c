/* front.c with real sockets, two reactors, a store in memory and a toy service: replies wait for the disk, calls wait for
 * one another, clients leave at every moment, and everything is given back at the end. The disk is a gate: what waits for
 * it waits until the test opens it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/clock.h"
#include "api/front.h"
#include "api/gateway.h"
#include "api/owner.h"
#include "api/pages.h"
#include "api/service.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/server.h"
#include "support/raw_client.h"
#include "sys/sys.h"
#include "unit/api/test_shapes.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

/* ---- a disk that syncs when it may --------------------------------------------------------------------------------------- */

static _Atomic int is_gate_closed;
enum { SLOW_SYNC_NS = 500 * 1000 }; /* slow enough that fronts leave syncs to the committer, and stay free */

static struct error gated_sync(struct sys_file *f)
{
    const struct timespec pause = { .tv_nsec = SLOW_SYNC_NS };
    do
        nanosleep(&pause, NULL);
    while (atomic_load(&is_gate_closed));
    return sys_memory.file.sync(f);
}

/* ---- the toy: things that are put and taken; who takes waits until there is one --------------------------------------------- */

enum { TOY_PUT = 1, TOY_TAKEN = 2, TOY_RETURNED = 3 };

struct toy {
    struct owner *owner;
    int64_t available;
    struct link waiters;
};

static _Atomic uint64_t undone, finished, parked_bytes_max, digested_late;

static void *toy_new(struct owner *o)
{
    struct toy *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    t->owner = o;
    list_init(&t->waiters);
    return t;
}

static struct error toy_apply(void *state, const struct record *r)
{
    struct toy *t = state;
    t->available += (r->type & 0xff) == TOY_TAKEN ? -1 : 1;
    if (!t->owner->is_replaying && t->available > 0)
        call_wake_first(t->owner, &t->waiters);
    return OK;
}

static void toy_capture(void *state, struct snapshot_writer *w)
{
    snapshot_add(w, &((struct toy *)state)->available, sizeof(int64_t));
}

static struct error toy_restore(void *state, struct slice bytes)
{
    assert_int_equal(bytes.size, sizeof(int64_t));
    memcpy(&((struct toy *)state)->available, bytes.data, sizeof(int64_t));
    return OK;
}

static struct error route_here(struct call *c, const void *in, void *out)
{
    (void)in;
    (void)out;
    c->log = 5;
    return OK;
}

static struct error run_put(struct call *c, const void *in, void *out)
{
    (void)in;
    (void)out;
    return call_record(c, TOY_PUT, 0, SLICE(""));
}

static struct error run_take(struct call *c, const void *in, void *out)
{
    const struct test_all *args = in;
    struct toy *t = c->owner->state[0];
    struct test_all *result = out;
    if (t->available > 0) {
        result->body = SLICE("taken");
        return call_record(c, TOY_TAKEN, 0, SLICE(""));
    }
    if (c->is_timed_out || args->delay == INT_ABSENT) {
        result->body = SLICE("nothing");
        return OK;
    }
    uint64_t bytes = c->arena.used_bytes;
    if (bytes > atomic_load(&parked_bytes_max))
        atomic_store(&parked_bytes_max, bytes);
    return call_wait(c, &t->waiters, call_now_ms(c) + (uint64_t)args->delay);
}

static struct error finish_take(struct call *c, const void *in, void *out)
{
    (void)c;
    (void)in;
    (void)out;
    atomic_fetch_add(&finished, 1);
    return OK;
}

static struct error undo_take(struct call *c, const void *in, void *out)
{
    const struct test_all *result = out;
    (void)in;
    atomic_fetch_add(&undone, 1);
    return slice_equal(result->body, SLICE("taken")) ? call_record(c, TOY_RETURNED, 0, SLICE("")) : OK;
}

static struct error run_look(struct call *c, const void *in, void *out)
{
    (void)c;
    (void)in;
    (void)out;
    return OK;
}

static struct error route_digest(struct call *c, const void *in, void *out)
{
    const struct test_all *args = in;
    c->scratch = arena_alloc(&c->arena, MD5_BYTES);
    call_md5_later(c, args->body, c->scratch);
    return route_here(c, in, out);
}

static struct error run_digest(struct call *c, const void *in, void *out)
{
    struct test_all *result = out;
    (void)in;
    atomic_fetch_add(&digested_late, c->md5.out != NULL);
    call_md5_now(c);
    result->body = text_hex(&c->arena, slice_of(c->scratch, MD5_BYTES));
    return OK;
}

static const struct op toy_ops[] = {
    { .name = { "Put", 3 },
        .in = &test_all_shape,
        .out = &test_nothing_shape,
        .where = WHERE_OWNER,
        .route = route_here,
        .run = run_put,
        .id = 0 },
    { .name = { "Take", 4 },
        .in = &test_all_shape,
        .out = &test_all_shape,
        .where = WHERE_OWNER,
        .is_waiting = true,
        .route = route_here,
        .run = run_take,
        .finish = finish_take,
        .undo = undo_take,
        .id = 1 },
    { .name = { "Look", 4 },
        .in = &test_nothing_shape,
        .out = &test_nothing_shape,
        .where = WHERE_FRONT,
        .route = route_here,
        .run = run_look,
        .id = 2 },
    { .name = { "Digest", 6 },
        .in = &test_all_shape,
        .out = &test_all_shape,
        .where = WHERE_OWNER,
        .route = route_digest,
        .run = run_digest,
        .id = 3 },
};
static struct service toy = { .name = { "toy", 3 },
    .target_prefix = { "AmazonToy", 9 },
    .query_version = { "2020-01-01", 10 },
    .xml_namespace = { "http://toy/", 11 },
    .ops = toy_ops,
    .op_count = ARRAY_COUNT(toy_ops),
    .error_missing = API_SERIALIZATION,
    .error_missing_query = API_SERIALIZATION,
    .error_invalid = API_SERIALIZATION,
    .state_new = toy_new,
    .state_free = free,
    .apply = toy_apply,
    .capture = toy_capture,
    .restore = toy_restore };

/* ---- the server ------------------------------------------------------------------------------------------------------------ */

enum { THREADS = 2 };
static struct arena arena;
static struct store *store;
static struct http_server *http;
static struct credential_set *_Atomic credentials;
static struct gateway_options gateway;
static struct sys gated_sys;

static void open_server(const char *dir)
{
    static struct service *const services[] = { &toy };
    static const struct http_listener_options listener = { .address = { "127.0.0.1:0", 11 } };
    const struct store_options options = { .dir = dir, .durability = DURABILITY_FSYNC, .segment_bytes = 4 * MIB };
    const struct http_server_options http_options = {
        .listeners = &listener, .listener_count = 1, .threads = THREADS, .handler = front_handler
    };
    struct slice sentence = SLICE("");
    gated_sys = sys_memory;
    gated_sys.clock = sys_real.clock;
    gated_sys.file.sync = gated_sync;
    sys = &gated_sys;
    atomic_store(&is_gate_closed, 0);
    atomic_store(&undone, 0);
    atomic_store(&finished, 0);
    arena_init(&arena, 4 * MIB);
    assert_false(failed(owners_open(&options, services, 1, &arena, &store, &sentence)));
    clock_start(owners_latest_record_ms());
    store_start(store);
    assert_false(failed(http_server_open(&http_options, &http, &sentence)));
    atomic_store(&credentials, credential_set_development());
    gateway = (struct gateway_options){ .credentials = &credentials, .clock_window_s = 900 };
    const struct front_options fronts = { .http = http, .store = store, .threads = THREADS, .gateway = &gateway };
    fronts_open(&fronts);
    owners_resume();
    http_server_start(http);
}

static void stop_server(void)
{
    http_server_stop(http);
    fronts_close();
}

static void free_server(void)
{
    owners_close(true);
    pages_end();
    fronts_free();
    http_server_free(http);
    arena_deinit(&arena);
    sys = &sys_real;
}

static void close_server(void)
{
    stop_server();
    free_server();
}

/* ---- clients ------------------------------------------------------------------------------------------------------------------ */

static struct raw client(void)
{
    return raw_connect(http_server_port(http, 0), NULL);
}

static void ask(struct raw *r, const char *query)
{
    char text[256];
    snprintf(text, sizeof(text), "GET /?Version=2020-01-01&QueueUrl=u&%s HTTP/1.1\r\nHost: x\r\n\r\n", query);
    raw_send(r, slice_str(text));
}

static void expect_reply(struct raw *r, const char *part)
{
    struct raw_reply reply = raw_read(r);
    if (reply.status != 200 || !memmem(reply.body.data, reply.body.size, part, strlen(part)))
        fail_msg("%d '%.*s' instead of '%s'", reply.status, SLICE_ARG(reply.body), part);
}

/* Nothing is measured: a condition that never comes true hangs here, and the runner's limit ends the test. */
#define UNTIL(condition)                                                                                               \
    while (!(condition))                                                                                               \
    sched_yield()

static uint64_t replies_waiting(void)
{
    uint64_t waiting = 0;
    for (int i = 0; i < front_count(); i++)
        waiting += __atomic_load_n(&front_get_metrics(i)->waiting, __ATOMIC_RELAXED);
    return waiting;
}

static void do_once(const char *query, const char *part)
{
    struct raw r = client();
    ask(&r, query);
    expect_reply(&r, part);
    raw_close(&r);
    UNTIL(replies_waiting() == 0); /* counted after the reply is on its way */
}

static bool has_reply(const struct raw *r)
{
    struct pollfd p = { .fd = r->fd, .events = POLLIN };
    return poll(&p, 1, 0) > 0;
}

static uint64_t connections(void)
{
    struct http_metrics m;
    http_server_get_metrics(http, &m);
    return m.connections;
}

/* Looks into the toy as a task. */
static struct {
    struct task task;
    int64_t available;
    uint64_t waiters;
    _Atomic int is_done;
} look;

static void run_look_inside(struct owner *o, struct task *task)
{
    const struct toy *t = o->state[0];
    (void)task;
    look.available = t->available;
    look.waiters = 0;
    for (const struct link *l = t->waiters.next; l != &t->waiters; l = l->next)
        look.waiters++;
    atomic_store(&look.is_done, 1);
}

static void look_inside(void)
{
    look.task.run = run_look_inside;
    atomic_store(&look.is_done, 0);
    owner_submit(owner_of(5), &look.task);
    UNTIL(atomic_load(&look.is_done));
}

static uint64_t waiters_now(void)
{
    look_inside();
    return look.waiters;
}

static int64_t available_now(void)
{
    look_inside();
    return look.available;
}

/* So many slow syncs that fronts do not sync themselves any more. */
static void make_disk_slow(void)
{
    while (store_is_quick(store))
        do_once("Action=Put", "PutResponse");
    while (available_now() > 0)
        do_once("Action=Take", "taken");
}

/* ---- tests ---------------------------------------------------------------------------------------------------------------------- */

static void test_replies_wait_for_the_disk(void **state)
{
    (void)state;
    open_server("front-durable");
    make_disk_slow();
    atomic_store(&is_gate_closed, 1);
    struct raw put = client(), look_only = client();
    ask(&put, "Action=Put");
    UNTIL(replies_waiting() == 1 || has_reply(&put));
    assert_false(has_reply(&put));
    ask(&look_only, "Action=Look"); /* says nothing about a log: is not held up */
    expect_reply(&look_only, "LookResponse");
    assert_false(has_reply(&put));
    assert_int_equal(replies_waiting(), 1);
    atomic_store(&is_gate_closed, 0);
    expect_reply(&put, "PutResponse");
    UNTIL(replies_waiting() == 0);
    raw_close(&put);
    raw_close(&look_only);
    close_server();
}

/* A reactor that always has something to do: as with clients that pipeline without end. */
static struct busy {
    struct reactor_post post;
    struct reactor *reactor;
    _Atomic int is_over;
} busy[THREADS];

static void stay_busy(struct reactor_post *post)
{
    struct busy *b = CONTAINER_OF(post, struct busy, post);
    if (atomic_load(&b->is_over) == 0)
        reactor_post(b->reactor, &b->post);
    else
        atomic_store(&b->is_over, 2);
}

static void test_replies_leave_busy_reactors(void **state)
{
    (void)state;
    open_server("front-busy");
    for (int i = 0; i < THREADS; i++) {
        busy[i].reactor = http_server_reactor(http, i);
        busy[i].post.run = stay_busy;
        atomic_store(&busy[i].is_over, 0);
        reactor_post(busy[i].reactor, &busy[i].post);
    }
    do_once("Action=Put", "PutResponse");
    do_once("Action=Take", "taken");
    for (int i = 0; i < THREADS; i++)
        atomic_store(&busy[i].is_over, 1);
    for (int i = 0; i < THREADS; i++)
        UNTIL(atomic_load(&busy[i].is_over) == 2);
    close_server();
}

/* A reactor that looks up only when it may: what is sent meanwhile comes in one turn. */
static struct stall {
    struct reactor_post post;
    _Atomic int is_begun, is_over;
} stalls[THREADS];

static void stay_away(struct reactor_post *post)
{
    struct stall *s = CONTAINER_OF(post, struct stall, post);
    atomic_store(&s->is_begun, 1);
    UNTIL(atomic_load(&s->is_over));
}

static void stall_all(void)
{
    for (int i = 0; i < THREADS; i++) {
        stalls[i].post.run = stay_away;
        atomic_store(&stalls[i].is_begun, 0);
        atomic_store(&stalls[i].is_over, 0);
        reactor_post(http_server_reactor(http, i), &stalls[i].post);
    }
    for (int i = 0; i < THREADS; i++)
        UNTIL(atomic_load(&stalls[i].is_begun));
}

/* Texts that end around MD5's blocks, more calls a turn than a front gathers, and some whose clients have left. */
static void test_digests_of_a_turn_are_each_call_s(void **state)
{
    (void)state;
    enum { TOGETHER = 90, TEXT_BYTES_MAX = 130 };
    static struct raw r[TOGETHER];
    open_server("front-digests");
    for (size_t count = 1; count <= TOGETHER; count += count < 12 ? 1 : 39) {
        for (size_t i = 0; i < count; i++) {
            r[i] = client();
            ask(&r[i], "Action=Look");
            expect_reply(&r[i], "LookResponse");
        }
        stall_all();
        for (size_t i = 0; i < count; i++) {
            char query[200] = "Action=Digest&Body=";
            size_t size = (i * 37 + count) % TEXT_BYTES_MAX;
            memset(query + strlen(query), (int)('a' + i % 26), size);
            ask(&r[i], query);
            if (i % 4 == 3)
                raw_close(&r[i]);
        }
        for (int i = 0; i < THREADS; i++)
            atomic_store(&stalls[i].is_over, 1);
        for (size_t i = 0; i < count; i++) {
            if (i % 4 == 3)
                continue;
            char text[TEXT_BYTES_MAX], hex[2 * MD5_BYTES + 1] = "";
            uint8_t digest[MD5_BYTES];
            size_t size = (i * 37 + count) % TEXT_BYTES_MAX;
            memset(text, (int)('a' + i % 26), size);
            md5(slice_of(text, size), digest);
            text_format_hex(digest, MD5_BYTES, hex);
            expect_reply(&r[i], hex);
            raw_close(&r[i]);
        }
        UNTIL(connections() == 0);
    }
    assert_int_equal(atomic_load(&digested_late), 0);
    close_server();
}

static void test_waits_are_woken(void **state)
{
    (void)state;
    open_server("front-waits");
    struct raw first = client(), second = client(), third = client();
    ask(&first, "Action=Take&Delay=600000");
    UNTIL(waiters_now() == 1);
    ask(&second, "Action=Take&Delay=600000");
    UNTIL(waiters_now() == 2);
    ask(&third, "Action=Take&Delay=20");
    expect_reply(&third, "nothing"); /* its time is over, the others' is not */
    do_once("Action=Put", "PutResponse");
    expect_reply(&first, "taken"); /* who waited longest */
    assert_false(has_reply(&second));
    do_once("Action=Put", "PutResponse");
    expect_reply(&second, "taken");
    assert_int_equal(available_now(), 0);
    assert_true(atomic_load(&parked_bytes_max) > 0);
    assert_true(atomic_load(&parked_bytes_max) <= KIB); /* what a waiting call keeps beside itself */
    raw_close(&first);
    raw_close(&second);
    raw_close(&third);
    close_server();
}

static void test_who_leaves_while_waiting(void **state)
{
    (void)state;
    open_server("front-leaves");
    for (int round = 0; round < 20; round++) {
        struct raw r = client();
        ask(&r, "Action=Take&Delay=600000");
        UNTIL(waiters_now() == 1);
        if (round % 2)
            raw_close(&r);
        else
            raw_reset(&r);
        UNTIL(waiters_now() == 0);
    }
    do_once("Action=Put", "PutResponse");
    assert_int_equal(available_now(), 1); /* nobody is there any more to take it */
    do_once("Action=Take", "taken");
    assert_int_equal(atomic_load(&undone), 0);
    close_server();
}

/* What a client was to get and never did is given back, once. */
static void test_who_leaves_before_the_disk_is_done(void **state)
{
    (void)state;
    open_server("front-undo");
    make_disk_slow();
    for (int round = 0; round < 5; round++) {
        do_once("Action=Put", "PutResponse");
        atomic_store(&is_gate_closed, 1);
        struct raw r = client();
        ask(&r, "Action=Take&Delay=600000");
        UNTIL(replies_waiting() == 1);
        assert_int_equal(available_now(), 0);
        raw_close(&r);
        UNTIL(connections() == 0);
        atomic_store(&is_gate_closed, 0);
        UNTIL(available_now() == 1);
        assert_int_equal(atomic_load(&undone), round + 1);
        do_once("Action=Take", "taken");
    }
    /* woken by another's put, then gone before the disk is done */
    struct raw r = client();
    ask(&r, "Action=Take&Delay=600000");
    UNTIL(waiters_now() == 1);
    atomic_store(&is_gate_closed, 1);
    struct raw put = client();
    ask(&put, "Action=Put");
    UNTIL(replies_waiting() == 2);
    raw_reset(&r);
    UNTIL(connections() == 1);
    atomic_store(&is_gate_closed, 0);
    expect_reply(&put, "PutResponse");
    UNTIL(available_now() == 1);
    raw_close(&put);
    close_server();
}

static void test_stop_with_calls_everywhere(void **state)
{
    (void)state;
    enum { EACH = 8 };
    struct raw waiting[EACH], held[EACH], halves[EACH];
    open_server("front-stop");
    make_disk_slow();
    for (int i = 0; i < EACH; i++)
        do_once("Action=Put", "PutResponse");
    atomic_store(&is_gate_closed, 1);
    for (int i = 0; i < EACH; i++) {
        held[i] = client();
        ask(&held[i], "Action=Take&Delay=600000");
    }
    UNTIL(replies_waiting() == EACH);
    for (int i = 0; i < EACH; i++) {
        waiting[i] = client();
        ask(&waiting[i], "Action=Take&Delay=600000");
        halves[i] = client(); /* its body never comes */
        raw_send(&halves[i], SLICE("POST /?Action=Put HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"));
    }
    UNTIL(waiters_now() == EACH);
    stop_server();
    assert_int_equal(available_now(), EACH); /* what was taken and never told is there again */
    assert_int_equal(atomic_load(&undone), EACH);
    assert_int_equal(waiters_now(), 0);
    atomic_store(&is_gate_closed, 0);
    free_server(); /* the leak checker says whether every call came home */
    for (int i = 0; i < EACH; i++) {
        raw_close(&waiting[i]);
        raw_close(&held[i]);
        raw_close(&halves[i]);
    }
    open_server("front-stop");
    assert_int_equal(available_now(), EACH); /* and in the log */
    close_server();
}

static void test_drain_ends_waits(void **state)
{
    (void)state;
    open_server("front-drain");
    struct raw r[4];
    for (int i = 0; i < 4; i++) {
        r[i] = client();
        ask(&r[i], "Action=Take&Delay=600000");
    }
    UNTIL(waiters_now() == 4);
    http_server_drain(http);
    owners_end_waits();
    for (int i = 0; i < 4; i++) {
        struct raw_reply reply = raw_read(&r[i]);
        assert_int_equal(reply.status, 200);
        assert_true(slice_equal(raw_header(reply.head, SLICE("connection")), SLICE("close")));
        assert_true(raw_is_ended(&r[i]));
        raw_close(&r[i]);
    }
    UNTIL(http_server_is_drained(http));
    close_server();
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 36);
}

static void test_request_ids(void **state)
{
    (void)state;
    enum { IDS = 4000 };
    static char ids[IDS][36];
    open_server("front-ids");
    struct raw r[2] = { client(), client() }; /* one a front */
    for (int i = 0; i < IDS; i++) {
        ask(&r[i % 2], "Action=Look");
        struct raw_reply reply = raw_read(&r[i % 2]);
        struct slice id = raw_header(reply.head, SLICE("x-amzn-requestid"));
        assert_int_equal(id.size, 36);
        for (size_t k = 0; k < 36; k++) {
            bool is_dash = k == 8 || k == 13 || k == 18 || k == 23;
            assert_true(is_dash ? id.data[k] == '-' : strchr("0123456789abcdef", id.data[k]) != NULL);
        }
        assert_int_equal(id.data[14], '4');
        assert_true(strchr("89ab", id.data[19]) != NULL);
        assert_non_null(memmem(reply.body.data, reply.body.size, id.data, 36)); /* the one in the body is the same */
        memcpy(ids[i], id.data, 36);
    }
    qsort(ids, IDS, 36, compare_ids);
    for (int i = 1; i < IDS; i++)
        assert_memory_not_equal(ids[i - 1], ids[i], 36);
    raw_close(&r[0]);
    raw_close(&r[1]);
    close_server();
}

/* Clients that put, take, wait and leave in any order, from several threads: nothing is lost or doubled. */
enum { CLIENTS = 6, STEPS = 150 };
static _Atomic uint64_t puts_read, takes_read;

static bool read_reply(struct raw *r, const char *part)
{
    struct raw_reply reply = raw_read(r);
    return memmem(reply.body.data, reply.body.size, part, strlen(part)) != NULL;
}

static void *be_client(void *argument)
{
    uint64_t random = 88172645463325252ull + (uint64_t)(uintptr_t)argument;
    for (int step = 0; step < STEPS; step++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        struct raw r = client();
        switch (random % 5) {
        case 0:
        case 1:
            ask(&r, "Action=Put");
            atomic_fetch_add(&puts_read, read_reply(&r, "PutResponse"));
            break;
        case 2:
            ask(&r, "Action=Take&Delay=5");
            atomic_fetch_add(&takes_read, read_reply(&r, "taken"));
            break;
        case 3:
            ask(&r, "Action=Take&Delay=600000");
            break; /* and leaves at once */
        default:
            ask(&r, "Action=Take&Delay=1");
            if (random & 1024)
                sched_yield();
            raw_reset(&r);
            continue;
        }
        raw_close(&r);
    }
    return NULL;
}

static void test_clients_that_come_and_go(void **state)
{
    (void)state;
    pthread_t threads[CLIENTS];
    open_server("front-stress");
    atomic_store(&puts_read, 0);
    atomic_store(&takes_read, 0);
    for (uint64_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_client, (void *)(uintptr_t)(i * 7919)), 0);
    for (int i = 0; i < 50; i++)
        fronts_pass_turn(); /* what a reload does */
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    UNTIL(connections() == 0);
    UNTIL(replies_waiting() == 0);
    UNTIL(waiters_now() == 0);
    /* a reply may have gone to a client that closed without reading: those are taken, all others are here or were read */
    int64_t left = available_now();
    assert_in_range(left, 0, (int64_t)(atomic_load(&puts_read) - atomic_load(&takes_read)));
    while (available_now() > 0)
        do_once("Action=Take", "taken");
    do_once("Action=Take", "nothing");
    close_server();
}

static void test_pages_while_stopping(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        open_server("front-pages");
        struct raw r[6];
        for (int i = 0; i < 6; i++) {
            r[i] = client();
            raw_send(&r[i], i % 2 ? SLICE("GET /metrics?queue=a* HTTP/1.1\r\nHost: x\r\n\r\n")
                                  : SLICE("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"));
        }
        if (round % 2)
            for (int i = 0; i < 6; i++) {
                int status = raw_read(&r[i]).status;
                assert_true(status == 200 || (i % 2 && status == 503));
            }
        close_server();
        for (int i = 0; i < 6; i++)
            raw_close(&r[i]);
    }
}

int main(void)
{
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies_wait_for_the_disk),
        cmocka_unit_test(test_replies_leave_busy_reactors),
        cmocka_unit_test(test_digests_of_a_turn_are_each_call_s),
        cmocka_unit_test(test_waits_are_woken),
        cmocka_unit_test(test_who_leaves_while_waiting),
        cmocka_unit_test(test_who_leaves_before_the_disk_is_done),
        cmocka_unit_test(test_stop_with_calls_everywhere),
        cmocka_unit_test(test_drain_ends_waits),
        cmocka_unit_test(test_request_ids),
        cmocka_unit_test(test_clients_that_come_and_go),
        cmocka_unit_test(test_pages_while_stopping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
