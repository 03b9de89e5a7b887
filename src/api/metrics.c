#include "api/metrics.h"
#include "api/clock.h"
#include "api/front.h"
#include "api/owner.h"
#include "api/service.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- objects: all that match a filter, or the busiest ----------------------------------------------------------------- */

void metrics_writer_init(struct metrics_writer *w, struct slice filter)
{
    memset(w, 0, sizeof(*w));
    w->filter = filter;
    w->objects = malloc(METRICS_OBJECTS_MAX * sizeof(*w->objects));
    ASSERT(w->objects);
}

void metrics_writer_deinit(struct metrics_writer *w)
{
    free(w->objects);
    w->objects = NULL;
}

static bool matches(struct slice filter, struct slice name)
{
    if (filter.size && filter.data[filter.size - 1] == '*')
        return slice_starts(name, slice_head(filter, filter.size - 1));
    return slice_equal(filter, name);
}

static void sift_down(struct metrics_object *heap, size_t count, size_t at)
{
    for (;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;
        if (left < count && heap[left].activity < heap[least].activity)
            least = left;
        if (right < count && heap[right].activity < heap[least].activity)
            least = right;
        if (least == at)
            return;
        struct metrics_object swap = heap[at];
        heap[at] = heap[least];
        heap[least] = swap;
        at = least;
    }
}

void metrics_add_object(struct metrics_writer *w, const struct metrics_object *o)
{
    w->objects_seen++;
    for (size_t i = 0; i < METRICS_VALUES_MAX; i++)
        w->totals[i] += o->values[i];
    if (!slice_is_none(w->filter) && !matches(w->filter, slice_str(o->name)))
        return;
    if (w->count < METRICS_OBJECTS_MAX) {
        w->objects[w->count++] = *o;
        if (w->count == METRICS_OBJECTS_MAX)
            for (size_t i = w->count / 2; i-- > 0;)
                sift_down(w->objects, w->count, i);
        return;
    }
    if (o->activity <= w->objects[0].activity)
        return;
    w->objects[0] = *o;
    sift_down(w->objects, w->count, 0);
}

/* Quotes, backslashes and line ends of a label's value are escaped, whatever a name may hold. */
static void add_label(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            buf_add_byte(b, '\\');
        if (*value == '\n')
            buf_add_lit(b, "\\n");
        else
            buf_add_byte(b, *value);
    }
    buf_add_byte(b, '"');
}

static void write_row(
    struct buf *b, const struct metrics_writer *w, const struct metric_row *row, size_t index, const char *label)
{
    buf_printf(b, "# HELP millrace_%s %s\n# TYPE millrace_%s %s\n", row->name, row->help, row->name, row->kind);
    for (size_t i = 0; i < w->count && b->size < METRICS_BYTES_MAX - METRICS_LINE_BYTES_MAX; i++) {
        const struct metrics_object *o = &w->objects[i];
        buf_printf(b, "millrace_%s{", row->name);
        add_label(b, label, o->name);
        buf_add_byte(b, ',');
        add_label(b, "account", o->account);
        buf_add_byte(b, ',');
        add_label(b, "region", o->region);
        buf_printf(b, "} %lld\n", (long long)o->values[index]);
    }
}

void metrics_write_services(struct buf *b, const struct metrics_writer *w)
{
    const struct service *s;
    for (size_t i = 0; (s = owners_service(i)); i++) {
        if (!s->metric_rows)
            continue;
        buf_printf(b,
            "# HELP millrace_%.*s_%ss Objects there are; the busiest %d are listed, ?%s=NAME or NAME* chooses.\n",
            SLICE_ARG(s->name), s->metric_label, METRICS_OBJECTS_MAX, s->metric_label);
        buf_printf(b, "# TYPE millrace_%.*s_%ss gauge\nmillrace_%.*s_%ss %llu\n", SLICE_ARG(s->name), s->metric_label,
            SLICE_ARG(s->name), s->metric_label, (unsigned long long)w->objects_seen);
        for (size_t k = 0; s->metric_rows[k].name; k++)
            write_row(b, w, &s->metric_rows[k], k, s->metric_label);
    }
}

/* ---- the server's own ------------------------------------------------------------------------------------------------ */

