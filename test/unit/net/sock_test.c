/* Addresses and sockets; see src/net/sock.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/sock.h"

static void addresses_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host; /* NULL: refused */
        uint16_t port;
    } cases[] = {
        { "127.0.0.1:4566", "127.0.0.1", 4566 },
        { "0.0.0.0:0", "0.0.0.0", 0 },
        { "localhost:65535", "127.0.0.1", 65535 },
        { "[::1]:4566", "::1", 4566 },
        { "[::]:1", "::", 1 },
        { "[::ffff:10.1.2.3]:9", "10.1.2.3", 9 },
        { "[2001:db8::5]:80", "2001:db8::5", 80 },
        { "127.0.0.1", NULL, 0 },
        { "127.0.0.1:", NULL, 0 },
        { ":80", NULL, 0 },
        { "", NULL, 0 },
        { "127.0.0.1:65536", NULL, 0 },
        { "127.0.0.1:00080x", NULL, 0 },
        { "127.0.0.1:-1", NULL, 0 },
        { "127.0.0.1:999999999999", NULL, 0 },
        { "127.0.0:80", NULL, 0 },
        { "256.0.0.1:80", NULL, 0 },
        { "example.com:80", NULL, 0 },
        { "::1:80", NULL, 0 },
        { "[::1]", NULL, 0 },
        { "[::1:80", NULL, 0 },
        { "[::1]80", NULL, 0 },
        { "[127.0.0.1]:80", NULL, 0 },
        { "[localhost]:80", NULL, 0 },
        { "[::1%lo]:80", NULL, 0 },
        { "[1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111]:80", NULL, 0 },
    };
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        union sock_address address;
        char text[SOCK_ADDRESS_TEXT_BYTES];
        bool is_good = sock_parse_address(slice_str(cases[index].text), &address);
        if (is_good != (cases[index].host != NULL))
            fail_msg("%s", cases[index].text);
        if (!is_good)
            continue;
        struct slice host = sock_format_host(&address, text);
        if (!slice_equal(host, slice_str(cases[index].host)) || sock_address_port(&address) != cases[index].port)
            fail_msg("%s -> %.*s %u", cases[index].text, SLICE_ARG(host), sock_address_port(&address));
    }
    /* no NUL may hide in it */
    union sock_address address;
    assert_false(sock_parse_address(SLICE("127.0.0.1\0:80"), &address));
}

static int listen_somewhere(const char *text, union sock_address *ret_address)
{
    int fd;
    uint16_t port;
    assert_true(sock_parse_address(slice_str(text), ret_address));
    assert_false(failed(sock_listen(ret_address, &fd, &port)));
    assert_int_not_equal(port, 0);
    ret_address->v4.sin_port = htons(port); /* the same place in both families */
    return fd;
}

static int connect_to(const union sock_address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
    assert_int_equal(connect(fd, &address->any, size), 0);
    return fd;
}

static int accept_one(int listener, union sock_address *ret_peer)
{
    struct pollfd wait = { .fd = listener, .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 10000), 1);
    int fd;
    assert_false(failed(sock_accept(listener, &fd, ret_peer)));
    return fd;
}

static void two_cannot_share_a_port(void **state)
{
    (void)state;
    union sock_address address;
    int fd = listen_somewhere("127.0.0.1:0", &address), second;
    uint16_t port;
    struct error e = sock_listen(&address, &second, &port);
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(e.system, EADDRINUSE);
    close(fd);
}

static void bytes_go_both_ways_without_blocking_or_signals(void **state)
{
    (void)state;
    union sock_address address, peer;
    int listener = listen_somewhere("127.0.0.1:0", &address), fd;
    assert_int_equal(sock_accept(listener, &fd, &peer).code, ERR_AGAIN);
    int client = connect_to(&address), server = accept_one(listener, &peer);
    char text[SOCK_ADDRESS_TEXT_BYTES], in[16];
    struct slice host = sock_format_host(&peer, text);
    assert_true(slice_equal(host, SLICE("127.0.0.1")));

    assert_int_equal(sock_receive(server, in, sizeof in), SOCK_AGAIN);
    struct iovec parts[] = { { "hel", 3 }, { "lo", 2 } };
    assert_int_equal(sock_send_parts(server, parts, 2), 5);
    assert_int_equal(sock_send(server, "!", 1), 1);
    assert_int_equal(recv(client, in, 6, MSG_WAITALL), 6);
    assert_memory_equal(in, "hello!", 6);

    static char large[1 << 20];
    ssize_t sent;
    while ((sent = sock_send(server, large, sizeof large)) > 0) {
    }
    assert_int_equal(sent, SOCK_AGAIN);

    /* an unread socket that is closed answers with a reset; SIGPIPE would end this program */
    close(client);
    struct pollfd wait = { .fd = server, .events = 0 };
    assert_int_equal(poll(&wait, 1, 10000), 1);
    for (int times = 0; times < 3; times++)
        assert_int_equal(sock_send(server, large, sizeof large), SOCK_BROKEN);
    close(server);

    client = connect_to(&address);
    server = accept_one(listener, &peer);
    close(client);
    wait = (struct pollfd){ .fd = server, .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(sock_receive(server, in, sizeof in), SOCK_END);
    close(server);
    close(listener);
}

static void ipv6_stands_beside_ipv4(void **state)
{
    (void)state;
    union sock_address v4, v6, peer;
    int first = listen_somewhere("0.0.0.0:0", &v4), second;
    uint16_t port;
    assert_true(sock_parse_address(SLICE("[::]:0"), &v6));
    v6.v6.sin6_port = v4.v4.sin_port;
    struct error e = sock_listen(&v6, &second, &port);
    if (e.system == EAFNOSUPPORT || e.system == EADDRNOTAVAIL) {
        close(first);
        skip(); /* a machine without IPv6 */
    }
    assert_false(failed(e));
    v6.v6.sin6_addr = in6addr_loopback;
    int client = connect_to(&v6), server = accept_one(second, &peer);
    char text[SOCK_ADDRESS_TEXT_BYTES];
    struct slice host = sock_format_host(&peer, text);
    assert_true(slice_equal(host, SLICE("::1")));
    close(client);
    close(server);
    close(first);
    close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_parsed),
        cmocka_unit_test(two_cannot_share_a_port),
        cmocka_unit_test(bytes_go_both_ways_without_blocking_or_signals),
        cmocka_unit_test(ipv6_stands_beside_ipv4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
