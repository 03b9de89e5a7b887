/* hist.c: see hist.h. */
#include "hist.h"

#include <assert.h>
#include <stddef.h>

static size_t cell_of(uint64_t value_ns)
{
    if (value_ns < HIST_STEPS)
        return (size_t)value_ns;
    unsigned power = 63u - (unsigned)__builtin_clzll(value_ns);
    unsigned shift = power - HIST_STEP_BITS;
    size_t cell = (size_t)(shift + 1) * HIST_STEPS + (size_t)((value_ns >> shift) - HIST_STEPS);
    return cell < HIST_CELLS ? cell : HIST_CELLS - 1;
}

static uint64_t middle_of(size_t cell)
{
    if (cell < HIST_STEPS)
        return cell;
    unsigned shift = (unsigned)(cell / HIST_STEPS) - 1;
    uint64_t low = (uint64_t)(HIST_STEPS + cell % HIST_STEPS) << shift;
    return low + ((1ull << shift) >> 1);
}

void hist_add(struct hist *h, uint64_t value_ns)
{
    h->cells[cell_of(value_ns)]++;
    h->count++;
    h->sum_ns += value_ns;
    if (value_ns > h->max_ns)
        h->max_ns = value_ns;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    assert(into != from);
    for (size_t cell = 0; cell < HIST_CELLS; cell++)
        into->cells[cell] += from->cells[cell];
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
}

uint64_t hist_quantile(const struct hist *h, double fraction)
{
    assert(fraction >= 0 && fraction <= 1);
    uint64_t wanted = (uint64_t)(fraction * (double)h->count + 0.5);
    uint64_t seen = 0;
    for (size_t cell = 0; cell < HIST_CELLS; cell++) {
        seen += h->cells[cell];
        if (seen >= wanted && seen > 0) {
            uint64_t middle_ns = middle_of(cell);
            return middle_ns < h->max_ns ? middle_ns : h->max_ns;
        }
    }
    return 0;
}
