/* bind_values.h: what the JSON and the query binder share when they make structs out of wire bytes.
 *
 * Memory   the call's arena; nothing here allocates past its limit: API_BODY_TOO_LARGE instead.
 * Limits   BIND_ITEMS_MAX elements a list or map, as many as a form could carry.
 */
#ifndef MILLRACE_API_BIND_VALUES_H
#define MILLRACE_API_BIND_VALUES_H

#include "api/bind.h"

enum { BIND_ITEMS_MAX = FORM_PAIRS_MAX };

/* An absent value of `shape` in the arena. */
struct error bind_new(struct call *c, const struct shape *shape, void **ret_value);
/* One more item, absent, at the end of `v`; *capacity is the caller's, 0 at first. */
struct error bind_append(
    struct call *c, const struct field *field, struct values *v, size_t *capacity, void **ret_item);
/* Of several pairs with one key the last stays, in the place of the first. */
struct error bind_keep_last(struct call *c, struct values *map);
/* Base64 text to the bytes it stands for. */
struct error bind_blob(struct call *c, const struct field *field, struct slice text, struct slice *ret_bytes);

static inline size_t bind_item_size(const struct field *field)
{
    if (field->kind == KIND_MAP)
        return sizeof(struct pair);
    return field->of ? field->of->size : sizeof(struct slice);
}

#endif
