/* error.c: the sentences of the base rows (error.h). */
#include "base/error.h"

static const char *const error_texts[ERR_BASE_COUNT] = {
    [ERR_NONE] = "no error",
#define BASE_ERROR(name, text) [name] = text,
#include "base/errors.def"
#undef BASE_ERROR
};

const char *error_text(struct error e)
{
    return e.code < ERR_BASE_COUNT ? error_texts[e.code] : "an error of a service";
}
