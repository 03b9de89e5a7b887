#include "service/sqs/fault.h"
#include "api/call.h"
#include "service/sqs/sqs.h"

struct error sqs_fault(struct sqs_fault *f, uint32_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    f->text = arena_vprintf(f->arena, format, args);
    va_end(args);
    return ERROR_OF(code);
}

struct error sqs_fault_value(struct sqs_fault *f, struct slice value, const char *parameter, const char *reason)
{
    return sqs_fault(f, SQS_INVALID_PARAMETER, "Value %.*s for parameter %s is invalid. Reason: %s", SLICE_ARG(value),
        parameter, reason);
}

struct error sqs_fault_missing(struct sqs_fault *f, const char *parameter)
{
    return sqs_fault(f, SQS_MISSING_PARAMETER, "The request must contain the parameter %s.", parameter);
}

struct error sqs_fault_raise(struct call *c, struct error e, const struct sqs_fault *f)
{
    c->error_message = f->text;
    return e;
}
