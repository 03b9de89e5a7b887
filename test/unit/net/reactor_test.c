/* Timers, descriptors, posts and the structure of a turn; see src/net/reactor.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/reactor.h"
#include "sys/crew.h"
#include "sys/sys.h"

/* == A clock that the test moves == */

static atomic_uint_least64_t fake_ms;

static uint64_t fake_monotonic_us(void)
{
    return atomic_load(&fake_ms) * 1000;
}

static struct sys fake_sys;

/* == What happened, in order == */

static struct {
    char text[4096];
    size_t size;
} seen;

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(seen.text + seen.size, sizeof seen.text - seen.size, format, arguments);
    va_end(arguments);
    assert_true(count >= 0 && seen.size + (size_t)count < sizeof seen.text);
    seen.size += (size_t)count;
}

static struct reactor *reactor;

static int setup(void **state)
{
    (void)state;
    fake_sys = sys_real;
    fake_sys.clock.monotonic_us = fake_monotonic_us;
    atomic_store(&fake_ms, 1000);
    sys = &fake_sys;
    memset(&seen, 0, sizeof seen);
    return failed(reactor_new(7, &reactor));
}

static int teardown(void **state)
{
    (void)state;
    reactor_free(reactor);
    sys = &sys_real;
    return 0;
}

static void on_turn(void *context, uint64_t now_ms)
{
    (void)context, (void)now_ms;
    note("|");
}

/* == Timers == */

struct test_timer {
    struct timer timer;
    char name;
};

static void fire(struct timer *t)
{
    note("%c", CONTAINER_OF(t, struct test_timer, timer)->name);
}

static void fire_and_stop(struct timer *t)
{
    fire(t);
    reactor_stop(reactor);
}

static void timers_fire_in_order(void **state)
{
    (void)state;
    struct test_timer a = { { .fire = fire }, 'a' }, b = { { .fire = fire }, 'b' }, c = { { .fire = fire }, 'c' };
    struct test_timer d = { { .fire = fire }, 'd' }, e = { { .fire = fire }, 'e' }, f = { { .fire = fire }, 'f' };
    struct test_timer last = { { .fire = fire_and_stop }, '.' };
    timer_set(reactor, &c.timer, 1200);
    timer_set(reactor, &a.timer, 1100);
    timer_set(reactor, &b.timer, 1100); /* the same time: the order of setting */
    timer_set(reactor, &d.timer, 1150);
    timer_set(reactor, &d.timer, 1290); /* moved */
    timer_set(reactor, &e.timer, 1100);
    timer_cancel(reactor, &e.timer);
    timer_cancel(reactor, &e.timer); /* not set: fine */
    timer_set(reactor, &last.timer, 1300);
    timer_set(reactor, &f.timer, 1301); /* not due */
    atomic_store(&fake_ms, 1300);
    reactor_run(reactor);
    timer_cancel(reactor, &f.timer);
    assert_string_equal(seen.text, "abcd.");
    assert_int_equal(reactor_now_ms(reactor), 1300);
    assert_int_equal(reactor_index(reactor), 7);
}

static void set_again_at_once(struct timer *t)
{
    fire(t);
    if (seen.size < 6)
        timer_set(reactor, t, 0);
    else
        reactor_stop(reactor);
}

static void a_timer_set_into_the_past_waits_for_the_next_turn(void **state)
{
    (void)state;
    reactor_set_hooks(reactor, &(struct reactor_hooks){ .on_turn = on_turn });
    struct test_timer a = { { .fire = set_again_at_once }, 'a' };
    timer_set(reactor, &a.timer, 5);
    reactor_run(reactor);
    assert_string_equal(seen.text, "|a|a|a");
}

static uint64_t sleep_until_soon(void *context)
{
    uint64_t *count = context;
    if (++*count == 3)
        reactor_stop(reactor);
    return 1001;
}

static void sleep_until_bounds_the_sleep(void **state)
{
    /* the clock stands still: each sleep lasts its millisecond and is followed by another, where without the hook the
     * reactor would sleep for as long as it can */
    (void)state;
    uint64_t count = 0;
    reactor_set_hooks(
        reactor, &(struct reactor_hooks){ .context = &count, .sleep_until = sleep_until_soon, .on_turn = on_turn });
    reactor_run(reactor);
    assert_string_equal(seen.text, "|||");
}

