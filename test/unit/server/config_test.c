/* config.c: flags, variables and a file, which of them wins, and what is said when one is wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "server/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;
static struct config config;
static struct slice sentence;
static char file_path[] = "/tmp/config-test-XXXXXX";

enum { ARGUMENTS_MAX = 12 };

static void write_file(const char *text)
{
    FILE *f = fopen(file_path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct error load(const char *const arguments[ARGUMENTS_MAX])
{
    char *argv[ARGUMENTS_MAX + 1];
    int argc = 0;
    while (argc < ARGUMENTS_MAX && arguments[argc]) {
        argv[argc] = (char *)(uintptr_t)arguments[argc];
        argc++;
    }
    arena_deinit(&arena);
    arena_init(&arena, 4 * MIB);
    memset(&config, 0xee, sizeof(config));
    sentence = SLICE_NONE;
    return config_load(argc, argv, &arena, &config, &sentence);
}
#define LOAD(...) load((const char *const[ARGUMENTS_MAX]){ __VA_ARGS__ })

static void must_load(struct error e)
{
    if (failed(e))
        fail_msg("refused: %.*s", SLICE_ARG(sentence));
}

static void expect_refusal(struct error e, const char *why)
{
    assert_int_equal(e.code, ERR_CONFIG);
    if (!slice_equal(sentence, slice_str(why)))
        fail_msg("'%.*s' instead of '%s'", SLICE_ARG(sentence), why);
}

static void expect_texts(const struct texts *t, const char *joined)
{
    char text[1024] = "";
    for (size_t i = 0; i < t->count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", i ? " " : "", SLICE_ARG(t->items[i]));
    assert_string_equal(text, joined);
}

static void test_defaults(void **state)
{
    (void)state;
    must_load(LOAD(NULL));
    assert_string_equal(config.data_dir, "./millrace-data");
    expect_texts(&config.listen, "127.0.0.1:4566");
    assert_string_equal(config.durability, "fsync");
    assert_string_equal(config.accounts, "");
    assert_string_equal(config.quotas, "off");
    assert_string_equal(config.log_level, "info");
    assert_int_equal(config.threads, 0);
    assert_int_equal(config.clock_window_s, 900);
    assert_int_equal(config.segment_mib, 64);
    assert_false(config.insecure_dev_anywhere);
    assert_false(config.accept_future_log);
    assert_int_equal(config.cors_origins.count, 0);
}

static void test_flags(void **state)
{
    (void)state;
    must_load(LOAD("--data-dir", "a b", "--threads=3", "--listen", "127.0.0.1:1",
        "--listen=[::1]:2,https://127.0.0.1:3", "--insecure-dev-anywhere"));
    assert_string_equal(config.data_dir, "a b");
    assert_int_equal(config.threads, 3);
    expect_texts(&config.listen, "127.0.0.1:1 [::1]:2 https://127.0.0.1:3"); /* the default is replaced, not added to */
    assert_true(config.insecure_dev_anywhere);
    must_load(LOAD("--insecure-dev-anywhere=false", "--threads", "1", "--threads", "2", "--public-url", "https://a=b"));
    assert_false(config.insecure_dev_anywhere);
    assert_int_equal(config.threads, 2); /* the last one */
    assert_string_equal(config.public_url, "https://a=b");
    must_load(LOAD("--cors-origins", " http://a , ,http://b,"));
    expect_texts(&config.cors_origins, "http://a http://b");
    must_load(LOAD("--quotas", "aws", "--durability=memory", "--log-level", "debug"));
    assert_string_equal(config.quotas, "aws");
}

