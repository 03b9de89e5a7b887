/* faulty_net.c: the network that the simulator relies on: bytes come in order and whole whatever is drawn, ends and resets
 * come after them, windows are windows, and a sleeper is due when epoll_wait would have returned. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/reactor.h"
#include "net/sock.h"
#include "support/faulty_net.h"
#include "support/prng.h"
#include "sys/sys.h"
#include <errno.h>
#include <string.h>

enum { SEEDS = 100, BYTES = 5000, WINDOW = 700 };

static uint64_t now_us;
static struct sys net_sys;
static int listener;
static uint16_t port;

static uint64_t clock_us(void)
{
    return now_us;
}

static void begin(uint64_t seed, const struct faulty_net_plan *plan)
{
    union sock_address address;
    now_us = 1000 * 1000;
    net_sys = sys_real;
    net_sys.net = &sys_net_faulty;
    net_sys.clock.monotonic_us = clock_us;
    sys = &net_sys;
    faulty_net_reset(seed, plan, clock_us);
    assert_true(sock_parse_address(SLICE("127.0.0.1:0"), &address));
    assert_false(failed(sock_listen(&address, &listener, &port)));
}

static int accept_one(void)
{
    union sock_address peer;
    int fd = -1;
    for (int tries = 0; tries < 100 && fd < 0; tries++)
        (void)sock_accept(listener, &fd, &peer);
    assert_true(fd >= 0);
    return fd;
}

static void fill(char *out, size_t size, uint64_t seed)
{
    struct prng random = prng_of(seed);
    for (size_t i = 0; i < size; i++)
        out[i] = (char)prng_next(&random);
}

static void test_bytes_come_in_order(void **state)
{
    const struct faulty_net_plan plan = {
        .late = 2, .part = 2, .interrupt = 5, .accept = 3, .late_us_max = 1000, .window_bytes = WINDOW
    };
    static char there[BYTES], back[BYTES], got_there[BYTES + 1], got_back[BYTES + 1];
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        size_t sent = 0, taken = 0, given = 0, read = 0;
        begin(seed, &plan);
        int c = faulty_net_connect(port), fd = accept_one();
        fill(there, BYTES, seed);
        fill(back, BYTES, ~seed);
        for (int round = 0; round < 100000 && (taken < BYTES || read < BYTES); round++) {
            sent += faulty_net_send(c, there + sent, BYTES - sent);
            ssize_t count = sock_receive(fd, got_there + taken, sizeof(got_there) - taken);
            taken += count > 0 ? (size_t)count : 0;
            count = given < BYTES ? sock_send(fd, back + given, BYTES - given) : 0;
            given += count > 0 ? (size_t)count : 0;
            read += faulty_net_receive(c, got_back + read, sizeof(got_back) - read);
            assert_true(sent - taken <= WINDOW && given - read <= WINDOW);
            now_us += 100;
        }
        assert_int_equal(taken, BYTES);
        assert_int_equal(read, BYTES);
        assert_memory_equal(there, got_there, BYTES);
        assert_memory_equal(back, got_back, BYTES);
        sock_close(fd);
        now_us += 1000;
        assert_int_equal(faulty_net_peer(c), FAULTY_PEER_ENDED);
        assert_true(faulty_net_view(c).is_over);
        faulty_net_forget(c);
        sock_close(listener);
        assert_int_equal(faulty_net_open_descriptors(), 0);
    }
}

static void test_an_end_comes_after_the_bytes(void **state)
{
    const struct faulty_net_plan plan = { .late = 1, .late_us_max = 5000, .window_bytes = WINDOW };
    char out[16];
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        size_t taken = 0;
        ssize_t count;
        begin(seed, &plan);
        int c = faulty_net_connect(port), fd = accept_one();
        assert_int_equal(faulty_net_send(c, "words", 5), 5);
        faulty_net_end(c);
        assert_int_equal(faulty_net_send(c, "more", 4), 0);
        while ((count = sock_receive(fd, out, sizeof(out))) != SOCK_END) {
            taken += count > 0 ? (size_t)count : 0;
            now_us += 10;
        }
        assert_int_equal(taken, 5);
        assert_int_equal(sock_send(fd, "answer", 6), 6); /* only half of it is closed */
        now_us += 10000;
        assert_int_equal(faulty_net_receive(c, out, sizeof(out)), 6);
    }
}

static void test_a_reset_loses_what_was_not_read(void **state)
{
    const struct faulty_net_plan plan = { .window_bytes = WINDOW };
    char out[16];
    (void)state;
    begin(1, &plan);
    int c = faulty_net_connect(port), fd = accept_one();
    faulty_net_send(c, "words", 5);
    faulty_net_break(c);
    assert_int_equal(sock_receive(fd, out, sizeof(out)), SOCK_BROKEN);
    assert_int_equal(sock_send(fd, "answer", 6), SOCK_BROKEN);
    /* the server's close is one, too, if it leaves something unread */
    c = faulty_net_connect(port);
    fd = accept_one();
    faulty_net_send(c, "words", 5);
    sock_send(fd, "answer", 6);
    sock_close(fd);
    assert_int_equal(faulty_net_receive(c, out, sizeof(out)), 0);
    assert_int_equal(faulty_net_peer(c), FAULTY_PEER_BROKEN);
    /* and whoever writes to somebody who closed hears of it the next time */
    c = faulty_net_connect(port);
    fd = accept_one();
    faulty_net_close(c);
    assert_int_equal(sock_send(fd, "answer", 6), 6);
    assert_int_equal(sock_send(fd, "answer", 6), SOCK_BROKEN);
}

static void on_ready(struct reactor_source *source, uint32_t events)
{
    union sock_address peer;
    int fd;
    (void)events;
    assert_false(failed(sock_accept(source->fd, &fd, &peer)));
    sock_close(fd);
}

static int fired;
static void on_timer(struct timer *t)
{
    (void)t;
    fired++;
}

static void test_a_sleeper_is_due_in_time(void **state)
{
    const struct faulty_net_plan plan = { .window_bytes = WINDOW };
    struct reactor *r;
    struct timer timer = { .fire = on_timer };
    (void)state;
    begin(1, &plan);
    struct reactor_source source = { .fd = listener, .on_ready = on_ready };
    assert_false(failed(reactor_new(0, &r)));
    assert_false(failed(reactor_add(r, &source, EPOLLIN)));
    timer_set(r, &timer, now_us / 1000 + 50);
    reactor_turn(r);
    assert_false(faulty_net_is_due());
    now_us += 49 * 1000;
    assert_false(faulty_net_is_due());
    now_us += 1000;
    assert_true(faulty_net_is_due());
    reactor_turn(r);
    assert_int_equal(fired, 1);
    reactor_wake(r); /* it sleeps: its eventfd is written */
    assert_true(faulty_net_is_due());
    reactor_turn(r);
    reactor_turn(r);
    assert_false(faulty_net_is_due());
    int c = faulty_net_connect(port);
    assert_true(faulty_net_is_due());
    reactor_turn(r); /* finds it */
    reactor_turn(r); /* handles it */
    assert_true(faulty_net_view(c).is_over);
    reactor_remove(r, &source);
    reactor_free(r);
    sock_close(listener);
    assert_int_equal(faulty_net_open_descriptors(), 0);
    faulty_net_reset(0, &plan, clock_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_come_in_order),
        cmocka_unit_test(test_an_end_comes_after_the_bytes),
        cmocka_unit_test(test_a_reset_loses_what_was_not_read),
        cmocka_unit_test(test_a_sleeper_is_due_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
