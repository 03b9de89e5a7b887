/* buf.h: a growing byte buffer for output (JSON, XML, HTTP heads, snapshots).
 *
 * Memory   malloc'ed, doubling; buf_deinit frees; buf_reset keeps the memory.
 * Fails    without memory the process aborts (sizes are bounded by the callers: limits.h).
 * Cost     append is a memcpy; numbers without printf.
 */
#ifndef MILLRACE_BASE_BUF_H
#define MILLRACE_BASE_BUF_H

#include "base/slice.h"
#include "base/check.h"

struct buf {
    char *data;
    size_t size;
    size_t capacity;
};

void buf_init(struct buf *b);
void buf_deinit(struct buf *b);
void buf_grow(struct buf *b, size_t extra); /* makes room for `extra` more bytes and one */
static inline void buf_reset(struct buf *b)
{
    b->size = 0;
}
static inline char *buf_reserve(struct buf *b, size_t extra) /* room for `extra` bytes at the returned place */
{
    if (UNLIKELY(b->capacity - b->size <= extra)) /* <=: an empty buffer has a place, too */
        buf_grow(b, extra);
    return b->data + b->size;
}
static inline void buf_add(struct buf *b, struct slice s)
{
    if (s.size)
        memcpy(buf_reserve(b, s.size), s.data, s.size);
    b->size += s.size;
}
static inline void buf_add_byte(struct buf *b, char byte)
{
    *buf_reserve(b, 1) = byte;
    b->size++;
}
#define buf_add_lit(b, literal) buf_add((b), SLICE(literal))
void buf_add_u64(struct buf *b, uint64_t value);
void buf_add_i64(struct buf *b, int64_t value);
void buf_add_hex(struct buf *b, const void *bytes, size_t size); /* lower case */
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){ b->data ? b->data : "", b->size };
}

#endif
