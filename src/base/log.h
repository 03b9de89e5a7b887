/* log.h: one structured line per event on stderr: time level event key=value ...
 *
 * Use      log_event(LOG_INFO, "listener_open", "address=%s", text). The event is a constant; values never hold secrets
 *          or bodies; foreign text goes through LOG_QUOTED: log_event(..., "path=%s", LOG_QUOTED(path)).
 * Thread   any; a line is one write(2). errno is kept.
 * Limits   LOG_LINE_BYTES a line, longer ones are cut; control bytes become '?', so that no value starts a new line.
 */
#ifndef MILLRACE_BASE_LOG_H
#define MILLRACE_BASE_LOG_H

#include "base/check.h"
#include "base/slice.h"

enum { LOG_LINE_BYTES = 1024, LOG_QUOTED_BYTES = 256 };
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level); /* default LOG_INFO */
bool log_is_wanted(enum log_level level); /* before making text that nobody may read */
void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

/* Foreign text in quotes, everything but printable ASCII as \xNN, cut with "..."; lives in `out`. */
const char *log_quote(char out[LOG_QUOTED_BYTES], struct slice text);
#define LOG_QUOTED(text) log_quote((char[LOG_QUOTED_BYTES]){ 0 }, (text))

#endif
