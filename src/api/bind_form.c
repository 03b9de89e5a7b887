/* bind_form.c: query parameters -> structs; see bind.h.
 *
 * Names are paths: "MessageAttribute.2.Value.DataType". Each level picks the parameters that begin with a field's name,
 * cuts the name off and hands the rest down; for lists and maps the rest begins with a number, and parameters of one
 * number make one element. Everything is linear in the parameters but the sort by number.
 */
#include "api/bind_values.h"

#include "api/service.h"
#include "base/text.h"
#include <stdlib.h>

struct part {
    struct slice rest; /* of the name, behind what upper levels took; empty: this is the value itself */
    struct slice value;
    uint64_t number; /* of its element */
    size_t order;    /* of arrival */
};
struct parts {
    struct part *items;
    size_t count;
};

static struct error decode_parts(struct call *c, const struct shape *shape, struct parts parts, void *value);

static struct slice query_name(const struct field *field)
{
    return field->query ? slice_str(field->query) : field->wire;
}

/* Is `path` the name itself, or the name and more behind a dot? */
static bool path_starts(struct slice path, struct slice name, struct slice *ret_rest)
{
    if (!slice_starts(path, name))
        return false;
    if (path.size == name.size) {
        *ret_rest = SLICE("");
        return true;
    }
    *ret_rest = slice_from(path, name.size + 1);
    return path.data[name.size] == '.' && ret_rest->size > 0;
}

static struct error no_room(struct call *c)
{
    return call_fail(c, API_BODY_TOO_LARGE, NULL);
}

/* NULL: the arena has no room. */
static struct part *new_parts(struct call *c, size_t count)
{
    return arena_room(&c->arena, count * sizeof(struct part)) ? arena_alloc(&c->arena, count * sizeof(struct part))
                                                              : NULL;
}

/* The parts below `name`, with the name cut off. */
static struct error parts_below(struct call *c, struct parts parts, struct slice name, struct parts *ret_parts)
{
    struct slice rest;
    size_t count = 0, kept = 0;
    for (size_t index = 0; index < parts.count; index++)
        count += path_starts(parts.items[index].rest, name, &rest);
    *ret_parts = (struct parts){ 0 };
    if (count == 0)
        return OK;
    struct part *items = new_parts(c, count);
    if (!items)
        return no_room(c);
    for (size_t index = 0; index < parts.count; index++) {
        if (!path_starts(parts.items[index].rest, name, &rest))
            continue;
        items[kept] = parts.items[index];
        items[kept++].rest = rest;
    }
    *ret_parts = (struct parts){ items, count };
    return OK;
}

/* The last value of exactly that name; none if absent. */
static struct slice value_of(struct parts parts, struct slice name)
{
    for (size_t index = parts.count; index > 0; index--) {
        if (slice_equal(parts.items[index - 1].rest, name))
            return parts.items[index - 1].value;
    }
    return SLICE_NONE;
}

/* ---- scalars ---------------------------------------------------------------------------------------------------- */

static struct error decode_scalar(struct call *c, const struct field *field, struct slice text, void *at)
{
    int64_t number;
    switch (field->kind) {
    case KIND_BLOB:
        return bind_blob(c, field, text, at);
    case KIND_INT:
        if (!text_parse_i64(text, &number) || number == INT_ABSENT)
            return call_fail(c, API_SERIALIZATION, "%.*s must be an integer.", SLICE_ARG(field->wire));
        *(int64_t *)at = number;
        return OK;
    case KIND_BOOL:
        if (!slice_equal_nocase(text, SLICE("true")) && !slice_equal_nocase(text, SLICE("false")))
            return call_fail(c, API_SERIALIZATION, "%.*s must be true or false.", SLICE_ARG(field->wire));
        *(int64_t *)at = text.size == 4;
        return OK;
    default:
        *(struct slice *)at = text;
        return OK;
    }
}

/* ---- elements --------------------------------------------------------------------------------------------------- */

/* Takes "N", "N.more", "member.N..." or nothing (element 1) off the rest; false: it names no element. */
static bool take_number(struct part *part)
{
    struct slice number = part->rest, more;
    if (number.size == 0) {
        part->number = 1;
        return true;
    }
    if (path_starts(number, SLICE("member"), &more))
        number = more;
    more = number;
    number = slice_cut(&more, '.');
    if (!text_parse_u64(number, &part->number) || part->number == 0)
        return false;
    part->rest = slice_is_none(more) ? SLICE("") : more;
    return true;
}

