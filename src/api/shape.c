/* shape.c: see shape.h. Recursion follows the rows, which nest a few levels and never themselves. */
#include "api/shape.h"

void shape_clear(const struct shape *shape, void *value)
{
    if (shape->size)
        memset(value, 0, shape->size);
    for (const struct field *field = shape->fields(); field->kind != KIND_END; field++) {
        if (field->kind == KIND_INT || field->kind == KIND_BOOL)
            *(int64_t *)((char *)value + field->offset) = INT_ABSENT;
    }
}

/* ---- copies ----------------------------------------------------------------------------------------------------- */

static void copy_fields(const struct shape *shape, void *value, struct arena *to);

/* `v` is already a bitwise copy: its items still belong to the original. */
static void copy_list(const struct shape *of, struct values *v, struct arena *to)
{
    size_t item_bytes = of ? of->size : sizeof(struct slice);
    const void *items = v->items;
    v->items = NULL;
    if (v->count == 0)
        return;
    v->items = arena_alloc(to, v->count * item_bytes);
    memcpy(v->items, items, v->count * item_bytes);
    for (size_t index = 0; index < v->count; index++) {
        void *item = (char *)v->items + index * item_bytes;
        if (of)
            copy_fields(of, item, to);
        else
            *(struct slice *)item = arena_copy(to, *(struct slice *)item);
    }
}

static void copy_map(const struct shape *of, struct values *v, struct arena *to)
{
    const struct pair *pairs = v->items;
    v->items = NULL;
    if (v->count == 0)
        return;
    struct pair *copies = v->items = arena_alloc(to, v->count * sizeof *copies);
    for (size_t index = 0; index < v->count; index++) {
        copies[index] = (struct pair){
            .key = arena_copy(to, pairs[index].key),
            .text = arena_copy(to, pairs[index].text),
            .value = of && pairs[index].value ? shape_copy(of, pairs[index].value, to) : NULL,
        };
    }
}

static void copy_fields(const struct shape *shape, void *value, struct arena *to)
{
    for (const struct field *field = shape->fields(); field->kind != KIND_END; field++) {
        void *at = (char *)value + field->offset;
        switch (field->kind) {
        case KIND_STR:
        case KIND_BLOB:
            *(struct slice *)at = arena_copy(to, *(struct slice *)at);
            break;
        case KIND_STRUCT:
            if (*(void **)at)
                *(void **)at = shape_copy(field->of, *(void **)at, to);
            break;
        case KIND_LIST:
            copy_list(field->of, at, to);
            break;
        case KIND_MAP:
            copy_map(field->of, at, to);
            break;
        default: /* numbers are copied with the struct */
            break;
        }
    }
}

void *shape_copy(const struct shape *shape, const void *value, struct arena *to)
{
    void *copy = arena_alloc(to, shape->size);
    if (shape->size)
        memcpy(copy, value, shape->size);
    copy_fields(shape, copy, to);
    return copy;
}

/* ---- sizes of copies: the same walk ----------------------------------------------------------------------------- */

static size_t nested_bytes(const struct shape *shape, const void *value);

static size_t list_bytes(const struct shape *of, const struct values *v)
{
    size_t item_bytes = of ? of->size : sizeof(struct slice),
           total = v->count ? ARENA_BYTES_OF(v->count * item_bytes) : 0;
    for (size_t index = 0; index < v->count; index++) {
        const void *item = (const char *)v->items + index * item_bytes;
        total += of ? nested_bytes(of, item) : ARENA_BYTES_OF(((const struct slice *)item)->size);
    }
    return total;
}

static size_t map_bytes(const struct shape *of, const struct values *v)
{
    const struct pair *pairs = v->items;
    size_t total = v->count ? ARENA_BYTES_OF(v->count * sizeof *pairs) : 0;
    for (size_t index = 0; index < v->count; index++) {
        total += ARENA_BYTES_OF(pairs[index].key.size) + ARENA_BYTES_OF(pairs[index].text.size);
        if (of && pairs[index].value)
            total += shape_copy_bytes(of, pairs[index].value);
    }
    return total;
}

/* What hangs below a value, without the value itself. */
static size_t nested_bytes(const struct shape *shape, const void *value)
{
    size_t total = 0;
    for (const struct field *field = shape->fields(); field->kind != KIND_END; field++) {
        const void *at = (const char *)value + field->offset;
        if (field->kind == KIND_STR || field->kind == KIND_BLOB)
            total += ARENA_BYTES_OF(((const struct slice *)at)->size);
        else if (field->kind == KIND_STRUCT && *(void *const *)at)
            total += shape_copy_bytes(field->of, *(void *const *)at);
        else if (field->kind == KIND_LIST)
            total += list_bytes(field->of, at);
        else if (field->kind == KIND_MAP)
            total += map_bytes(field->of, at);
    }
    return total;
}

size_t shape_copy_bytes(const struct shape *shape, const void *value)
{
    return ARENA_BYTES_OF(shape->size) + nested_bytes(shape, value);
}
