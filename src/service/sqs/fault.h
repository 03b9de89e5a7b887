/* fault.h: an error with the sentence it will be answered with, made where no call is at hand.
 *
 * Use      struct sqs_fault f = { .arena = &c->arena };
 *          struct error e = sqs_config_set(..., &f);
 *          if (failed(e)) return sqs_fault_raise(c, e, &f);
 * Memory   the sentence lives in `arena`.
 */
#ifndef MILLRACE_SERVICE_SQS_FAULT_H
#define MILLRACE_SERVICE_SQS_FAULT_H

#include "base/arena.h"
#include "base/error.h"

struct call;

struct sqs_fault {
    struct arena *arena;
    struct slice text; /* none: the row's own sentence */
};

/* Sets the sentence and returns the error. */
struct error sqs_fault(struct sqs_fault *f, uint32_t code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The four families nearly everything is said in (contract 1.3, 1.4). */
struct error sqs_fault_value(struct sqs_fault *f, struct slice value, const char *parameter, const char *reason);
struct error sqs_fault_missing(struct sqs_fault *f, const char *parameter);
/* Makes it the answer of `c`: call_fail with the text. */
struct error sqs_fault_raise(struct call *c, struct error e, const struct sqs_fault *f);

#endif
