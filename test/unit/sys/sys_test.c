/* One suite for both tables of sys.h: what a caller may rely on must hold on a disk and in memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "sys/sys.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct place {
    const struct sys *sys;
    char root[200]; /* a directory of its own */
};

static const char *path_in(const struct place *p, const char *name)
{
    static char paths[4][300];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", p->root, name);
    return path;
}

static int set_up(struct place *p)
{
    assert_false(failed(p->sys->file.make_dir(p->root)));
    return 0;
}

static int set_up_real(void **state)
{
    static struct place p;
    const char *parent = getenv("TMPDIR");
    p.sys = &sys_real;
    snprintf(p.root, sizeof(p.root), "%s/millrace-sys-test-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(p.root));
    assert_int_equal(rmdir(p.root), 0);
    *state = &p;
    return set_up(&p);
}

static int set_up_memory(void **state)
{
    static struct place p = { .sys = &sys_memory, .root = "/memory/test" };
    *state = &p;
    return set_up(&p);
}

struct names {
    char text[100][64];
    int count;
};

static void note_name(void *context, const char *name)
{
    struct names *n = context;
    assert_true(n->count < 100);
    snprintf(n->text[n->count++], sizeof(n->text[0]), "%s", name);
}

static int tear_down(void **state)
{
    struct place *p = *state;
    struct names names = { 0 };
    assert_false(failed(p->sys->file.list_dir(p->root, note_name, &names)));
    for (int i = 0; i < names.count; i++)
        assert_false(failed(p->sys->file.remove(path_in(p, names.text[i]))));
    assert_false(failed(p->sys->file.remove(p->root)));
    return 0;
}

#define assert_ok(expression) assert_int_equal((expression).code, ERR_NONE)
#define assert_error(expression, row) assert_int_equal((expression).code, (row))

static struct sys_file *make_file(const struct place *p, const char *name)
{
    struct sys_file *f;
    assert_ok(p->sys->file.open(path_in(p, name), SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_EXCLUSIVE, &f));
    return f;
}

static void write_text(const struct place *p, struct sys_file *f, uint64_t offset, const char *text)
{
    struct iovec part = { (void *)text, strlen(text) };
    assert_ok(p->sys->file.write(f, offset, &part, 1));
}

static void assert_reads(const struct place *p, struct sys_file *f, uint64_t offset, size_t size, struct slice expected)
{
    char bytes[256];
    size_t got = 999;
    assert_true(size <= sizeof(bytes));
    assert_ok(p->sys->file.read(f, offset, bytes, size, &got));
    assert_int_equal(got, expected.size);
    assert_memory_equal(bytes, expected.data, expected.size);
    /* just written or read: in the page cache */
    got = 999;
    assert_ok(p->sys->file.read_nowait(f, offset, bytes, size, &got));
    assert_int_equal(got, expected.size);
    assert_memory_equal(bytes, expected.data, expected.size);
    if (!p->sys->file.map || size == 0 || expected.size < size)
        return;
    const char *mapped;
    assert_ok(p->sys->file.map(f, offset, size, &mapped));
    assert_memory_equal(mapped, expected.data, size);
    p->sys->file.unmap(mapped, size);
}

static void test_open_flags(void **state)
{
    const struct place *p = *state;
    struct sys_file *f;
    const char *path = path_in(p, "a");
    assert_error(p->sys->file.open(path, SYS_OPEN_READ, &f), ERR_NOT_FOUND);
    assert_error(p->sys->file.open(path, SYS_OPEN_WRITE, &f), ERR_NOT_FOUND);
    assert_ok(p->sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f));
    p->sys->file.close(f);
    assert_ok(p->sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f));
    p->sys->file.close(f);
    assert_error(p->sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_EXCLUSIVE, &f), ERR_EXISTS);
    assert_ok(p->sys->file.open(path, SYS_OPEN_READ, &f));
    struct iovec part = { "x", 1 };
    assert_error(p->sys->file.write(f, 0, &part, 1), ERR_IO);
    assert_true(failed(p->sys->file.truncate(f, 10)));
    p->sys->file.close(f);
    p->sys->file.close(NULL);
    assert_true(failed(p->sys->file.open(p->root, SYS_OPEN_WRITE, &f)));
}

