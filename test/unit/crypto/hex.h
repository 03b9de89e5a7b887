/* hex.h: published vectors are written in hex. */
#ifndef MILLRACE_TEST_HEX_H
#define MILLRACE_TEST_HEX_H

#include "base/text.h"

/* The bytes of `hex` in `out`. */
static inline struct slice unhex(const char *hex, void *out)
{
    size_t size = strlen(hex) / 2;
    assert_true(text_parse_hex(slice_str(hex), out, size));
    return slice_of(out, size);
}

static inline void assert_hex(const void *bytes, size_t size, const char *hex)
{
    char text[512];
    assert_true(2 * size < sizeof(text));
    text_format_hex(bytes, size, text);
    text[2 * size] = '\0';
    assert_string_equal(text, hex);
}

#endif
