/* slice.h: a view of bytes. Passed by value, owns nothing.
 *
 * Memory   whoever made the bytes says how long they live; a slice kept past return must be copied (arena_copy).
 * Limits   not NUL-terminated; may hold any byte. An absent slice has data == NULL (an empty one has data != NULL).
 */
#ifndef MILLRACE_BASE_SLICE_H
#define MILLRACE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data;
    size_t size;
};

#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
#define SLICE_NONE ((struct slice){ NULL, 0 })
/* for printf("%.*s") */
#define SLICE_ARG(s) (int)(s).size, (s).data

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){ (const char *)data, size };
}
static inline struct slice slice_str(const char *text)
{
    return (struct slice){ text, text ? strlen(text) : 0 };
}
static inline bool slice_is_none(struct slice s)
{
    return s.data == NULL;
}
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.size >= prefix.size && (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}
static inline bool slice_ends(struct slice s, struct slice suffix)
{
    return s.size >= suffix.size &&
           (suffix.size == 0 || memcmp(s.data + s.size - suffix.size, suffix.data, suffix.size) == 0);
}
/* from..size; an index past the end gives the empty slice at the end */
static inline struct slice slice_from(struct slice s, size_t from)
{
    if (from > s.size)
        from = s.size;
    if (from == 0) /* an absent slice stays absent; NULL + 0 is not C */
        return s;
    return (struct slice){ s.data + from, s.size - from };
}
static inline struct slice slice_head(struct slice s, size_t size)
{
    return (struct slice){ s.data, size < s.size ? size : s.size };
}
/* index of the first such byte, or s.size */
static inline size_t slice_find(struct slice s, char byte)
{
    const char *at = s.size ? (const char *)memchr(s.data, byte, s.size) : NULL;
    return at ? (size_t)(at - s.data) : s.size;
}
/* bytewise order, shorter first */
int slice_compare(struct slice a, struct slice b);
bool bytes_equal_nocase(const char *a, const char *b, size_t size);
static inline bool slice_equal_nocase(struct slice a, struct slice b) /* ASCII only */
{
    /* names that are looked for and are not it mostly differ in their first letter */
    return a.size == b.size &&
           (a.size == 0 || (((a.data[0] ^ b.data[0]) & ~0x20) == 0 && bytes_equal_nocase(a.data, b.data, a.size)));
}
struct slice slice_trim(struct slice s); /* blanks and tabs at both ends */
/* Cuts at the first `separator`: returns what is before, *rest becomes what is after (none if there was none). */
struct slice slice_cut(struct slice *rest, char separator);

#endif