static void test_read_and_write(void **state)
{
    const struct place *p = *state;
    struct sys_file *f = make_file(p, "a");
    uint64_t size;
    assert_reads(p, f, 0, 10, SLICE(""));
    struct iovec parts[] = { { "ab", 2 }, { NULL, 0 }, { "cde", 3 }, { "f", 1 } };
    assert_ok(p->sys->file.write(f, 0, parts, 4));
    assert_reads(p, f, 0, 6, SLICE("abcdef"));
    assert_reads(p, f, 0, 100, SLICE("abcdef"));
    assert_reads(p, f, 4, 1, SLICE("e"));
    assert_reads(p, f, 6, 1, SLICE(""));
    assert_reads(p, f, 1000, 1, SLICE(""));
    assert_reads(p, f, 3, 0, SLICE(""));
    write_text(p, f, 8, "xy");
    assert_reads(p, f, 0, 100, SLICE("abcdef\0\0xy"));
    write_text(p, f, 1, "ZZ");
    assert_reads(p, f, 0, 4, SLICE("aZZd"));
    assert_ok(p->sys->file.write(f, 100, parts, 0));
    assert_ok(p->sys->file.size(f, &size));
    assert_int_equal(size, 10);
    assert_ok(p->sys->file.sync(f));
    p->sys->file.advise_done(f, 0, 10);
    p->sys->file.close(f);
}

static void test_many_parts_in_one_write(void **state)
{
    enum { PARTS = 1500, BYTES = 100 }; /* more than the kernel takes at once */
    const struct place *p = *state;
    struct sys_file *f = make_file(p, "a");
    char *bytes = malloc(PARTS * BYTES), *back = malloc(PARTS * BYTES + 1);
    struct iovec *parts = malloc(PARTS * sizeof(*parts));
    size_t got;
    for (size_t i = 0; i < PARTS * BYTES; i++)
        bytes[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = (struct iovec){ bytes + i * BYTES, BYTES };
    assert_ok(p->sys->file.write(f, 7, parts, PARTS));
    assert_ok(p->sys->file.read(f, 7, back, PARTS * BYTES + 1, &got));
    if (p->sys->file.map) {
        const char *mapped;
        assert_ok(p->sys->file.map(f, 7, PARTS * BYTES, &mapped));
        assert_memory_equal(mapped, back, PARTS * BYTES);
        p->sys->file.unmap(mapped, PARTS * BYTES);
        assert_true(failed(p->sys->file.map(f, 1 << 30, BYTES, &mapped))); /* all of it past the end: no SIGBUS later */
    }
    assert_int_equal(got, PARTS * BYTES);
    assert_memory_equal(bytes, back, PARTS * BYTES);
    p->sys->file.close(f);
    free(bytes);
    free(back);
    free(parts);
}

/* Random writes, truncations and reads against a plain array. */
static void test_random_operations(void **state)
{
    enum { BYTES = 400 * KIB, STEPS = 600 };
    const struct place *p = *state;
    struct sys_file *f = make_file(p, "a");
    char *model = calloc(1, BYTES), *bytes = malloc(BYTES);
    uint64_t size = 0, got_size, seed = 17;
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t offset = (seed >> 20) % BYTES, count = (seed >> 41) % (BYTES - offset);
        size_t got;
        if (step % 5 == 0) {
            assert_ok(p->sys->file.truncate(f, offset));
            if (offset < size)
                memset(model + offset, 0, size - offset);
            size = offset;
        } else if (step % 5 < 3) {
            memset(bytes, step % 10 == 1 ? 0 : step, count);
            struct iovec part = { bytes, count };
            assert_ok(p->sys->file.write(f, offset, &part, 1));
            memcpy(model + offset, bytes, count);
            if (count && offset + count > size)
                size = offset + count;
        }
        assert_ok(p->sys->file.size(f, &got_size));
        assert_int_equal(got_size, size);
        assert_ok(p->sys->file.read(f, offset, bytes, count, &got));
        assert_int_equal(got, offset >= size ? 0 : count < size - offset ? count : size - offset);
        assert_memory_equal(bytes, model + offset, got);
    }
    p->sys->file.close(f);
    free(model);
    free(bytes);
}

