/* Protects: busy threads are tied to different cores, for a while; a thread that is busy alone is not; which cores the
 * operator allows is the same afterwards, also when he changes it meanwhile.
 * All turns of a test are those of one thread, so every seat is where this thread is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sys/spread.h"
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

enum { THREADS = 2 };

static cpu_set_t before;

static cpu_set_t allowed_now(void)
{
    cpu_set_t now;
    assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
    return now;
}

static void allow(const cpu_set_t *cores)
{
    assert_int_equal(sched_setaffinity(0, sizeof(*cores), cores), 0);
}

static int remember(void **state)
{
    before = allowed_now();
    *state = spread_new(THREADS);
    return 0;
}

static int restore(void **state)
{
    allow(&before);
    spread_free(*state);
    return 0;
}

static bool is_free(void)
{
    cpu_set_t now = allowed_now();
    return CPU_EQUAL(&now, &before);
}

static int tied_core(void)
{
    cpu_set_t now = allowed_now();
    assert_int_equal(CPU_COUNT(&now), 1);
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &now))
            return core;
    abort();
}

static struct spread *needs_cores(void **state)
{
    if (!*state)
        skip(); /* one core: spread_new said so */
    return *state;
}

static void test_busy_ones_go_apart(void **state)
{
    struct spread *s = needs_cores(state);
    spread_turn(s, 0, 1000); /* the first turn of all: alone */
    assert_true(is_free());
    int core = sched_getcpu();
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(core, &here);
    allow(&here); /* so that the kernel does not take this thread away between two turns */
    spread_turn(s, 0, 1001);
    allow(&before);
    spread_turn(s, 1, 1001);
    assert_int_not_equal(tied_core(), core);
}

static void test_the_first_one_stays(void **state)
{
    struct spread *s = needs_cores(state);
    spread_turn(s, 1, 1000);
    assert_true(is_free());
    spread_turn(s, 0, 1001);
    assert_int_equal(tied_core(), sched_getcpu());
}

static void test_who_rests_is_not_in_the_way(void **state)
{
    struct spread *s = needs_cores(state);
    spread_turn(s, 0, 1000);
    spread_turn(s, 1, 1003);
    assert_true(is_free());
}

static void test_a_tie_ends(void **state)
{
    struct spread *s = needs_cores(state);
    spread_turn(s, 0, 1000);
    spread_turn(s, 1, 1001);
    int core = tied_core();
    uint64_t now = 1001;
    for (; now < 1101; now++) {
        spread_turn(s, 1, now);
        assert_int_equal(tied_core(), core);
    }
    for (; now < 1121 && !is_free(); now++)
        spread_turn(s, 1, now);
    assert_true(is_free());
    for (; now < 1200; now++) /* alone since then */
        spread_turn(s, 1, now);
    assert_true(is_free());
}

static void test_the_operator_comes_first(void **state)
{
    struct spread *s = needs_cores(state);
    spread_turn(s, 0, 1000);
    spread_turn(s, 1, 1001);
    int core = tied_core();
    cpu_set_t wanted = before;
    CPU_CLR(core, &wanted);
    allow(&wanted);
    for (uint64_t now = 1002; now < 1300; now++)
        spread_turn(s, 1, now);
    cpu_set_t now = allowed_now();
    assert_true(CPU_EQUAL(&now, &wanted));
}

static void test_nothing_to_spread(void **state)
{
    (void)state;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    assert_null(spread_new(1));
    assert_null(spread_new(CPU_COUNT(&before) + 1));
    allow(&one);
    assert_null(spread_new(THREADS));
    spread_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_busy_ones_go_apart, remember, restore),
        cmocka_unit_test_setup_teardown(test_the_first_one_stays, remember, restore),
        cmocka_unit_test_setup_teardown(test_who_rests_is_not_in_the_way, remember, restore),
        cmocka_unit_test_setup_teardown(test_a_tie_ends, remember, restore),
        cmocka_unit_test_setup_teardown(test_the_operator_comes_first, remember, restore),
        cmocka_unit_test_setup_teardown(test_nothing_to_spread, remember, restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
