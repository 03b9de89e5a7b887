/* flight.c against arrays: the table, the blocks, both heaps. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/sqs/flight.h"
#include "state_random.h"

enum { MODEL_MAX = 4000 };
struct known {
    uint64_t seq, deadline, position;
    uint32_t entry;
    int in_order;
};
static struct known known[MODEL_MAX];
static size_t known_count;

static uint64_t least(int order)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < known_count; i++) {
        if (order && !known[i].in_order)
            continue;
        uint64_t key = order ? known[i].position : known[i].deadline;
        if (key < least)
            least = key;
    }
    return least;
}

static void add(struct flights *f, struct flight_heap *order, struct random *r)
{
    struct known *k = &known[known_count];
    *k = (struct known){
        .seq = random_next(r), .deadline = random_below(r, 1000), .position = random_below(r, 1u << 30)
    };
    k->entry = flights_add(f, k->seq);
    flights_get(f, k->entry)->state = FLIGHT_RETURNED;
    flight_due(f, k->entry, k->deadline);
    k->in_order = random_below(r, 2) == 0;
    if (k->in_order)
        flight_order_insert(f, order, k->entry, k->position);
    known_count++;
}

static void take(struct flights *f, struct flight_heap *order, size_t index)
{
    struct known *k = &known[index];
    assert_int_equal(flights_find(f, k->seq), k->entry);
    if (k->in_order)
        flight_order_remove(f, order, k->entry);
    flights_remove(f, k->entry);
    assert_int_equal(flights_find(f, k->seq), FLIGHT_NONE);
    *k = known[--known_count];
}

static void check_all(const struct flights *f)
{
    uint32_t entry, seen = 0;
    assert_int_equal(f->count, known_count);
    for (size_t i = 0; i < known_count; i++) {
        assert_int_equal(flights_find(f, known[i].seq), known[i].entry);
        assert_int_equal(flights_get(f, known[i].entry)->seq, known[i].seq);
    }
    for (uint32_t i = 0; flights_next(f, &i, &entry);)
        seen++;
    assert_int_equal(seen, known_count);
}

static void test_random_steps(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct random r = { seed };
        struct flights f = { 0 };
        struct flight_heap order = { 0 };
        known_count = 0;
        for (int i = 0; i < 8000; i++) {
            uint64_t what = random_below(&r, 100);
            if (what < (i < 5000 ? 50u : 20u) && known_count < MODEL_MAX) {
                add(&f, &order, &r);
            } else if (what < 80 && known_count) {
                take(&f, &order, random_below(&r, known_count));
            } else if (known_count) {
                struct known *k = &known[random_below(&r, known_count)];
                k->deadline = random_below(&r, 1000);
                flight_due(&f, k->entry, k->deadline);
            }
            if (i % 61 == 0) {
                uint32_t first;
                assert_int_equal(flight_first_due(&f, &first), least(0));
                assert_in_range(f.line.count + f.odd.count, f.count, 2 * f.count + 64);
                assert_int_equal(flight_heap_key(&order), least(1));
            }
        }
        check_all(&f);
        while (known_count)
            take(&f, &order, known_count - 1);
        assert_int_equal(flights_memory(&f), 0);
    }
}

static void test_memory(void **state)
{
    (void)state;
    struct flights f = { 0 };
    for (uint64_t i = 0; i < 100000; i++) {
        uint32_t entry = flights_add(&f, i);
        flights_get(&f, entry)->state = FLIGHT_LEASED;
        flight_due(&f, entry, i);
    }
    assert_in_range(flights_memory(&f) / 100000, 64, 100);
    flights_clear(&f);
    uint32_t entry = flights_add(&f, 7);
    flights_get(&f, entry)->state = FLIGHT_LEASED;
    assert_in_range(flights_memory(&f), 0, 640);
    flights_remove(&f, entry);
    assert_int_equal(flights_memory(&f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_steps),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