static void test_direct_reads(void **state)
{
    enum { BYTES = 600 * 1000 + 7 };
    const struct place *p = *state;
    struct sys_file *f = make_file(p, "a"), *direct;
    char *bytes = malloc(BYTES), *back = malloc(BYTES + 100);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 131 >> 5);
    struct iovec part = { bytes, BYTES };
    assert_ok(p->sys->file.write(f, 0, &part, 1));
    assert_ok(p->sys->file.sync(f));
    assert_ok(p->sys->file.open(path_in(p, "a"), SYS_OPEN_READ | SYS_OPEN_DIRECT, &direct));
    const struct {
        size_t offset, size, got;
    } cases[] = { { 0, BYTES, BYTES }, { 0, BYTES + 100, BYTES }, { 1, 1, 1 }, { 4095, 2, 2 }, { 4096, 4096, 4096 },
        { 262143, 262146, 262146 }, { BYTES - 3, 50, 3 }, { BYTES, 10, 0 }, { BYTES + 9000, 10, 0 }, { 5, 0, 0 } };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        size_t got = 1;
        assert_ok(p->sys->file.read(direct, cases[i].offset, back, cases[i].size, &got));
        assert_int_equal(got, cases[i].got);
        assert_memory_equal(back, bytes + (cases[i].offset < BYTES ? cases[i].offset : 0), got);
    }
    p->sys->file.close(direct);
    p->sys->file.close(f);
    free(bytes);
    free(back);
}

static void test_truncate_grows_with_zeros(void **state)
{
    const struct place *p = *state;
    struct sys_file *f = make_file(p, "a");
    write_text(p, f, 0, "abcdef");
    assert_ok(p->sys->file.truncate(f, 3));
    assert_reads(p, f, 0, 10, SLICE("abc"));
    assert_ok(p->sys->file.truncate(f, 6));
    assert_reads(p, f, 0, 10, SLICE("abc\0\0\0"));
    p->sys->file.close(f);
}

static void test_lock(void **state)
{
    const struct place *p = *state;
    struct sys_file *a = make_file(p, "lock"), *b;
    assert_ok(p->sys->file.open(path_in(p, "lock"), SYS_OPEN_WRITE, &b));
    assert_ok(p->sys->file.lock(a));
    assert_ok(p->sys->file.lock(a));
    assert_error(p->sys->file.lock(b), ERR_LOCKED);
    p->sys->file.close(a);
    assert_ok(p->sys->file.lock(b));
    p->sys->file.close(b);
}

static void test_rename_replaces(void **state)
{
    const struct place *p = *state;
    struct sys_file *a = make_file(p, "a"), *b = make_file(p, "b"), *again;
    write_text(p, a, 0, "new");
    write_text(p, b, 0, "old!");
    assert_ok(p->sys->file.rename(path_in(p, "a"), path_in(p, "b")));
    assert_error(p->sys->file.open(path_in(p, "a"), SYS_OPEN_READ, &again), ERR_NOT_FOUND);
    assert_ok(p->sys->file.open(path_in(p, "b"), SYS_OPEN_READ, &again));
    assert_reads(p, again, 0, 10, SLICE("new"));
    assert_reads(p, b, 0, 10, SLICE("old!")); /* still open */
    assert_ok(p->sys->file.sync_dir(p->root));
    assert_error(p->sys->file.rename(path_in(p, "none"), path_in(p, "b")), ERR_NOT_FOUND);
    p->sys->file.close(a);
    p->sys->file.close(b);
    p->sys->file.close(again);
}

