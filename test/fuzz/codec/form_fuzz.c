/* Any bytes: what form_parse takes is UTF-8, within its bounds, and comes back when encoded and parsed again. */
#include "base/limits.h"
#include "base/text.h"
#include "codec/form.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const struct form *form, struct buf *out)
{
    for (size_t i = 0; i < form->count; i++) {
        if (i)
            buf_add_byte(out, '&');
        text_percent_encode(out, form->pairs[i].key, false);
        buf_add_byte(out, '=');
        text_percent_encode(out, form->pairs[i].value, i % 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct form form, again;
    arena_init(&a, 64 * MIB);
    struct error e = form_parse(&a, slice_of(data, size), &form);
    ASSERT(e.system >= 0 && (size_t)e.system <= size);
    if (!failed(e)) {
        struct buf out;
        buf_init(&out);
        encode(&form, &out);
        ASSERT(form.count <= FORM_PAIRS_MAX);
        ASSERT(!failed(form_parse(&a, buf_slice(&out), &again)));
        ASSERT(again.count == form.count);
        for (size_t i = 0; i < form.count; i++) {
            ASSERT(form.pairs[i].key.data && form.pairs[i].value.data);
            ASSERT(text_utf8_valid(form.pairs[i].key) == form.pairs[i].key.size);
            ASSERT(text_utf8_valid(form.pairs[i].value) == form.pairs[i].value.size);
            ASSERT(slice_equal(form.pairs[i].key, again.pairs[i].key));
            ASSERT(slice_equal(form.pairs[i].value, again.pairs[i].value));
            ASSERT(!slice_is_none(form_get(&form, form.pairs[i].key)));
        }
        buf_deinit(&out);
    }
    arena_deinit(&a);
    return 0;
}