static void write_histogram(
    struct buf *b, const char *name, const char *labels, const struct histogram *h, double scale)
{
    static const uint64_t bounds[] = { 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
        1000000, 2500000, 10000000, 30000000 };
    const char *open = *labels ? "{" : "", *close = *labels ? "}" : "", *comma = *labels ? "," : "";
    uint64_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(bounds); i++) {
        count = histogram_count_upto(h, bounds[i]);
        buf_printf(b, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma, (double)bounds[i] * scale,
            (unsigned long long)count);
    }
    if (h->count > count) /* a writer may be between a bucket and the count */
        count = h->count;
    buf_printf(b, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma, (unsigned long long)count);
    buf_printf(b, "%s_sum%s%s%s %g\n%s_count%s%s%s %llu\n", name, open, labels, close, (double)h->sum * scale, name,
        open, labels, close, (unsigned long long)count);
}

static void write_operations(struct buf *b)
{
    static const char name[] = "millrace_request_seconds";
    buf_printf(b, "# HELP %s Time from the head of a request to its reply.\n# TYPE %s histogram\n", name, name);
    const struct service *s;
    size_t slot = 0;
    for (size_t i = 0; (s = owners_service(i)); i++) {
        for (size_t k = 0; k < s->op_count && slot < FRONT_OPS_MAX; k++, slot++) {
            struct histogram sum = { 0 };
            for (int f = 0; f < front_count(); f++)
                histogram_merge(&sum, &front_get_metrics(f)->latency_us[slot]);
            char labels[96];
            snprintf(labels, sizeof(labels), "service=\"%.*s\",operation=\"%.*s\"", SLICE_ARG(s->name),
                SLICE_ARG(s->ops[k].name));
            if (sum.count)
                write_histogram(b, name, labels, &sum, 1e-6);
        }
    }
}

