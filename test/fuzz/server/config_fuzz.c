/* config_fuzz.c: the text of a config file never does more than fill a struct or be refused with a sentence, and what was
 * taken, written out option by option, is taken again. */
#include "base/buf.h"
#include "base/limits.h"
#include "base/text.h"
#include "server/config.h"
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum option_kind { TEXT, TEXTS, NUMBER, FLAG };

static const struct option {
    const char *name;
    enum option_kind kind;
    size_t offset;
    int64_t min, max;
} options[] = {
#define OPTION(field, type, text, standard, shown, words, ...)                                                         \
    { .name = (text), .kind = (type), .offset = offsetof(struct config, field), __VA_ARGS__ },
#include "server/config.def"
#undef OPTION
};

static int64_t number_of(const struct option *o, const struct config *c)
{
    return *(const int64_t *)(const void *)((const char *)c + o->offset);
}

static void write_option(struct buf *b, const struct option *o, const struct config *c)
{
    const void *at = (const char *)c + o->offset;
    const struct texts *texts = at;
    if (o->kind == TEXT && !*(const char *const *)at)
        return;
    buf_printf(b, "%s = ", o->name);
    switch (o->kind) {
    case TEXT:
        buf_add(b, slice_str(*(const char *const *)at));
        break;
    case TEXTS:
        for (size_t i = 0; i < texts->count; i++) {
            buf_add(b, texts->items[i]);
            buf_add_byte(b, ',');
        }
        break;
    case NUMBER:
        buf_add_i64(b, number_of(o, c));
        break;
    case FLAG:
        buf_add(b, *(const bool *)at ? SLICE("on") : SLICE("off"));
        break;
    }
    buf_add_byte(b, '\n');
}

static void write_all(struct buf *b, const struct config *c)
{
    for (size_t i = 0; i < ARRAY_COUNT(options); i++)
        if (options[i].kind != NUMBER || number_of(&options[i], c) >= options[i].min) /* else it was not there */
            write_option(b, &options[i], c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct config first = { 0 }, second = { 0 };
    struct slice sentence = SLICE_NONE;
    struct buf lines, again;
    arena_init(&arena, 16 * MIB);
    struct error e = config_parse_file(slice_of(data, size), &arena, &first, &sentence);
    if (failed(e)) {
        ASSERT(e.code == ERR_CONFIG && sentence.size > 0);
        arena_deinit(&arena);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_COUNT(options); i++)
        ASSERT(options[i].kind != NUMBER || number_of(&options[i], &first) <= options[i].max);
    buf_init(&lines);
    buf_init(&again);
    write_all(&lines, &first);
    ASSERT(!failed(config_parse_file(buf_slice(&lines), &arena, &second, &sentence)));
    write_all(&again, &second);
    ASSERT(slice_equal(buf_slice(&lines), buf_slice(&again)));
    buf_deinit(&lines);
    buf_deinit(&again);
    arena_deinit(&arena);
    return 0;
}
