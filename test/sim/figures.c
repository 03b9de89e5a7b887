#include "sim/figures.h"
#include <assert.h>
#include <stdio.h>

enum { FIGURE_COUNT = sizeof(struct figures) / sizeof(uint64_t) - DO_COUNT * OUTCOME_COUNT };

static const char *const texts[] = {
#define FIGURE(name, text) text,
#include "sim/figures.def"
#undef FIGURE
};
static_assert(sizeof(texts) / sizeof(texts[0]) == FIGURE_COUNT, "one text a figure");

static const struct {
    const char *text;
    int may[OUTCOME_COUNT];
} kinds[] = {
#define OP_KIND(name, text, weight, refused, disk) { text, { 1, refused, disk } },
#include "sim/op_kinds.def"
#undef OP_KIND
};
static const char *const outcomes[OUTCOME_COUNT] = { "done", "refused as is right", "refused by the disk" };

static const uint64_t *counters(const struct figures *f)
{
    return (const uint64_t *)f;
}

void figures_add(struct figures *total, const struct figures *more)
{
    uint64_t *to = (uint64_t *)total;
    for (size_t i = 0; i < sizeof(*total) / sizeof(*to); i++)
        to[i] += counters(more)[i];
}

void figures_print(const struct figures *total)
{
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        printf("%12llu  %s\n", (unsigned long long)counters(total)[i], texts[i]);
    printf("%12s %12s %12s\n", "done", "refused", "by the disk");
    for (int kind = 0; kind < DO_COUNT; kind++) {
        for (int o = 0; o < OUTCOME_COUNT; o++)
            printf("%12llu ", (unsigned long long)total->outcomes[kind][o]);
        printf(" %s\n", kinds[kind].text);
    }
}

size_t figures_missing(const struct figures *total)
{
    size_t missing = 0;
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        if (counters(total)[i] == 0 && ++missing)
            printf("never happened: %s\n", texts[i]);
    for (int kind = 0; kind < DO_COUNT; kind++)
        for (int o = 0; o < OUTCOME_COUNT; o++)
            if (kinds[kind].may[o] && total->outcomes[kind][o] == 0 && ++missing)
                printf("never happened: %s, %s\n", kinds[kind].text, outcomes[o]);
    return missing;
}
