/* Protects: a member that was called and does not begin, or works and gets no processor time, is fetched by one that is about
 * to sleep; who rests, runs, waits as announced, has cores of its own or has left is not; and whoever was fetched may use the
 * same cores afterwards as before.
 *
 * Time is a number here; the processor time of a member is real. The members are this thread and a twin that does as told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sys/crew.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

enum { JOINED_US = 1000000, MUCH_LATER_US = JOINED_US + 100000 };

static struct {
    struct crew_seat *mine, *other;
    pthread_t thread;
    sem_t is_up, end;
    atomic_bool spins;
    cpu_set_t before;
} twin;

static cpu_set_t cores_now(pthread_t thread)
{
    cpu_set_t now;
    assert_int_equal(pthread_getaffinity_np(thread, sizeof(now), &now), 0);
    return now;
}

static void *twin_main(void *argument)
{
    (void)argument;
    twin.other = crew_join(JOINED_US);
    sem_post(&twin.is_up);
    while (atomic_load(&twin.spins))
        ;
    while (sem_wait(&twin.end) != 0)
        ;
    crew_leave(twin.other);
    return NULL;
}

static int set_up(void **state)
{
    bool spins = *state != NULL;
    sem_init(&twin.is_up, 0, 0);
    sem_init(&twin.end, 0, 0);
    atomic_store(&twin.spins, spins);
    twin.before = cores_now(pthread_self());
    twin.mine = crew_join(JOINED_US);
    assert_int_equal(pthread_create(&twin.thread, NULL, twin_main, NULL), 0);
    while (sem_wait(&twin.is_up) != 0)
        ;
    if (!twin.mine)
        assert_null(twin.other); /* one core */
    return 0;
}

/* Also: whatever happened, both may use what they could use before. */
static int tear_down(void **state)
{
    (void)state;
    cpu_set_t now = cores_now(twin.thread), here = cores_now(pthread_self());
    bool is_as_before = CPU_EQUAL(&now, &twin.before) && CPU_EQUAL(&here, &twin.before);
    atomic_store(&twin.spins, false);
    sem_post(&twin.end);
    assert_int_equal(pthread_join(twin.thread, NULL), 0);
    crew_leave(twin.mine);
    return is_as_before ? 0 : 1;
}

/* How often this thread, about to sleep at that time, fetches somebody. */
static uint64_t fetched_at(uint64_t now_us)
{
    uint64_t before = crew_fetched();
    crew_look(twin.mine, now_us);
    return crew_fetched() - before;
}

static void needs_cores(void)
{
    if (!twin.mine)
        skip();
}

static void test_called_and_not_begun(void **state)
{
    (void)state;
    needs_cores();
    crew_rest(twin.other);
    crew_call(twin.other, JOINED_US + 10);
    assert_int_equal(fetched_at(JOINED_US + 10 + CREW_CALLED_US - 1), 0);
    assert_int_equal(fetched_at(JOINED_US + 10 + CREW_CALLED_US), 1);
    assert_int_equal(fetched_at(JOINED_US + 10 + 2 * CREW_CALLED_US - 1), 0); /* not again at once */
    assert_int_equal(fetched_at(JOINED_US + 10 + 2 * CREW_CALLED_US), 1);
    crew_begin(twin.other, JOINED_US + 10 + 3 * CREW_CALLED_US);
    assert_int_equal(fetched_at(JOINED_US + 10 + 4 * CREW_CALLED_US), 0);
}

static void test_the_first_call_counts(void **state)
{
    (void)state;
    needs_cores();
    crew_rest(twin.other);
    crew_call(twin.other, JOINED_US);
    crew_call(twin.other, JOINED_US + CREW_CALLED_US - 1);
    assert_int_equal(fetched_at(JOINED_US + CREW_CALLED_US), 1);
}

static void test_a_call_while_it_works_is_none(void **state)
{
    (void)state;
    needs_cores();
    crew_begin(twin.other, JOINED_US + 50);
    crew_call(twin.other, JOINED_US + 60);
    assert_int_equal(fetched_at(JOINED_US + 60 + CREW_CALLED_US), 0);
}

static void test_works_and_gets_no_processor(void **state)
{
    (void)state;
    needs_cores();
    crew_begin(twin.other, JOINED_US);
    assert_int_equal(fetched_at(JOINED_US + CREW_TURN_US - 1), 0);
    assert_int_equal(fetched_at(JOINED_US + CREW_TURN_US), 0); /* the first question */
    assert_int_equal(fetched_at(JOINED_US + CREW_TURN_US + CREW_CHECK_US - 1), 0);
    assert_int_equal(fetched_at(JOINED_US + CREW_TURN_US + 100 * CREW_CHECK_US), 1);
}

