/* bind_json.c: JSON 1.0 <-> structs; see bind.h. One pass, no tree: values go from the reader into their fields. */
#include "api/bind_values.h"

#include "base/text.h"
#include "codec/json.h"

/* ---- decode ----------------------------------------------------------------------------------------------------- */

struct decoder {
    struct call *c;
    struct json_reader r;
};

static struct error decode_object(struct decoder *d, const struct shape *shape, void *value);

static struct error wrong_type(struct decoder *d, const struct field *field, const char *expected)
{
    if (failed(d->r.error))
        return d->r.error; /* it is not even JSON: said once, at the end */
    return call_fail(d->c, API_SERIALIZATION, "%.*s must be %s.", SLICE_ARG(field->wire), expected);
}

static struct error decode_text(struct decoder *d, const struct field *field, struct slice *ret_text)
{
    struct slice text;
    if (json_peek(&d->r) != JSON_STRING)
        return wrong_type(d, field, "a string");
    TRY(json_read_string(&d->r, &text));
    if (field->kind == KIND_BLOB)
        return bind_blob(d->c, field, text, ret_text);
    *ret_text = slice_is_none(text) ? SLICE("") : text;
    return OK;
}

static struct error decode_int(struct decoder *d, const struct field *field, int64_t *ret_value)
{
    struct slice literal;
    int64_t value;
    if (json_peek(&d->r) != JSON_NUMBER)
        return wrong_type(d, field, "an integer");
    TRY(json_read_number(&d->r, &literal));
    if (!text_parse_i64(literal, &value) || value == INT_ABSENT)
        return wrong_type(d, field, "an integer of 64 bits");
    *ret_value = value;
    return OK;
}

static struct error decode_bool(struct decoder *d, const struct field *field, int64_t *ret_value)
{
    bool value;
    enum json_kind kind = json_peek(&d->r);
    if (kind != JSON_TRUE && kind != JSON_FALSE)
        return wrong_type(d, field, "true or false");
    TRY(json_read_bool(&d->r, &value));
    *ret_value = value;
    return OK;
}

static struct error decode_struct(struct decoder *d, const struct field *field, void **ret_value)
{
    void *value;
    if (json_peek(&d->r) != JSON_OBJECT)
        return wrong_type(d, field, "an object");
    TRY(bind_new(d->c, field->of, &value));
    TRY(decode_object(d, field->of, value));
    *ret_value = value;
    return OK;
}

static struct error decode_list(struct decoder *d, const struct field *field, struct values *ret_values)
{
    struct values v = { .is_set = true };
    size_t capacity = 0;
    void *item;
    if (json_peek(&d->r) != JSON_ARRAY)
        return wrong_type(d, field, "a list");
    TRY(json_enter_array(&d->r));
    while (json_next_element(&d->r)) {
        enum json_kind kind = json_peek(&d->r);
        if (kind == JSON_NULL) {
            TRY(json_read_null(&d->r));
            continue;
        }
        if (kind != (field->of ? JSON_OBJECT : JSON_STRING))
            return wrong_type(d, field, field->of ? "a list of objects" : "a list of strings");
        TRY(bind_append(d->c, field, &v, &capacity, &item));
        TRY(field->of ? decode_object(d, field->of, item) : json_read_string(&d->r, item));
    }
    TRY(d->r.error);
    *ret_values = v;
    return OK;
}

static struct error decode_map(struct decoder *d, const struct field *field, struct values *ret_values)
{
    struct values v = { .is_set = true };
    size_t capacity = 0;
    struct slice key;
    void *item;
    if (json_peek(&d->r) != JSON_OBJECT)
        return wrong_type(d, field, "an object");
    TRY(json_enter_object(&d->r));
    while (json_next_key(&d->r, &key)) {
        enum json_kind kind = json_peek(&d->r);
        if (kind == JSON_NULL) {
            TRY(json_read_null(&d->r));
            continue;
        }
        if (kind != (field->of ? JSON_OBJECT : JSON_STRING))
            return wrong_type(d, field, field->of ? "an object of objects" : "an object of strings");
        TRY(bind_append(d->c, field, &v, &capacity, &item));
        struct pair *pair = item;
        pair->key = key;
        TRY(field->of ? decode_struct(d, field, &pair->value) : json_read_string(&d->r, &pair->text));
    }
    TRY(d->r.error);
    TRY(bind_keep_last(d->c, &v));
    *ret_values = v;
    return OK;
}

