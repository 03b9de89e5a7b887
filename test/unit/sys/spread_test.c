/* Protects: busy threads are tied to different cores, for a while; a thread that is busy alone, or has little to do, is not;
 * which cores the operator allows holds afterwards, whatever he changed meanwhile.
 *
 * All turns of a test are those of one thread, not the first of the process (see spread.h), so each seat is where that thread
 * is. The kernel may move it between two lines; `stay_on` keeps it where that matters. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sys/spread.h"
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 2, FREE = -1 };

static cpu_set_t before; /* of the first thread, and of this one at the start of a test */

static cpu_set_t allowed_now(pid_t thread)
{
    cpu_set_t now;
    assert_int_equal(sched_getaffinity(thread, sizeof(now), &now), 0);
    return now;
}

static void allow(pid_t thread, const cpu_set_t *cores)
{
    assert_int_equal(sched_setaffinity(thread, sizeof(*cores), cores), 0);
}

static void stay_on(int core)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    allow(0, &one);
}

static int remember(void **state)
{
    before = allowed_now(getpid());
    allow(0, &before);
    *state = spread_new(THREADS);
    return 0;
}

static int restore(void **state)
{
    allow(getpid(), &before);
    allow(0, &before);
    spread_free(*state);
    return 0;
}

static struct spread *needs_cores(void **state)
{
    if (!*state)
        skip(); /* one core: spread_new said so */
    return *state;
}

/* The core this thread is tied to, or FREE. */
static int tied_core(void)
{
    cpu_set_t now = allowed_now(0);
    if (CPU_EQUAL(&now, &before))
        return FREE;
    assert_int_equal(CPU_COUNT(&now), 1);
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &now))
            return core;
    abort();
}

static void turns(struct spread *s, int index, int count, uint64_t now_ms)
{
    for (int i = 0; i < count; i++)
        spread_turn(s, index, now_ms);
}

/* Twenty turns, then one that looks. */
static int busy(struct spread *s, int index, uint64_t now_ms)
{
    turns(s, index, 20, now_ms - 2);
    spread_turn(s, index, now_ms);
    return tied_core();
}

/* First turns, so that the next looks count ten milliseconds. Seat 0 is busy then, on a core that it returns, and free. */
static int first_is_busy(struct spread *s)
{
    int core = sched_getcpu();
    turns(s, 0, 1, 990);
    turns(s, 1, 1, 990);
    stay_on(core);
    busy(s, 0, 1000);
    allow(0, &before);
    return core;
}

static int second_is_tied(struct spread *s)
{
    first_is_busy(s);
    int core = busy(s, 1, 1001);
    assert_int_not_equal(core, FREE);
    return core;
}

static void test_busy_ones_go_apart(void **state)
{
    struct spread *s = needs_cores(state);
    int core = first_is_busy(s);
    int second = busy(s, 1, 1001);
    assert_true(second != FREE && second != core); /* wherever it was: that core is the first one's */
    stay_on(second);
    allow(0, &before); /* as if the kernel had put the first one there */
    int first = busy(s, 0, 1010);
    assert_true(first != FREE && first != second);
}

static void test_alone(void **state)
{
    struct spread *s = needs_cores(state);
    turns(s, 1, 1, 990);
    for (uint64_t now = 1000; now < 1200; now += 10)
        assert_int_equal(busy(s, 1, now), FREE);
}

static void test_little_to_do(void **state)
{
    struct spread *s = needs_cores(state);
    first_is_busy(s);
    turns(s, 1, 5, 1001);
    turns(s, 1, 9, 1011);
    assert_int_equal(tied_core(), FREE);
}

static void test_who_rests_is_not_in_the_way(void **state)
{
    struct spread *s = needs_cores(state);
    first_is_busy(s);
    turns(s, 1, 1, 1020);
    assert_int_equal(busy(s, 1, 1030), FREE); /* the other one was last seen busy 30 ms ago */
}

static void test_a_tie_ends(void **state)
{
    struct spread *s = needs_cores(state);
    int core = second_is_tied(s);
    uint64_t now = 1002;
    for (; now < 1101; now++) {
        turns(s, 1, 5, now);
        assert_int_equal(tied_core(), core);
    }
    for (; now < 1121 && tied_core() != FREE; now++)
        turns(s, 1, 5, now);
    assert_int_equal(tied_core(), FREE);
    for (; now < 1200; now++) /* alone since then */
        turns(s, 1, 5, now);
    assert_int_equal(tied_core(), FREE);
}

/* Also to the very core that a thread is tied to, which looks as if nobody had done anything. */
static void test_the_process_may_use_less(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct spread *s = needs_cores(state);
        int core = second_is_tied(s);
        cpu_set_t wanted = before;
        CPU_CLR(core, &wanted);
        if (i == 1) {
            CPU_ZERO(&wanted);
            CPU_SET(core, &wanted);
        }
        allow(getpid(), &wanted); /* taskset -a */
        allow(0, &wanted);
        for (uint64_t now = 1002; now < 1300; now++)
            turns(s, 1, 5, now);
        cpu_set_t now = allowed_now(0);
        assert_true(CPU_EQUAL(&now, &wanted));
        restore(state);
        remember(state);
    }
}

static void test_a_thread_with_cores_of_its_own(void **state)
{
    struct spread *s = needs_cores(state);
    int core = second_is_tied(s);
    cpu_set_t wanted = before;
    CPU_CLR(core, &wanted);
    allow(0, &wanted);
    for (uint64_t now = 1002; now < 1300; now++) {
        turns(s, 0, 5, now);
        turns(s, 1, 5, now);
    }
    cpu_set_t now = allowed_now(0);
    assert_true(CPU_EQUAL(&now, &wanted));
}

static void test_nothing_to_spread(void **state)
{
    (void)state;
    assert_null(spread_new(1));
    assert_null(spread_new(CPU_COUNT(&before) + 1));
    stay_on(sched_getcpu());
    assert_null(spread_new(THREADS));
    spread_free(NULL);
}

static void *run(void *failed)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_busy_ones_go_apart, remember, restore),
        cmocka_unit_test_setup_teardown(test_alone, remember, restore),
        cmocka_unit_test_setup_teardown(test_little_to_do, remember, restore),
        cmocka_unit_test_setup_teardown(test_who_rests_is_not_in_the_way, remember, restore),
        cmocka_unit_test_setup_teardown(test_a_tie_ends, remember, restore),
        cmocka_unit_test_setup_teardown(test_the_process_may_use_less, remember, restore),
        cmocka_unit_test_setup_teardown(test_a_thread_with_cores_of_its_own, remember, restore),
        cmocka_unit_test_setup_teardown(test_nothing_to_spread, remember, restore),
    };
    *(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    int failed = 1;
    if (pthread_create(&thread, NULL, run, &failed) == 0)
        pthread_join(thread, NULL);
    return failed;
}