/* == Descriptors == */

struct test_source {
    struct reactor_source source;
    struct test_source *victim;
    int writer;
};

static void open_pipe(struct test_source *s, void (*on_ready)(struct reactor_source *, uint32_t))
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    *s = (struct test_source){ .source = { .fd = ends[0], .on_ready = on_ready }, .writer = ends[1] };
    assert_false(failed(reactor_add(reactor, &s->source, EPOLLIN)));
}

static void put(struct test_source *s, const char *text)
{
    assert_int_equal(write(s->writer, text, strlen(text)), strlen(text));
}

static void close_pipe(struct test_source *s)
{
    close(s->source.fd);
    close(s->writer);
}

static void remove_both(struct reactor_source *source, uint32_t events)
{
    struct test_source *s = CONTAINER_OF(source, struct test_source, source);
    assert_true(events & EPOLLIN);
    note("r");
    reactor_remove(reactor, &s->source);
    reactor_remove(reactor, &s->victim->source);
    reactor_stop(reactor);
}

static void no_event_after_remove_even_in_the_same_turn(void **state)
{
    (void)state;
    struct test_source a, b;
    open_pipe(&a, remove_both);
    open_pipe(&b, remove_both);
    a.victim = &b;
    b.victim = &a;
    put(&a, "x");
    put(&b, "x");
    reactor_run(reactor);
    assert_string_equal(seen.text, "r"); /* whichever came first, the other stayed silent */
    close_pipe(&a);
    close_pipe(&b);
}

/* 'p' pauses, '.' ends */
static void read_one(struct reactor_source *source, uint32_t events)
{
    struct test_source *s = CONTAINER_OF(source, struct test_source, source);
    char byte;
    (void)events;
    assert_int_equal(read(s->source.fd, &byte, 1), 1);
    note("%c", byte);
    if (byte == '.')
        reactor_stop(reactor);
    if (byte == 'p')
        reactor_change(reactor, source, 0);
}

static bool unpause(void *context, bool is_idle)
{
    struct test_source *s = context;
    if (!is_idle)
        return false;
    note("<idle>");
    reactor_change(reactor, &s->source, EPOLLIN);
    return true;
}

static void level_triggered_and_pausable(void **state)
{
    (void)state;
    struct test_source a;
    open_pipe(&a, read_one);
    put(&a, "abpcd.");
    reactor_set_hooks(reactor, &(struct reactor_hooks){ .context = &a, .before_sleep = unpause, .on_turn = on_turn });
    reactor_run(reactor);
    /* the first turn has no events yet; the poll after it finds them: no idle call in between */
    assert_string_equal(seen.text, "||a|b|p<idle>|c|d|.");
    reactor_remove(reactor, &a.source);
    close_pipe(&a);
}

/* == The end of a turn == */

struct script {
    const char *answers; /* of before_sleep, one by one: '1' did something, '0' did not; 's' stops */
};

static bool follow_script(void *context, bool is_idle)
{
    struct script *s = context;
    note("%c", is_idle ? 'I' : 'b');
    char answer = *s->answers;
    assert_true(answer);
    s->answers++;
    if (answer == 's')
        reactor_stop(reactor);
    return answer == '1';
}

static uint64_t note_sleep(void *context)
{
    (void)context;
    note("z");
    return 0; /* at once again */
}

