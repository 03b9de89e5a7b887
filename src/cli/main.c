/* millrace: the command line. Commands are rows; each has one function and its own words of help. */
#include "server/control.h"
#include "server/server.h"
#include "api/service.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USAGE = 64 };

struct command {
    const char *name, *arguments, *help;
    int (*run)(int argc, char **argv);
    const char *more; /* after `help` in the command's own words of help */
    bool has_options; /* those of config.def */
};

static int usage(const char *why);

/* ---- serve, doctor: take the options ------------------------------------------------------------------------------- */

static int with_config(int argc, char **argv, int (*run)(const struct config *))
{
    static struct arena arena;
    static struct config config;
    arena_init(&arena, 4 * MIB);
    struct slice sentence = SLICE("the configuration is not usable");
    if (failed(config_load(argc, argv, &arena, &config, &sentence))) {
        fprintf(stderr, "millrace: %.*s\n", SLICE_ARG(sentence));
        return USAGE;
    }
    return run(&config);
}

static int run_serve(int argc, char **argv)
{
    return with_config(argc, argv, server_run);
}

static int run_doctor(int argc, char **argv)
{
    return with_config(argc, argv, server_doctor);
}

/* ---- log dump, log verify, backup ------------------------------------------------------------------------------------ */

static void print_line(void *context, struct slice line)
{
    (void)context;
    fwrite(line.data, 1, line.size, stdout);
    fputc('\n', stdout);
}

static struct slice describe(struct arena *arena, const struct record *r)
{
    size_t count;
    struct service *const *services = server_services(&count);
    size_t index = r->type >> 8;
    if (index < count && services[index]->describe)
        return services[index]->describe(arena, r);
    return SLICE("?");
}

static int report(struct error e, const char *what)
{
    if (failed(e))
        fprintf(stderr, "millrace: %s: %s\n", what, error_text(e));
    return server_exit_code(e);
}

static int run_log(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[0], "dump"))
        return report(store_dump(argv[1], describe, print_line, NULL), argv[1]);
    if (argc == 2 && !strcmp(argv[0], "verify"))
        return report(store_verify(argv[1], print_line, NULL), argv[1]);
    return usage("log: expected \"dump DIR\" or \"verify DIR\"");
}

/* The server that uses the directory makes the copy itself. It may run elsewhere in the tree: paths are absolute. */
static struct error backup_online(const char *data_dir, const char *to, struct arena *arena)
{
    char *here = getcwd(NULL, 0);
    struct slice line =
        to[0] == '/' || !here ? arena_printf(arena, "backup %s", to) : arena_printf(arena, "backup %s/%s", here, to);
    struct slice answer = SLICE_NONE;
    free(here);
    if (!control_ask(data_dir, line.data, arena, &answer))
        return ERROR_OF(ERR_LOCKED);
    if (slice_equal(answer, SLICE("ok")))
        return OK;
    fprintf(stderr, "millrace: the server that uses %s says: %.*s\n", data_dir, SLICE_ARG(answer));
    return ERROR_OF(ERR_IO);
}

static int run_backup(int argc, char **argv)
{
    static struct arena arena;
    static struct config config;
    arena_init(&arena, 4 * MIB);
    struct slice sentence = SLICE("");
    if (argc < 1 || argv[0][0] == '-')
        return usage("backup: expected \"backup TO-DIR [--data-dir DIR]\"");
    const char *to = argv[0];
    if (failed(config_load(argc - 1, argv + 1, &arena, &config, &sentence))) {
        fprintf(stderr, "millrace: %.*s\n", SLICE_ARG(sentence));
        return USAGE;
    }
    struct error e = store_backup_offline(config.data_dir, to);
    if (e.code == ERR_LOCKED)
        e = backup_online(config.data_dir, to, &arena);
    int code = report(e, arena_printf(&arena, "copying %s to %s", config.data_dir, to).data);
    if (code == 0)
        code = report(store_verify(to, print_line, NULL), to);
    if (code == 0)
        printf(
            "%s holds a verified copy of %s; start on it with millrace serve --data-dir %s\n", to, config.data_dir, to);
    return code;
}

/* ---- version, help --------------------------------------------------------------------------------------------------- */

static int run_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("millrace %s\n", MILLRACE_VERSION);
    return 0;
}

static int run_help(int argc, char **argv);

static const struct command commands[] = {
    { "serve", "[OPTIONS]", "run the server (millrace serve --help lists the options)", run_serve,
        "It is ready when it says so. Ctrl-C or SIGTERM stops it cleanly, a second one at once; SIGHUP reads "
        "certificates\n"
        "and credentials again.",
        true },
    { "doctor", "[OPTIONS]", "check disk, limits, clock and data directory", run_doctor,
        "With the options of the server that is to run; it ends with 1 when something needs attention.", true },
    { "log", "dump|verify DIR", "print every record of a data directory; check every checksum", run_log,
        "DIR must not be in use: stop the server, or look at a backup.", false },
    { "backup", "TO-DIR [OPTIONS]", "copy a data directory and verify the copy; a restore is a start on it", run_backup,
        "TO-DIR must not exist. --data-dir says which directory is copied; a server may be using it.", false },
    { "version", "", "print the version", run_version, NULL, false },
    { "help", "[COMMAND]", "print this, or how a command is used", run_help, NULL, false },
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static void print_help(FILE *to)
{
    fprintf(to, "millrace: the AWS messaging family on your own machines.\n\nusage: millrace COMMAND ...\n\n");
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        fprintf(to, "  %-8s %-18s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
}

static int print_help_of(const struct command *c)
{
    printf("usage: millrace %s %s\n\n%s.\n%s%s", c->name, c->arguments, c->help, c->more ? c->more : "",
        c->more ? "\n" : "");
    if (c->has_options) {
        printf("\nOptions (each also as MILLRACE_NAME and as a line NAME = VALUE of the config file):\n");
        config_print_help();
    }
    if (c->more)
        server_print_exit_codes();
    return 0;
}

static int run_help(int argc, char **argv)
{
    const struct command *c = argc > 0 ? find_command(argv[0]) : NULL;
    if (argc > 0 && !c)
        return usage("there is no such command");
    if (c)
        return print_help_of(c);
    print_help(stdout);
    return 0;
}

static int usage(const char *why)
{
    fprintf(stderr, "millrace: %s\n", why);
    print_help(stderr);
    return USAGE;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage("expected a command");
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    if (!strcmp(name, "--version"))
        name = "version";
    const struct command *c = find_command(name);
    if (!c)
        return usage("there is no such command");
    return wants_help(argc - 2, argv + 2) ? print_help_of(c) : c->run(argc - 2, argv + 2);
}
