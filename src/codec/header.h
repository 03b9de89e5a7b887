/* header.h: one header field of a request, and finding one by its name.
 *
 * Names are equal whatever their case (RFC 9110 5.1). Each field carries the key of its name: equal names have equal keys, so
 * a field that is not the one looked for costs a comparison of two words; equal keys prove nothing yet.
 *
 * Memory   name and value are views of what was received.
 * Thread   any: pure. Cost: header_key of a literal is a constant of the compiler's.
 */
#ifndef MILLRACE_CODEC_HEADER_H
#define MILLRACE_CODEC_HEADER_H

#include "base/slice.h"

struct header {
    struct slice name;  /* as received */
    struct slice value; /* trimmed of blanks at both ends */
    uint32_t key;       /* header_key(name) */
};

/* 0x20 sets apart capital from small letters; that it also makes a few other bytes alike does no harm */
static inline uint32_t header_key(struct slice name)
{
    uint32_t first = 0, last = 0;
    if (name.size >= 4) {
        memcpy(&first, name.data, 4);
        memcpy(&last, name.data + name.size - 4, 4);
    } else {
        for (size_t index = 0; index < name.size; index++)
            first = first << 8 | (uint8_t)name.data[index];
    }
    return ((first | 0x20202020u) * 0x9e3779b1u ^ (last | 0x20202020u)) + (uint32_t)name.size;
}

static inline struct header header_of(struct slice name, struct slice value)
{
    return (struct header){ name, value, header_key(name) };
}

static inline bool header_is(const struct header *h, struct slice name)
{
    return h->key == header_key(name) && slice_equal_nocase(h->name, name);
}

/* the value of the first of that name; none if there is none */
static inline struct slice header_find(const struct header *headers, size_t count, struct slice name)
{
    for (size_t index = 0; index < count; index++)
        if (header_is(&headers[index], name))
            return headers[index].value;
    return SLICE_NONE;
}

#endif