static void test_refused_flags(void **state)
{
    (void)state;
    expect_refusal(LOAD("serve"), "unexpected \"serve\"; options begin with --");
    expect_refusal(LOAD("-h"), "unexpected \"-h\"; options begin with --");
    expect_refusal(LOAD("--"), "-- is not an option; try millrace serve --help");
    expect_refusal(LOAD("--data"), "--data is not an option; try millrace serve --help");
    expect_refusal(LOAD("--DATA-DIR=x"), "--DATA-DIR is not an option; try millrace serve --help");
    expect_refusal(LOAD("--data-dir"), "--data-dir needs a value");
    expect_refusal(LOAD("--data-dir="), "data-dir needs a value");
    expect_refusal(LOAD("--config"), "--config needs a value");
    expect_refusal(LOAD("--threads", "two"), "threads: \"two\" is not a whole number from 0 to 64");
    expect_refusal(LOAD("--threads", "-1"), "threads: \"-1\" is not a whole number from 0 to 64");
    expect_refusal(LOAD("--threads", "65"), "threads: \"65\" is not a whole number from 0 to 64");
    expect_refusal(LOAD("--threads", "1.5"), "threads: \"1.5\" is not a whole number from 0 to 64");
    expect_refusal(LOAD("--threads", ""), "threads: \"\" is not a whole number from 0 to 64");
    expect_refusal(LOAD("--clock-window=0"), "clock-window: \"0\" is not a whole number from 1 to 604800");
    expect_refusal(LOAD("--segment-mib=99999999999999999999"),
        "segment-mib: \"99999999999999999999\" is not a whole number from 4 to 4096");
    expect_refusal(LOAD("--durability", "maybe"), "durability: \"maybe\" is not one of fsync|os|memory");
    expect_refusal(LOAD("--durability", ""), "durability: \"\" is not one of fsync|os|memory");
    expect_refusal(LOAD("--durability", "fsync|os"), "durability: \"fsync|os\" is not one of fsync|os|memory");
    expect_refusal(LOAD("--quotas=on"), "quotas: \"on\" is not one of aws|off");
    expect_refusal(LOAD("--log-level=loud"), "log-level: \"loud\" is not one of debug|info|warn|error");
    expect_refusal(LOAD("--insecure-dev-anywhere=yes"), "insecure-dev-anywhere: \"yes\" is neither true nor false");
    expect_refusal(LOAD("--insecure-dev-anywhere="), "insecure-dev-anywhere: \"\" is neither true nor false");
    expect_refusal(LOAD("--listen", ","), "listen needs an address");
    expect_refusal(LOAD("--listen", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"), "listen: more than 16 values");
    assert_int_equal(((const unsigned char *)&config)[0], 0xee); /* not touched */
}

static void test_file(void **state)
{
    (void)state;
    write_file(
        "# comment\n\n  data-dir =  /var/x y \r\nlisten=127.0.0.1:5\nlisten = [::1]:6 , [::1]:7\n"
        "threads=4\ninsecure-dev-anywhere = on\npublic-url = http://a#b=c\n\t# another\ncors-origins =\nquotas = aws");
    must_load(LOAD("--config", file_path));
    assert_string_equal(config.data_dir, "/var/x y");
    expect_texts(&config.listen, "127.0.0.1:5 [::1]:6 [::1]:7");
    assert_int_equal(config.threads, 4);
    assert_true(config.insecure_dev_anywhere);
    assert_string_equal(config.public_url, "http://a#b=c");
    assert_string_equal(config.quotas, "aws");
    write_file("");
    must_load(LOAD("--config", file_path));
    assert_string_equal(config.data_dir, "./millrace-data");
}

static void test_refused_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } files[] = {
        { "threads=1\nnonsense\n", "config line 2: \"nonsense\" is not an option" },
        { "threads\n", "config line 1: expected NAME = VALUE" },
        { "= 5\n", "config line 1: \"\" is not an option" },
        { "config = x\n", "config line 1: \"config\" is not an option" },
        { "--threads = 1\n", "config line 1: \"--threads\" is not an option" },
        { "\n\nthreads = x", "config line 3: threads: \"x\" is not a whole number from 0 to 64" },
        { "insecure-dev-anywhere =\n", "config line 1: insecure-dev-anywhere: \"\" is neither true nor false" },
        { "data-dir =\n", "config line 1: data-dir needs a value" },
        { "listen = a,\r,b\n", "config line 1: listen: the value holds a control character" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        write_file(files[i].text);
        expect_refusal(LOAD("--config", file_path), files[i].why);
    }
    arena_deinit(&arena);
    arena_init(&arena, MIB);
    static const char with_nul[] = "data-dir = a\0b\n";
    struct config into = { 0 };
    expect_refusal(config_parse_file(slice_of(with_nul, sizeof(with_nul) - 1), &arena, &into, &sentence),
        "config line 1: data-dir: the value holds a control character");
    expect_refusal(LOAD("--config", "/nonexistent/file"), "config: cannot open \"/nonexistent/file\"");
    FILE *f = fopen(file_path, "w");
    for (int i = 0; i < 64 * 1024; i++)
        fputc('#', f);
    fclose(f);
    char why[128];
    snprintf(why, sizeof(why), "config: cannot read \"%s\" (at most 65535 bytes)", file_path);
    expect_refusal(LOAD("--config", file_path), why);
}

static void test_precedence(void **state)
{
    (void)state;
    write_file("threads = 1\ndata-dir = of-file\nlisten = 127.0.0.1:1\ninsecure-dev-anywhere = true\n");
    setenv("MILLRACE_THREADS", "2", 1);
    setenv("MILLRACE_LISTEN", "127.0.0.1:2,127.0.0.1:22", 1);
    setenv("MILLRACE_CONFIG", file_path, 1);
    must_load(LOAD(NULL));
    assert_int_equal(config.threads, 2);
    assert_string_equal(config.data_dir, "of-file");
    expect_texts(&config.listen, "127.0.0.1:2 127.0.0.1:22");
    assert_true(config.insecure_dev_anywhere);
    must_load(LOAD("--threads", "3", "--listen", "127.0.0.1:3", "--insecure-dev-anywhere=0"));
    assert_int_equal(config.threads, 3);
    expect_texts(&config.listen, "127.0.0.1:3");
    assert_false(config.insecure_dev_anywhere);
    setenv("MILLRACE_CONFIG", "/nonexistent", 1);
    must_load(LOAD("--config", file_path)); /* the flag's file wins too */
    setenv("MILLRACE_THREADS", "x", 1);
    expect_refusal(LOAD("--config", file_path), "threads: \"x\" is not a whole number from 0 to 64");
    /* set to nothing is not set: above all, it switches nothing on */
    setenv("MILLRACE_THREADS", "", 1);
    setenv("MILLRACE_LISTEN", "", 1);
    setenv("MILLRACE_CONFIG", "", 1);
    setenv("MILLRACE_INSECURE_DEV_ANYWHERE", "", 1);
    must_load(LOAD(NULL));
    assert_int_equal(config.threads, 0);
    expect_texts(&config.listen, "127.0.0.1:4566");
    assert_false(config.insecure_dev_anywhere);
    setenv("MILLRACE_INSECURE_DEV_ANYWHERE", "1", 1);
    must_load(LOAD(NULL));
    assert_true(config.insecure_dev_anywhere);
    static const char *const names[] = { "THREADS", "LISTEN", "CONFIG", "INSECURE_DEV_ANYWHERE" };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char name[64];
        snprintf(name, sizeof(name), "MILLRACE_%s", names[i]);
        unsetenv(name);
    }
}

int main(void)
{
    int fd = mkstemp(file_path);
    if (fd < 0)
        return 1;
    close(fd);
    arena_init(&arena, MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_refused_flags),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_precedence),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    arena_deinit(&arena);
    unlink(file_path);
    return failures;
}
