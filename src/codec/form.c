/* form.c: key=value pairs (form.h). */
#include "codec/form.h"
#include "base/text.h"

/* The number of non-empty pieces between '&'; counting stops above the limit. */
static size_t count_pieces(struct slice text)
{
    size_t count = 0;
    while (text.size && count <= FORM_PAIRS_MAX)
        count += slice_cut(&text, '&').size > 0;
    return count;
}

/* One side of a pair; false on a broken escape or bytes that are not UTF-8. */
static bool decode(struct arena *a, struct slice raw, struct slice *ret_text)
{
    if (!text_percent_decode(a, raw, true, ret_text))
        return false;
    return text_utf8_valid(*ret_text) == ret_text->size;
}

struct error form_parse(struct arena *a, struct slice text, struct form *ret_form)
{
    const char *start = text.data;
    size_t count = count_pieces(text);
    if (count > FORM_PAIRS_MAX)
        return ERROR_OF(ERR_TOO_LARGE);
    /* Decoded text is never longer than what it came from; each side may waste 15 bytes of alignment. */
    if (!arena_room(a, text.size + count * (sizeof(struct form_pair) + 2 * 16)))
        return ERROR_OF(ERR_NO_MEMORY);
    struct form form = { .pairs = ARENA_ARRAY(a, struct form_pair, count) };
    while (text.size) {
        struct slice piece = slice_cut(&text, '&');
        if (piece.size == 0)
            continue;
        struct slice value = piece;
        struct slice key = slice_cut(&value, '=');
        struct form_pair *pair = &form.pairs[form.count++];
        if (!decode(a, key, &pair->key))
            return ERROR_SYS(ERR_BAD, (int32_t)(key.data - start));
        if (!decode(a, value, &pair->value))
            return ERROR_SYS(ERR_BAD, (int32_t)(value.data - start));
    }
    *ret_form = form;
    return OK;
}

struct slice form_get(const struct form *f, struct slice key)
{
    for (size_t i = f->count; i > 0; i--)
        if (slice_equal(f->pairs[i - 1].key, key))
            return f->pairs[i - 1].value;
    return SLICE_NONE;
}
