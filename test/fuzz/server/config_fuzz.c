/* config_fuzz.c: the text of a config file never does more than fill a struct or be refused with a sentence, and what was
 * taken is taken again from its own words. */
#include "base/limits.h"
#include "server/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_equal(const struct texts *a, const struct texts *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; i < a->count && equal; i++)
        equal = slice_equal(a->items[i], b->items[i]);
    return equal;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct config first = { 0 }, second = { 0 };
    struct slice sentence = SLICE_NONE;
    arena_init(&arena, 16 * MIB);
    struct error e = config_parse_file(slice_of(data, size), &arena, &first, &sentence);
    if (failed(e)) {
        ASSERT(e.code == ERR_CONFIG && sentence.size > 0);
        arena_deinit(&arena);
        return 0;
    }
    ASSERT(first.listen.count <= CONFIG_TEXTS_MAX && first.threads >= 0 && first.threads <= 64);
    ASSERT(!first.durability || strchr("fom", first.durability[0]));
    /* lists and numbers written out and read again are the same */
    char text[64];
    struct slice lines = SLICE("");
    for (size_t i = 0; i < first.listen.count; i++)
        lines = arena_printf(&arena, "%.*slisten = %.*s\n", SLICE_ARG(lines), SLICE_ARG(first.listen.items[i]));
    snprintf(text, sizeof(text), "threads = %lld\n", (long long)first.threads);
    lines = arena_printf(&arena, "%.*s%s", SLICE_ARG(lines), text);
    ASSERT(!failed(config_parse_file(lines, &arena, &second, &sentence)));
    ASSERT(is_equal(&first.listen, &second.listen) && first.threads == second.threads);
    arena_deinit(&arena);
    return 0;
}
