#include "api/pages.h"
#include "api/metrics.h"
#include "api/owner.h"
#include "api/service.h"
#include "base/text.h"
#include "codec/form.h"
#include "codec/json.h"
#include <stdlib.h>

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
    struct link link;
    uint16_t log;
    size_t service;
    struct metrics_writer writer;
    struct buf text;
    struct arena arena;
};

static _Thread_local struct link jobs; /* of this front */

static void job_free(struct metrics_job *job)
{
    list_remove(&job->link);
    metrics_writer_deinit(&job->writer);
    buf_deinit(&job->text);
    arena_deinit(&job->arena);
    free(job);
}

static void reply_text(struct stream *s, int status, struct slice type, struct slice lines, struct buf *body)
{
    const struct http_reply reply = {
        .status = status, .content_type = type, .header_lines = lines, .body_buf = body
    };
    stream_reply(s, &reply);
}

static void job_step(struct metrics_job *job)
{
    if (!job->stream) {
        job_free(job);
        return;
    }
    if (job->log < LOG_COUNT) {
        owner_submit(owner_of(job->log), &job->task);
        return;
    }
    metrics_write_server(&job->text);
    metrics_write_services(&job->text, &job->writer);
    reply_text(job->stream, 200, SLICE("text/plain; version=0.0.4; charset=utf-8"), SLICE_NONE, &job->text);
    job_free(job);
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

static void serve_metrics(struct stream *s)
{
    if (!jobs.next)
        list_init(&jobs);
    struct metrics_job *job = calloc(1, sizeof(*job));
    ASSERT(job);
    arena_init(&job->arena, 64 * KIB);
    job->stream = s;
    job->reactor = front_reactor(s->front);
    job->task.run = job_at_owner;
    job->home.run = job_home;
    buf_init(&job->text);
    list_push_back(&jobs, &job->link);
    struct form form = { 0 };
    struct slice filter = SLICE_NONE;
    if (!slice_is_none(s->request.query) &&
        !failed(form_parse(&job->arena, arena_copy(&job->arena, s->request.query), &form)))
        filter = form_get(&form, SLICE("queue"));
    metrics_writer_init(&job->writer, filter);
    job_step(job);
}

void pages_gone(struct stream *s)
{
    if (!jobs.next)
        return;
    for (struct link *l = jobs.next; l != &jobs; l = l->next) {
        struct metrics_job *job = LIST_ENTRY(l, struct metrics_job, link);
        if (job->stream == s)
            job->stream = NULL;
    }
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

void pages_serve(struct stream *s, const struct gateway_options *o)
{
    struct buf lines;
    buf_init(&lines);
    if (!gateway_origin(&s->request, o, &lines)) {
        const struct http_reply reply = { .status = 403, .content_type = SLICE("text/plain"),
            .body = SLICE("Requests from this web origin are not allowed.\n") };
        stream_reply(s, &reply);
    } else if (s->request.method == HTTP_OPTIONS) {
        serve_preflight(s, &lines);
    } else if (is_health(&s->request)) {
        serve_health(s, buf_slice(&lines));
    } else {
        serve_metrics(s);
    }
    buf_deinit(&lines);
}
