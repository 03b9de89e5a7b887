/* JSON into structs: any body is refused with a sentence or bound; what was bound, written and bound again, is the
 * same, and so is its copy. Input: the body.
 */
#include "../../unit/api/test_shapes.h"
#include "base/limits.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_is_json(struct call *c, struct slice text)
{
    struct json_reader r;
    json_reader_init(&r, text, &c->arena);
    ASSERT(!failed(json_skip(&r)) && !failed(json_end(&r)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct call c;
    struct test_all value, again;
    struct buf first, second;
    test_call_init(&c, 8 * MIB);
    buf_init(&first);
    buf_init(&second);
    struct error e = bind_json_decode(&c, &test_all_shape, slice_of(data, size), &value);
    if (failed(e)) {
        ASSERT(e.code == API_SERIALIZATION || e.code == API_BODY_TOO_LARGE);
    } else {
        bind_json_encode(&first, &test_all_shape, &value);
        check_is_json(&c, buf_slice(&first));
        ASSERT(!failed(bind_json_decode(&c, &test_all_shape, buf_slice(&first), &again)));
        bind_json_encode(&second, &test_all_shape, &again);
        ASSERT(slice_equal(buf_slice(&first), buf_slice(&second)));
        buf_reset(&second);
        bind_json_encode(&second, &test_all_shape, shape_copy(&test_all_shape, &value, &c.arena));
        ASSERT(slice_equal(buf_slice(&first), buf_slice(&second)));
        bind_xml_encode(&second, &test_all_shape, &value);
        bind_check(&c, &test_all_shape, &value, false);
    }
    buf_deinit(&first);
    buf_deinit(&second);
    arena_deinit(&c.arena);
    return 0;
}
