/* error_rows.h: how an error code becomes a reply.
 *
 * Codes: 1..255 base (base/errors.def), 256..511 api (api/errors.def), then one block of 256 a service
 * (service_index + 2) * 256, in the order of the service's errors.def.
 *
 * API_ERROR(code name, JSON shape, query code, HTTP status, fault, default sentence)
 */
#ifndef MILLRACE_API_ERROR_ROWS_H
#define MILLRACE_API_ERROR_ROWS_H

#include "base/slice.h"

enum error_fault { SENDER, RECEIVER };

struct error_row {
    uint32_t code;
    const char *name;  /* ours, for logs */
    const char *shape; /* JSON: "QueueDoesNotExist"; with a namespace "com.amazonaws.sqs#" added by the service */
    const char *query; /* query protocol and x-amzn-query-error */
    uint16_t
        status; /* HTTP; JSON without x-amzn-query-mode collapses 403/404 to 400 for query-era codes (contract 1.1) */
    uint8_t fault;
    const char *text; /* default sentence; a printf format where the row says so */
};

enum api_error {
    API_ERROR_FIRST = 255,
#define API_ERROR(name, shape, query, status, fault, text) name,
#include "api/errors.def"
#undef API_ERROR
    API_ERROR_END
};

/* never NULL: an unknown code and every base error gives API_INTERNAL_FAILURE (ERR_AGAIN: throttled; ERR_FULL: a clear 503) */
const struct error_row *error_row(uint32_t code);
/* The next code that there is, 0 first: for (code = 0; code != UINT32_MAX; code = error_rows_after(code)). */
uint32_t error_rows_after(uint32_t code);
void error_rows_register(uint32_t first_code, const struct error_row *rows, size_t count); /* at start, by services */

#endif