/* null, also after a value of the same name: the last one wins */
static struct error decode_null(struct decoder *d, const struct field *field, void *at)
{
    TRY(json_read_null(&d->r));
    switch (field->kind) {
    case KIND_INT:
    case KIND_BOOL:
        *(int64_t *)at = INT_ABSENT;
        return OK;
    case KIND_STRUCT:
        *(void **)at = NULL;
        return OK;
    case KIND_LIST:
    case KIND_MAP:
        *(struct values *)at = (struct values){ 0 };
        return OK;
    default:
        *(struct slice *)at = SLICE_NONE;
        return OK;
    }
}

static struct error decode_field(struct decoder *d, const struct field *field, void *at)
{
    if (json_peek(&d->r) == JSON_NULL)
        return decode_null(d, field, at);
    switch (field->kind) {
    case KIND_INT:
        return decode_int(d, field, at);
    case KIND_BOOL:
        return decode_bool(d, field, at);
    case KIND_STRUCT:
        return decode_struct(d, field, at);
    case KIND_LIST:
        return decode_list(d, field, at);
    case KIND_MAP:
        return decode_map(d, field, at);
    default:
        return decode_text(d, field, at);
    }
}

/* NULL if the shape has no such member. SDKs mostly write members in the order of the rows: the search goes on from
 * `after`, then once round. */
static const struct field *find_field(const struct field *first, const struct field *after, struct slice name)
{
    const struct field *field;
    for (field = after; field->kind != KIND_END; field++) {
        if (slice_equal(field->wire, name))
            return field;
    }
    for (field = first; field != after; field++) {
        if (slice_equal(field->wire, name))
            return field;
    }
    return NULL;
}

static struct error decode_object(struct decoder *d, const struct shape *shape, void *value)
{
    const struct field *first = shape->fields(), *after = first;
    struct slice name;
    TRY(json_enter_object(&d->r));
    while (json_next_key(&d->r, &name)) {
        const struct field *field = find_field(first, after, name);
        if (field) {
            TRY(decode_field(d, field, (char *)value + field->offset));
            after = field + 1;
        } else {
            TRY(json_skip(&d->r));
        }
    }
    return d->r.error;
}

struct error bind_json_decode(struct call *c, const struct shape *shape, struct slice body, void *ret_value)
{
    struct decoder d = { .c = c };
    shape_clear(shape, ret_value);
    if (body.size == 0)
        return OK;
    json_reader_init(&d.r, body, &c->arena);
    struct error e = decode_object(&d, shape, ret_value);
    if (!failed(e))
        e = json_end(&d.r);
    if (!failed(d.r.error))
        return e;
    if (d.r.error.code == ERR_NO_MEMORY)
        return call_fail(c, API_BODY_TOO_LARGE, NULL);
    return call_fail(c, API_SERIALIZATION, "The request body is not a JSON object this server reads: %s, at byte %d.",
        error_text(d.r.error), (int)d.r.error.system);
}

/* ---- encode ----------------------------------------------------------------------------------------------------- */

static void encode_blob(struct buf *b, struct slice bytes)
{
    char *out = buf_reserve(b, BASE64_ENCODED_BYTES(bytes.size) + 2);
    out[0] = '"';
    size_t size = text_base64_encode(bytes.data, bytes.size, out + 1);
    out[size + 1] = '"';
    b->size += size + 2;
}

/* Query replies in JSON write a map as its entries, [{"Name":..,"Value":..}], as their XML does. */
enum map_style { MAP_AS_OBJECT, MAP_AS_ENTRIES };

static void encode_object(struct buf *b, const struct shape *shape, const void *value, enum map_style style);

static void encode_list(struct buf *b, const struct shape *of, const struct values *v, enum map_style style)
{
    size_t item_bytes = of ? of->size : sizeof(struct slice);
    buf_add_byte(b, '[');
    for (size_t index = 0; index < v->count; index++) {
        const void *item = (const char *)v->items + index * item_bytes;
        if (index)
            buf_add_byte(b, ',');
        if (of)
            encode_object(b, of, item, style);
        else
            json_write_string(b, *(const struct slice *)item);
    }
    buf_add_byte(b, ']');
}

