#include "api/pages.h"
#include "api/metrics.h"
#include "api/origin.h"
#include "api/owner.h"
#include "api/service.h"
#include "base/text.h"
#include "codec/form.h"
#include "codec/json.h"
#include <pthread.h>
#include <stdlib.h>

enum { METRICS_JOBS_MAX = 4, QUERY_ARENA_BYTES_MAX = 256 * KIB };

/* ---- which ---------------------------------------------------------------------------------------------------------- */

static bool is_get(const struct http_request *r)
{
    return r->method == HTTP_GET || r->method == HTTP_HEAD;
}

static bool is_health(const struct http_request *r)
{
    return is_get(r) && (slice_equal(r->path, SLICE("/health")) || slice_equal(r->path, SLICE("/_localstack/health")));
}

static bool is_metrics(const struct http_request *r)
{
    return is_get(r) && slice_equal(r->path, SLICE("/metrics"));
}

bool pages_is_page(const struct http_request *r)
{
    return is_health(r) || is_metrics(r) || r->method == HTTP_OPTIONS;
}

/* ---- /metrics: one visit to every owner, then the text --------------------------------------------------------------- */

struct metrics_job {
    struct task task;
    struct reactor_post home;
    struct reactor *reactor;
    struct stream *stream; /* NULL: the client left */
    struct link link;      /* under the lock */
    uint16_t log;
    struct metrics_writer writer;
    struct buf text;
    struct arena arena;
};

/* Any stranger may ask for figures, and each time every owner is visited: a few at a time. */
static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;
static struct link jobs = { &jobs, &jobs };
static int job_count;

static bool jobs_add(struct metrics_job *job)
{
    pthread_mutex_lock(&jobs_lock);
    bool is_room = job_count < METRICS_JOBS_MAX;
    if (is_room) {
        list_push_back(&jobs, &job->link);
        job_count++;
    }
    pthread_mutex_unlock(&jobs_lock);
    return is_room;
}

static void job_free(struct metrics_job *job)
{
    metrics_writer_deinit(&job->writer);
    buf_deinit(&job->text);
    arena_deinit(&job->arena);
    free(job);
}

static void job_end(struct metrics_job *job)
{
    pthread_mutex_lock(&jobs_lock);
    list_remove(&job->link);
    job_count--;
    pthread_mutex_unlock(&jobs_lock);
    job_free(job);
}

static void reply_text(struct stream *s, int status, struct slice type, struct slice lines, struct buf *body)
{
    const struct http_reply reply = { .status = status, .content_type = type, .header_lines = lines, .body_buf = body };
    stream_reply(s, &reply);
}

static void job_step(struct metrics_job *job)
{
    if (!job->stream) {
        job_end(job);
        return;
    }
    if (job->log < LOG_COUNT) {
        owner_submit(owner_of(job->log), &job->task);
        return;
    }
    metrics_write_server(&job->text);
    metrics_write_services(&job->text, &job->writer);
    reply_text(job->stream, 200, SLICE("text/plain; version=0.0.4; charset=utf-8"), SLICE_NONE, &job->text);
    job_end(job);
}

static void job_home(struct reactor_post *post)
{
    struct metrics_job *job = CONTAINER_OF(post, struct metrics_job, home);
    job->log++;
    job_step(job);
}

static void job_at_owner(struct owner *o, struct task *t)
{
    struct metrics_job *job = CONTAINER_OF(t, struct metrics_job, task);
    const struct service *s;
    for (size_t i = 0; (s = owners_service(i)); i++)
        if (s->metrics)
            s->metrics(o->state[i], &job->writer);
    reactor_post(job->reactor, &job->home);
}

static void read_filter(struct metrics_job *job, struct slice query, struct slice *ret_filter)
{
    struct form form;
    if (!slice_is_none(query) && !failed(form_parse(&job->arena, arena_copy(&job->arena, query), &form)))
        *ret_filter = form_get(&form, SLICE("queue"));
}

