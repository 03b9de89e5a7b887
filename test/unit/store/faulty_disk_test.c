/* faulty_disk_test.c: the disk the other tests rely on: what it must keep, what it may lose, and that it does lose it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/limits.h"
#include "support/faulty_disk.h"

enum { SEEDS = 200, BYTES = 3000 };

static struct sys_file *open_file(const char *path)
{
    struct sys_file *f = NULL;
    assert_int_equal(sys_faulty.file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f).code, 0);
    return f;
}

static struct error write_byte(struct sys_file *f, uint64_t offset, char byte, size_t size)
{
    char bytes[BYTES];
    memset(bytes, byte, sizeof(bytes));
    const struct iovec part = { bytes, size };
    return sys_faulty.file.write(f, offset, &part, 1);
}

/* How many bytes of the file are `byte`; its size in *ret_size. UINT64_MAX: no such file. */
static uint64_t count_byte(const char *path, int flags, char byte, size_t *ret_size)
{
    struct sys_file *f;
    char bytes[3 * BYTES];
    uint64_t count = 0;
    *ret_size = 0;
    if (sys_faulty.file.open(path, SYS_OPEN_READ | flags, &f).code)
        return UINT64_MAX;
    assert_int_equal(sys_faulty.file.read(f, 0, bytes, sizeof(bytes), ret_size).code, 0);
    for (size_t i = 0; i < *ret_size; i++)
        count += bytes[i] == byte;
    sys_faulty.file.close(f);
    return count;
}

static void start(uint64_t seed)
{
    faulty_disk_reset(seed);
    assert_int_equal(sys_faulty.file.make_dir("d").code, 0);
    assert_int_equal(sys_faulty.file.sync_dir(".").code, 0);
}

/* "a" in a durable file, then "b" over it and beyond, not synced. */
static struct sys_file *write_two(uint64_t seed)
{
    start(seed);
    struct sys_file *f = open_file("d/file");
    assert_int_equal(write_byte(f, 0, 'a', BYTES).code, 0);
    assert_int_equal(sys_faulty.file.sync(f).code, 0);
    assert_int_equal(sys_faulty.file.sync_dir("d").code, 0);
    assert_int_equal(write_byte(f, 1000, 'b', BYTES).code, 0);
    return f;
}

static void synced_bytes_survive_and_others_may(void **state)
{
    size_t size, whole = 0, none = 0, parts = 0, odd = 0;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        write_two(seed);
        faulty_disk_crash(CRASH_POWER);
        uint64_t old = count_byte("d/file", 0, 'a', &size), new = count_byte("d/file", 0, 'b', &size);
        assert_true(old >= 1000 && size >= BYTES && size <= 1000 + BYTES);
        whole += new == BYTES;
        none += new == 0;
        parts += new > 0 && new < BYTES;
        odd += new > 0 && new < BYTES &&new % FAULTY_SECTOR_BYTES != 0;
    }
    assert_true(whole > 0 && none > 0 && parts > 0 && odd > 0);
}

static void a_killed_process_loses_nothing(void **state)
{
    size_t size;
    (void)state;
    struct sys_file *f = write_two(1);
    faulty_disk_crash(CRASH_PROCESS);
    assert_int_equal(sys_faulty.file.sync(f).code, ERR_IO); /* its handles are dead */
    assert_int_equal(count_byte("d/file", 0, 'b', &size), BYTES);
    sys_faulty.file.close(f);
    f = open_file("d/file"); /* and what it left in the cache can still be synced */
    assert_int_equal(sys_faulty.file.sync(f).code, 0);
    faulty_disk_crash(CRASH_POWER);
    assert_int_equal(count_byte("d/file", 0, 'b', &size), BYTES);
}

static void names_are_durable_after_sync_dir(void **state)
{
    size_t size, kept = 0, lost = 0;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        struct sys_file *f = open_file("d/one");
        write_byte(f, 0, 'x', 10);
        sys_faulty.file.sync(f);
        sys_faulty.file.sync_dir("d");
        sys_faulty.file.rename("d/one", "d/two");
        faulty_disk_crash(CRASH_POWER);
        bool is_one = count_byte("d/one", 0, 'x', &size) == 10, is_two = count_byte("d/two", 0, 'x', &size) == 10;
        assert_true(is_one != is_two);
        kept += is_two;
        lost += is_one;
        sys_faulty.file.rename(is_one ? "d/one" : "d/two", "d/three");
        sys_faulty.file.sync_dir("d");
        faulty_disk_crash(CRASH_POWER);
        assert_int_equal(count_byte("d/three", 0, 'x', &size), 10);
    }
    assert_true(kept > 0 && lost > 0);
}

static void a_new_directory_needs_its_parent(void **state)
{
    size_t lost = 0;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint64_t size;
        struct sys_file *f;
        faulty_disk_reset(seed);
        sys_faulty.file.make_dir("new");
        f = open_file("new/file");
        sys_faulty.file.sync(f);
        sys_faulty.file.sync_dir("new");
        faulty_disk_crash(CRASH_POWER);
        if (sys_faulty.file.open("new/file", SYS_OPEN_READ, &f).code)
            lost++;
        else
            assert_int_equal(sys_faulty.file.size(f, &size).code, 0);
    }
    assert_true(lost > 0 && lost < SEEDS);
}

