/* http_echo.c: see http_echo.h.
 * As a program: http_echo --listen 127.0.0.1:4566 [--threads N] [--tls-cert FILE --tls-key FILE] [--plain] */
#include "support/http_echo.h"

#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/text.h"

struct waiting { /* a stream that is answered later */
    struct link link;
    struct stream *stream;
    struct buf body;
};

struct echo_front { /* of one reactor */
    struct http_echo *echo;
    struct reactor *reactor;
    struct link later, idle, held;
    struct reactor_post release_post;
    atomic_bool is_release_posted;
    uint32_t requests_this_turn;
    atomic_uint most_in_a_turn;
};

enum { THREADS_MAX = 16, BIG_MAX = 64 * MIB };

struct http_echo {
    struct http_server *server;
    struct echo_front fronts[THREADS_MAX];
    int threads;
    atomic_uint_least64_t gone, held;
};

static char filler[300];

/* == Answers == */

static void answer(struct stream *s, struct slice body, struct slice content_type)
{
    stream_reply(s, &(struct http_reply){ .status = 200, .content_type = content_type, .body = body });
}

static void answer_filler(struct stream *s)
{
    stream_reply(s, &(struct http_reply){
                        .status = 200,
                        .content_type = SLICE("application/x-amz-json-1.0"),
                        .header_lines = SLICE("x-amzn-RequestId: 66666666-7777-4888-8999-000000000000\r\n"),
                        .body = slice_of(filler, sizeof filler),
                    });
}

static void answer_echo(struct stream *s)
{
    answer(s, s->request.body, s->request.content_type);
}

static void answer_describe(struct stream *s)
{
    const struct http_request *r = &s->request;
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "method %.*s\npath %.*s\n", SLICE_ARG(r->method_text), SLICE_ARG(r->path));
    if (!slice_is_none(r->query))
        buf_printf(&b, "query %.*s\n", SLICE_ARG(r->query));
    if (!slice_is_none(r->host))
        buf_printf(&b, "host %.*s\n", SLICE_ARG(r->host));
    buf_printf(&b, "tls %d\nkeep-alive %d\n", r->is_tls, r->is_keep_alive);
    for (size_t index = 0; index < r->header_count; index++)
        buf_printf(&b, "header %.*s=%.*s\n", SLICE_ARG(r->headers[index].name), SLICE_ARG(r->headers[index].value));
    answer(s, buf_slice(&b), SLICE("text/plain"));
    buf_deinit(&b);
}

static size_t asked_size(struct stream *s)
{
    uint64_t size = 0;
    if (!text_parse_u64(s->request.query, &size) || size > BIG_MAX)
        size = 0;
    return (size_t)size;
}

static void fill(struct buf *b, size_t size)
{
    char *at = buf_reserve(b, size);
    for (size_t index = 0; index < size; index++)
        at[index] = (char)('a' + index % 26);
    b->size = size;
}

static void answer_big(struct stream *s)
{
    struct buf b;
    buf_init(&b);
    fill(&b, asked_size(s));
    stream_reply(s, &(struct http_reply){ .status = 200, .body_buf = &b });
    buf_deinit(&b);
}

static void answer_copy(struct stream *s)
{
    struct buf b;
    buf_init(&b);
    fill(&b, asked_size(s));
    answer(s, buf_slice(&b), SLICE_NONE);
    buf_deinit(&b);
}

static void answer_lines(struct stream *s)
{
    struct buf b;
    buf_init(&b);
    for (int index = 0; index < 200; index++)
        buf_printf(&b, "X-Line-%03d: 0123456789012345678901234567890\r\n", index);
    stream_reply(s, &(struct http_reply){ .status = 200, .header_lines = buf_slice(&b), .body = s->request.body });
    buf_deinit(&b);
}

static void answer_nothing(struct stream *s)
{
    stream_reply(s, &(struct http_reply){ .status = 204 });
}

static void answer_close(struct stream *s)
{
    stream_reply(s, &(struct http_reply){ .status = 200, .body = SLICE("bye"), .close = true });
}

static void answer_peer(struct stream *s)
{
    char text[64];
    const struct http_peer peer = stream_peer(s);
    answer(s, http_peer_format(&peer, text), SLICE("text/plain"));
}

static void answer_thread(struct stream *s)
{
    struct echo_front *f = s->front;
    char digit = (char)('0' + reactor_index(f->reactor));
    answer(s, slice_of(&digit, 1), SLICE("text/plain"));
}

