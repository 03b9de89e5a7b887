#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/map.h"

enum { ENTRIES_MAX = 30000, PART_SLOTS = 4096, PART_FULL = PART_SLOTS / 4 * 3 };

struct entry {
    uint64_t key;
    uint64_t hash;
    const struct map_slot *at;
    bool is_inside;
    int seen;
};

static struct entry entries[ENTRIES_MAX];

static bool equal(const void *entry, const void *key)
{
    const struct entry *e = entry, *wanted = key;
    assert_int_equal(e->hash, wanted->hash); /* nobody is asked about other hashes */
    return e->key == wanted->key;
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return *seed >> 33;
}

/* No hole between an entry's home and its place; counted. */
static void check_part(const struct map *m, const struct map_part *part)
{
    size_t count = 0;
    for (size_t i = 0; i <= m->slot_mask; i++) {
        if (!part->slots[i].entry)
            continue;
        count++;
        assert_ptr_equal(map_part(m, part->slots[i].hash), part);
        for (size_t at = part->slots[i].hash & m->slot_mask; at != i; at = (at + 1) & m->slot_mask)
            assert_non_null(part->slots[at].entry);
    }
    assert_int_equal(part->count, count);
    assert_true(count <= (m->slot_mask + 1) / 4 * 3);
}

/* Returns how many parts there are; each is led to from the places of its depth and no others. */
static size_t check_parts(const struct map *m)
{
    size_t parts = 0, places = m->parts ? (size_t)m->part_mask + 1 : 0;
    for (size_t i = 0; i < places; i++) {
        size_t first = i & (((size_t)1 << m->parts[i]->depth) - 1);
        assert_ptr_equal(m->parts[i], m->parts[first]);
        for (size_t other = 0; other < first; other++)
            assert_ptr_not_equal(m->parts[i], m->parts[other]);
        if (i != first)
            continue;
        check_part(m, m->parts[i]);
        parts++;
    }
    return parts;
}

static void check_iteration(const struct map *m, size_t count)
{
    void *entry;
    for (size_t i = 0; i < count; i++)
        entries[i].seen = 0;
    for (size_t at = 0; map_next(m, &at, &entry);)
        ((struct entry *)entry)->seen++;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(entries[i].seen, entries[i].is_inside);
}

static void start(struct map *m, uint64_t mask, size_t count)
{
    map_init(m);
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct entry){ .key = i, .hash = map_hash_u64(i) & mask };
}

static void toggle(struct map *m, struct entry *e)
{
    if (e->is_inside) {
        assert_true(map_remove(m, e->hash, e));
    } else {
        assert_false(map_remove(m, e->hash, e));
        map_insert(m, e->hash, e);
    }
    e->is_inside = !e->is_inside;
}

/* Random operations against a flag per entry, then all leave. `mask` makes hashes collide, wholly or in some of their bits. */
static void run_random(uint64_t mask, size_t entry_count, int steps)
{
    struct map m;
    uint64_t seed = mask + 3;
    size_t count = 0;
    start(&m, mask, entry_count);
    for (int step = 0; step < steps; step++) {
        struct entry *e = &entries[next_random(&seed) % entry_count];
        assert_ptr_equal(map_find(&m, e->hash, equal, e), e->is_inside ? e : NULL);
        map_fetch(&m, e->hash);
        const struct entry *guess = map_guess(&m, e->hash); /* one of that hash, if there is any */
        assert_true(guess ? guess->hash == e->hash && guess->is_inside : !e->is_inside);
        toggle(&m, e);
        count += e->is_inside ? 1 : -1;
        assert_int_equal(m.count, count);
    }
    check_parts(&m);
    check_iteration(&m, entry_count);
    for (size_t i = 0; i < entry_count; i++) {
        assert_ptr_equal(map_find(&m, entries[i].hash, equal, &entries[i]), entries[i].is_inside ? &entries[i] : NULL);
        if (entries[i].is_inside)
            toggle(&m, &entries[i]);
    }
    assert_int_equal(m.count, 0);
    check_iteration(&m, entry_count);
    map_deinit(&m);
    assert_null(m.parts);
}

static void test_random_operations(void **state)
{
    run_random(UINT64_MAX, 2000, 20000);
    run_random(UINT64_MAX, ENTRIES_MAX, 200000);
}

static void test_colliding_home_slots(void **state)
{
    run_random(UINT64_C(0xffffffffffffff00), 2000, 20000);
    run_random(UINT64_C(0x3f), 2000, 20000);
    run_random(UINT64_C(0xffffffff00000000), 12000, 40000); /* one home in each part */
}

