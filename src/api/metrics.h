/* metrics.h: Prometheus text (exposition format 0.0.4), written object by object.
 *
 * A service's `metrics` is asked once a log, as a task, and adds its objects; the writer keeps those that match the
 * request's ?queue= filter, and without a filter the METRICS_OBJECTS_MAX most active ones.
 */
#ifndef MILLRACE_API_METRICS_H
#define MILLRACE_API_METRICS_H

#include "base/buf.h"

enum {
    METRICS_OBJECTS_MAX = 200,
    METRICS_VALUES_MAX = 16,
    METRICS_BYTES_MAX = 1024 * 1024, /* of the whole text */
    METRICS_LINE_BYTES_MAX = 512,
};

struct metrics_object {
    char name[96], account[16], region[40];
    uint64_t activity;                  /* decides who is listed */
    int64_t values[METRICS_VALUES_MAX]; /* in the order of the service's metric names */
};
struct metrics_writer {
    struct slice filter;            /* exact name, or with * at the end; none: the busiest */
    struct metrics_object *objects; /* a min-heap by activity once full */
    size_t count;
    uint64_t objects_seen;
    int64_t totals[METRICS_VALUES_MAX];
};

void metrics_writer_init(struct metrics_writer *w, struct slice filter);
void metrics_writer_deinit(struct metrics_writer *w);
void metrics_add_object(struct metrics_writer *w, const struct metrics_object *o);
struct metric_row {   /* a service's rows; values in the same order */
    const char *name; /* "sqs_messages_visible" */
    const char *kind; /* "gauge", "counter" */
    const char *help;
};
/* The objects of all services: rows of the service whose objects these are (service.h metric_rows). */
void metrics_write_services(struct buf *b, const struct metrics_writer *w);
/* operations, errors, latency, log: what the server itself counts */
void metrics_write_server(struct buf *b);

#endif
