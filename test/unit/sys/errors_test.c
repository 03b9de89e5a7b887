/* What the kernel says when it fails, and what is left of a file's cached pages: the real table only. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sys/sys_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

static void test_rows(void **state)
{
    const struct {
        int system;
        uint32_t row;
    } cases[] = { { ENOSPC, ERR_FULL }, { EDQUOT, ERR_FULL }, { ENOENT, ERR_NOT_FOUND }, { EEXIST, ERR_EXISTS },
        { ENOMEM, ERR_NO_MEMORY }, { EIO, ERR_IO }, { EACCES, ERR_IO }, { ENOTDIR, ERR_IO } };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(sys_error(cases[i].system).code, cases[i].row);
        assert_int_equal(sys_error(cases[i].system).system, cases[i].system);
    }
}

static const char *temporary_path(void)
{
    static char path[200];
    const char *parent = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/millrace-sys-errors-XXXXXX", parent ? parent : "/tmp");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return path;
}

static void test_files_are_private(void **state)
{
    const char *path = temporary_path();
    struct stat st;
    struct sys_file *f;
    assert_int_equal(unlink(path), 0);
    mode_t before = umask(0);
    assert_false(failed(sys_real.file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f)));
    sys_real.file.close(f);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink(path), 0);
    assert_false(failed(sys_real.file.make_dir(path)));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    umask(before);
    assert_false(failed(sys_real.file.remove(path)));
}

static void test_full_device(void **state)
{
    struct sys_file *f;
    struct iovec part = { "x", 1 };
    if (failed(sys_real.file.open("/dev/full", SYS_OPEN_WRITE, &f)))
        skip();
    struct error e = sys_real.file.write(f, 0, &part, 1);
    assert_int_equal(e.code, ERR_FULL);
    assert_int_equal(e.system, ENOSPC);
    sys_real.file.close(f);
}

/* A limit of the process cuts a write short: the rest is tried again, and then it is an error. */
static void test_short_write_is_an_error(void **state)
{
    const char *path = temporary_path();
    struct sys_file *f;
    struct rlimit before, small;
    char bytes[8192] = { 1 };
    struct iovec parts[] = { { bytes, 3000 }, { bytes, 5000 } };
    uint64_t size;
    assert_false(failed(sys_real.file.open(path, SYS_OPEN_WRITE, &f)));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct error e = sys_real.file.write(f, 0, parts, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(e.system, EFBIG);
    assert_false(failed(sys_real.file.size(f, &size)));
    assert_int_equal(size, 4096);
    sys_real.file.close(f);
    assert_int_equal(unlink(path), 0);
}

/* What was dropped from the page cache is either cold or, where the file system cannot say, read all the same. */
static void test_cold_bytes(void **state)
{
    enum { BYTES = 1 << 20 };
    const char *path = temporary_path();
    struct sys_file *f;
    char *bytes = malloc(BYTES), *back = malloc(BYTES);
    size_t got = 0;
    memset(bytes, 'c', BYTES);
    struct iovec part = { bytes, BYTES };
    assert_false(failed(sys_real.file.open(path, SYS_OPEN_WRITE, &f)));
    assert_false(failed(sys_real.file.write(f, 0, &part, 1)));
    assert_false(failed(sys_real.file.sync(f)));
    sys_real.file.advise_done(f, 0, BYTES);
    struct error e = sys_real.file.read_nowait(f, 0, back, BYTES, &got);
    assert_true(e.code == ERR_COLD || (e.code == ERR_NONE && got == BYTES));
    /* warm the first half: a read across the edge is cold or whole, never short */
    assert_false(failed(sys_real.file.read(f, 0, back, 4096, &got)));
    assert_int_equal(got, 4096);
    e = sys_real.file.read_nowait(f, 0, back, BYTES, &got);
    assert_true(e.code == ERR_COLD || (e.code == ERR_NONE && got == BYTES));
    assert_false(failed(sys_real.file.read(f, 0, back, BYTES, &got)));
    assert_int_equal(got, BYTES);
    assert_false(failed(sys_real.file.read_nowait(f, BYTES - 10, back, 100, &got)));
    assert_int_equal(got, 10);
    assert_memory_equal(back, "cccccccccc", 10);
    sys_real.file.close(f);
    assert_int_equal(unlink(path), 0);
    free(bytes);
    free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_files_are_private),
        cmocka_unit_test(test_full_device),
        cmocka_unit_test(test_short_write_is_an_error),
        cmocka_unit_test(test_cold_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