static uint64_t peek(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

struct error_sum {
    const struct error_row *row;
    uint64_t count;
};

/* Several codes of the base may be one row: a series must not stand there twice. */
static size_t sum_errors(size_t slot, struct error_sum sums[FRONT_ERRORS_MAX])
{
    size_t sum_count = 0;
    for (uint32_t code = 0; code < FRONT_ERRORS_MAX; code = error_rows_after(code)) {
        uint64_t count = 0;
        for (int f = 0; f < front_count(); f++)
            count += peek(&front_get_metrics(f)->errors[slot][code]);
        size_t at = 0;
        while (at < sum_count && sums[at].row != error_row(code))
            at++;
        if (count && at == sum_count)
            sums[sum_count++] = (struct error_sum){ .row = error_row(code) };
        if (count)
            sums[at].count += count;
    }
    return sum_count;
}

static void write_errors_of(struct buf *b, size_t slot, struct slice service, struct slice operation)
{
    struct error_sum sums[FRONT_ERRORS_MAX];
    size_t count = sum_errors(slot, sums);
    for (size_t at = 0; at < count; at++)
        buf_printf(b, "millrace_errors_total{service=\"%.*s\",operation=\"%.*s\",code=\"%s\",row=\"%s\"} %llu\n",
            SLICE_ARG(service), SLICE_ARG(operation), sums[at].row->query, sums[at].row->name,
            (unsigned long long)sums[at].count);
}

static void write_errors(struct buf *b)
{
    buf_add_lit(b, "# HELP millrace_errors_total Replies that were errors, by operation and code; - where the request "
                   "named none.\n# TYPE millrace_errors_total counter\n");
    const struct service *s;
    size_t slot = 0;
    for (size_t i = 0; (s = owners_service(i)); i++)
        for (size_t k = 0; k < s->op_count && slot < FRONT_OPS_MAX; k++, slot++)
            write_errors_of(b, slot, s->name, s->ops[k].name);
    write_errors_of(b, FRONT_OPS_MAX, SLICE("-"), SLICE("-"));
}

static void write_number(struct buf *b, const char *name, const char *kind, const char *help, double value)
{
    buf_printf(
        b, "# HELP millrace_%s %s\n# TYPE millrace_%s %s\nmillrace_%s %.15g\n", name, help, name, kind, name, value);
}

struct number_row {
    const char *name, *kind, *help;
    uint64_t value;
};

static void write_numbers(struct buf *b, const struct number_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        write_number(b, rows[i].name, rows[i].kind, rows[i].help, (double)rows[i].value);
}

static void write_fronts(struct buf *b)
{
    struct http_metrics m = { 0 };
    uint64_t waiting = 0, inline_flushes = 0;
    if (front_http())
        http_server_get_metrics(front_http(), &m);
    for (int f = 0; f < front_count(); f++) {
        waiting += peek(&front_get_metrics(f)->waiting);
        inline_flushes += peek(&front_get_metrics(f)->inline_flushes);
    }
    const struct number_row rows[] = {
        { "connections", "gauge", "Open connections.", m.connections },
        { "connections_accepted_total", "counter", "Connections accepted.", m.accepted },
        { "connections_refused_total", "counter", "Connections closed at once because there were too many.",
            m.refused },
        { "http_requests_total", "counter", "Requests with a complete head.", m.requests },
        { "http_bad_requests_total", "counter", "Requests that were not HTTP as this server reads it.",
            m.bad_requests },
        { "http_timeouts_total", "counter", "Connections that were too slow.", m.timeouts },
        { "http_received_bytes_total", "counter", "Bytes received.", m.bytes_in },
        { "http_sent_bytes_total", "counter", "Bytes sent.", m.bytes_out },
        { "http_body_bytes", "gauge", "Bytes of large heads and bodies being read or answered.", m.body_bytes_held },
        { "http_body_budget_bytes", "gauge", "How many there may be: more are refused.", m.body_budget_bytes },
        { "replies_waiting", "gauge", "Replies that wait for the disk.", waiting },
        { "log_inline_flushes_total", "counter", "Group commits made by the thread that had the requests.",
            inline_flushes },
    };
    write_numbers(b, rows, ARRAY_COUNT(rows));
}

static void write_log(struct buf *b)
{
    struct store_metrics m;
    store_get_metrics(owners_store(), &m);
    const struct number_row rows[] = {
        { "log_appends_total", "counter", "Record groups appended to the journal.", m.appends },
        { "log_append_bytes_total", "counter", "Bytes of records appended.", m.append_bytes },
        { "log_flushes_total", "counter", "Group commits.", m.flushes },
        { "log_written_bytes_total", "counter", "Bytes written to segment files.", m.written_bytes },
        { "log_segments", "gauge", "Segment files in use.", m.segments },
        { "log_segments_free", "gauge", "Zero-filled segment files ready for use.", m.segments_free },
        { "log_segments_recycled_total", "counter", "Segments that were freed and used again.", m.recycled_segments },
        { "log_relocated_bytes_total", "counter", "Bytes of old live records the cleaner copied forward.",
            m.relocated_bytes },
        { "log_cold_reads_total", "counter", "Reads that had to wait for the disk.", m.cold_reads },
        { "snapshots_total", "counter", "Snapshots committed.", m.snapshots },
        { "snapshot_bytes", "gauge", "Size of the last snapshot.", m.snapshot_bytes },
        { "disk_free_bytes", "gauge", "Free bytes on the file system of the data directory.", m.free_disk_bytes },
        { "disk_refuses_sends", "gauge", "1 while new data is refused because the disk is nearly full.",
            m.refuses_sends || m.refuses_all },
    };
    write_numbers(b, rows, ARRAY_COUNT(rows));
    buf_add_lit(
        b, "# HELP millrace_log_fsync_seconds Time of one sync.\n# TYPE millrace_log_fsync_seconds histogram\n");
    write_histogram(b, "millrace_log_fsync_seconds", "", &m.fsync_us, 1e-6);
    buf_add_lit(b, "# HELP millrace_log_batch_records Records in one group commit.\n# TYPE millrace_log_batch_records "
                   "histogram\n");
    write_histogram(b, "millrace_log_batch_records", "", &m.batch_records, 1);
}

void metrics_write_server(struct buf *b)
{
    write_number(
        b, "clock_offset_seconds", "gauge", "Server time less wall time.", (double)clock_offset_from_wall_ms() / 1000);
    write_operations(b);
    write_errors(b);
    write_fronts(b);
    write_log(b);
}