static void serve_metrics(struct stream *s)
{
    struct metrics_job *job = calloc(1, sizeof(*job));
    ASSERT(job);
    job->stream = s;
    if (!jobs_add(job)) {
        free(job);
        const struct http_reply reply = { .status = 503,
            .content_type = SLICE("text/plain"),
            .header_lines = SLICE("Retry-After: 1\r\n"),
            .body = SLICE("Too many ask for metrics at the same time.\n") };
        stream_reply(s, &reply);
        return;
    }
    struct slice filter = SLICE_NONE;
    arena_init(&job->arena, QUERY_ARENA_BYTES_MAX);
    buf_init(&job->text);
    job->reactor = front_reactor(s->front);
    job->task.run = job_at_owner;
    job->home.run = job_home;
    read_filter(job, s->request.query, &filter);
    metrics_writer_init(&job->writer, filter);
    job_step(job);
}

void pages_gone(struct stream *s)
{
    pthread_mutex_lock(&jobs_lock);
    for (struct link *l = jobs.next; l != &jobs; l = l->next) {
        struct metrics_job *job = LIST_ENTRY(l, struct metrics_job, link);
        if (job->stream == s) /* written by this thread only */
            job->stream = NULL;
    }
    pthread_mutex_unlock(&jobs_lock);
}

void pages_end(void)
{
    while (!list_is_empty(&jobs))
        job_end(LIST_ENTRY(jobs.next, struct metrics_job, link));
}

/* ---- the small ones -------------------------------------------------------------------------------------------------- */

static void serve_health(struct stream *s, struct slice lines)
{
    struct buf b;
    buf_init(&b);
    struct store_metrics m;
    store_get_metrics(owners_store(), &m);
    bool is_full = m.refuses_sends || m.refuses_all;
    buf_add_lit(&b, "{\"services\":{");
    const struct service *service;
    int count = 0;
    for (size_t i = 0; (service = owners_service(i)); i++) {
        json_write_key(&b, &count, service->name);
        buf_add_lit(&b, "\"running\"");
    }
    buf_printf(&b, "},\"status\":\"%s\",\"edition\":\"millrace\",\"version\":\"%s\"}\n", is_full ? "disk full" : "ok",
        MILLRACE_VERSION);
    reply_text(s, 200, SLICE("application/json"), lines, &b);
    buf_deinit(&b);
}

static void serve_preflight(struct stream *s, struct buf *lines)
{
    struct slice wanted = http_header_find(&s->request, SLICE("access-control-request-headers"));
    buf_add_lit(lines, "Access-Control-Allow-Methods: GET, POST, HEAD, OPTIONS\r\nAccess-Control-Max-Age: 600\r\n");
    buf_add_lit(lines, "Allow: GET, POST, HEAD, OPTIONS\r\n");
    if (!slice_is_none(wanted))
        buf_printf(lines, "Access-Control-Allow-Headers: %.*s\r\n", SLICE_ARG(wanted));
    const struct http_reply reply = { .status = 204, .header_lines = buf_slice(lines), .body = SLICE("") };
    stream_reply(s, &reply);
}

/* Figures name queues: they are for whom GETs of operations are for. */
static bool may_have_metrics(struct stream *s, const struct gateway_options *o, struct buf *why, int *ret_status)
{
    const struct http_peer peer = stream_peer(s);
    struct forwarded client;
    const char *sentence;
    if (!forwarded_read(&s->request, &peer, o, &client, &sentence)) {
        buf_printf(why, "%s\n", sentence);
        *ret_status = 400;
        return false;
    }
    struct slice foreign = origin_foreign_host(&s->request, client.host, o);
    if (slice_is_none(foreign))
        return true;
    buf_printf(why, ORIGIN_HOST_SENTENCE "\n", SLICE_ARG(foreign), SLICE_ARG(foreign));
    *ret_status = 403;
    return false;
}

void pages_serve(struct stream *s, const struct gateway_options *o)
{
    struct buf lines, why;
    int status;
    buf_init(&lines);
    buf_init(&why);
    if (!origin_is_allowed(&s->request, o, &lines)) {
        const struct http_reply reply = { .status = 403,
            .content_type = SLICE("text/plain"),
            .body = SLICE("Requests from this web origin are not allowed.\n") };
        stream_reply(s, &reply);
    } else if (s->request.method == HTTP_OPTIONS) {
        serve_preflight(s, &lines);
    } else if (is_health(&s->request)) {
        serve_health(s, buf_slice(&lines));
    } else if (may_have_metrics(s, o, &why, &status)) {
        serve_metrics(s);
    } else {
        reply_text(s, status, SLICE("text/plain"), SLICE_NONE, &why);
    }
    buf_deinit(&why);
    buf_deinit(&lines);
}
