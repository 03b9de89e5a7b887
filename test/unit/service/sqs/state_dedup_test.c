/* dedup.c against an array: window, order of expiry, capture, bytes an entry. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "service/sqs/dedup.h"
#include "state_collect.h"
#include "state_random.h"

struct known {
    uint64_t hash[2], seq, time_ms;
};
static struct known known[40000];
static size_t first, end;

static void check_same(const struct dedup *d)
{
    uint64_t hash[2], seq, time_ms;
    assert_int_equal(dedup_count(d), end - first);
    for (size_t i = first; i < end; i++) {
        assert_true(dedup_find(d, known[i].hash, &seq));
        assert_int_equal(seq, known[i].seq);
        dedup_get(d, (uint32_t)(i - first), hash, &seq, &time_ms);
        assert_memory_equal(hash, known[i].hash, sizeof(hash));
        assert_int_equal(seq, known[i].seq);
        assert_int_equal(time_ms, known[i].time_ms);
    }
    assert_int_equal(dedup_oldest_ms(d), first < end ? known[first].time_ms : UINT64_MAX);
}

static void run(struct dedup *d, struct random *r, int steps, uint64_t *now_ms, uint64_t *seq)
{
    uint64_t found;
    for (int i = 0; i < steps; i++) {
        *now_ms += random_below(r, 3) ? 0 : random_below(r, 500);
        *seq += 1 + random_below(r, 3);
        struct known *k = &known[end];
        *k = (struct known){ { random_next(r), random_next(r) }, *seq, *now_ms };
        assert_false(dedup_find(d, k->hash, &found));
        dedup_add(d, k->hash, k->seq, k->time_ms);
        end++;
        if (random_below(r, 10) == 0 && *now_ms > 60000) {
            uint64_t upto = *now_ms - (random_below(r, 200) ? 60000 : 0);
            dedup_expire(d, upto);
            while (first < end && known[first].time_ms <= upto) {
                assert_false(dedup_find(d, known[first].hash, &found));
                first++;
            }
        }
    }
}

static void test_window(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct random r = { seed };
        struct dedup d = { 0 };
        uint64_t now_ms = 1700000000000ull, seq = 0;
        first = end = 0;
        for (int i = 0; i < 30; i++) {
            run(&d, &r, 900, &now_ms, &seq);
            check_same(&d);
        }
        dedup_expire(&d, UINT64_MAX);
        assert_int_equal(dedup_memory(&d), 0);
    }
}

static void test_capture_while_changing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct random r = { seed * 31 };
        struct dedup d = { 0 }, back = { 0 };
        uint64_t now_ms = 1700000000000ull, seq = 0;
        static struct snapshot_writer w;
        struct buf pending;
        buf_init(&pending);
        buf_init(&w.bytes);
        first = end = 0;
        run(&d, &r, seed == 4 ? 10 : 3000, &now_ms, &seq);
        dedup_capture(&d, &pending, &w);
        snapshot_add(&w, pending.data, pending.size);
        size_t then_first = first, then_end = end;
        run(&d, &r, 3000, &now_ms, &seq);
        dedup_clear(&d);
        collect_finish(&w);
        struct unpack u = unpack_of(buf_slice(&w.bytes));
        assert_true(dedup_restore(&back, &u));
        assert_false(unpack_has_more(&u));
        first = then_first;
        end = then_end;
        check_same(&back);
        seq += 10000;
        now_ms += 5000;
        run(&back, &r, 3000, &now_ms, &seq);
        check_same(&back);
        dedup_clear(&back);
        for (size_t size = 0; size < w.bytes.size; size += 1 + size / 50) {
            struct unpack cut = unpack_of(slice_of(w.bytes.data, size));
            assert_false(dedup_restore(&back, &cut));
            assert_int_equal(dedup_memory(&back), 0);
        }
        buf_deinit(&w.bytes);
        buf_deinit(&pending);
    }
}

static void test_memory(void **state)
{
    (void)state;
    struct dedup d = { 0 };
    struct random r = { 9 };
    for (uint64_t i = 0; i < 200000; i++) {
        const uint64_t hash[2] = { random_next(&r), random_next(&r) };
        dedup_add(&d, hash, i, 1700000000000ull + i / 100);
    }
    assert_in_range(dedup_memory(&d) / 200000, 24, 40);
    dedup_clear(&d);
}

/* Up to many parts and back to none: every id is found while it lives, memory follows, no step moves much of the table. */
static void test_grows_and_shrinks_by_parts(void **state)
{
    (void)state;
    enum { STEP = 500, MOST_A_STEP = 4 * 4096 * 4 };
    struct dedup d = { 0 };
    struct random r = { 77 };
    first = end = 0;
    for (uint64_t i = 0; i < ARRAY_COUNT(known); i++) {
        size_t before = dedup_memory(&d);
        known[end] = (struct known){ { random_next(&r), random_next(&r) }, i, 1700000000000ull + i };
        dedup_add(&d, known[end].hash, known[end].seq, known[end].time_ms);
        end++;
        assert_in_range(dedup_memory(&d), before, before + MOST_A_STEP);
        if (end % STEP == 0) {
            check_same(&d);
            assert_in_range(dedup_memory(&d), end * 24, end * 40 + 16 * 1024);
        }
    }
    assert_true(d.part_count > 16);
    while (first < end) {
        size_t before = dedup_memory(&d);
        dedup_expire(&d, known[first].time_ms);
        first++;
        assert_in_range(dedup_memory(&d), before < MOST_A_STEP ? 0 : before - MOST_A_STEP, before);
        if (first % STEP == 0)
            check_same(&d);
    }
    assert_int_equal(dedup_memory(&d), 0);
}

