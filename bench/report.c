/* report.c: see report.h. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

#include "operation.h"
#include "workload.h"

static void add_text(struct buf *out, const char *text)
{
    buf_text(out, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            buf_format(out, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            buf_format(out, "\\u%04x", c);
        else
            buf_format(out, "%c", c);
    }
    buf_text(out, "\"");
}

static void add_latency(struct buf *out, const struct hist *h)
{
    double mean_ns = h->count ? (double)h->sum_ns / (double)h->count : 0;
    buf_format(out, "{\"count\":%llu,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f}",
        (unsigned long long)h->count, mean_ns / 1e3, (double)hist_quantile(h, 0.50) / 1e3,
        (double)hist_quantile(h, 0.90) / 1e3, (double)hist_quantile(h, 0.99) / 1e3,
        (double)hist_quantile(h, 0.999) / 1e3, (double)h->max_ns / 1e3);
}

static void merge(struct stats *into, const struct stats *from)
{
    for (int op = 0; op < OP_COUNT; op++) {
        hist_merge(&into->latency[op], &from->latency[op]);
        into->messages[op] += from->messages[op];
        into->total_messages[op] += from->total_messages[op];
    }
    hist_merge(&into->late, &from->late);
    into->requests += from->requests;
    into->errors += from->errors;
    into->unanswered += from->unanswered;
    into->behind += from->behind;
    into->empty_receives += from->empty_receives;
    into->opened += from->opened;
    if (!into->first_error[0])
        snprintf(into->first_error, sizeof into->first_error, "%s", from->first_error);
}

static void add_operations(struct buf *out, const struct stats *sum)
{
    const char *comma = "";
    buf_text(out, ",\"operations\":{");
    for (int op = 0; op < OP_COUNT; op++) {
        if (sum->latency[op].count == 0 && sum->total_messages[op] == 0)
            continue;
        buf_format(out, "%s\"%s\":{\"acknowledged\":%llu,\"latency_us\":", comma, operations[op].name,
            (unsigned long long)sum->total_messages[op]);
        add_latency(out, &sum->latency[op]);
        buf_text(out, "}");
        comma = ",";
    }
    buf_text(out, "}");
}

static void add_server(struct buf *out, const struct window *w, uint64_t requests)
{
    const struct proc_sample *start = &w->server_start, *end = &w->server_end;
    double cpu_s = end->user_s + end->sys_s - start->user_s - start->sys_s;
    double per = requests ? (double)requests : 1;
    buf_format(out, ",\"server\":{\"user_s\":%.2f,\"sys_s\":%.2f,\"cpu_us_per_request\":%.3f,\"cpu_cores\":%.4f",
        end->user_s - start->user_s, end->sys_s - start->sys_s, cpu_s * 1e6 / per, cpu_s / w->seconds);
    buf_format(out,
        ",\"rss_bytes_idle\":%llu,\"rss_bytes_start\":%llu,\"rss_bytes_end\":%llu,\"rss_anon_bytes_idle\":%llu,\"rss_"
        "anon_bytes_end\":%llu",
        (unsigned long long)w->server_idle.rss_bytes, (unsigned long long)start->rss_bytes,
        (unsigned long long)end->rss_bytes, (unsigned long long)w->server_idle.rss_anon_bytes,
        (unsigned long long)end->rss_anon_bytes);
    buf_format(out, ",\"write_bytes\":%llu,\"write_bytes_per_request\":%.1f}",
        (unsigned long long)(end->write_bytes - start->write_bytes),
        (double)(end->write_bytes - start->write_bytes) / per);
}

void report_print(const struct load *l, const struct worker *workers, const struct window *window)
{
    struct stats *sum = must_alloc(sizeof *sum);
    struct hist *all = must_alloc(sizeof *all);
    struct buf out = { 0 };
    for (unsigned index = 0; index < l->threads; index++)
        merge(sum, &workers[index].stats);
    for (int op = 0; op < OP_COUNT; op++)
        hist_merge(all, &sum->latency[op]);
    uint64_t messages = sum->messages[l->workload->counted];
    double client_s = window->client_user_s + window->client_sys_s;
    buf_format(&out, "{\"workload\":\"%s\",\"connections\":%u,\"threads\":%u,\"tls\":%s,\"rate\":%.1f,\"seconds\":%.4f",
        l->workload->name, l->connections, l->threads, l->tls ? "true" : "false", l->rate, window->seconds);
    buf_format(&out, ",\"requests\":%llu,\"requests_per_s\":%.1f,\"messages\":%llu,\"messages_per_s\":%.1f",
        (unsigned long long)sum->requests, (double)sum->requests / window->seconds, (unsigned long long)messages,
        (double)messages / window->seconds);
    buf_text(&out, ",\"latency_us\":");
    add_latency(&out, all);
    if (l->rate > 0) {
        buf_text(&out, ",\"late_us\":");
        add_latency(&out, &sum->late);
    }
    add_operations(&out, sum);
    buf_format(&out, ",\"errors\":%llu,\"unanswered\":%llu,\"behind\":%llu,\"empty_receives\":%llu,\"opened\":%llu",
        (unsigned long long)sum->errors, (unsigned long long)sum->unanswered, (unsigned long long)sum->behind,
        (unsigned long long)sum->empty_receives, (unsigned long long)sum->opened);
    buf_format(&out, ",\"client\":{\"user_s\":%.3f,\"sys_s\":%.3f,\"cpu_us_per_request\":%.3f}", window->client_user_s,
        window->client_sys_s, sum->requests ? client_s * 1e6 / (double)sum->requests : 0);
    if (window->has_server)
        add_server(&out, window, sum->requests);
    if (sum->first_error[0]) {
        buf_text(&out, ",\"first_error\":");
        add_text(&out, sum->first_error);
    }
    const char *fatal = atomic_load(&l->fatal);
    if (fatal) {
        buf_text(&out, ",\"fatal\":");
        add_text(&out, fatal);
    }
    printf("%.*s}\n", (int)out.size, out.data);
    fflush(stdout);
    buf_free(&out);
    free(all);
    free(sum);
}
