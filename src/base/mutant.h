/* mutant.h: switches that each take one guarantee away, so that the tests can be tested. Only with -DMILLRACE_MUTANTS;
 * otherwise MUTANT(x) is 0 and nothing of this is in the program.
 *
 * Use      if (MUTANT(short_dedup_window)) ...    the row is in mutants.def; MILLRACE_MUTANT=short_dedup_window turns it on
 * Rules    one mutant is on at a time; a switch is one expression in the code it breaks; every row is caught by each test
 *          that it names: test/mutants.py runs them all (`make mutants`).
 */
#ifndef MILLRACE_BASE_MUTANT_H
#define MILLRACE_BASE_MUTANT_H

#ifdef MILLRACE_MUTANTS
#include "base/check.h"
enum mutant {
    MUTANT_none,
#define MUTANT_ROW(name, by, text) MUTANT_##name,
#include "base/mutants.def"
#undef MUTANT_ROW
    MUTANT_END
};
extern enum mutant mutant; /* of the environment, read before main */
#define MUTANT(name) UNLIKELY(mutant == MUTANT_##name)
#else
#define MUTANT(name) 0
#endif

#endif
