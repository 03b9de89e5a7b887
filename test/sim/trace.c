#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

enum { EVENTS_KEPT = 30 };

struct trace_event {
    uint32_t step;
    const char *format;
    uint64_t numbers[6];
};
static struct trace_event kept[EVENTS_KEPT];
static uint64_t count;
bool trace_is_loud;

static void print_event(FILE *out, const struct trace_event *e)
{
    const uint64_t *n = e->numbers;
    fprintf(out, "  %6u  ", e->step);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    fprintf(out, e->format, (unsigned long long)n[0], (unsigned long long)n[1], (unsigned long long)n[2],
        (unsigned long long)n[3], (unsigned long long)n[4], (unsigned long long)n[5]);
#pragma GCC diagnostic pop
    fputc('\n', out);
}

void trace_add(const char *format, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    struct trace_event *at = &kept[count++ % EVENTS_KEPT];
    *at = (struct trace_event){ sim.step, format, { a, b, c, d, e, f } };
    uint64_t h = sim.history;
    for (const char *p = format; *p; p++)
        h = (h ^ (uint8_t)*p) * 0x100000001b3ull;
    for (int i = 0; i < 6; i++)
        h = prng_mix(h ^ at->numbers[i]);
    sim.history = h;
    if (trace_is_loud)
        print_event(stdout, at);
}

void trace_clear(void)
{
    count = 0;
}

void trace_print(FILE *out)
{
    uint64_t from = count > EVENTS_KEPT ? count - EVENTS_KEPT : 0;
    for (uint64_t i = from; i < count; i++)
        print_event(out, &kept[i % EVENTS_KEPT]);
}
