/* sigv4_names.c: see sigv4_names.h. */
#include "auth/sigv4_names.h"

#include "base/text.h"

static bool is_name_byte(char c)
{
    static const char others[] = "_.!#$%&'*+^`|~"; /* RFC 9110 tokens; letters are lower case here */
    return (c >= 'a' && c <= 'z') || c == '-' || text_is_digit(c) || (c != '\0' && strchr(others, c));
}

/* The first name of the list, empty if it is none. */
static struct slice first_name(struct slice list)
{
    size_t size = 0;
    while (size < list.size && list.data[size] != ';') {
        if (!is_name_byte(list.data[size]))
            return slice_head(list, 0);
        size++;
    }
    return slice_head(list, size);
}

static struct slice name_at(const struct signed_names *n, size_t index, struct slice list)
{
    return slice_of(list.data + n->names[index].at, n->names[index].size);
}

bool signed_names_read(struct slice list, struct signed_names *ret)
{
    struct slice last = SLICE_NONE;
    ret->count = 0;
    if (list.size > UINT16_MAX)
        return false;
    for (size_t at = 0; at <= list.size; at += last.size + 1) {
        struct slice name = first_name(slice_from(list, at));
        bool is_ascending = slice_is_none(last) || slice_compare(last, name) < 0;
        if (name.size == 0 || !is_ascending || ret->count == HTTP_HEADERS_MAX)
            return false;
        ret->names[ret->count].at = (uint16_t)at;
        ret->names[ret->count].size = (uint16_t)name.size;
        ret->names[ret->count++].key = header_key(name);
        last = name;
    }
    return true;
}

bool signed_names_hold(const struct signed_names *n, struct slice list, struct slice name)
{
    for (size_t index = 0; index < n->count; index++)
        if (slice_equal(name_at(n, index, list), name))
            return true;
    return false;
}

bool signed_names_match(const struct signed_names *n, struct slice list, const struct sigv4_request *r,
    struct signed_order *ret, struct slice *ret_missing)
{
    ret->count = 0;
    for (size_t index = 0; index < n->count; index++) {
        struct slice name = name_at(n, index, list);
        uint8_t again = 0;
        for (size_t at = 0; at < r->header_count; at++) {
            const struct header *h = &r->headers[at];
            if (h->key != n->names[index].key || !slice_equal_nocase(h->name, name))
                continue;
            ret->at[ret->count++] = (uint8_t)(at | again);
            again = SIGNED_AGAIN;
        }
        if (!again) {
            *ret_missing = name;
            return false;
        }
    }
    return true;
}