static int compare_parts(const void *left, const void *right)
{
    const struct part *a = left, *b = right;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* The parts of a list or map by element, in order of arrival within each. */
static struct error sort_elements(
    struct call *c, struct parts parts, const struct field *field, struct parts *ret_parts)
{
    struct parts all;
    TRY(parts_below(c, parts, query_name(field), &all));
    size_t kept = 0;
    for (size_t index = 0; index < all.count; index++) {
        struct part part = all.items[index];
        part.order = index;
        if (take_number(&part))
            all.items[kept++] = part;
    }
    all.count = kept;
    if (all.count > 1)
        qsort(all.items, all.count, sizeof *all.items, compare_parts);
    *ret_parts = all;
    return OK;
}

/* Cuts the parts of the first element off. */
static struct parts next_element(struct parts *sorted)
{
    struct parts one = { .items = sorted->items };
    while (one.count < sorted->count && sorted->items[one.count].number == one.items[0].number)
        one.count++;
    sorted->items += one.count;
    sorted->count -= one.count;
    return one;
}

static struct error decode_list(struct call *c, const struct field *field, struct parts sorted, struct values *v)
{
    size_t capacity = 0;
    void *item;
    while (sorted.count) {
        struct parts element = next_element(&sorted);
        if (field->of) {
            TRY(bind_append(c, field, v, &capacity, &item));
            TRY(decode_parts(c, field->of, element, item));
            continue;
        }
        struct slice text = value_of(element, SLICE(""));
        if (slice_is_none(text))
            continue;
        TRY(bind_append(c, field, v, &capacity, &item));
        *(struct slice *)item = text;
    }
    return OK;
}

static struct error missing_half(struct call *c, const struct field *field, uint64_t number, struct slice half)
{
    return call_fail(c, c->service->error_missing_query, "The request must contain the parameter %.*s.%llu.%.*s.",
        SLICE_ARG(query_name(field)), (unsigned long long)number, SLICE_ARG(half));
}

static struct error decode_map(struct call *c, const struct field *field, struct parts sorted, struct values *v)
{
    struct slice key_name = field->query_key ? slice_str(field->query_key) : SLICE("Name");
    struct slice value_name = field->query_value ? slice_str(field->query_value) : SLICE("Value");
    size_t capacity = 0;
    void *item;
    while (sorted.count) {
        struct parts element = next_element(&sorted), nested;
        struct slice key = value_of(element, key_name), text = value_of(element, value_name);
        if (slice_is_none(key))
            return missing_half(c, field, element.items[0].number, key_name);
        TRY(parts_below(c, element, value_name, &nested));
        if (field->of ? nested.count == 0 : slice_is_none(text))
            return missing_half(c, field, element.items[0].number, value_name);
        TRY(bind_append(c, field, v, &capacity, &item));
        struct pair *pair = item;
        pair->key = key;
        if (!field->of) {
            pair->text = text;
            continue;
        }
        TRY(bind_new(c, field->of, &pair->value));
        TRY(decode_parts(c, field->of, nested, pair->value));
    }
    return bind_keep_last(c, v);
}

/* ---- structs ---------------------------------------------------------------------------------------------------- */

static struct error decode_nested(struct call *c, const struct field *field, struct parts parts, void **ret_value)
{
    struct parts below;
    TRY(parts_below(c, parts, query_name(field), &below));
    if (below.count == 0)
        return OK;
    TRY(bind_new(c, field->of, ret_value));
    return decode_parts(c, field->of, below, *ret_value);
}

static struct error decode_elements(
    struct call *c, const struct field *field, struct parts parts, struct values *ret_values)
{
    struct parts sorted;
    struct values v = { 0 };
    TRY(sort_elements(c, parts, field, &sorted));
    if (sorted.count == 0)
        return OK;
    TRY(field->kind == KIND_LIST ? decode_list(c, field, sorted, &v) : decode_map(c, field, sorted, &v));
    v.is_set = v.count > 0;
    *ret_values = v;
    return OK;
}

/* `value` is clear. */
static struct error decode_parts(struct call *c, const struct shape *shape, struct parts parts, void *value)
{
    for (const struct field *field = shape->fields(); field->kind != KIND_END; field++) {
        void *at = (char *)value + field->offset;
        if (field->kind == KIND_STRUCT) {
            TRY(decode_nested(c, field, parts, at));
            continue;
        }
        if (field->kind == KIND_LIST || field->kind == KIND_MAP) {
            TRY(decode_elements(c, field, parts, at));
            continue;
        }
        struct slice text = value_of(parts, query_name(field));
        if (!slice_is_none(text))
            TRY(decode_scalar(c, field, text, at));
    }
    return OK;
}

struct error bind_form_decode(struct call *c, const struct shape *shape, const struct form *form, void *ret_value)
{
    shape_clear(shape, ret_value);
    struct part *items = new_parts(c, form->count);
    if (!items)
        return no_room(c);
    for (size_t index = 0; index < form->count; index++)
        items[index] = (struct part){ .rest = form->pairs[index].key, .value = form->pairs[index].value };
    return decode_parts(c, shape, (struct parts){ items, form->count }, ret_value);
}