static void encode_map_value(struct buf *b, const struct shape *of, const struct pair *pair, enum map_style style)
{
    if (!of)
        json_write_string(b, pair->text);
    else if (pair->value)
        encode_object(b, of, pair->value, style);
    else
        buf_add_lit(b, "{}");
}

static void encode_map(struct buf *b, const struct field *field, const struct values *v)
{
    const struct pair *pairs = v->items;
    int count = 0;
    buf_add_byte(b, '{');
    for (size_t index = 0; index < v->count; index++) {
        json_write_key(b, &count, pairs[index].key);
        encode_map_value(b, field->of, &pairs[index], MAP_AS_OBJECT);
    }
    buf_add_byte(b, '}');
}

static void encode_entries(struct buf *b, const struct field *field, const struct values *v)
{
    const struct pair *pairs = v->items;
    buf_add_byte(b, '[');
    for (size_t index = 0; index < v->count; index++) {
        int count = 0;
        buf_add(b, index ? SLICE(",{") : SLICE("{"));
        json_write_key(b, &count, field->query_key ? slice_str(field->query_key) : SLICE("Name"));
        json_write_string(b, pairs[index].key);
        json_write_key(b, &count, field->query_value ? slice_str(field->query_value) : SLICE("Value"));
        encode_map_value(b, field->of, &pairs[index], MAP_AS_ENTRIES);
        buf_add_byte(b, '}');
    }
    buf_add_byte(b, ']');
}

static void encode_text(struct buf *b, const struct field *field, int *count, struct slice text)
{
    if (slice_is_none(text) && !(field->flags & ALWAYS))
        return;
    json_write_key(b, count, field->wire);
    if (field->kind == KIND_BLOB)
        encode_blob(b, text);
    else
        json_write_string(b, text);
}

static void encode_number(struct buf *b, const struct field *field, int *count, int64_t value)
{
    if (value == INT_ABSENT && !(field->flags & ALWAYS))
        return;
    json_write_key(b, count, field->wire);
    if (value == INT_ABSENT)
        value = 0;
    if (field->kind == KIND_INT)
        buf_add_i64(b, value);
    else
        buf_add(b, value ? SLICE("true") : SLICE("false"));
}

static void encode_nested(struct buf *b, const struct field *field, int *count, const void *at, enum map_style style)
{
    const struct values *v = at;
    const void *nested = field->kind == KIND_STRUCT ? *(void *const *)at : NULL;
    bool is_empty = field->kind == KIND_STRUCT ? !nested : v->count == 0;
    if (is_empty && !(field->flags & ALWAYS))
        return;
    json_write_key(b, count, field->wire);
    if (field->kind == KIND_LIST)
        encode_list(b, field->of, v, style);
    else if (field->kind == KIND_MAP && style == MAP_AS_ENTRIES)
        encode_entries(b, field, v);
    else if (field->kind == KIND_MAP)
        encode_map(b, field, v);
    else if (nested)
        encode_object(b, field->of, nested, style);
    else
        buf_add_lit(b, "{}");
}

static void encode_object(struct buf *b, const struct shape *shape, const void *value, enum map_style style)
{
    int count = 0;
    buf_add_byte(b, '{');
    for (const struct field *field = shape->fields(); field->kind != KIND_END; field++) {
        const void *at = (const char *)value + field->offset;
        if (field->kind == KIND_STR || field->kind == KIND_BLOB)
            encode_text(b, field, &count, *(const struct slice *)at);
        else if (field->kind == KIND_INT || field->kind == KIND_BOOL)
            encode_number(b, field, &count, *(const int64_t *)at);
        else
            encode_nested(b, field, &count, at, style);
    }
    buf_add_byte(b, '}');
}

void bind_json_encode(struct buf *b, const struct shape *shape, const void *value)
{
    encode_object(b, shape, value, MAP_AS_OBJECT);
}

void bind_query_json_encode(struct buf *b, const struct shape *shape, const void *value)
{
    encode_object(b, shape, value, MAP_AS_ENTRIES);
}