/* More than a part holds, and nothing to tell them apart by: slow, and no larger than it must be. */
static void test_colliding_places(void **state)
{
    const uint64_t masks[] = { UINT64_C(0xffffffff), UINT64_C(0x1000000ff), 0 };
    for (size_t i = 0; i < ARRAY_COUNT(masks); i++) {
        struct map m;
        run_random(masks[i], 9000, 15000);
        start(&m, masks[i], 10000);
        for (size_t n = 0; n < 10000; n++)
            toggle(&m, &entries[n]);
        assert_true(check_parts(&m) * (m.slot_mask + 1) <= 8 * 16384);
        check_iteration(&m, 10000);
        map_deinit(&m);
    }
}

/* How many entries lie elsewhere than when this was last asked. */
static size_t count_moved(const struct map *m)
{
    size_t moved = 0;
    for (size_t place = 0; m->parts && place <= m->part_mask; place++) {
        if (place >> m->parts[place]->depth)
            continue;
        for (size_t i = 0; i <= m->slot_mask; i++) {
            const struct map_slot *slot = &m->parts[place]->slots[i];
            struct entry *e = slot->entry;
            if (!e || e->at == slot)
                continue;
            e->at = slot;
            moved++;
        }
    }
    return moved;
}

/* Up to some parts and back to a small one: no step moves more than one of them. */
static void test_steps_are_small(void **state)
{
    enum { COUNT = 7000 };
    struct map m;
    size_t most = 0;
    start(&m, UINT64_MAX, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        toggle(&m, &entries[i]);
        size_t moved = count_moved(&m);
        assert_in_range(moved, 1, 1 + PART_FULL);
        most = moved > most ? moved : most;
    }
    assert_true(most > PART_FULL / 3); /* they were counted */
    assert_int_equal(check_parts(&m), 4);
    for (size_t i = 0; i < COUNT; i++) {
        entries[i].at = NULL;
        toggle(&m, &entries[i]);
        assert_true(count_moved(&m) <= PART_FULL);
    }
    assert_int_equal(check_parts(&m), 1);
    assert_int_equal(m.part_mask, 0);
    assert_true(m.slot_mask < 64);
    map_deinit(&m);
}

/* 16 bytes a slot; of the slots 3/8 are used, or more, as long as entries only come; an eighth, when they leave. Chance lets
 * parts differ a little: so a tenth more. */
static void test_memory_follows(void **state)
{
    struct map m;
    start(&m, UINT64_MAX, ENTRIES_MAX);
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        toggle(&m, &entries[i]);
        if (i % 500 == 0)
            assert_true(check_parts(&m) * (m.slot_mask + 1) <= m.count * 8 / 3 * 11 / 10 + 16);
    }
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        toggle(&m, &entries[i]);
        if (i % 500 == 0)
            assert_true(check_parts(&m) * (m.slot_mask + 1) <= m.count * 8 * 11 / 10 + 64);
    }
    map_deinit(&m);
}

static void test_empty(void **state)
{
    struct map m;
    void *entry;
    size_t at = 0;
    struct entry key = { .key = 1 };
    map_init(&m);
    assert_null(map_find(&m, 1, equal, &key));
    assert_false(map_remove(&m, 1, &key));
    assert_false(map_next(&m, &at, &entry));
    map_deinit(&m);
}

/* Half of the bits change when one bit of the key changes, on average. */
static void test_hash_spreads(void **state)
{
    uint64_t changed = 0, compared = 0;
    char key[40];
    for (size_t size = 1; size <= sizeof(key); size++) {
        memset(key, 'k', sizeof(key));
        uint64_t before = map_hash(slice_of(key, size));
        for (size_t bit = 0; bit < 8 * size; bit++) {
            key[bit / 8] ^= (char)(1 << bit % 8);
            changed += (uint64_t)__builtin_popcountll(before ^ map_hash(slice_of(key, size)));
            key[bit / 8] ^= (char)(1 << bit % 8);
            compared += 64;
        }
        assert_true(map_hash(slice_of(key, size)) != map_hash(slice_of(key, size - 1)));
    }
    assert_true(changed * 100 > compared * 48 && changed * 100 < compared * 52);
}

/* The reference key and the first words of the published SipHash-1-3 vectors of other implementations. */
static void test_hash_is_siphash_1_3(void **state)
{
    uint8_t bytes[16];
    for (uint8_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = i;
    map_set_seed(UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908));
    assert_int_equal(map_hash(slice_of(bytes, 0)), UINT64_C(0xabac0158050fc4dc));
    assert_int_equal(map_hash(slice_of(bytes, 1)), UINT64_C(0xc9f49bf37d57ca93));
    uint64_t before = map_hash(SLICE("queue"));
    map_set_seed(1, 2);
    assert_true(map_hash(SLICE("queue")) != before);
    assert_int_equal(map_hash(SLICE_NONE), map_hash(SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_colliding_home_slots),
        cmocka_unit_test(test_colliding_places),
        cmocka_unit_test(test_steps_are_small),
        cmocka_unit_test(test_memory_follows),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_hash_spreads),
        cmocka_unit_test(test_hash_is_siphash_1_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
