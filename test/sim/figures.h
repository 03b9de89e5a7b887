/* figures.h: what happened in a history, counted: so that a run can show, and insist, that everything does happen.
 *
 * A figure is a row of figures.def, counted as sim.figures.name++. Operations are counted by their outcome as well.
 * Use      figures_add(&total, &sim.figures) after each seed; figures_print(&total); figures_missing(&total)
 */
#ifndef MILLRACE_TEST_FIGURES_H
#define MILLRACE_TEST_FIGURES_H

#include <stddef.h>
#include <stdint.h>

enum op_kind {
#define OP_KIND(name, text, weight, refused, disk) name,
#include "sim/op_kinds.def"
#undef OP_KIND
    DO_COUNT
};

enum outcome { OUTCOME_DONE, OUTCOME_REFUSED, OUTCOME_DISK, OUTCOME_COUNT };

struct figures { /* nothing but counters */
#define FIGURE(name, text) uint64_t name;
#include "sim/figures.def"
#undef FIGURE
    uint64_t outcomes[DO_COUNT][OUTCOME_COUNT];
};

void figures_add(struct figures *total, const struct figures *more);
void figures_print(const struct figures *total);
size_t figures_missing(const struct figures *total); /* how many are zero that must not be; names them */

#endif
