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
    int64_t min, max;
};

static const struct option_row rows[] = {
#define OPTION(member, type, text, standard, shown, words, ...)                                                        \
    { .name = text,                                                                                                    \
        .kind = OPTION_##type,                                                                                         \
        .offset = offsetof(struct config, member),                                                                     \
        .default_value = standard,                                                                                     \
        .value = shown,                                                                                                \
        .help = words,                                                                                                 \
        ##__VA_ARGS__ },
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

static struct error set_texts(
    struct texts *t, struct slice value, const struct option_row *row, struct arena *a, struct slice *ret_sentence)
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

static struct error set_flag(
    bool *flag, struct slice value, const struct option_row *row, struct arena *a, struct slice *ret_sentence)
{
    static const struct {
        const char *word;
        bool means;
    } words[] = { { "true", true }, { "1", true }, { "on", true }, { "false", false }, { "0", false },
        { "off", false } };
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (slice_equal(value, slice_str(words[i].word))) {
            *flag = words[i].means;
            return OK;
        }
    }
    return complain(a, ret_sentence, "%s: \"%.*s\" is neither true nor false", row->name, SLICE_ARG(value));
}

static struct error set_number(
    int64_t *number, struct slice value, const struct option_row *row, struct arena *a, struct slice *ret_sentence)
{
    int64_t parsed;
    if (!text_parse_i64(value, &parsed) || parsed < row->min || parsed > row->max)
        return complain(a, ret_sentence, "%s: \"%.*s\" is not a whole number from %lld to %lld", row->name,
            SLICE_ARG(value), (long long)row->min, (long long)row->max);
    *number = parsed;
    return OK;
}

/* A row whose VALUE reads a|b|c takes only these. */
static bool is_choice(const struct option_row *row, struct slice value)
{
    struct slice choices = slice_str(row->value);
    if (!strchr(row->value, '|'))
        return true;
    while (!slice_is_none(choices))
        if (slice_equal(slice_cut(&choices, '|'), value))
            return true;
    return false;
}

static struct error set_text(
    const char **text, struct slice value, const struct option_row *row, struct arena *a, struct slice *ret_sentence)
{
    if (!is_choice(row, value))
        return complain(a, ret_sentence, "%s: \"%.*s\" is not one of %s", row->name, SLICE_ARG(value), row->value);
    if (value.size == 0 && *row->default_value)
        return complain(a, ret_sentence, "%s needs a value", row->name);
    *text = keep(a, value);
    return OK;
}

static bool has_control_bytes(struct slice s)
{
    for (size_t at = 0; at < s.size; at++)
        if (((unsigned char)s.data[at] < 0x20 && s.data[at] != '\t') || s.data[at] == 0x7f)
            return true;
    return false;
}

static struct error set_option(struct config *config, const struct option_row *row, struct slice value, struct arena *a,
    struct slice *ret_sentence)
{
    void *field = (char *)config + row->offset;
    if (has_control_bytes(value))
        return complain(a, ret_sentence, "%s: the value holds a control character", row->name);
    switch (row->kind) {
    case OPTION_TEXT:
        return set_text(field, value, row, a, ret_sentence);
    case OPTION_TEXTS:
        return set_texts(field, value, row, a, ret_sentence);
    case OPTION_FLAG:
        return set_flag(field, value, row, a, ret_sentence);
    case OPTION_NUMBER:
        return set_number(field, value, row, a, ret_sentence);
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
        struct slice why = SLICE_NONE;
        if (failed(set_option(config, row, slice_trim(value), a, &why)))
            return complain(a, ret_sentence, "config line %d: %.*s", number, SLICE_ARG(why));
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
        return complain(
            a, ret_sentence, "config: cannot read \"%s\" (at most %d bytes)", path, CONFIG_FILE_BYTES_MAX - 1);
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
        if (!value || !*value)
            continue;
        const bool unseen[ARRAY_COUNT(rows)] = { false };
        forget_lists(config, unseen, i);
        TRY(set_option(config, &rows[i], slice_str(value), a, ret_sentence));
    }
    return OK;
}

/* --name value, --name=value, --flag */
static struct error load_flags(int argc, char **argv, bool only_config, const char **ret_file, struct arena *a,
    struct config *config, struct slice *ret_sentence)
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
        TRY(set_option(config, row, slice_is_none(value) ? SLICE("true") : value, a, ret_sentence));
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
    if (file && !*file)
        file = NULL;
    TRY(load_flags(argc, argv, true, &file, a, &config, ret_sentence));
    if (file)
        TRY(load_file(file, a, &config, ret_sentence));
    TRY(load_environment(a, &config, ret_sentence));
    TRY(load_flags(argc, argv, false, &file, a, &config, ret_sentence));
    if (config.listen.count == 0)
        return complain(a, ret_sentence, "listen needs an address");
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
