/* damage_test.c: flipped bits, missing files, foreign bytes: found by verify, and never a silent loss at a start.
 *
 * The directory is small and made anew, byte for byte the same, for every trial: a first life that ends in a snapshot and
 * one that is killed after several groups. What a start may do with a damaged one: refuse with a sentence, or come back with
 * everything but the last group, which nothing that survives says was durable.
 */
#include "unit/store/toy.h"
#include "support/faulty_disk.c"
#include "base/log.h"

enum { HEADER_BYTES = 88, HEADER_AGAIN = 2048 }; /* of a segment: doc/formats/journal.md */

static struct toy t;
static size_t before_last_group;

static struct store_options options_of(void)
{
    return (struct store_options){ .dir = "/data", .segment_bytes = 4 * MIB, .snapshot_bytes = 64 * MIB };
}

static void must_open(void)
{
    struct store_options options = options_of();
    toy_must_open(&t, &options);
}

/* Two starts, a snapshot in between, some groups after the last start. */
static void make_directory(void)
{
    sys = &sys_faulty;
    faulty_disk_reset(11);
    toy_init(&t, 12);
    must_open();
    for (int i = 0; i < 6; i++) {
        assert_int_equal(toy_put(&t, (uint16_t)i, 2, 40).code, 0);
        toy_flush(&t);
    }
    assert_int_equal(toy_drop(&t, 3, 0).code, 0);
    toy_flush(&t);
    assert_int_equal(store_snapshot_now(t.store).code, 0);
    store_close(t.store, false);
    must_open();
    for (int i = 0; i < 5; i++) {
        before_last_group = t.count;
        assert_int_equal(toy_put(&t, (uint16_t)i, 1, 70).code, 0);
        toy_flush(&t);
    }
    store_abandon(t.store);
    faulty_disk_crash(CRASH_PROCESS);
}

static void forget_directory(void)
{
    toy_deinit(&t);
}

/* ---- the files there are -------------------------------------------------------------------------------------------------- */

enum { NAMES_MAX = 32 };
static char names[NAMES_MAX][64];
static size_t name_count;

