/* histogram.c: buckets of histogram.h.
 *
 *   values 0..7 have a bucket each; then eight buckets for each power of two:
 *   8 9 .. 15 | 16-17 18-19 .. 30-31 | 32-35 .. 60-63 | ...
 */
#include "base/histogram.h"
#include <stddef.h>

enum { STEP_BITS = 3, STEPS = 1 << STEP_BITS };

static size_t bucket_of(uint64_t value)
{
    if (value < STEPS)
        return (size_t)value;
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    size_t index = (size_t)(power - STEP_BITS + 1) * STEPS + (size_t)((value >> (power - STEP_BITS)) & (STEPS - 1));
    return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

/* The largest value of a bucket. */
static uint64_t bucket_top(size_t index)
{
    if (index < STEPS)
        return index;
    unsigned shift = (unsigned)(index / STEPS) - 1;
    uint64_t bottom = (uint64_t)(STEPS + index % STEPS) << shift;
    return bottom + ((uint64_t)1 << shift) - 1;
}

static uint64_t peek(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* One writer: a load and a store are enough, and cheaper than a locked add. */
static void raise_by(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, peek(counter) + by, __ATOMIC_RELAXED);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    raise_by(&h->buckets[bucket_of(value)], 1);
    raise_by(&h->sum, value);
    raise_by(&h->count, 1);
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    uint64_t total = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += peek(&h->buckets[i]);
    if (total == 0)
        return 0;
    if (!(q > 0))
        q = 0;
    double wanted = q >= 1 ? (double)total : q * (double)total;
    uint64_t seen = 0;
    size_t last = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t here = peek(&h->buckets[i]);
        if (here == 0)
            continue;
        seen += here;
        last = i;
        if ((double)seen >= wanted)
            break;
    }
    return bucket_top(last);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        raise_by(&into->buckets[i], peek(&from->buckets[i]));
    raise_by(&into->sum, peek(&from->sum));
    raise_by(&into->count, peek(&from->count));
}

uint64_t histogram_count_upto(const struct histogram *h, uint64_t value)
{
    uint64_t count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && bucket_top(i) <= value; i++)
        count += peek(&h->buckets[i]);
    return count;
}
