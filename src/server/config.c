#include "server/config.h"
#include "base/text.h"
#include "sys/sys.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum option_kind { OPTION_TEXT, OPTION_TEXTS, OPTION_NUMBER, OPTION_FLAG };
enum { CONFIG_FILE_BYTES_MAX = 64 * 1024 };

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset;
    const char *default_value, *value, *help;
};

static const struct option_row rows[] = {
#define OPTION(field, kind, name, default_value, value, help)                                                          \
    { name, OPTION_##kind, offsetof(struct config, field), default_value, value, help },
#include "server/config.def"
#undef OPTION
};

static struct error complain(struct arena *a, struct slice *ret_sentence, const char *format, ...) PRINTF_LIKE(3, 4);
static struct error complain(struct arena *a, struct slice *ret_sentence, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    *ret_sentence = arena_vprintf(a, format, args);
    va_end(args);
    return ERROR_OF(ERR_CONFIG);
}

static const struct option_row *find_row(struct slice name)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        if (slice_equal(slice_str(rows[i].name), name))
            return &rows[i];
    return NULL;
}

static const char *keep(struct arena *a, struct slice s)
{
    char *text = arena_alloc(a, s.size + 1);
    memcpy(text, s.data, s.size);
    text[s.size] = 0;
    return text;
}

static struct error set_texts(struct texts *t, struct slice value, const struct option_row *row, struct arena *a, struct slice *ret_sentence)
{
    while (!slice_is_none(value)) {
        struct slice item = slice_trim(slice_cut(&value, ','));
        if (item.size == 0)
            continue;
        if (t->count == CONFIG_TEXTS_MAX)
            return complain(a, ret_sentence, "%s: more than %d values", row->name, CONFIG_TEXTS_MAX);
        t->items[t->count++] = slice_str(keep(a, item));
    }
    return OK;
}

static struct error set_flag(bool *flag, struct slice value, const struct option_row *row, struct arena *a, struct slice *ret_sentence)
{
    if (value.size == 0 || slice_equal(value, SLICE("1")) || slice_equal(value, SLICE("true")) || slice_equal(value, SLICE("on"))) {
        *flag = true;
        return OK;
    }
    if (slice_equal(value, SLICE("0")) || slice_equal(value, SLICE("false")) || slice_equal(value, SLICE("off"))) {
        *flag = false;
        return OK;
    }
    return complain(a, ret_sentence, "%s: \"%.*s\" is neither true nor false", row->name, SLICE_ARG(value));
}

static struct error set_option(struct config *config, const struct option_row *row, struct slice value, struct arena *a, struct slice *ret_sentence)
{
    void *field = (char *)config + row->offset;
    switch (row->kind) {
    case OPTION_TEXT:
        *(const char **)field = keep(a, value);
        return OK;
    case OPTION_TEXTS:
        return set_texts(field, value, row, a, ret_sentence);
    case OPTION_FLAG:
        return set_flag(field, value, row, a, ret_sentence);
    case OPTION_NUMBER:
        if (!text_parse_i64(value, field) || *(int64_t *)field < 0)
            return complain(a, ret_sentence, "%s: \"%.*s\" is not a whole number from 0", row->name, SLICE_ARG(value));
        return OK;
    }
    return OK;
}

/* A stronger source replaces a list instead of adding to it. */
static void forget_lists(struct config *config, const bool *was_seen, size_t index)
{
    if (!was_seen[index] && rows[index].kind == OPTION_TEXTS)
        ((struct texts *)((char *)config + rows[index].offset))->count = 0;
}

struct error config_parse_file(struct slice text, struct arena *a, struct config *config, struct slice *ret_sentence)
{
    bool seen[ARRAY_COUNT(rows)] = { false };
    int number = 0;
    while (!slice_is_none(text)) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        number++;
        if (line.size && line.data[line.size - 1] == '\r')
            line = slice_trim(slice_head(line, line.size - 1));
        if (line.size == 0 || line.data[0] == '#')
            continue;
        struct slice value = line, name = slice_trim(slice_cut(&value, '='));
        const struct option_row *row = find_row(name);
        if (!row)
            return complain(a, ret_sentence, "config line %d: \"%.*s\" is not an option", number, SLICE_ARG(name));
        if (slice_is_none(value))
            return complain(a, ret_sentence, "config line %d: expected NAME = VALUE", number);
        forget_lists(config, seen, (size_t)(row - rows));
        seen[row - rows] = true;
        TRY(set_option(config, row, slice_trim(value), a, ret_sentence));
    }
    return OK;
}

