/* machine.c: limits of cgroups, from trees of files as the kernel shows them in a container, in a unit and elsewhere. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "server/machine.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { FILES_MAX = 6 };
static char root[] = "/tmp/machine-test-XXXXXX";

static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void clear(void)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s/*", root);
    assert_int_equal(system(command), 0);
}

static int own_cores(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    return CPU_COUNT(&set);
}

static const struct {
    const char *what, *self; /* NULL: no such file */
    struct {
        const char *path, *text;
    } files[FILES_MAX];
    int cores; /* 0: all */
    uint64_t memory;
} rows[] = {
    { "nothing at all", NULL, { { 0 } }, 0, UINT64_MAX },
    { "no limits", "0::/\n", { { "cpu.max", "max 100000\n" }, { "memory.max", "max\n" } }, 0, UINT64_MAX },
    { "a container", "0::/\n", { { "cpu.max", "100000 100000\n" }, { "memory.max", "268435456\n" } }, 1, 268435456 },
    { "half a core", "0::/\n", { { "cpu.max", "50000 100000\n" } }, 1, UINT64_MAX },
    { "more than there are", "0::/\n", { { "cpu.max", "99900000 100000\n" } }, 0, UINT64_MAX },
    { "a unit", "0::/system.slice/millrace.service\n",
        { { "cpu.max", "max 100000\n" }, { "system.slice/cpu.max", "max 100000\n" },
            { "system.slice/millrace.service/cpu.max", "100000 100000\n" },
            { "system.slice/millrace.service/memory.max", "1000000\n" } },
        1, 1000000 },
    { "its slice is smaller", "0::/a/b\n", { { "a/memory.max", "1000\n" }, { "a/b/memory.max", "2000\n" } }, 0, 1000 },
    { "a neighbour's", "0::/a\n", { { "b/memory.max", "1000\n" }, { "b/cpu.max", "1 100000\n" } }, 0, UINT64_MAX },
    { "version 1", "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/y\n",
        { { "cpu/docker/x/cpu.cfs_quota_us", "100000\n" }, { "cpu/docker/x/cpu.cfs_period_us", "100000\n" },
            { "memory/docker/x/memory.limit_in_bytes", "5000\n" } },
        1, 5000 },
    { "version 1 in a container", "5:memory:/docker/x\n4:cpuacct,cpu:/docker/x\n",
        { { "cpu/cpu.cfs_quota_us", "100000\n" }, { "cpu/cpu.cfs_period_us", "100000\n" },
            { "memory/memory.limit_in_bytes", "6000\n" } },
        1, 6000 },
    { "version 1 without limits", "5:memory:/\n4:cpu:/\n",
        { { "cpu/cpu.cfs_quota_us", "-1\n" }, { "cpu/cpu.cfs_period_us", "100000\n" },
            { "memory/memory.limit_in_bytes", "9223372036854771712\n" } },
        0, UINT64_MAX },
    { "not as expected", "hello\n::\n0\n0:\n:::::\n", { { "cpu.max", "\n" }, { "memory.max", "many\n" } }, 0,
        UINT64_MAX },
    { "nonsense", "0::/\n", { { "cpu.max", "0 0\n" }, { "memory.max", "0\n" } }, 0, UINT64_MAX },
};

static void test_cgroups(void **state)
{
    (void)state;
    char self[128];
    snprintf(self, sizeof(self), "%s/self", root);
    const struct machine_paths paths = { root, self };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        clear();
        if (rows[i].self)
            put("self", rows[i].self);
        for (int k = 0; k < FILES_MAX && rows[i].files[k].path; k++)
            put(rows[i].files[k].path, rows[i].files[k].text);
        int wanted = rows[i].cores && rows[i].cores < own_cores() ? rows[i].cores : own_cores();
        if (machine_cores(&paths) != wanted || machine_memory_limit(&paths) != rows[i].memory)
            fail_msg("%s: %d cores instead of %d, %llu bytes instead of %llu", rows[i].what, machine_cores(&paths),
                wanted, (unsigned long long)machine_memory_limit(&paths), (unsigned long long)rows[i].memory);
    }
    clear();
}

static void test_this_machine(void **state)
{
    (void)state;
    assert_in_range(machine_cores(&machine_paths_real), 1, own_cores());
    assert_true(machine_memory_limit(&machine_paths_real) > 1024 * 1024);
    machine_raise_file_limit();
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
}

int main(void)
{
    if (!mkdtemp(root))
        return 1;
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cgroups), cmocka_unit_test(test_this_machine) };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    clear();
    remove(root);
    return failures;
}
