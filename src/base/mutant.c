#include "base/mutant.h"
#include <assert.h>

#ifdef MILLRACE_MUTANTS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mutant mutant;

static const char *const names[] = {
    [MUTANT_none] = "none",
#define MUTANT_ROW(name, by, text) [MUTANT_##name] = #name,
#include "base/mutants.def"
#undef MUTANT_ROW
};

__attribute__((constructor)) static void read_environment(void)
{
    const char *wanted = getenv("MILLRACE_MUTANT");
    if (!wanted || !*wanted)
        return;
    for (int i = 0; i < MUTANT_END; i++)
        if (strcmp(names[i], wanted) == 0)
            mutant = (enum mutant)i;
    if (mutant == MUTANT_none && strcmp(wanted, "none") != 0) {
        fprintf(stderr, "MILLRACE_MUTANT=%s: there is no such mutant\n", wanted);
        exit(64);
    }
}
#endif

static_assert(MUTANT(none) == 0 || sizeof(int) > 0, "a file needs a declaration");
