/* bind_values.c: see bind_values.h; and bind_check of bind.h. */
#include "api/bind_values.h"

#include "api/service.h"
#include "base/text.h"
#include <stdlib.h>

enum { FIRST_CAPACITY = 4, FEW_PAIRS = 16 };

static struct error no_room(struct call *c)
{
    return call_fail(c, API_BODY_TOO_LARGE, NULL);
}

struct error bind_new(struct call *c, const struct shape *shape, void **ret_value)
{
    if (!arena_room(&c->arena, shape->size))
        return no_room(c);
    void *value = arena_alloc(&c->arena, shape->size);
    shape_clear(shape, value);
    *ret_value = value;
    return OK;
}

struct error bind_append(struct call *c, const struct field *field, struct values *v, size_t *capacity, void **ret_item)
{
    size_t item_bytes = bind_item_size(field);
    if (v->count == BIND_ITEMS_MAX)
        return call_fail(
            c, API_SERIALIZATION, "%.*s holds more than %d elements.", SLICE_ARG(field->wire), BIND_ITEMS_MAX);
    if (v->count == *capacity) {
        size_t larger = *capacity ? 2 * *capacity : FIRST_CAPACITY;
        if (!arena_room(&c->arena, larger * item_bytes))
            return no_room(c);
        void *items = arena_alloc(&c->arena, larger * item_bytes);
        if (v->count)
            memcpy(items, v->items, v->count * item_bytes);
        v->items = items;
        *capacity = larger;
    }
    void *item = (char *)v->items + v->count * item_bytes;
    if (field->kind == KIND_LIST && field->of)
        shape_clear(field->of, item);
    else
        memset(item, 0, item_bytes);
    v->count++;
    *ret_item = item;
    return OK;
}

struct error bind_blob(struct call *c, const struct field *field, struct slice text, struct slice *ret_bytes)
{
    if (!arena_room(&c->arena, text.size))
        return no_room(c);
    char *bytes = arena_alloc(&c->arena, text.size);
    size_t size;
    if (!text_base64_decode(text, bytes, &size))
        return call_fail(c, API_SERIALIZATION, "%.*s must be base64 with its padding.", SLICE_ARG(field->wire));
    *ret_bytes = slice_of(bytes, size);
    return OK;
}

/* ---- one pair a key --------------------------------------------------------------------------------------------- */

struct keyed {
    struct slice key;
    size_t index; /* of its pair */
};

static int compare_keyed(const void *left, const void *right)
{
    const struct keyed *a = left, *b = right;
    int order = slice_compare(a->key, b->key);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* Moves the last value of each run of equal keys into its first pair and takes the key of the others away. */
static void fold_sorted(struct pair *pairs, const struct keyed *sorted, size_t count)
{
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && slice_equal(sorted[next].key, sorted[first].key); next++)
            ;
        pairs[sorted[first].index] = pairs[sorted[next - 1].index];
        for (size_t at = first + 1; at < next; at++)
            pairs[sorted[at].index].key = SLICE_NONE;
    }
}

static bool has_twice(const struct pair *pairs, size_t count)
{
    for (size_t index = 1; index < count; index++) {
        for (size_t before = 0; before < index; before++) {
            if (slice_equal(pairs[index].key, pairs[before].key))
                return true;
        }
    }
    return false;
}

struct error bind_keep_last(struct call *c, struct values *map)
{
    struct pair *pairs = map->items;
    if (map->count < 2 || (map->count <= FEW_PAIRS && !has_twice(pairs, map->count)))
        return OK;
    if (!arena_room(&c->arena, map->count * sizeof(struct keyed)))
        return no_room(c);
    struct keyed *sorted = arena_alloc(&c->arena, map->count * sizeof *sorted);
    for (size_t index = 0; index < map->count; index++)
        sorted[index] = (struct keyed){ pairs[index].key, index };
    qsort(sorted, map->count, sizeof *sorted, compare_keyed);
    fold_sorted(pairs, sorted, map->count);
    size_t kept = 0;
    for (size_t index = 0; index < map->count; index++) {
        if (!slice_is_none(pairs[index].key))
            pairs[kept++] = pairs[index];
    }
    map->count = kept;
    return OK;
}

/* ---- required and bounds ---------------------------------------------------------------------------------------- */

static bool is_absent(const struct field *field, const void *at)
{
    switch (field->kind) {
    case KIND_STR:
    case KIND_BLOB:
        return slice_is_none(*(const struct slice *)at);
    case KIND_INT:
    case KIND_BOOL:
        return *(const int64_t *)at == INT_ABSENT;
    case KIND_STRUCT:
        return *(void *const *)at == NULL;
    default:
        return !((const struct values *)at)->is_set;
    }
}

struct error bind_check(struct call *c, const struct shape *shape, const void *value, bool is_query)
{
    for (const struct field *field = shape->fields(); field->kind != KIND_END; field++) {
        const void *at = (const char *)value + field->offset;
        if (is_absent(field, at)) {
            if (!(field->flags & REQUIRED))
                continue;
            return call_fail(c, is_query ? c->service->error_missing_query : c->service->error_missing,
                "The request must contain the parameter %.*s.", SLICE_ARG(field->wire));
        }
        if (field->kind != KIND_INT || (field->min == 0 && field->max == 0))
            continue;
        int64_t number = *(const int64_t *)at;
        if (number < field->min || number > field->max)
            return call_fail(c, c->service->error_invalid, "Value %lld for parameter %.*s is invalid. Reason: %s",
                (long long)number, SLICE_ARG(field->wire), field->reason ? field->reason : "It is out of range.");
    }
    return OK;
}