static void before_sleep_is_asked_until_nothing_is_left(void **state)
{
    (void)state;
    static const struct {
        const char *answers, *expected;
    } cases[] = {
        { "00s", "|bIz|b" },    /* nothing to do: idle is asked, then sleep */
        { "0100s", "|bIIz|b" }, /* an idle flush: polled again, asked again, sleep */
        { "100s", "|bIz|b" },   /* what the end of a turn did is looked at when idle: no turn of its own for that */
        { "0110s", "|bII|bI" }, /* always busy when idle: timers and posts get their turn */
    };
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        memset(&seen, 0, sizeof seen);
        struct script script = { cases[index].answers };
        struct reactor *r;
        assert_false(failed(reactor_new(0, &r)));
        struct reactor *outer = reactor;
        reactor = r;
        reactor_set_hooks(
            r, &(struct reactor_hooks){
                   .context = &script, .on_turn = on_turn, .before_sleep = follow_script, .sleep_until = note_sleep });
        reactor_run(r);
        reactor = outer;
        reactor_free(r);
        size_t size = strlen(cases[index].expected);
        if (memcmp(seen.text, cases[index].expected, size) != 0)
            fail_msg("answers %s: expected %s, saw %s", cases[index].answers, cases[index].expected, seen.text);
    }
}

/* == Posts and wakes == */

struct test_post {
    struct reactor_post post;
    char name;
    int again;
};

static void run_post(struct reactor_post *post)
{
    struct test_post *p = CONTAINER_OF(post, struct test_post, post);
    note("%c", p->name);
    if (p->name == '.')
        reactor_stop(reactor);
    if (p->again > 0) {
        p->again--;
        reactor_post(reactor, post);
    }
}

static void posts_run_in_order_and_may_be_posted_again(void **state)
{
    (void)state;
    reactor_set_hooks(reactor, &(struct reactor_hooks){ .on_turn = on_turn });
    struct test_post a = { { .run = run_post }, 'a', 2 }, b = { { .run = run_post }, 'b', 0 };
    struct test_post c = { { .run = run_post }, 'c', 0 }, end = { { .run = run_post }, '.', 0 };
    reactor_post(reactor, &a.post);
    reactor_post(reactor, &b.post);
    reactor_post(reactor, &c.post);
    struct test_timer t = { { .fire = fire }, 't' };
    timer_set(reactor, &t.timer, 0); /* before the posts of its turn */
    struct test_post d = { { .run = run_post }, 'd', 3 };
    reactor_post(reactor, &d.post);
    (void)end;
    reactor_post(reactor, &end.post);
    reactor_run(reactor);
    assert_string_equal(seen.text, "|tabcd."); /* what was posted again waits for the next turn */
}

enum { SENDERS = 3, POSTS_EACH = 2000 };

struct counted_post {
    struct reactor_post post;
    int sender, number;
};
static struct counted_post counted[SENDERS][POSTS_EACH];
static int last_number[SENDERS], posts_left;

static void count_post(struct reactor_post *post)
{
    struct counted_post *p = CONTAINER_OF(post, struct counted_post, post);
    assert_int_equal(p->number, last_number[p->sender] + 1); /* order of each sender */
    last_number[p->sender] = p->number;
    if (--posts_left == 0)
        reactor_stop(reactor);
}

static void *send_posts(void *argument)
{
    int sender = (int)(intptr_t)argument;
    for (int number = 0; number < POSTS_EACH; number++) {
        counted[sender][number] = (struct counted_post){ { .run = count_post }, sender, number };
        reactor_post(reactor, &counted[sender][number].post);
        if (number % 64 == 0)
            sched_yield(); /* so that the reactor sleeps sometimes */
    }
    return NULL;
}

static void posts_of_other_threads_all_arrive(void **state)
{
    (void)state;
    pthread_t threads[SENDERS];
    posts_left = SENDERS * POSTS_EACH;
    for (int index = 0; index < SENDERS; index++) {
        last_number[index] = -1;
        assert_int_equal(pthread_create(&threads[index], NULL, send_posts, (void *)(intptr_t)index), 0);
    }
    reactor_run(reactor); /* a lost wake would leave it asleep */
    for (int index = 0; index < SENDERS; index++)
        pthread_join(threads[index], NULL);
    assert_int_equal(posts_left, 0);
}

static atomic_int idle_count;

static bool count_idle(void *context, bool is_idle)
{
    (void)context;
    atomic_fetch_add(&idle_count, is_idle);
    return false;
}

