/* xml.c: the XML that a form is answered with, read by the rows into the JSON of the other protocol, so that both are compared
 * with what was decided in the same way. Reads what the server should write and nothing else.
 */
#include "net.h"
#include "codec/json.h"

struct xml_reader {
    struct slice rest;
    struct arena *arena;
    bool is_bad;
};

static bool starts_tag(const struct xml_reader *r, struct slice name)
{
    struct slice at = r->rest;
    return slice_starts(at, SLICE("<")) && slice_starts(slice_from(at, 1), name) && at.size > name.size + 1 &&
           at.data[name.size + 1] == '>';
}

static void take(struct xml_reader *r, struct slice text)
{
    r->is_bad |= !slice_starts(r->rest, text);
    r->rest = slice_from(r->rest, text.size < r->rest.size ? text.size : r->rest.size);
}

static void take_open(struct xml_reader *r, struct slice name)
{
    take(r, SLICE("<"));
    take(r, name);
    take(r, SLICE(">"));
}

static void take_close(struct xml_reader *r, struct slice name)
{
    take(r, SLICE("</"));
    take(r, name);
    take(r, SLICE(">"));
}

static char take_entity(struct xml_reader *r)
{
    static const struct {
        struct slice text;
        char is;
    } entities[] = { { { "&amp;", 5 }, '&' }, { { "&lt;", 4 }, '<' }, { { "&gt;", 4 }, '>' }, { { "&quot;", 6 }, '"' },
        { { "&#xD;", 5 }, '\r' } };
    for (size_t i = 0; i < ARRAY_COUNT(entities); i++)
        if (slice_starts(r->rest, entities[i].text)) {
            take(r, entities[i].text);
            return entities[i].is;
        }
    r->is_bad = true;
    r->rest = SLICE("");
    return 0;
}

static struct slice take_element(struct xml_reader *r, struct slice name)
{
    take_open(r, name);
    char *text = arena_alloc(r->arena, slice_find(r->rest, '<') + 1); /* entities only make it shorter */
    size_t size = 0;
    while (r->rest.size && r->rest.data[0] != '<') {
        if (r->rest.data[0] == '&') {
            text[size++] = take_entity(r);
            continue;
        }
        text[size++] = r->rest.data[0];
        r->rest = slice_from(r->rest, 1);
    }
    take_close(r, name);
    return slice_of(text, size);
}

static void add_members(struct buf *b, struct xml_reader *r, const struct shape *shape);

static void add_value(struct buf *b, struct xml_reader *r, struct slice name, const struct field *f)
{
    if (f->of) {
        take_open(r, name);
        add_members(b, r, f->of);
        take_close(r, name);
    } else if (f->kind == KIND_INT || f->kind == KIND_BOOL) {
        buf_add(b, take_element(r, name));
    } else {
        json_write_string(b, take_element(r, name));
    }
}

static void add_list(struct buf *b, struct xml_reader *r, struct slice name, const struct field *f)
{
    buf_add_byte(b, '[');
    for (bool is_first = true; !r->is_bad && starts_tag(r, name); is_first = false) {
        if (!is_first)
            buf_add_byte(b, ',');
        add_value(b, r, name, f);
    }
    buf_add_byte(b, ']');
}

static void add_map(struct buf *b, struct xml_reader *r, struct slice name, const struct field *f)
{
    struct slice key = slice_str(f->query_key ? f->query_key : "Name");
    struct slice value = slice_str(f->query_value ? f->query_value : "Value");
    int count = 0;
    buf_add_byte(b, '{');
    while (!r->is_bad && starts_tag(r, name)) {
        take_open(r, name);
        json_write_key(b, &count, take_element(r, key));
        add_value(b, r, value, f);
        take_close(r, name);
    }
    buf_add_byte(b, '}');
}

/* In the order of the rows, as they are written. */
static void add_members(struct buf *b, struct xml_reader *r, const struct shape *shape)
{
    int count = 0;
    buf_add_byte(b, '{');
    for (const struct field *f = shape->fields(); f->kind != KIND_END && !r->is_bad; f++) {
        struct slice name = f->query ? slice_str(f->query) : f->wire;
        if (!starts_tag(r, name))
            continue;
        json_write_key(b, &count, f->wire);
        if (f->kind == KIND_LIST)
            add_list(b, r, name, f);
        else if (f->kind == KIND_MAP)
            add_map(b, r, name, f);
        else
            add_value(b, r, name, f);
    }
    buf_add_byte(b, '}');
}

struct slice xml_result_as_json(struct slice text, const struct op *op, struct slice request_id, struct arena *arena)
{
    struct xml_reader r = { .rest = text, .arena = arena };
    struct slice response = arena_printf(arena, "%.*sResponse", SLICE_ARG(op->name));
    struct slice result = arena_printf(arena, "%.*sResult", SLICE_ARG(op->name));
    struct buf b;
    buf_init(&b);
    take(&r, SLICE("<?xml version=\"1.0\"?>"));
    take(&r, arena_printf(arena, "<%.*s xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">", SLICE_ARG(response)));
    struct slice empty = arena_printf(arena, "<%.*s/>", SLICE_ARG(result));
    if (op->out->fields()->kind != KIND_END && slice_starts(r.rest, empty)) {
        take(&r, empty);
        buf_add_lit(&b, "{}");
    } else if (op->out->fields()->kind != KIND_END) {
        take_open(&r, result);
        add_members(&b, &r, op->out);
        take_close(&r, result);
    }
    take_open(&r, SLICE("ResponseMetadata"));
    r.is_bad |= !slice_equal(take_element(&r, SLICE("RequestId")), request_id);
    take_close(&r, SLICE("ResponseMetadata"));
    take_close(&r, response);
    struct slice json = r.is_bad || r.rest.size ? SLICE_NONE : arena_copy(arena, buf_slice(&b));
    buf_deinit(&b);
    return json;
}
