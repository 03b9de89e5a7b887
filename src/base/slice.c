/* slice.c: the parts of slice.h that loop. */
#include "base/slice.h"
#include "base/text.h"

int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static uint64_t lower_of_eight(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t low = x & 0x7f * ones;
    uint64_t from_a = low + (0x80 - 'A') * ones, past_z = low + (0x7f - 'Z') * ones; /* in the top bit of each byte */
    return x | ((from_a ^ past_z) & ~x & 0x80 * ones) >> 2;
}

static uint64_t load_eight(const char *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof x);
    return x;
}

static bool eight_equal_nocase(const char *a, const char *b)
{
    return lower_of_eight(load_eight(a)) == lower_of_eight(load_eight(b));
}

/* Eight bytes a step, the last eight perhaps overlapping: a request compares about fifty names. */
bool bytes_equal_nocase(const char *a, const char *b, size_t size)
{
    if (size >= 8) {
        for (size_t i = 0; i + 8 < size; i += 8)
            if (!eight_equal_nocase(a + i, b + i))
                return false;
        return eight_equal_nocase(a + size - 8, b + size - 8);
    }
    for (size_t i = 0; i < size; i++)
        if (text_lower(a[i]) != text_lower(b[i]))
            return false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
    while (s.size && is_blank(s.data[0]))
        s = slice_from(s, 1);
    while (s.size && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

struct slice slice_cut(struct slice *rest, char separator)
{
    struct slice whole = *rest;
    size_t at = slice_find(whole, separator);
    *rest = at < whole.size ? slice_from(whole, at + 1) : SLICE_NONE;
    return slice_head(whole, at);
}
