/* metrics.c: what is written is the exposition format, small whatever there is, and the busiest are in it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/metrics.h"
#include "api/owner.h"
#include "api/service.h"
#include "base/text.h"
#include "sys/sys.h"
#include <stdio.h>
#include <stdlib.h>

static const struct metric_row toy_rows[] = {
    { "toy_waiting", "gauge", "Things that wait." },
    { "toy_sent_total", "counter", "Things sent." },
    { NULL, NULL, NULL },
};
static struct service toy = { .name = { "toy", 3 }, .metric_rows = toy_rows, .metric_label = "queue" };

static struct arena arena;
static struct store *store;

static int set_up(void **state)
{
    (void)state;
    static struct service *const services[] = { &toy };
    static struct sys memory;
    const struct store_options options = { .dir = "metrics-test", .segment_bytes = 4 * MIB };
    struct slice sentence;
    memory = sys_memory;
    memory.clock = sys_real.clock;
    sys = &memory;
    arena_init(&arena, 4 * MIB);
    return failed(owners_open(&options, services, 1, &arena, &store, &sentence));
}

static int tear_down(void **state)
{
    (void)state;
    owners_close(false);
    arena_deinit(&arena);
    return 0;
}

/* ---- a reader of the format, as strict as it is written down -------------------------------------------------------------- */

static bool is_name_byte(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (!is_first && c >= '0' && c <= '9');
}

static const char *read_name(const char *at, char out[128])
{
    size_t size = 0;
    while (is_name_byte(at[size], size == 0)) {
        assert_true(size < 127);
        out[size] = at[size];
        size++;
    }
    assert_true(size > 0);
    out[size] = 0;
    return at + size;
}

/* {a="b",...} with \\ \" \n escaped; returns behind it */
static const char *read_labels(const char *at)
{
    char name[128];
    assert_int_equal(*at, '{');
    at++;
    do {
        at = read_name(at, name);
        assert_int_equal(at[0], '=');
        assert_int_equal(at[1], '"');
        for (at += 2; *at != '"'; at++) {
            assert_true(*at != '\n' && *at != 0);
            if (*at == '\\') {
                at++;
                assert_true(*at == '\\' || *at == '"' || *at == 'n');
            }
        }
        at++;
    } while (*at++ == ',');
    assert_int_equal(at[-1], '}');
    return at;
}

struct family {
    char name[128], type[16];
};

static bool belongs(const char *sample, const struct family *f)
{
    size_t size = strlen(f->name);
    if (strncmp(sample, f->name, size) != 0)
        return false;
    const char *rest = sample + size;
    if (!*rest)
        return strcmp(f->type, "histogram") != 0;
    bool is_part = !strcmp(rest, "_bucket") || !strcmp(rest, "_sum") || !strcmp(rest, "_count");
    return !strcmp(f->type, "histogram") && is_part;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every line has a meaning, each family stands in one piece, no series twice. Returns the number of samples. */
static size_t check_format(struct buf *b)
{
    static char *series[400000];
    static struct family families[200];
    size_t count = 0, family_count = 0;
    buf_add_byte(b, 0);
    char *text = b->data, *save = NULL;
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char name[128], kind[16];
        if (!strncmp(line, "# HELP ", 7)) {
            assert_int_equal(*read_name(line + 7, name), ' ');
            for (size_t i = 0; i < family_count; i++)
                assert_string_not_equal(families[i].name, name);
            strcpy(families[family_count++].name, name);
            continue;
        }
        if (!strncmp(line, "# TYPE ", 7)) {
            const char *at = read_name(line + 7, name);
            assert_string_equal(name, families[family_count - 1].name);
            assert_int_equal(sscanf(at, " %15s", kind), 1);
            assert_true(!strcmp(kind, "gauge") || !strcmp(kind, "counter") || !strcmp(kind, "histogram"));
            strcpy(families[family_count - 1].type, kind);
            continue;
        }
        const char *at = read_name(line, name);
        if (!belongs(name, &families[family_count - 1]))
            fail_msg("%s stands below %s", line, families[family_count - 1].name);
        if (*at == '{')
            at = read_labels(at);
        assert_int_equal(*at, ' ');
        char *end;
        strtod(at + 1, &end);
        assert_true(end > at + 1 && *end == 0);
        line[at - line] = 0;
        series[count++] = line;
    }
    qsort(series, count, sizeof(series[0]), compare_lines);
    for (size_t i = 1; i < count; i++)
        assert_string_not_equal(series[i - 1], series[i]);
    return count;
}