static void answer_state(struct stream *s)
{
    struct echo_front *f = s->front;
    char text[80];
    int size = snprintf(text, sizeof text, "held %llu gone %llu\n", (unsigned long long)atomic_load(&f->echo->held),
        (unsigned long long)atomic_load(&f->echo->gone));
    answer(s, slice_of(text, (size_t)size), SLICE("text/plain"));
}

/* == Answers that come later == */

static void wait_in(struct stream *s, struct link *list)
{
    struct waiting *w = calloc(1, sizeof *w);
    ASSERT(w);
    w->stream = s;
    buf_init(&w->body);
    s->user = w;
    list_push_back(list, &w->link);
}

static void wait_free(struct waiting *w)
{
    list_remove(&w->link);
    buf_deinit(&w->body);
    free(w);
}

static bool answer_list(struct link *list)
{
    bool is_any = !list_is_empty(list);
    while (!list_is_empty(list)) {
        struct waiting *w = LIST_ENTRY(list->next, struct waiting, link);
        struct stream *s = w->stream;
        s->user = NULL;
        wait_free(w);
        answer_echo(s);
    }
    return is_any;
}

static bool before_sleep(void *context, bool is_idle)
{
    struct echo_front *f = context;
    bool is_any = answer_list(&f->later);
    return (is_idle && answer_list(&f->idle)) || is_any;
}

static void on_turn(void *context, uint64_t now_ms)
{
    struct echo_front *f = context;
    (void)now_ms;
    f->requests_this_turn = 0;
}

static void answer_later(struct stream *s)
{
    struct echo_front *f = s->front;
    wait_in(s, &f->later);
}

static void answer_when_idle(struct stream *s)
{
    struct echo_front *f = s->front;
    wait_in(s, &f->idle);
}

static void hold(struct stream *s)
{
    struct echo_front *f = s->front;
    wait_in(s, &f->held);
    atomic_fetch_add(&f->echo->held, 1);
    stream_release_input(s);
}

static void on_release(struct reactor_post *post)
{
    struct echo_front *f = CONTAINER_OF(post, struct echo_front, release_post);
    atomic_store(&f->is_release_posted, false);
    while (!list_is_empty(&f->held)) {
        struct waiting *w = LIST_ENTRY(f->held.next, struct waiting, link);
        struct stream *s = w->stream;
        s->user = NULL;
        wait_free(w);
        atomic_fetch_sub(&f->echo->held, 1);
        answer(s, SLICE("released"), SLICE("text/plain"));
    }
}

static void release_all(struct stream *s)
{
    struct http_echo *e = ((struct echo_front *)s->front)->echo;
    for (int index = 0; index < e->threads; index++)
        if (!atomic_exchange(&e->fronts[index].is_release_posted, true))
            reactor_post(e->fronts[index].reactor, &e->fronts[index].release_post);
    answer(s, SLICE("ok"), SLICE("text/plain"));
}

/* == The handler == */

static const struct {
    struct slice path;
    void (*answer)(struct stream *s);
} rows[] = {
    { { "/echo", 5 }, answer_echo },
    { { "/describe", 9 }, answer_describe },
    { { "/later", 6 }, answer_later },
    { { "/idle", 5 }, answer_when_idle },
    { { "/hold", 5 }, hold },
    { { "/release", 8 }, release_all },
    { { "/big", 4 }, answer_big },
    { { "/copy", 5 }, answer_copy },
    { { "/lines", 6 }, answer_lines },
    { { "/nothing", 8 }, answer_nothing },
    { { "/close", 6 }, answer_close },
    { { "/peer", 5 }, answer_peer },
    { { "/thread", 7 }, answer_thread },
    { { "/state", 6 }, answer_state },
};

static bool on_head(struct stream *s)
{
    s->is_known = !slice_starts(s->request.path, SLICE("/stranger"));
    if (!slice_equal(s->request.path, SLICE("/refuse")))
        return true;
    stream_reply(s, &(struct http_reply){ .status = 403, .body = SLICE("no") });
    return false;
}

static void on_request(struct stream *s)
{
    struct echo_front *f = s->front;
    if (++f->requests_this_turn > atomic_load(&f->most_in_a_turn))
        atomic_store(&f->most_in_a_turn, f->requests_this_turn);
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++)
        if (slice_equal(s->request.path, rows[index].path)) {
            rows[index].answer(s);
            return;
        }
    answer_filler(s);
}

static void on_gone(struct stream *s)
{
    struct echo_front *f = s->front;
    atomic_fetch_add(&f->echo->gone, 1);
    if (s->user) {
        struct waiting *w = s->user;
        if (slice_is_none(s->request.path)) /* only /hold gave its input back */
            atomic_fetch_sub(&f->echo->held, 1);
        wait_free(w);
    }
}

