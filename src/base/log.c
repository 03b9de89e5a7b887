/* log.c: event lines (log.h). */
#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int least_level = LOG_INFO; /* atomic */

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

void log_set_level(enum log_level level)
{
    __atomic_store_n(&least_level, (int)level, __ATOMIC_RELAXED);
}

bool log_is_wanted(enum log_level level)
{
    return (int)level >= __atomic_load_n(&least_level, __ATOMIC_RELAXED);
}

const char *log_quote(char out[LOG_QUOTED_BYTES], struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    char *at = out;
    char *last = out + LOG_QUOTED_BYTES - sizeof("\\xff...\"");
    *at++ = '"';
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (at > last) {
            memcpy(at, "...", 3);
            at += 3;
            break;
        }
        if (c == '"' || c == '\\') {
            *at++ = '\\';
            *at++ = (char)c;
        } else if (c < 0x20 || c >= 0x7f) {
            *at++ = '\\';
            *at++ = 'x';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        } else {
            *at++ = (char)c;
        }
    }
    *at++ = '"';
    *at = '\0';
    return out;
}

/* `2026-01-31T12:00:00.123Z info ` */
static size_t format_prefix(char *out, size_t size, enum log_level level)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char date[21];
    text_format_iso8601(now.tv_sec, date);
    return (size_t)snprintf(out, size, "%.19s.%03dZ %s ", date, (int)(now.tv_nsec / 1000000), level_names[level]);
}

/* What vsnprintf returned, as bytes that are really in a buffer of that room. */
static size_t written(int wanted, size_t room)
{
    if (wanted < 0)
        return 0;
    return (size_t)wanted < room ? (size_t)wanted : room - 1;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (!log_is_wanted(level))
        return;
    int saved_errno = errno;
    char line[LOG_LINE_BYTES + 1]; /* the last place is for the NUL that becomes the newline */
    size_t room = LOG_LINE_BYTES;
    size_t size = format_prefix(line, room, level);
    size += written(snprintf(line + size, room - size, "%s", event), room - size);
    size_t head = size;
    if (format && *format && size + 1 < room) {
        line[size++] = ' ';
        va_list args;
        va_start(args, format);
        size += written(vsnprintf(line + size, room - size, format, args), room - size);
        va_end(args);
    }
    /* Foreign text must not be able to write a line of its own. */
    for (size_t i = head; i < size; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[size++] = '\n';
    ssize_t ignored;
    do
        ignored = write(STDERR_FILENO, line, size);
    while (ignored < 0 && errno == EINTR);
    errno = saved_errno;
}
