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

static uint64_t used_us; /* by the thread whose turn it is */
static uint64_t used_by[THREADS];

static uint64_t fake_used_us(void)
{
    return used_us;
}

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
    used_by[0] = used_by[1] = 0;
    before = allowed_now(getpid());
    allow(0, &before);
    *state = spread_new(THREADS, fake_used_us);
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

/* A turn of a thread that has used so much of a core since its last one. */
static int turn(struct spread *s, int index, uint64_t now_ms, uint64_t ms)
{
    used_us = used_by[index] += ms * 1000;
    spread_turn(s, index, now_ms);
    return tied_core();
}

/* Seats that were first looked at 100 ms ago. Seat 0 has been busy since, on a core that it returns, and is free. */
static int first_is_busy(struct spread *s)
{
    int core = sched_getcpu();
    turn(s, 0, 900, 0);
    turn(s, 1, 900, 0);
    stay_on(core);
    turn(s, 0, 1000, 60);
    allow(0, &before);
    return core;
}

static int second_is_tied(struct spread *s)
{
    first_is_busy(s);
    int core = turn(s, 1, 1001, 60);
    assert_int_not_equal(core, FREE);
    return core;
}

static void test_busy_ones_go_apart(void **state)
{
    struct spread *s = needs_cores(state);
    int core = first_is_busy(s);
    int second = turn(s, 1, 1001, 60);
    assert_true(second != FREE && second != core); /* wherever it was: that core is the first one's */
    stay_on(second);
    allow(0, &before); /* as if the kernel had put the first one there */
    int first = turn(s, 0, 1010, 6);
    assert_true(first != FREE && first != second);
}

static void test_alone(void **state)
{
    struct spread *s = needs_cores(state);
    turn(s, 1, 900, 0);
    for (uint64_t now = 1000; now < 1200; now += 10)
        assert_int_equal(turn(s, 1, now, 100), FREE);
}

static void test_little_to_do(void **state)
{
    struct spread *s = needs_cores(state);
    first_is_busy(s);
    assert_int_equal(turn(s, 1, 1001, 25), FREE); /* a quarter of a core */
    assert_int_equal(turn(s, 1, 1011, 2), FREE);
}

/* A burst of ten milliseconds is no load; half a core for a while is. */
static void test_lately(void **state)
{
    struct spread *s = needs_cores(state);
    first_is_busy(s);
    assert_int_equal(turn(s, 1, 1001, 0), FREE);
    uint64_t now = 1011;
    for (; now < 1200 && tied_core() == FREE; now += 10) {
        turn(s, 0, now, 6);
        allow(0, &before);
        turn(s, 1, now, 5);
    }
    assert_in_range(now, 1051, 1151);
}

static void test_who_rests_is_not_in_the_way(void **state)
{
    struct spread *s = needs_cores(state);
    first_is_busy(s);
    assert_int_equal(turn(s, 1, 1030, 130), FREE); /* the other one was last seen busy 30 ms ago */
}

static void test_a_tie_ends(void **state)
{
    struct spread *s = needs_cores(state);
    int core = second_is_tied(s);
    uint64_t now = 1002;
    for (; now < 1101; now++)
        assert_int_equal(turn(s, 1, now, 1), core);
    for (; now < 1121 && tied_core() != FREE; now++)
        turn(s, 1, now, 1);
    assert_int_equal(tied_core(), FREE);
    for (; now < 1200; now++) /* alone since then */
        assert_int_equal(turn(s, 1, now, 1), FREE);
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
        for (uint64_t now = 1002; now < 1300; now++) {
            used_us = used_by[1] += 1000;
            spread_turn(s, 1, now);
        }
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
        for (int seat = 0; seat < THREADS; seat++) {
            used_us = used_by[seat] += 1000;
            spread_turn(s, seat, now);
        }
    }
    cpu_set_t now = allowed_now(0);
    assert_true(CPU_EQUAL(&now, &wanted));
}

static void test_nothing_to_spread(void **state)
{
    (void)state;
    assert_null(spread_new(1, fake_used_us));
    assert_null(spread_new(CPU_COUNT(&before) + 1, fake_used_us));
    stay_on(sched_getcpu());
    assert_null(spread_new(THREADS, fake_used_us));
    spread_free(NULL);
}

static void *run(void *failed)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_busy_ones_go_apart, remember, restore),
        cmocka_unit_test_setup_teardown(test_alone, remember, restore),
        cmocka_unit_test_setup_teardown(test_little_to_do, remember, restore),
        cmocka_unit_test_setup_teardown(test_lately, remember, restore),
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