static void test_a_new_turn_is_asked_anew(void **state)
{
    (void)state;
    needs_cores();
    crew_begin(twin.other, JOINED_US);
    assert_int_equal(fetched_at(JOINED_US + CREW_TURN_US), 0);
    crew_begin(twin.other, JOINED_US + CREW_TURN_US + 1);
    assert_int_equal(fetched_at(JOINED_US + 2 * CREW_TURN_US + CREW_CHECK_US), 0);
}

/* Between the questions no time passes but what the twin uses, which spins until it has used some. */
static void test_works_and_runs(void **state)
{
    (void)state;
    needs_cores();
    assert_int_equal(fetched_at(MUCH_LATER_US), 0);
    clockid_t used;
    struct timespec first, now;
    assert_int_equal(pthread_getcpuclockid(twin.thread, &used), 0);
    clock_gettime(used, &first);
    do
        clock_gettime(used, &now);
    while (now.tv_sec == first.tv_sec && now.tv_nsec < first.tv_nsec + CREW_CHECK_US * 1000);
    assert_int_equal(fetched_at(MUCH_LATER_US + CREW_CHECK_US), 0);
}

static void test_who_rests_or_sleeps_as_announced_is_left_alone(void **state)
{
    (void)state;
    needs_cores();
    crew_rest(twin.other);
    assert_int_equal(fetched_at(MUCH_LATER_US), 0);
    crew_begin(twin.other, MUCH_LATER_US + 500);
    assert_int_equal(fetched_at(MUCH_LATER_US), 0);
    assert_int_equal(fetched_at(MUCH_LATER_US + 499 + CREW_TURN_US), 0);
}

static void test_cores_of_its_own_are_kept(void **state)
{
    (void)state;
    needs_cores();
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int core = 0; CPU_COUNT(&one) == 0; core++)
        if (CPU_ISSET(core, &twin.before))
            CPU_SET(core, &one);
    assert_int_equal(pthread_setaffinity_np(twin.thread, sizeof(one), &one), 0);
    crew_rest(twin.other);
    crew_call(twin.other, JOINED_US);
    assert_int_equal(fetched_at(MUCH_LATER_US), 0);
    cpu_set_t now = cores_now(twin.thread);
    assert_true(CPU_EQUAL(&now, &one));
    pthread_setaffinity_np(twin.thread, sizeof(twin.before), &twin.before);
}

static void test_who_left_is_not_fetched(void **state)
{
    (void)state;
    needs_cores();
    struct crew_seat *left = twin.other;
    crew_leave(left);
    twin.other = NULL;
    crew_call(left, JOINED_US); /* by who has not heard of it */
    assert_int_equal(fetched_at(MUCH_LATER_US), 0);
}

static void test_nobodys_seat(void **state)
{
    (void)state;
    crew_begin(NULL, JOINED_US);
    crew_rest(NULL);
    crew_call(NULL, JOINED_US);
    crew_look(NULL, MUCH_LATER_US);
    crew_leave(NULL);
}

static void test_seats_end_and_come_back(void **state)
{
    (void)state;
    struct crew_seat *seats[CREW_MAX];
    seats[0] = crew_join(JOINED_US);
    if (!seats[0])
        skip();
    for (int i = 1; i < CREW_MAX; i++)
        assert_non_null(seats[i] = crew_join(JOINED_US));
    assert_null(crew_join(JOINED_US));
    crew_leave(seats[7]);
    assert_ptr_equal(crew_join(JOINED_US), seats[7]);
    for (int i = 0; i < CREW_MAX; i++)
        crew_leave(seats[i]);
}

/* A look costs the same however many members there are, and in time sees each of them. */
static void test_all_are_looked_at_in_turn(void **state)
{
    (void)state;
    needs_cores();
    struct crew_seat *more[20];
    for (int i = 0; i < 20; i++) {
        more[i] = crew_join(JOINED_US);
        crew_rest(more[i]);
    }
    crew_rest(twin.other);
    crew_call(twin.other, JOINED_US);
    uint64_t fetched = 0;
    for (int looks = 0; looks < 20; looks++)
        fetched += fetched_at(JOINED_US + CREW_CALLED_US);
    assert_int_equal(fetched, 1);
    for (int i = 0; i < 20; i++)
        crew_leave(more[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_called_and_not_begun, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_call_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_call_while_it_works_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_works_and_gets_no_processor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_turn_is_asked_anew, set_up, tear_down),
        cmocka_unit_test_prestate_setup_teardown(test_works_and_runs, set_up, tear_down, "spins"),
        cmocka_unit_test_setup_teardown(test_who_rests_or_sleeps_as_announced_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cores_of_its_own_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_left_is_not_fetched, set_up, tear_down),
        cmocka_unit_test(test_nobodys_seat),
        cmocka_unit_test(test_seats_end_and_come_back),
        cmocka_unit_test_setup_teardown(test_all_are_looked_at_in_turn, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
