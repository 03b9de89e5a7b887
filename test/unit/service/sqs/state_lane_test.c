/* lane.c against an array: append, pop, find, extract, relocate, capture; and its size in memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/sqs/lane.h"
#include "state_collect.h"
#include "state_random.h"

enum { MODEL_MAX = 20000 };

struct model {
    struct lane_item items[MODEL_MAX];
    size_t first, count; /* items[first .. first + count) wait */
};
static struct model model;

static void check_item(const struct lane_item *a, const struct lane_item *b)
{
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->lsn, b->lsn);
    assert_int_equal(a->time_ms, b->time_ms);
}

static void check_same(const struct lane *l)
{
    struct lane_item item;
    size_t i = 0;
    assert_int_equal(l->count, model.count);
    for (struct lane_cursor at = lane_begin(l); lane_next(&at, &item); i++)
        check_item(&item, &model.items[model.first + i]);
    assert_int_equal(i, model.count);
    if (model.count) {
        check_item(&l->head, &model.items[model.first]);
        check_item(&l->tail, &model.items[model.first + model.count - 1]);
    }
}

static struct lane_item next_item(struct random *r, struct lane_item last, int spread)
{
    last.seq += spread ? 1 + random_below(r, 1u << (random_below(r, 20))) : 1;
    last.lsn += 1 + random_below(r, 1ull << random_below(r, spread ? 40 : 6));
    last.time_ms += random_below(r, 4) ? 0 : random_below(r, 100000);
    return last;
}

static void model_remove(size_t index) /* relative to first */
{
    size_t at = model.first + index;
    memmove(&model.items[at], &model.items[at + 1], (model.count - index - 1) * sizeof(model.items[0]));
    model.count--;
}

static void step(struct lane *l, struct random *r, struct lane_item *last, int spread)
{
    struct lane_item item;
    uint64_t from = 0, what = random_below(r, 100);
    size_t index = model.count ? random_below(r, model.count) : 0;
    if (what < 55 && model.first + model.count < MODEL_MAX) {
        *last = next_item(r, *last, spread);
        lane_append(l, last);
        model.items[model.first + model.count++] = *last;
    } else if (what < 80 && model.count) {
        lane_pop(l);
        model.first++;
        model.count--;
    } else if (what < 90 && model.count) {
        struct lane_item want = model.items[model.first + index];
        assert_true(lane_extract(l, want.seq, &item));
        check_item(&item, &want);
        assert_false(lane_find(l, want.seq, &item));
        assert_false(lane_extract(l, want.seq, &item));
        model_remove(index);
    } else if (model.count) {
        struct lane_item *want = &model.items[model.first + index];
        uint64_t to = want->lsn + 1 + random_below(r, 1ull << 40);
        assert_true(lane_relocate(l, want->seq, to, &from));
        assert_int_equal(from, want->lsn);
        want->lsn = to;
        assert_true(lane_find(l, want->seq, &item));
        check_item(&item, want);
    }
}

static void test_random_steps(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct random r = { seed };
        struct lane l = { 0 };
        struct lane_item last = { 0, 1000, 1700000000000ull };
        memset(&model, 0, sizeof(model));
        for (int i = 0; i < 6000; i++) {
            step(&l, &r, &last, seed % 2);
            if (i % 97 == 0)
                check_same(&l);
        }
        check_same(&l);
        while (model.count) {
            lane_pop(&l);
            model.first++;
            model.count--;
        }
        assert_int_equal(lane_memory(&l), 0);
        lane_clear(&l);
    }
}

static void count_item(void *context, const struct lane_item *item)
{
    assert_true(item->lsn > 0);
    ++*(uint64_t *)context;
}

/* A snapshot holds what was there when it was taken, whatever happens before it is written. */
static void test_capture_while_changing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct random r = { seed * 77 };
        struct lane l = { 0 }, back = { 0 };
        struct lane_item last = { 0, 1000, 1700000000000ull };
        static struct snapshot_writer w;
        struct buf pending;
        buf_init(&pending);
        buf_init(&w.bytes);
        memset(&model, 0, sizeof(model));
        for (int i = 0; i < 5000; i++)
            step(&l, &r, &last, seed % 2);
        lane_capture(&l, &pending, &w);
        snapshot_add(&w, pending.data, pending.size);
        static struct model then;
        then = model;
        for (int i = 0; i < 3000; i++)
            step(&l, &r, &last, seed % 2);
        lane_clear(&l);
        collect_finish(&w);
        struct unpack u = unpack_of(buf_slice(&w.bytes));
        uint64_t seen = 0;
        assert_true(lane_restore(&back, &u, count_item, &seen));
        assert_int_equal(seen, then.count);
        assert_false(unpack_has_more(&u));
        model = then;
        check_same(&back);
        for (int i = 0; i < 500; i++) { /* and it goes on like any other */
            last = next_item(&r, last, seed % 2);
            lane_append(&back, &last);
            model.items[model.first + model.count++] = last;
        }
        check_same(&back);
        lane_clear(&back);
        buf_deinit(&w.bytes);
        buf_deinit(&pending);
    }
}

static void ignore_item(void *context, const struct lane_item *item)
{
    (void)context;
    (void)item;
}

static void test_restore_refuses_damage(void **state)
{
    (void)state;
    struct random r = { 5 };
    struct lane l = { 0 };
    struct lane_item last = { 0, 1000, 1700000000000ull };
    static struct snapshot_writer w;
    struct buf pending;
    buf_init(&pending);
    memset(&model, 0, sizeof(model));
    for (int i = 0; i < 200; i++)
        lane_append(&l, (last = next_item(&r, last, 1), &last));
    lane_capture(&l, &pending, &w);
    for (size_t size = 0; size < pending.size; size++) { /* cut short anywhere: no */
        struct lane back = { 0 };
        struct unpack u = unpack_of(slice_of(pending.data, size));
        assert_false(lane_restore(&back, &u, ignore_item, NULL));
        assert_int_equal(back.count, 0);
    }
    for (size_t i = 0; i < pending.size; i++) { /* a flipped bit: no, or some lane; never out of bounds */
        struct lane back = { 0 };
        pending.data[i] ^= 0x41;
        struct unpack u = unpack_of(buf_slice(&pending));
        lane_restore(&back, &u, ignore_item, NULL);
        lane_clear(&back);
        pending.data[i] ^= 0x41;
    }
    lane_clear(&l);
    buf_deinit(&pending);
}

/* The figures of the speed issue: standard 256-byte bodies, and 100 messages in each of many groups. */
static void test_memory(void **state)
{
    (void)state;
    struct lane l = { 0 };
    struct lane_item item = { 0, 1000, 1700000000000ull };
    for (int i = 0; i < 1000000; i++) {
        item = (struct lane_item){ item.seq + 1, item.lsn + 22, item.time_ms + (i % 50 == 0) };
        lane_append(&l, &item);
    }
    assert_in_range(lane_memory(&l) / 10000, 0, 350); /* hundredths of a byte a message: 3.5 */
    lane_clear(&l);
    for (int i = 0; i < 100; i++) {
        item = (struct lane_item){ item.seq + 100000, item.lsn + 2200000, item.time_ms + 1000 };
        lane_append(&l, &item);
    }
    assert_in_range(lane_memory(&l), 0, 1200);
    lane_clear(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_steps),
        cmocka_unit_test(test_capture_while_changing),
        cmocka_unit_test(test_restore_refuses_damage),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
