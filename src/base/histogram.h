/* histogram.h: log-linear histogram (8 steps per power of two) of microseconds or counts, 1 .. 2^40.
 * Thread   one writer; readers may read at any time (relaxed), sums may lag. Memory 320 counters, 2.5 KiB.
 */
#ifndef MILLRACE_BASE_HISTOGRAM_H
#define MILLRACE_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 320 };
struct histogram {
    uint64_t count, sum;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
uint64_t histogram_quantile(const struct histogram *h, double q); /* 0 when empty */
void histogram_merge(struct histogram *into, const struct histogram *from);
uint64_t histogram_count_upto(const struct histogram *h, uint64_t value); /* for Prometheus le= */

#endif
