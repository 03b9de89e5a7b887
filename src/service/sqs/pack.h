/* pack.h: the bytes of records: varints (LEB128, at most 10 bytes), byte strings with their length before them.
 *
 * Decode   a cursor with a sticky failure: after the first bad read every read gives 0 or nothing; look at
 *          `is_bad` once. Byte strings are views of the input.
 */
#ifndef MILLRACE_SERVICE_SQS_PACK_H
#define MILLRACE_SERVICE_SQS_PACK_H

#include "base/buf.h"
#include "base/slice.h"

static inline void pack_u64(struct buf *b, uint64_t value)
{
    char *out = buf_reserve(b, 10);
    size_t size = 0;
    while (value >= 0x80) {
        out[size++] = (char)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (char)value;
    b->size += size;
}
static inline void pack_bytes(struct buf *b, struct slice s)
{
    pack_u64(b, s.size);
    buf_add(b, s);
}

struct unpack {
    const uint8_t *at, *end;
    bool is_bad;
};

static inline struct unpack unpack_of(struct slice s)
{
    const uint8_t *at = (const uint8_t *)(s.data ? s.data : "");
    return (struct unpack){ at, at + s.size, false };
}
static inline bool unpack_has_more(const struct unpack *u)
{
    return !u->is_bad && u->at < u->end;
}
static inline uint64_t unpack_u64(struct unpack *u)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && u->at < u->end; shift += 7) {
        uint8_t byte = *u->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    u->is_bad = true;
    u->at = u->end;
    return 0;
}
static inline uint32_t unpack_u32(struct unpack *u)
{
    uint64_t value = unpack_u64(u);
    if (value > UINT32_MAX) {
        u->is_bad = true;
        u->at = u->end;
        return 0;
    }
    return (uint32_t)value;
}
/* Milliseconds since 1970. Past the year 10889 it is none: sums of times and durations do not overflow. */
static inline uint64_t unpack_ms(struct unpack *u)
{
    uint64_t value = unpack_u64(u);
    if (value >> 48) {
        u->is_bad = true;
        u->at = u->end;
        return 0;
    }
    return value;
}
static inline struct slice unpack_raw(struct unpack *u, size_t size)
{
    if (size > (size_t)(u->end - u->at)) {
        u->is_bad = true;
        u->at = u->end;
        return SLICE("");
    }
    struct slice s = slice_of(u->at, size);
    u->at += size;
    return s;
}
static inline struct slice unpack_bytes(struct unpack *u)
{
    uint64_t size = unpack_u64(u);
    return unpack_raw(u, size > SIZE_MAX ? SIZE_MAX : (size_t)size);
}

#endif
