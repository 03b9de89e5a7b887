#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/map.h"

enum { ENTRIES = 2000 };

struct entry {
    uint64_t key;
    uint64_t hash;
    bool is_inside;
    int seen;
};

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

/* No hole between an entry's home and its place. */
static void check_runs(const struct map *m)
{
    for (size_t i = 0; i < m->capacity; i++) {
        if (!m->slots[i].entry)
            continue;
        for (size_t at = m->slots[i].hash & (m->capacity - 1); at != i; at = (at + 1) & (m->capacity - 1))
            assert_non_null(m->slots[at].entry);
    }
}

/* Random operations against a flag per entry. `mask` makes hashes collide, wholly or in their home slots. */
static void run_random(uint64_t mask)
{
    static struct entry entries[ENTRIES];
    struct map m;
    uint64_t seed = mask + 3;
    size_t count = 0;
    map_init(&m);
    for (size_t i = 0; i < ENTRIES; i++)
        entries[i] = (struct entry){ .key = i, .hash = map_hash_u64(i) & mask };
    for (int step = 0; step < 20000; step++) {
        struct entry *e = &entries[next_random(&seed) % ENTRIES];
        assert_ptr_equal(map_find(&m, e->hash, equal, e), e->is_inside ? e : NULL);
        map_fetch(&m, e->hash);
        const struct entry *guess = map_guess(&m, e->hash); /* one of that hash, if there is any */
        assert_true(guess ? guess->hash == e->hash && guess->is_inside : !e->is_inside);
        if (e->is_inside) {
            assert_true(map_remove(&m, e->hash, e));
            count--;
        } else {
            assert_false(map_remove(&m, e->hash, e));
            map_insert(&m, e->hash, e);
            count++;
        }
        e->is_inside = !e->is_inside;
        assert_int_equal(m.count, count);
    }
    check_runs(&m);
    assert_true(m.count <= m.capacity / 4 * 3);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_ptr_equal(map_find(&m, entries[i].hash, equal, &entries[i]), entries[i].is_inside ? &entries[i] : NULL);
    void *entry;
    for (size_t at = 0; map_next(&m, &at, &entry);)
        ((struct entry *)entry)->seen++;
    for (size_t i = 0; i < ENTRIES; i++)
        assert_int_equal(entries[i].seen, entries[i].is_inside);
    map_deinit(&m);
    assert_null(m.slots);
}

static void test_random_operations(void **state)
{
    run_random(UINT64_MAX);
}

static void test_colliding_home_slots(void **state)
{
    run_random(UINT64_C(0xffffffffffffff00));
    run_random(UINT64_C(0x3f));
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
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_hash_spreads),
        cmocka_unit_test(test_hash_is_siphash_1_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
