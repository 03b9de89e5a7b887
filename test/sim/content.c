/* content.c: what is in a message follows from its content number, so that a reply can be judged byte for byte. */
#include "base/text.h"
#include "crypto/digest.h"
#include "model.h"
#include "service/sqs/attribute_value.h"
#include <stdio.h>

enum { PATTERN_BYTES = 1 << 20 };

/* Readable at its head, then letters that depend on the place and the content. */
struct slice body_text(uint32_t content, uint32_t size, struct arena *arena)
{
    static char pattern[PATTERN_BYTES + 4096];
    if (!pattern[0]) {
        struct prng p = prng_of(77);
        for (size_t i = 0; i < sizeof(pattern); i++)
            pattern[i] = (char)('!' + prng_below(&p, 90));
    }
    char head[32];
    size_t head_size = (size_t)snprintf(head, sizeof(head), "content %u ", content);
    size_t total = size > head_size ? size : head_size;
    char *text = arena_alloc(arena, total + 1);
    memcpy(text, head, head_size);
    memcpy(text + head_size, pattern + content % 4096, total - head_size);
    return slice_of(text, total);
}

/* number: every third has attributes, of several kinds. Sorted by name. */
static size_t attribute_rows(uint32_t content, struct arena *arena, struct pair pairs[3])
{
    static const char *const types[] = { "String", "Number", "Binary" };
    size_t count = content % 3 == 0 ? 1 + content / 3 % 3 : 0;
    for (size_t i = 0; i < count; i++) {
        struct sqs_attribute_value *v = arena_alloc(arena, sizeof(*v));
        shape_clear(&sqs_attribute_value_shape, v);
        v->data_type = slice_str(types[i]);
        struct slice text = arena_printf(arena, "%u", content * 7 + (uint32_t)i);
        *(i == 2 ? &v->binary_value : &v->string_value) = text;
        pairs[i] = (struct pair){ .key = arena_printf(arena, "a%zu", i), .value = v };
    }
    return count;
}

struct values content_attributes(uint32_t content, struct arena *arena)
{
    struct pair *pairs = ARENA_ARRAY(arena, struct pair, 3);
    size_t count = attribute_rows(content, arena, pairs);
    return count ? (struct values){ .items = pairs, .count = count, .is_set = true } : (struct values){ 0 };
}

static bool is_same_attribute(const struct pair *a, const struct pair *b)
{
    const struct sqs_attribute_value *x = a->value, *y = b->value;
    return slice_equal(a->key, b->key) && slice_equal(x->data_type, y->data_type) &&
           slice_equal(x->string_value, y->string_value) && slice_equal(x->binary_value, y->binary_value);
}

void content_md5(uint32_t content, uint32_t size, char ret_hex[32], struct arena *arena)
{
    uint8_t digest[16];
    md5(body_text(content, size, arena), digest);
    text_format_hex(digest, 16, ret_hex);
}

bool content_is(const struct model_message *m, const struct sqs_message *got, struct arena *arena)
{
    char hex[33];
    struct slice body = body_text(m->content, m->size, arena);
    struct values expected = content_attributes(m->content, arena);
    const struct pair *a = expected.items, *b = got->message_attributes.items;
    if (!slice_equal(body, got->body) || expected.count != got->message_attributes.count)
        return false;
    for (size_t i = 0; i < expected.count; i++)
        if (!is_same_attribute(&a[i], &b[i]))
            return false;
    if (!slice_equal(got->md5_of_body, slice_of(m->body_md5, 32)))
        return false;
    if (expected.count == 0)
        return got->md5_of_attributes.size == 0;
    sqs_attributes_md5(&expected, hex);
    return slice_equal(got->md5_of_attributes, slice_of(hex, 32));
}
