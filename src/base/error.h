/* error.h: how failure travels.
 *
 * A function that can fail returns `struct error`; code 0 is success. The number names a row: codes 1..255 are the base
 * rows below (kernel, files, formats); each service and the api own a block of 256 numbers (api/error_rows.h).
 * Text for people is made where the error becomes a reply (call_fail) or a log line, never carried through the layers.
 */
#ifndef MILLRACE_BASE_ERROR_H
#define MILLRACE_BASE_ERROR_H

#include "base/check.h"
#include <stdbool.h>
#include <stdint.h>

enum base_error {
    ERR_NONE = 0,
#define BASE_ERROR(name, text) name,
#include "base/errors.def"
#undef BASE_ERROR
    ERR_BASE_COUNT
};

struct error {
    uint32_t code;
    int32_t system; /* errno, or an offset in what was decoded; 0 if neither */
};

#define OK ((struct error){ 0, 0 })
#define ERROR_OF(row) ((struct error){ (row), 0 })
#define ERROR_SYS(row, errno_value) ((struct error){ (row), (errno_value) })
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        struct error try_error_ = (expression);                                                                        \
        if (UNLIKELY(try_error_.code))                                                                                 \
            return try_error_;                                                                                         \
    } while (0)

static inline bool failed(struct error e)
{
    return e.code != 0;
}
const char *error_text(struct error e); /* of base rows: a sentence; static */

#endif