static void many_hash(uint64_t index, uint64_t ret_hash[2])
{
    struct random r = { index * 2 + 1 };
    ret_hash[0] = random_next(&r);
    ret_hash[1] = random_next(&r);
}

static size_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &size, &resident), 2);
    fclose(f);
    return (size_t)resident * 4096;
}

enum { MANY = 400000, MANY_STEP = 20000 };
static const uint64_t many_from_ms = 1700000000000ull;

static void many_add(struct dedup *d, uint64_t index)
{
    uint64_t hash[2];
    many_hash(index, hash);
    dedup_add(d, hash, index, many_from_ms + index);
}

/* The first `gone` are not there, the others are. */
static void many_check(const struct dedup *d, uint64_t gone)
{
    uint64_t hash[2], seq;
    assert_int_equal(dedup_count(d), MANY - gone);
    for (uint64_t i = 0; i < MANY; i += 997) {
        many_hash(i, hash);
        assert_int_equal(dedup_find(d, hash, &seq), i >= gone);
        assert_true(i < gone || seq == i);
    }
}

/* Ids and what outlives them come in turn; when the ids end, their memory is the machine's again, not a heap full of holes. */
static void test_memory_of_many_goes_back(void **state)
{
    (void)state;
    enum { OTHER = 64 };
    static void *others[MANY / OTHER];
    struct dedup d = { 0 };
    for (uint64_t i = 0; i < MANY; i++) {
        many_add(&d, i);
        if (i % OTHER == 0)
            others[i / OTHER] = memset(malloc(500), 1, 500);
    }
    size_t full = resident_bytes(), held = dedup_memory(&d);
    for (uint64_t gone = 0; gone < MANY; gone += MANY_STEP) {
        many_check(&d, gone);
        dedup_expire(&d, many_from_ms + gone + MANY_STEP - 1);
    }
    assert_int_equal(dedup_memory(&d), 0);
    assert_true(resident_bytes() + held / 4 * 3 < full);
    for (size_t i = 0; i < ARRAY_COUNT(others); i++)
        free(others[i]);
}

/* A snapshot that is being written while they end has what it captured. */
static void test_capture_of_many(void **state)
{
    (void)state;
    static struct snapshot_writer w;
    struct dedup d = { 0 }, back = { 0 };
    struct buf pending;
    buf_init(&pending);
    buf_init(&w.bytes);
    for (uint64_t i = 0; i < MANY; i++)
        many_add(&d, i);
    dedup_expire(&d, many_from_ms + MANY / 2 - 1);
    dedup_capture(&d, &pending, &w);
    snapshot_add(&w, pending.data, pending.size);
    dedup_expire(&d, UINT64_MAX);
    collect_finish(&w);
    struct unpack u = unpack_of(buf_slice(&w.bytes));
    assert_true(dedup_restore(&back, &u));
    many_check(&back, MANY / 2);
    dedup_clear(&back);
    buf_deinit(&w.bytes);
    buf_deinit(&pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_capture_while_changing),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_grows_and_shrinks_by_parts),
        cmocka_unit_test(test_memory_of_many_goes_back),
        cmocka_unit_test(test_capture_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