/* == Start and stop == */

struct http_echo *http_echo_start(const struct http_echo_options *options)
{
    struct http_echo *e = calloc(1, sizeof *e);
    ASSERT(e && options->threads <= THREADS_MAX);
    memset(filler, 'x', sizeof filler);
    e->threads = options->threads;
    struct http_listener_options listener = {
        .address = options->address ? slice_str(options->address) : SLICE("127.0.0.1:0"),
        .tls_cert = options->tls_cert,
        .tls_key = options->tls_key,
    };
    struct http_server_options server = {
        .listeners = &listener,
        .listener_count = 1,
        .threads = options->threads,
        .max_connections = options->max_connections,
        .body_budget_bytes = options->body_budget_bytes,
        .handler = { on_head, on_request, on_gone },
    };
    struct slice sentence = SLICE("");
    if (failed(http_server_open(&server, &e->server, &sentence))) {
        fprintf(stderr, "%.*s\n", SLICE_ARG(sentence));
        free(e);
        return NULL;
    }
    for (int index = 0; index < e->threads; index++) {
        struct echo_front *f = &e->fronts[index];
        f->echo = e;
        f->reactor = http_server_reactor(e->server, index);
        f->release_post.run = on_release;
        list_init(&f->later);
        list_init(&f->idle);
        list_init(&f->held);
        if (options->is_deferring)
            reactor_set_hooks(
                f->reactor, &(struct reactor_hooks){ .context = f, .on_turn = on_turn, .before_sleep = before_sleep });
        http_server_set_front(e->server, index, f);
    }
    http_server_start(e->server);
    return e;
}

uint16_t http_echo_port(const struct http_echo *e)
{
    return http_server_port(e->server, 0);
}

struct http_server *http_echo_server(struct http_echo *e)
{
    return e->server;
}

uint64_t http_echo_gone(struct http_echo *e)
{
    return atomic_load(&e->gone);
}

uint64_t http_echo_held(struct http_echo *e)
{
    return atomic_load(&e->held);
}

uint32_t http_echo_most_in_a_turn(struct http_echo *e)
{
    uint32_t most = 0;
    for (int index = 0; index < e->threads; index++) {
        uint32_t count = atomic_load(&e->fronts[index].most_in_a_turn);
        most = count > most ? count : most;
    }
    return most;
}

void http_echo_stop(struct http_echo *e)
{
    http_server_stop(e->server);
    http_server_free(e->server);
    free(e);
}

#ifndef HTTP_ECHO_NO_MAIN
static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void report(struct http_echo *e)
{
    struct http_metrics m;
    struct rusage usage;
    http_server_get_metrics(e->server, &m);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"requests\":%llu,\"bad\":%llu,\"accepted\":%llu,\"timeouts\":%llu,\"user_s\":%.6f,\"sys_s\":%.6f}\n",
        (unsigned long long)m.requests, (unsigned long long)m.bad_requests, (unsigned long long)m.accepted,
        (unsigned long long)m.timeouts, seconds(usage.ru_utime), seconds(usage.ru_stime));
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        { "listen", required_argument, NULL, 'l' },
        { "threads", required_argument, NULL, 't' },
        { "tls-cert", required_argument, NULL, 'c' },
        { "tls-key", required_argument, NULL, 'k' },
        { "plain", no_argument, NULL, 'p' }, /* no hooks: /later and /idle never answer */
        { 0 },
    };
    struct http_echo_options options = { .threads = 1, .is_deferring = true, .address = "127.0.0.1:0" };
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (option) {
        case 'l':
            options.address = optarg;
            break;
        case 't':
            options.threads = atoi(optarg);
            break;
        case 'c':
            options.tls_cert = optarg;
            break;
        case 'k':
            options.tls_key = optarg;
            break;
        case 'p':
            options.is_deferring = false;
            break;
        default:
            return 2;
        }
    }
    if (options.threads < 1 || options.threads > THREADS_MAX)
        return 2;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct http_echo *e = http_echo_start(&options);
    if (!e)
        return 1;
    printf("listening on port %u\n", http_echo_port(e));
    fflush(stdout);
    for (int caught = SIGHUP; caught == SIGHUP;) {
        sigwait(&signals, &caught);
        if (caught == SIGHUP)
            http_server_reload_tls(e->server);
    }
    report(e);
    http_echo_stop(e);
    return 0;
}
#endif