static void add_name(void *context, const char *name)
{
    (void)context;
    assert_true(name_count < NAMES_MAX);
    snprintf(names[name_count++], sizeof(names[0]), "%s", name);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void list_names(void)
{
    name_count = 0;
    assert_int_equal(sys->file.list_dir("/data", add_name, NULL).code, 0);
    qsort(names, name_count, sizeof(names[0]), compare);
}

static const char *path_of(const char *name)
{
    static char path[128] = "/data/";
    size_t size = strlen(name);
    assert_true(size < sizeof(names[0]));
    memcpy(path + 6, name, size + 1);
    return path;
}

static bool is_journal(const char *name)
{
    return strncmp(name, "journal-", 8) == 0;
}

/* Bytes of the file that say something: all of them, but for the zeros at the end of a segment. */
static size_t used_bytes(const char *name)
{
    struct sys_file *f;
    uint64_t size;
    size_t got = 0;
    assert_int_equal(sys->file.open(path_of(name), SYS_OPEN_READ, &f).code, 0);
    assert_int_equal(sys->file.size(f, &size).code, 0);
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    assert_int_equal(sys->file.read(f, 0, bytes, (size_t)size, &got).code, 0);
    sys->file.close(f);
    while (is_journal(name) && got > 0 && bytes[got - 1] == 0)
        got--;
    free(bytes);
    return got;
}

/* Does the byte of a segment lie in the block of its header, beside the header's two copies? */
static bool is_unused(size_t offset)
{
    return offset < 4080 && offset % HEADER_AGAIN >= 96;
}

static void count_line(void *context, struct slice line)
{
    (void)line;
    ++*(int *)context;
}

/* ---- flips ------------------------------------------------------------------------------------------------------------------ */

static void test_verify_finds_nothing_in_a_sound_directory(void **state)
{
    (void)state;
    make_directory();
    int lines = 0;
    assert_int_equal(store_verify("/data", count_line, &lines).code, 0);
    assert_int_equal(store_verify("/nothing", count_line, &lines).code, ERR_NOT_FOUND);
    forget_directory();
}

/* Every byte of the small files, the headers, the frames and the snapshots. Inside the 4 KiB blocks of the segments' headers
 * and inside long payloads some are skipped: one checksum covers them all alike. */
static size_t next_byte(const char *name, size_t offset)
{
    bool is_snapshot = strncmp(name, "snapshot-", 9) == 0;
    return offset + (is_journal(name) && is_unused(offset) ? 97 : is_snapshot ? 5 : 1);
}

static void test_verify_finds_every_flip(void **state)
{
    (void)state;
    make_directory();
    list_names();
    size_t flips = 0;
    for (size_t i = 0; i < name_count; i++) {
        bool is_spare = strncmp(names[i], "spare-", 6) == 0;
        size_t size = used_bytes(names[i]);
        for (size_t at = 0; at < size && !is_spare; at = next_byte(names[i], at)) {
            int lines = 0;
            assert_true(faulty_disk_flip_bit(path_of(names[i]), at, at % 8));
            struct error e = store_verify("/data", count_line, &lines);
            if (!failed(e))
                fail_msg("%s: the flip of byte %zu of %zu was not found", names[i], at, size);
            assert_true(faulty_disk_flip_bit(path_of(names[i]), at, at % 8));
            flips++;
        }
    }
    assert_true(flips > 1000);
    int lines = 0;
    assert_int_equal(store_verify("/data", count_line, &lines).code, 0); /* all of them were undone */
    forget_directory();
}

/* Opens a directory with this damage and judges. */
static void judge_start(const char *what, const char *name, size_t at)
{
    struct store_options options = options_of();
    struct error e = toy_open(&t, &options);
    if (failed(e)) {
        assert_true(t.sentence.size > 20);
        assert_true(e.code == ERR_CORRUPT || e.code == ERR_NEWER_FORMAT);
        return;
    }
    size_t upto = toy_prefix(&t);
    if (upto < before_last_group)
        fail_msg(
            "%s: %s, byte %zu: the start silently lost %zu of %zu events", what, name, at, t.count - upto, t.count);
    toy_read_all(&t);
    store_abandon(t.store);
}

static void test_no_flip_loses_silently(void **state)
{
    (void)state;
    make_directory();
    list_names();
    size_t sizes[NAMES_MAX];
    for (size_t i = 0; i < name_count; i++)
        sizes[i] = used_bytes(names[i]);
    forget_directory();
    for (size_t i = 0; i < name_count; i++) {
        for (size_t at = 0; at < sizes[i]; at += is_journal(names[i]) ? 3 : 7) {
            if (is_journal(names[i]) && is_unused(at))
                continue;
            make_directory();
            assert_true(faulty_disk_flip_bit(path_of(names[i]), at, at % 8));
            judge_start("a flipped bit", names[i], at);
            forget_directory();
        }
    }
}

/* The newest header may be all that says where the journal ended: behind that, a group that was never acknowledged may have
 * come to the disk since. So one damaged place takes no header away: everything is there, and nothing more. */
static void test_no_flip_takes_a_header(void **state)
{
    (void)state;
    make_directory();
    list_names();
    forget_directory();
    for (size_t i = 0; i < name_count; i++) {
        for (size_t at = 0; is_journal(names[i]) && at < 2 * HEADER_BYTES; at++) {
            size_t copy = at % 2 * HEADER_AGAIN;
            make_directory();
            assert_true(faulty_disk_flip_bit(path_of(names[i]), copy + at / 2, at % 8));
            must_open();
            assert_int_equal(toy_prefix(&t), t.count);
            toy_read_all(&t);
            store_abandon(t.store);
            forget_directory();
        }
    }
}

/* ---- files that are gone -------------------------------------------------------------------------------------------------------- */

static void test_no_missing_file_loses_silently(void **state)
{
    (void)state;
    make_directory();
    list_names();
    forget_directory();
    for (size_t i = 0; i < name_count; i++) {
        bool is_nothing = strcmp(names[i], "lock") == 0 || strncmp(names[i], "spare-", 6) == 0;
        if (is_nothing || (i + 1 < name_count && is_journal(names[i]) && !is_journal(names[i + 1])))
            continue; /* the newest segment alone: nothing that is left speaks of it */
        make_directory();
        assert_int_equal(sys->file.remove(path_of(names[i])).code, 0);
        judge_start("a missing file", names[i], 0);
        forget_directory();
    }
}

/* One large group fills the first segment; only the next segment's frame speaks of it. */
static void test_first_segment_missing_or_damaged(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        sys = &sys_faulty;
        faulty_disk_reset(21);
        toy_init(&t, 22);
        must_open();
        for (int i = 0; i < 3; i++) {
            assert_int_equal(toy_put(&t, 1, 1, 1000 * KIB).code, 0);
            toy_flush(&t);
        }
        before_last_group = 2;
        store_abandon(t.store);
        list_names();
        size_t first = 0;
        while (!is_journal(names[first]))
            first++;
        if (kind == 0)
            assert_int_equal(sys->file.remove(path_of(names[first])).code, 0);
        else
            assert_true(faulty_disk_flip_bit(path_of(names[first]), 5000, 1));
        judge_start("the first segment", names[first], 0);
        forget_directory();
    }
}

static void append_to_another_log(struct toy *toy, uint16_t log)
{
    if (log == 3)
        for (int i = 0; i < 2; i++)
            assert_int_equal(toy_put(toy, 9, 1, 700 * KIB).code, 0);
}

/* A snapshot is taken while records go on into the next segment, and knows of them. Were the start to go on without that
 * segment, new records would get the LSNs that the snapshot covers, and the start after that would skip them. */
