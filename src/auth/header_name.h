/* header_name.h: is a header's name, in any case, this lower-case one? Eight bytes a step: a request compares about
 * fifty. */
#ifndef MILLRACE_AUTH_HEADER_NAME_H
#define MILLRACE_AUTH_HEADER_NAME_H

#include "base/slice.h"

static inline uint64_t lower_of_eight(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t low = x & 0x7f * ones;
    uint64_t from_a = low + (0x80 - 'A') * ones, past_z = low + (0x7f - 'Z') * ones; /* in the top bit of each byte */
    return x | ((from_a ^ past_z) & ~x & 0x80 * ones) >> 2;
}

static inline uint64_t load_eight(const char *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof x);
    return x;
}

static inline bool header_name_is(struct slice name, struct slice lower_case)
{
    if (name.size != lower_case.size)
        return false;
    size_t index = 0;
    for (; name.size - index >= 8; index += 8) {
        if (lower_of_eight(load_eight(name.data + index)) != load_eight(lower_case.data + index))
            return false;
    }
    for (; index < name.size; index++) {
        char c = name.data[index];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower_case.data[index])
            return false;
    }
    return true;
}

#endif