/* ---- tests -------------------------------------------------------------------------------------------------------------------- */

static void add(struct metrics_writer *w, const char *name, uint64_t activity)
{
    struct metrics_object o = { .activity = activity, .values = { (int64_t)activity, 2 } };
    snprintf(o.name, sizeof(o.name), "%s", name);
    strcpy(o.account, "000000000000");
    strcpy(o.region, "us-east-1");
    metrics_add_object(w, &o);
}

static void write_all(struct metrics_writer *w, struct buf *b)
{
    buf_init(b);
    metrics_write_server(b);
    metrics_write_services(b, w);
}

static void test_format(void **state)
{
    (void)state;
    struct metrics_writer w;
    struct buf b;
    metrics_writer_init(&w, SLICE_NONE);
    add(&w, "plain", 1);
    add(&w, "quote\"back\\line\nend", 2); /* no queue may be called so; should one be, the text stays readable */
    write_all(&w, &b);
    assert_non_null(memmem(b.data, b.size, "queue=\"quote\\\"back\\\\line\\nend\"", 29));
    assert_non_null(memmem(b.data, b.size, "millrace_toy_queues 2\n", 22));
    assert_non_null(memmem(b.data, b.size,
        "millrace_toy_sent_total{queue=\"plain\",account=\"000000000000\",region=\"us-east-1\"} 2\n", 81));
    assert_true(check_format(&b) > 50);
    buf_deinit(&b);
    metrics_writer_deinit(&w);
}

static void test_a_hundred_thousand(void **state)
{
    (void)state;
    struct metrics_writer w;
    struct buf b;
    char name[96];
    metrics_writer_init(&w, SLICE_NONE);
    for (uint64_t i = 0; i < 100000; i++) {
        /* the longest names there are, and the busiest not in any order */
        snprintf(name, sizeof(name), "%080llu.fifo", (unsigned long long)(i * 7919 % 100000));
        add(&w, name, i * 7919 % 100000);
    }
    assert_int_equal(w.objects_seen, 100000);
    assert_int_equal(w.count, METRICS_OBJECTS_MAX);
    for (size_t i = 0; i < w.count; i++)
        assert_true(w.objects[i].activity >= 100000 - METRICS_OBJECTS_MAX);
    write_all(&w, &b);
    assert_true(b.size <= METRICS_BYTES_MAX);
    assert_non_null(memmem(b.data, b.size, "millrace_toy_queues 100000\n", 27));
    assert_true(check_format(&b) >= 2 * METRICS_OBJECTS_MAX);
    buf_deinit(&b);
    metrics_writer_deinit(&w);
}

static void test_filters(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        size_t count;
    } rows[] = { { NULL, 4 }, { "alpha", 1 }, { "alpha*", 2 }, { "*", 4 }, { "", 0 }, { "alph", 0 }, { "Alpha", 0 },
        { "alpha**", 0 }, { "be*ta", 0 } };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct metrics_writer w;
        metrics_writer_init(&w, rows[i].filter ? slice_str(rows[i].filter) : SLICE_NONE);
        add(&w, "alpha", 0);
        add(&w, "alphabet", 0);
        add(&w, "beta", 0);
        add(&w, "gamma", 0);
        assert_int_equal(w.count, rows[i].count);
        assert_int_equal(w.objects_seen, 4);
        metrics_writer_deinit(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_a_hundred_thousand),
        cmocka_unit_test(test_filters),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
