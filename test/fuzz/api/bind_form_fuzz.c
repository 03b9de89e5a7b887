/* Query parameters into structs: any form is refused with a sentence or bound; what was bound, written as JSON and
 * bound again, is the same. Input: the form.
 */
#include "../../unit/api/test_shapes.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct call c;
    struct form form;
    struct test_all value, again;
    struct buf first, second;
    test_call_init(&c, 8 * MIB);
    if (failed(form_parse(&c.arena, slice_of(data, size), &form))) {
        arena_deinit(&c.arena);
        return 0;
    }
    buf_init(&first);
    buf_init(&second);
    struct error e = bind_form_decode(&c, &test_all_shape, &form, &value);
    if (failed(e)) {
        ASSERT(e.code == API_SERIALIZATION || e.code == API_BODY_TOO_LARGE || e.code == TEST_MISSING_QUERY);
    } else {
        bind_json_encode(&first, &test_all_shape, &value);
        ASSERT(!failed(bind_json_decode(&c, &test_all_shape, buf_slice(&first), &again)));
        bind_json_encode(&second, &test_all_shape, &again);
        ASSERT(slice_equal(buf_slice(&first), buf_slice(&second)));
        bind_xml_encode(&second, &test_all_shape, &value);
        bind_check(&c, &test_all_shape, &value, true);
    }
    buf_deinit(&first);
    buf_deinit(&second);
    arena_deinit(&c.arena);
    return 0;
}