static void test_newest_segment_missing_that_a_snapshot_covers(void **state)
{
    (void)state;
    sys = &sys_faulty;
    faulty_disk_reset(31);
    toy_init(&t, 32);
    must_open();
    assert_int_equal(toy_put(&t, 1, 1, 40).code, 0);
    t.on_capture = append_to_another_log;
    assert_int_equal(store_snapshot_now(t.store).code, 0);
    store_abandon(t.store);
    faulty_disk_crash(CRASH_PROCESS);
    list_names();
    size_t newest = 0;
    for (size_t i = 0; i < name_count; i++)
        if (is_journal(names[i]))
            newest = i;
    assert_int_equal(sys->file.remove(path_of(names[newest])).code, 0);
    struct store_options options = options_of();
    assert_int_equal(toy_open(&t, &options).code, ERR_CORRUPT);
    assert_true(t.sentence.size > 20);
    forget_directory();
}

/* A snapshot under another number is another one's: what it covers and where it begins would be taken for this one's. */
static void test_renamed_snapshot(void **state)
{
    (void)state;
    make_directory();
    assert_int_equal(sys->file.rename("/data/snapshot-0000000000000001", "/data/snapshot-ffffffffffffffff").code, 0);
    struct store_options options = options_of();
    assert_int_equal(toy_open(&t, &options).code, ERR_CORRUPT);
    forget_directory();
}

static void test_segment_with_an_impossible_number(void **state)
{
    (void)state;
    make_directory();
    struct sys_file *f;
    assert_int_equal(
        sys->file.open(path_of("journal-fffffffffffffff0.seg"), SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f).code, 0);
    assert_int_equal(sys->file.truncate(f, 1 * MIB).code, 0);
    sys->file.close(f);
    struct store_options options = options_of();
    assert_int_equal(toy_open(&t, &options).code, ERR_CORRUPT);
    forget_directory();
}

/* ---- no sync in between -------------------------------------------------------------------------------------------------------------- */

/* What a start reads from the page cache and shows must outlive a loss of power after it. */
static void test_start_makes_durable_what_it_shows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(60); seed++) {
        struct store_options options = options_of();
        sys = &sys_faulty;
        faulty_disk_reset(seed);
        toy_init(&t, seed);
        options.durability = DURABILITY_OS;
        toy_must_open(&t, &options);
        for (int i = 0; i < 12; i++) {
            assert_int_equal(toy_put(&t, (uint16_t)i, 1, 700).code, 0);
            assert_int_equal(store_flush(t.store).code, 0);
        }
        store_abandon(t.store);
        faulty_disk_crash(CRASH_PROCESS);
        must_open();
        assert_int_equal(toy_prefix(&t), 12); /* a killed process loses nothing in this mode */
        store_abandon(t.store);
        faulty_disk_crash(CRASH_POWER);
        must_open();
        assert_int_equal(toy_prefix(&t), 12);
        toy_read_all(&t);
        store_close(t.store, false);
        toy_deinit(&t);
    }
}

/* With --durability os a loss of power may cost the newest records, but never the directory. */
static void test_power_loss_without_syncs_still_opens(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= toy_seeds(60); seed++) {
        struct store_options options = options_of();
        options.durability = DURABILITY_OS;
        sys = &sys_faulty;
        faulty_disk_reset(seed);
        toy_init(&t, seed);
        toy_must_open(&t, &options);
        for (int round = 0; round < 4; round++) {
            for (int i = 0; i < 12; i++) {
                assert_int_equal(toy_put(&t, (uint16_t)i, 1 + toy_below(&t, 3), toy_below(&t, 30000)).code, 0);
                if (toy_below(&t, 2))
                    assert_int_equal(store_flush(t.store).code, 0);
            }
            if (toy_below(&t, 2))
                assert_int_equal(store_snapshot_now(t.store).code, 0);
            store_abandon(t.store);
            faulty_disk_crash(CRASH_POWER);
            toy_must_open(&t, &options);
            t.count = toy_prefix(&t);
            toy_read_all(&t);
        }
        store_close(t.store, false);
        toy_deinit(&t);
    }
}

int main(void)
{
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_finds_nothing_in_a_sound_directory),
        cmocka_unit_test(test_verify_finds_every_flip),
        cmocka_unit_test(test_no_flip_loses_silently),
        cmocka_unit_test(test_no_flip_takes_a_header),
        cmocka_unit_test(test_no_missing_file_loses_silently),
        cmocka_unit_test(test_first_segment_missing_or_damaged),
        cmocka_unit_test(test_newest_segment_missing_that_a_snapshot_covers),
        cmocka_unit_test(test_renamed_snapshot),
        cmocka_unit_test(test_segment_with_an_impossible_number),
        cmocka_unit_test(test_start_makes_durable_what_it_shows),
        cmocka_unit_test(test_power_loss_without_syncs_still_opens),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    faulty_disk_reset(0);
    return result;
}