static struct error load_file(const char *path, struct arena *a, struct config *config, struct slice *ret_sentence)
{
    struct sys_file *f;
    if (failed(sys->file.open(path, SYS_OPEN_READ, &f)))
        return complain(a, ret_sentence, "config: cannot open \"%s\"", path);
    char *text = arena_alloc(a, CONFIG_FILE_BYTES_MAX);
    size_t size = 0;
    struct error e = sys->file.read(f, 0, text, CONFIG_FILE_BYTES_MAX, &size);
    sys->file.close(f);
    if (failed(e) || size == CONFIG_FILE_BYTES_MAX)
        return complain(a, ret_sentence, "config: cannot read \"%s\" (at most %d bytes)", path, CONFIG_FILE_BYTES_MAX - 1);
    return config_parse_file(slice_of(text, size), a, config, ret_sentence);
}

static struct error load_environment(struct arena *a, struct config *config, struct slice *ret_sentence)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char name[64] = "MILLRACE_";
        size_t at = strlen(name);
        for (const char *c = rows[i].name; *c && at + 1 < sizeof(name); c++)
            name[at++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        const char *value = getenv(name);
        if (!value)
            continue;
        const bool unseen[ARRAY_COUNT(rows)] = { false };
        forget_lists(config, unseen, i);
        TRY(set_option(config, &rows[i], slice_str(value), a, ret_sentence));
    }
    return OK;
}

/* --name value, --name=value, --flag */
static struct error load_flags(int argc, char **argv, bool only_config, const char **ret_file, struct arena *a, struct config *config, struct slice *ret_sentence)
{
    bool seen[ARRAY_COUNT(rows)] = { false };
    for (int i = 0; i < argc; i++) {
        struct slice value = slice_str(argv[i]);
        if (!slice_starts(value, SLICE("--")))
            return complain(a, ret_sentence, "unexpected \"%s\"; options begin with --", argv[i]);
        struct slice name = slice_from(slice_cut(&value, '='), 2);
        bool is_config = slice_equal(name, SLICE("config"));
        const struct option_row *row = find_row(name);
        if (!row && !is_config)
            return complain(a, ret_sentence, "--%.*s is not an option; try millrace serve --help", SLICE_ARG(name));
        if (slice_is_none(value) && (is_config || row->kind != OPTION_FLAG)) {
            if (i + 1 == argc)
                return complain(a, ret_sentence, "--%.*s needs a value", SLICE_ARG(name));
            value = slice_str(argv[++i]);
        }
        if (is_config)
            *ret_file = keep(a, value);
        if (is_config || only_config)
            continue;
        forget_lists(config, seen, (size_t)(row - rows));
        seen[row - rows] = true;
        TRY(set_option(config, row, slice_is_none(value) ? SLICE("") : value, a, ret_sentence));
    }
    return OK;
}

struct error config_load(int argc, char **argv, struct arena *a, struct config *ret_config, struct slice *ret_sentence)
{
    struct config config = { 0 };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        if (rows[i].kind != OPTION_FLAG)
            TRY(set_option(&config, &rows[i], slice_str(rows[i].default_value), a, ret_sentence));
    const char *file = getenv("MILLRACE_CONFIG");
    TRY(load_flags(argc, argv, true, &file, a, &config, ret_sentence));
    if (file)
        TRY(load_file(file, a, &config, ret_sentence));
    TRY(load_environment(a, &config, ret_sentence));
    TRY(load_flags(argc, argv, false, &file, a, &config, ret_sentence));
    *ret_config = config;
    return OK;
}

void config_print_help(void)
{
    printf("  --config FILE\n      NAME = VALUE lines with the names below; also MILLRACE_CONFIG\n");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        printf("  --%s%s%s\n      %s", rows[i].name, *rows[i].value ? " " : "", rows[i].value, rows[i].help);
        if (*rows[i].default_value)
            printf(" (default %s)", rows[i].default_value);
        printf("\n");
    }
}
