#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/heap.h"

enum { NODES = 300 };

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return *seed >> 33;
}

static void check_order(const struct heap *h)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct heap_node *n = h->nodes[i], *parent = h->nodes[i ? (i - 1) / 2 : 0];
        assert_int_equal(n->index, i + 1);
        assert_true(parent->key < n->key || (parent->key == n->key && parent->tie <= n->tie));
    }
}

/* Random inserts, removals and changes against a plain array of what must be inside. */
static void test_random_operations(void **state)
{
    struct heap h;
    struct heap_node nodes[NODES] = { 0 };
    uint64_t seed = 1;
    heap_init(&h);
    assert_null(heap_top(&h));
    for (int step = 0; step < 20000; step++) {
        size_t i = next_random(&seed) % NODES;
        uint64_t key = next_random(&seed) % 50; /* many equal keys */
        if (!heap_has(&nodes[i]))
            heap_insert(&h, &nodes[i], key, i);
        else if (next_random(&seed) % 2)
            heap_change(&h, &nodes[i], key);
        else
            heap_remove(&h, &nodes[i]);
        if (step % 100 == 0)
            check_order(&h);
        size_t inside = 0;
        const struct heap_node *least = NULL;
        for (size_t k = 0; k < NODES; k++) {
            if (!heap_has(&nodes[k]))
                continue;
            inside++;
            if (!least || nodes[k].key < least->key || (nodes[k].key == least->key && nodes[k].tie < least->tie))
                least = &nodes[k];
        }
        assert_int_equal(h.count, inside);
        assert_ptr_equal(heap_top(&h), least);
    }
    heap_deinit(&h);
}

static void test_pops_in_order(void **state)
{
    struct heap h;
    struct heap_node nodes[NODES] = { 0 };
    uint64_t seed = 7, last_key = 0, last_tie = 0;
    heap_init(&h);
    for (size_t i = 0; i < NODES; i++)
        heap_insert(&h, &nodes[i], next_random(&seed) % 20, NODES - i);
    for (size_t i = 0; i < NODES; i++) {
        struct heap_node *n = heap_top(&h);
        assert_true(n->key > last_key || (n->key == last_key && n->tie > last_tie));
        last_key = n->key;
        last_tie = n->tie;
        heap_remove(&h, n);
        assert_false(heap_has(n));
    }
    assert_null(heap_top(&h));
    heap_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_pops_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