static void *wake_when_idle(void *argument)
{
    (void)argument;
    for (int wanted = 1; wanted <= 50; wanted++) {
        while (atomic_load(&idle_count) < wanted)
            usleep(50);
        reactor_wake(reactor); /* another turn, in which it is idle again */
        reactor_wake(reactor);
    }
    while (atomic_load(&idle_count) < 51)
        usleep(50);
    reactor_stop(reactor);
    return NULL;
}

static void a_wake_brings_a_turn(void **state)
{
    (void)state;
    atomic_store(&idle_count, 0);
    reactor_set_hooks(reactor, &(struct reactor_hooks){ .before_sleep = count_idle });
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_when_idle, NULL), 0);
    reactor_run(reactor);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&idle_count) >= 51);
}

static void stop_on_signal(int number)
{
    (void)number;
    reactor_stop(reactor);
}

static void *kill_when_idle(void *argument)
{
    while (atomic_load(&idle_count) < 1)
        usleep(50);
    pthread_kill(*(pthread_t *)argument, SIGUSR1);
    return NULL;
}

static void stop_from_a_signal_handler(void **state)
{
    (void)state;
    atomic_store(&idle_count, 0);
    reactor_set_hooks(reactor, &(struct reactor_hooks){ .before_sleep = count_idle });
    struct sigaction action = { .sa_handler = stop_on_signal }, before;
    sigaction(SIGUSR1, &action, &before);
    pthread_t self = pthread_self(), thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_when_idle, &self), 0);
    reactor_run(reactor);
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &before, NULL);
}

struct held_post {
    struct reactor_post post;
    sem_t is_held, go_on;
};

static void hold_the_turn(struct reactor_post *post)
{
    struct held_post *held = CONTAINER_OF(post, struct held_post, post);
    sem_post(&held->is_held);
    while (sem_wait(&held->go_on) != 0)
        ;
}

static void hold(struct held_post *held)
{
    reactor_post(reactor, &held->post);
    while (sem_wait(&held->is_held) != 0)
        ;
}

static void *run_reactor(void *argument)
{
    (void)argument;
    reactor_run(reactor);
    return NULL;
}

/* Whether a member of the crew that looks twice, with much time between, finds the reactor in a turn that does not get on. */
static bool is_fetched(struct crew_seat *mine)
{
    uint64_t before = crew_fetched();
    for (int look = 0; look < 2; look++)
        crew_look(mine, (atomic_fetch_add(&fake_ms, 10) + 10) * 1000);
    return crew_fetched() > before;
}

static void the_crew_knows_whether_it_works_or_rests(void **state)
{
    (void)state;
    struct crew_seat *mine = crew_join(fake_monotonic_us());
    if (!mine)
        skip();      /* one core */
    crew_rest(mine); /* nobody looks after this one */
    struct held_post held = { .post = { .run = hold_the_turn } };
    sem_init(&held.is_held, 0, 0);
    sem_init(&held.go_on, 0, 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_reactor, NULL), 0);
    hold(&held);
    sem_post(&held.go_on);
    while (is_fetched(mine)) /* for ever, if it never says that it rests */
        usleep(50);
    hold(&held);
    uint64_t before = crew_fetched();
    crew_look(mine, fake_monotonic_us() + CREW_CALLED_US);
    bool is_seen_begun = crew_fetched() == before;
    bool is_seen_working = is_fetched(mine);
    sem_post(&held.go_on);
    reactor_stop(reactor);
    pthread_join(thread, NULL);
    bool is_seen_gone = !is_fetched(mine);
    crew_leave(mine);
    assert_true(is_seen_begun);
    assert_true(is_seen_working);
    assert_true(is_seen_gone);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_in_order),
        TEST(a_timer_set_into_the_past_waits_for_the_next_turn),
        TEST(sleep_until_bounds_the_sleep),
        TEST(no_event_after_remove_even_in_the_same_turn),
        TEST(level_triggered_and_pausable),
        TEST(before_sleep_is_asked_until_nothing_is_left),
        TEST(posts_run_in_order_and_may_be_posted_again),
        TEST(posts_of_other_threads_all_arrive),
        TEST(a_wake_brings_a_turn),
        TEST(stop_from_a_signal_handler),
        TEST(the_crew_knows_whether_it_works_or_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
