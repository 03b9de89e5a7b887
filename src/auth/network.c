/* network.c: see network.h. */
#include "auth/network.h"

#include "base/text.h"

enum { V4_BYTES = 4, V6_GROUPS = 8, V6_BYTES = 16 };

static bool parse_v4(struct slice s, uint8_t out[V4_BYTES])
{
    for (int index = 0; index < V4_BYTES; index++) {
        uint64_t value;
        struct slice part = slice_cut(&s, '.');
        bool is_last = index == V4_BYTES - 1;
        if (slice_is_none(s) != is_last || !text_parse_u64(part, &value) || value > 255)
            return false;
        if (part.size > 1 && part.data[0] == '0')
            return false;
        out[index] = (uint8_t)value;
    }
    return true;
}

static bool parse_group(struct slice s, uint8_t out[2])
{
    char digits[] = "0000";
    if (s.size == 0 || s.size > 4)
        return false;
    memcpy(digits + 4 - s.size, s.data, s.size);
    return text_parse_hex(slice_of(digits, 4), out, 2);
}

/* Groups separated by colons, with an IPv4 address as the last two if `may_end_v4`. Nothing is no group. */
static bool parse_groups(struct slice s, bool may_end_v4, uint8_t out[V6_BYTES], size_t *ret_size)
{
    size_t size = 0;
    *ret_size = 0;
    if (s.size == 0)
        return true;
    while (!slice_is_none(s)) {
        struct slice part = slice_cut(&s, ':');
        bool is_v4 = may_end_v4 && slice_is_none(s) && slice_find(part, '.') < part.size;
        size_t part_bytes = is_v4 ? V4_BYTES : 2;
        if (size + part_bytes > V6_BYTES || !(is_v4 ? parse_v4(part, out + size) : parse_group(part, out + size)))
            return false;
        size += part_bytes;
    }
    *ret_size = size;
    return true;
}

static bool parse_v6(struct slice s, uint8_t out[V6_BYTES])
{
    uint8_t tail[V6_BYTES];
    size_t head_bytes, tail_bytes;
    const char *gap = s.size ? memmem(s.data, s.size, "::", 2) : NULL;
    if (!gap)
        return parse_groups(s, true, out, &head_bytes) && head_bytes == V6_BYTES;
    struct slice before = slice_head(s, (size_t)(gap - s.data)), after = slice_from(s, before.size + 2);
    if (!parse_groups(before, false, out, &head_bytes) || !parse_groups(after, true, tail, &tail_bytes))
        return false;
    if (head_bytes + tail_bytes > V6_BYTES - 2)
        return false;
    memset(out + head_bytes, 0, V6_BYTES - head_bytes);
    memcpy(out + V6_BYTES - tail_bytes, tail, tail_bytes);
    return true;
}

bool network_parse(struct slice text, struct network *ret_network)
{
    static const uint8_t mapped[V6_BYTES - V4_BYTES] = { [10] = 0xff, [11] = 0xff };
    struct slice prefix = text, address = slice_cut(&prefix, '/');
    struct network n = { .is_v6 = slice_find(address, ':') < address.size };
    unsigned all = n.is_v6 ? 8 * V6_BYTES : 8 * V4_BYTES;
    uint64_t bits = all;
    if (!slice_is_none(prefix) && (!text_parse_u64(prefix, &bits) || bits > all))
        return false;
    if (!(n.is_v6 ? parse_v6(address, n.bytes) : parse_v4(address, n.bytes)))
        return false;
    n.bits = (unsigned)bits;
    if (n.is_v6 && n.bits >= 8 * sizeof mapped && memcmp(n.bytes, mapped, sizeof mapped) == 0) {
        n.is_v6 = false;
        n.bits -= 8 * sizeof mapped;
        memcpy(n.bytes, n.bytes + sizeof mapped, V4_BYTES);
    }
    *ret_network = n;
    return true;
}

bool network_holds(const struct network *outer, const struct network *inner)
{
    size_t whole = outer->bits / 8, rest = outer->bits % 8;
    if (outer->is_v6 != inner->is_v6 || inner->bits < outer->bits || memcmp(outer->bytes, inner->bytes, whole) != 0)
        return false;
    return rest == 0 || (outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest) == 0;
}
