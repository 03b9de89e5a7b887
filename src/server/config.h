/* config.h: the options of `millrace serve`, from flags, MILLRACE_ variables and a file, in this order of strength.
 * Rows: config.def. Fails with ERR_CONFIG and a sentence that names the option, what it got and what it wants. A variable
 * that is set to nothing counts as not set.
 */
#ifndef MILLRACE_SERVER_CONFIG_H
#define MILLRACE_SERVER_CONFIG_H

#include "base/arena.h"
#include "base/error.h"

enum { CONFIG_TEXTS_MAX = 16 };

struct texts {
    struct slice items[CONFIG_TEXTS_MAX];
    size_t count;
};

#define CONFIG_C_TEXT const char *
#define CONFIG_C_TEXTS struct texts
#define CONFIG_C_NUMBER int64_t
#define CONFIG_C_FLAG bool

struct config {
#define OPTION(field, kind, ...) CONFIG_C_##kind field;
#include "server/config.def"
#undef OPTION
};

/* argv without the program and the command. Strings live in `arena` or argv. */
/* ret_config is written on success only. */
struct error config_load(
    int argc, char **argv, struct arena *arena, struct config *ret_config, struct slice *ret_sentence);
void config_print_help(void);
/* The text of a config file over what `config` holds (also the fuzzer's door). */
struct error config_parse_file(
    struct slice text, struct arena *arena, struct config *config, struct slice *ret_sentence);

#endif
