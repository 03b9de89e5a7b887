/* Any bytes: walking by the typed calls and skipping agree on what is good and where it breaks; what was good is
 * written again, read again, and is the same.
 */
#include "base/limits.h"
#include "base/text.h"
#include "codec/json.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct error walk(struct json_reader *r, struct buf *out, int depth)
{
    struct slice text, again;
    int count = 0;
    bool value;
    ASSERT(depth <= JSON_DEPTH_MAX);
    switch (json_peek(r)) {
    case JSON_OBJECT:
        TRY(json_enter_object(r));
        buf_add_byte(out, '{');
        while (json_next_key(r, &text)) {
            ASSERT(text_utf8_valid(text) == text.size);
            json_write_key(out, &count, text);
            TRY(walk(r, out, depth + 1));
        }
        buf_add_byte(out, '}');
        return r->error;
    case JSON_ARRAY:
        TRY(json_enter_array(r));
        buf_add_byte(out, '[');
        while (json_next_element(r)) {
            if (count++)
                buf_add_byte(out, ',');
            TRY(walk(r, out, depth + 1));
        }
        buf_add_byte(out, ']');
        return r->error;
    case JSON_STRING:
        TRY(json_read_string(r, &text));
        ASSERT(text.data && text_utf8_valid(text) == text.size);
        json_write_string(out, text);
        return OK;
    case JSON_NUMBER:
        TRY(json_read_number(r, &again));
        buf_add(out, again);
        return OK;
    case JSON_TRUE:
    case JSON_FALSE:
        TRY(json_read_bool(r, &value));
        buf_add(out, value ? SLICE("true") : SLICE("false"));
        return OK;
    case JSON_NULL:
        TRY(json_read_null(r));
        buf_add_lit(out, "null");
        return OK;
    default:
        return json_skip(r);
    }
}

static struct error walk_all(struct arena *a, struct slice text, struct buf *out)
{
    struct json_reader r;
    json_reader_init(&r, text, a);
    (void)walk(&r, out, 0);
    return json_end(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct arena a;
    struct buf out, again;
    struct json_reader r;
    struct slice raw;
    arena_init(&a, 64 * MIB);
    buf_init(&out);
    buf_init(&again);
    struct error walked = walk_all(&a, text, &out);
    json_reader_init(&r, text, &a);
    (void)json_read_raw(&r, &raw);
    struct error skipped = json_end(&r);
    ASSERT(walked.code == skipped.code && walked.system == skipped.system);
    ASSERT(walked.system >= 0 && (size_t)walked.system <= size);
    if (!failed(walked)) {
        ASSERT(text_utf8_valid(buf_slice(&out)) == out.size);
        ASSERT(!failed(walk_all(&a, buf_slice(&out), &again)));
        ASSERT(slice_equal(buf_slice(&out), buf_slice(&again)));
    }
    buf_deinit(&out);
    buf_deinit(&again);
    arena_deinit(&a);
    return 0;
}
