/* Pools and the body budget; see src/http/memory.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "http/memory.h"

static void the_block_given_last_is_taken_first(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p, 1000);
    char *a = pool_take(&p), *b = pool_take(&p);
    assert_ptr_not_equal(a, b);
    memset(a, 'a', 1000);
    memset(b, 'b', 1000);
    assert_int_equal(p.taken, 2);
    pool_give(&p, a);
    pool_give(&p, b);
    assert_ptr_equal(pool_take(&p), b);
    assert_ptr_equal(pool_take(&p), a);
    memset(a, 'c', 1000); /* allowed again, all of it */
    pool_give(&p, b);
    pool_give(&p, a);
    assert_int_equal(p.taken, 0);
    pool_deinit(&p);
}

static void a_pool_does_not_hoard(void **state)
{
    (void)state;
    enum { BLOCK = 64 * 1024, COUNT_MAX = 100 };
    struct pool p;
    void *blocks[COUNT_MAX];
    pool_init(&p, BLOCK);
    for (size_t index = 0; index < COUNT_MAX; index++)
        blocks[index] = pool_take(&p);
    for (size_t index = 0; index < COUNT_MAX; index++)
        pool_give(&p, blocks[index]);
    assert_int_equal(p.spare_count, POOL_SPARE_BYTES_MAX / BLOCK);
    pool_deinit(&p);
}

static void the_budget_is_exact(void **state)
{
    (void)state;
    struct budget b = { .limit = 100 };
    assert_true(budget_take(&b, 60));
    assert_false(budget_take(&b, 41));
    assert_true(budget_take(&b, 40));
    assert_false(budget_take(&b, 1));
    assert_true(budget_take(&b, 0));
    budget_take_anyway(&b, 1000);
    assert_int_equal(b.held, 1100);
    assert_false(budget_take(&b, 0));
    budget_give(&b, 1000);
    budget_give(&b, 60);
    assert_true(budget_take(&b, 60));
    budget_give(&b, 100);
    assert_int_equal(b.held, 0);
}

enum { ROUNDS = 20000, PIECE = 7 };
static struct budget shared = { .limit = 3 * PIECE };
static atomic_int inside, most;

static void *take_and_give(void *argument)
{
    (void)argument;
    for (int round = 0; round < ROUNDS; round++) {
        if (!budget_take(&shared, PIECE))
            continue;
        int now = atomic_fetch_add(&inside, 1) + 1, before = atomic_load(&most);
        while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) {
        }
        atomic_fetch_sub(&inside, 1);
        budget_give(&shared, PIECE);
    }
    return NULL;
}

static void threads_never_exceed_the_budget(void **state)
{
    (void)state;
    pthread_t threads[5];
    for (size_t index = 0; index < 5; index++)
        assert_int_equal(pthread_create(&threads[index], NULL, take_and_give, NULL), 0);
    for (size_t index = 0; index < 5; index++)
        pthread_join(threads[index], NULL);
    assert_in_range(atomic_load(&most), 1, 3);
    assert_int_equal(shared.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_block_given_last_is_taken_first),
        cmocka_unit_test(a_pool_does_not_hoard),
        cmocka_unit_test(the_budget_is_exact),
        cmocka_unit_test(threads_never_exceed_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