static void test_remove(void **state)
{
    const struct place *p = *state;
    struct sys_file *f = make_file(p, "a"), *again;
    write_text(p, f, 0, "still here");
    assert_ok(p->sys->file.remove(path_in(p, "a")));
    assert_error(p->sys->file.remove(path_in(p, "a")), ERR_NOT_FOUND);
    assert_error(p->sys->file.open(path_in(p, "a"), SYS_OPEN_READ, &again), ERR_NOT_FOUND);
    assert_reads(p, f, 0, 20, SLICE("still here"));
    p->sys->file.close(f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_directories(void **state)
{
    const struct place *p = *state;
    struct names names = { 0 };
    assert_error(p->sys->file.make_dir(p->root), ERR_EXISTS);
    assert_error(p->sys->file.list_dir(path_in(p, "none"), note_name, &names), ERR_NOT_FOUND);
    assert_error(p->sys->file.sync_dir(path_in(p, "none")), ERR_NOT_FOUND);
    assert_ok(p->sys->file.make_dir(path_in(p, "sub")));
    assert_error(p->sys->file.make_dir(path_in(p, "sub/")), ERR_EXISTS);
    p->sys->file.close(make_file(p, "sub/x"));
    p->sys->file.close(make_file(p, "sub//y"));
    p->sys->file.close(make_file(p, "subway"));
    assert_true(failed(p->sys->file.list_dir(path_in(p, "subway"), note_name, &names)));
    assert_int_equal(names.count, 0);
    assert_ok(p->sys->file.list_dir(p->root, note_name, &names));
    qsort(names.text, (size_t)names.count, sizeof(names.text[0]), by_name);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.text[0], "sub");
    assert_string_equal(names.text[1], "subway");
    assert_error(p->sys->file.remove(path_in(p, "sub")), ERR_IO);
    assert_ok(p->sys->file.rename(path_in(p, "sub"), path_in(p, "moved")));
    assert_error(p->sys->file.remove(path_in(p, "sub/x")), ERR_NOT_FOUND);
    assert_ok(p->sys->file.remove(path_in(p, "moved/x")));
    assert_ok(p->sys->file.remove(path_in(p, "moved/y")));
    names.count = 0;
    assert_ok(p->sys->file.list_dir(path_in(p, "moved"), note_name, &names));
    assert_int_equal(names.count, 0);
}

static void test_free_bytes(void **state)
{
    const struct place *p = *state;
    uint64_t free_bytes = 1, total = 0;
    assert_ok(p->sys->file.free_bytes(p->root, &free_bytes, &total));
    assert_true(total > MIB && free_bytes <= total);
}

static void test_clocks_and_entropy(void **state)
{
    const struct place *p = *state;
    uint8_t a[300] = { 0 }, b[300] = { 0 };
    assert_true(p->sys->clock.wall_ms() > INT64_C(1700000000000));
    uint64_t last = p->sys->clock.monotonic_us();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = p->sys->clock.monotonic_us();
        assert_true(now >= last);
        last = now;
    }
    p->sys->entropy(a, sizeof(a));
    p->sys->entropy(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 280, b + 280, 20);
}

/* A reader never sees anything but whole chunks of what the writer wrote in one call. */
struct shared {
    const struct place *place;
    struct sys_file *file;
    int stop;
};

static void *write_on(void *argument)
{
    struct shared *s = argument;
    char bytes[512];
    for (int round = 1; round <= 300; round++) {
        memset(bytes, round, sizeof(bytes));
        struct iovec part = { bytes, sizeof(bytes) };
        if (failed(s->place->sys->file.write(s->file, (uint64_t)round * sizeof(bytes), &part, 1)))
            break;
    }
    __atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void test_reads_while_it_grows(void **state)
{
    struct shared s = { .place = *state, .file = make_file(*state, "a") };
    pthread_t thread;
    char bytes[512];
    size_t got;
    uint64_t size;
    assert_int_equal(pthread_create(&thread, NULL, write_on, &s), 0);
    while (!__atomic_load_n(&s.stop, __ATOMIC_ACQUIRE)) {
        assert_ok(s.place->sys->file.size(s.file, &size));
        if (size < 1024)
            continue;
        uint64_t last = size / 512 - 1;
        assert_ok(s.place->sys->file.read(s.file, last * 512, bytes, 512, &got));
        assert_int_equal(got, 512);
        for (size_t i = 0; i < 512; i++)
            assert_int_equal(bytes[i], (char)last);
    }
    pthread_join(thread, NULL);
    assert_ok(s.place->sys->file.size(s.file, &size));
    assert_int_equal(size, 301 * 512);
    s.place->sys->file.close(s.file);
}

static void test_default_table(void **state)
{
    assert_ptr_equal(sys, &sys_real);
}

#define ON(where, test)                                                                                                \
    {                                                                                                                  \
#test "_" #where, test, set_up_##where, tear_down, NULL                                                        \
    }
#define BOTH(test) ON(real, test), ON(memory, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_open_flags),
        BOTH(test_read_and_write),
        BOTH(test_many_parts_in_one_write),
        BOTH(test_random_operations),
        BOTH(test_direct_reads),
        BOTH(test_truncate_grows_with_zeros),
        BOTH(test_lock),
        BOTH(test_rename_replaces),
        BOTH(test_remove),
        BOTH(test_directories),
        BOTH(test_free_bytes),
        BOTH(test_clocks_and_entropy),
        BOTH(test_reads_while_it_grows),
        cmocka_unit_test(test_default_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
