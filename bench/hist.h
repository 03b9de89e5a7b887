/* hist.h: log-linear histogram of latencies in nanoseconds.
 *
 *      value:   0 .. 127 | 128 .. 255 | 256 .. 511 | ... each power of two cut into 128 equal steps
 *
 * Exact below 128 ns, within 1/128 above; values past 2^41 ns (36 minutes) count in the last step.
 *
 * Owner    one thread fills one histogram; hist_merge after the threads have ended.
 * Memory   fixed, 35 KiB, inside its owner.
 * Fails    never.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

enum { HIST_STEPS = 128, HIST_STEP_BITS = 7, HIST_POWERS = 35, HIST_CELLS = HIST_STEPS * HIST_POWERS };

struct hist {
    uint64_t cells[HIST_CELLS];
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
};

void hist_add(struct hist *h, uint64_t value_ns);
void hist_merge(struct hist *into, const struct hist *from);

/* The smallest recorded step that at least `fraction` of the values do not exceed, in ns; its middle is reported, 0 when
 * nothing was recorded, and never more than the largest value seen. */
uint64_t hist_quantile(const struct hist *h, double fraction);

#endif