/* After a failed sync the cache shows the new bytes, the disk may have the old ones, and another sync does not help. */
static void a_failed_sync_leaves_doubt(void **state)
{
    size_t size, lost = 0;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sys_file *f = write_two(seed);
        faulty_disk_fail_sync(0);
        assert_int_equal(sys_faulty.file.sync(f).code, ERR_IO);
        assert_int_equal(sys_faulty.file.sync(f).code, 0);
        assert_int_equal(count_byte("d/file", 0, 'b', &size), BYTES);
        uint64_t direct = count_byte("d/file", SYS_OPEN_DIRECT, 'b', &size);
        lost += direct < BYTES;
        faulty_disk_crash(CRASH_POWER);
        assert_int_equal(count_byte("d/file", 0, 'b', &size), direct);
    }
    assert_true(lost > 0 && lost < SEEDS);
}

static void one_write_fails(void **state)
{
    (void)state;
    start(3);
    struct sys_file *f = open_file("d/file");
    faulty_disk_fail_write(1);
    assert_int_equal(write_byte(f, 0, 'a', 100).code, 0);
    assert_int_equal(write_byte(f, 100, 'a', 100).code, ERR_IO);
    assert_int_equal(write_byte(f, 200, 'a', 100).code, 0);
}

static void a_full_disk_refuses_growth_only(void **state)
{
    uint64_t room, total;
    (void)state;
    start(4);
    struct sys_file *f = open_file("d/file");
    assert_int_equal(write_byte(f, 0, 'a', 1000).code, 0);
    faulty_disk_set_capacity(faulty_disk_used_bytes() + 500);
    assert_int_equal(write_byte(f, 1000, 'a', 501).code, ERR_FULL);
    assert_int_equal(write_byte(f, 0, 'b', 1000).code, 0);
    assert_int_equal(sys_faulty.file.free_bytes("d", &room, &total).code, 0);
    assert_int_equal(room, 500);
    assert_int_equal(write_byte(f, 1000, 'a', 500).code, 0);
}

static void bits_flip_and_everything_comes_back(void **state)
{
    size_t size;
    (void)state;
    struct sys_file *f = write_two(5);
    sys_faulty.file.sync(f);
    sys_faulty.file.close(f);
    faulty_disk_save();
    uint64_t before = faulty_disk_digest();
    assert_true(faulty_disk_flip_bit("d/file", 10, 0));
    assert_false(faulty_disk_flip_bit("d/file", 5000, 0));
    assert_int_equal(count_byte("d/file", 0, 'a', &size), 999);
    sys_faulty.file.remove("d/file");
    faulty_disk_restore();
    assert_int_equal(faulty_disk_digest(), before);
    assert_int_equal(count_byte("d/file", 0, 'a', &size), 1000);
}

static void one_seed_is_one_history(void **state)
{
    uint64_t digests[3], seeds[3] = { 7, 7, 8 };
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint8_t random[16];
        write_two(seeds[i]);
        sys_faulty.entropy(random, sizeof(random));
        struct sys_file *f = open_file("d/random");
        const struct iovec part = { random, sizeof(random) };
        sys_faulty.file.write(f, 0, &part, 1);
        sys_faulty.file.sync(f);
        sys_faulty.file.sync_dir("d");
        faulty_disk_crash(CRASH_POWER);
        digests[i] = faulty_disk_digest();
    }
    assert_int_equal(digests[0], digests[1]);
    assert_int_not_equal(digests[0], digests[2]);
}

static void clocks_obey(void **state)
{
    (void)state;
    start(9);
    int64_t wall_ms = sys_faulty.clock.wall_ms();
    uint64_t monotonic_us = sys_faulty.clock.monotonic_us();
    faulty_clock_advance(5000);
    faulty_clock_jump_wall(-60000);
    assert_int_equal(sys_faulty.clock.wall_ms() - wall_ms, 5 - 60000);
    assert_int_equal(sys_faulty.clock.monotonic_us() - monotonic_us, 5000);
}

static int reset(void **state)
{
    (void)state;
    faulty_disk_reset(0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synced_bytes_survive_and_others_may),
        cmocka_unit_test(a_killed_process_loses_nothing),
        cmocka_unit_test(names_are_durable_after_sync_dir),
        cmocka_unit_test(a_new_directory_needs_its_parent),
        cmocka_unit_test(a_failed_sync_leaves_doubt),
        cmocka_unit_test(one_write_fails),
        cmocka_unit_test(a_full_disk_refuses_growth_only),
        cmocka_unit_test(bits_flip_and_everything_comes_back),
        cmocka_unit_test(one_seed_is_one_history),
        cmocka_unit_test(clocks_obey),
    };
    return cmocka_run_group_tests(tests, NULL, reset);
}
