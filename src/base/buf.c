/* buf.c: growth and numbers of buf.h. */
#include "base/buf.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST_BYTES = 256 };

void buf_init(struct buf *b)
{
    *b = (struct buf){ 0 };
}

void buf_deinit(struct buf *b)
{
    free(b->data);
    buf_init(b);
}

void buf_grow(struct buf *b, size_t extra)
{
    if (extra > SIZE_MAX / 2 - b->size)
        check_out_of_memory(extra);
    size_t needed = b->size + extra + 1;
    if (needed <= b->capacity)
        return;
    size_t capacity = b->capacity ? b->capacity : BUF_FIRST_BYTES;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(b->data, capacity);
    if (!data)
        check_out_of_memory(capacity);
    b->data = data;
    b->capacity = capacity;
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    b->size += text_format_u64(value, buf_reserve(b, 20));
}

void buf_add_i64(struct buf *b, int64_t value)
{
    uint64_t magnitude = (uint64_t)value;
    if (value < 0) {
        buf_add_byte(b, '-');
        magnitude = 0 - magnitude;
    }
    buf_add_u64(b, magnitude);
}

void buf_add_hex(struct buf *b, const void *bytes, size_t size)
{
    text_format_hex(bytes, size, buf_reserve(b, 2 * size));
    b->size += 2 * size;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    buf_reserve(b, 64);
    size_t room = b->capacity - b->size;
    int size = vsnprintf(b->data + b->size, room, format, args);
    ASSERT(size >= 0);
    if ((size_t)size >= room) {
        buf_reserve(b, (size_t)size + 1);
        vsnprintf(b->data + b->size, (size_t)size + 1, format, again);
    }
    b->size += (size_t)size;
    va_end(again);
    va_end(args);
}
