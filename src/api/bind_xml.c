/* bind_xml.c: structs -> the members of a query-protocol reply; see bind.h. Lists and maps are flattened. */
#include "api/bind.h"

#include "base/text.h"
#include "codec/xml.h"

static struct slice name_of(const struct field *field)
{
    return field->query ? slice_str(field->query) : field->wire;
}

static void encode_blob(struct buf *b, struct slice name, struct slice bytes)
{
    xml_open(b, name);
    char *out = buf_reserve(b, BASE64_ENCODED_BYTES(bytes.size));
    b->size += text_base64_encode(bytes.data, bytes.size, out);
    xml_close(b, name);
}

static void encode_number(struct buf *b, const struct field *field, int64_t value)
{
    if (value == INT_ABSENT)
        value = 0;
    xml_open(b, name_of(field));
    if (field->kind == KIND_INT)
        buf_add_i64(b, value);
    else
        buf_add(b, value ? SLICE("true") : SLICE("false"));
    xml_close(b, name_of(field));
}

static void encode_struct(struct buf *b, struct slice name, const struct shape *of, const void *value)
{
    xml_open(b, name);
    if (value)
        bind_xml_encode(b, of, value);
    xml_close(b, name);
}

/* A flattened list has nothing to stand for its emptiness: ALWAYS makes no difference here. */
static void encode_list(struct buf *b, const struct field *field, const struct values *v)
{
    size_t item_bytes = field->of ? field->of->size : sizeof(struct slice);
    for (size_t index = 0; index < v->count; index++) {
        const void *item = (const char *)v->items + index * item_bytes;
        if (field->of)
            encode_struct(b, name_of(field), field->of, item);
        else
            xml_element(b, name_of(field), *(const struct slice *)item);
    }
}

static void encode_map(struct buf *b, const struct field *field, const struct values *v)
{
    const struct pair *pairs = v->items;
    struct slice key_name = field->query_key ? slice_str(field->query_key) : SLICE("Name");
    struct slice value_name = field->query_value ? slice_str(field->query_value) : SLICE("Value");
    for (size_t index = 0; index < v->count; index++) {
        xml_open(b, name_of(field));
        xml_element(b, key_name, pairs[index].key);
        if (field->of)
            encode_struct(b, value_name, field->of, pairs[index].value);
        else
            xml_element(b, value_name, pairs[index].text);
        xml_close(b, name_of(field));
    }
}

void bind_xml_encode(struct buf *b, const struct shape *shape, const void *value)
{
    for (const struct field *field = shape->fields(); field->kind != KIND_END; field++) {
        const void *at = (const char *)value + field->offset;
        bool is_always = field->flags & ALWAYS;
        switch (field->kind) {
        case KIND_STR:
            if (is_always || !slice_is_none(*(const struct slice *)at))
                xml_element(b, name_of(field), *(const struct slice *)at);
            break;
        case KIND_BLOB:
            if (is_always || !slice_is_none(*(const struct slice *)at))
                encode_blob(b, name_of(field), *(const struct slice *)at);
            break;
        case KIND_STRUCT:
            if (is_always || *(void *const *)at)
                encode_struct(b, name_of(field), field->of, *(void *const *)at);
            break;
        case KIND_LIST:
            encode_list(b, field, at);
            break;
        case KIND_MAP:
            encode_map(b, field, at);
            break;
        default:
            if (is_always || *(const int64_t *)at != INT_ABSENT)
                encode_number(b, field, *(const int64_t *)at);
            break;
        }
    }
}
