/* ceiling.c: the bare HTTP/1.1 server that every throughput figure is divided by.
 *
 *      listener ──accept──> dealt in turn to N threads ──epoll──> head found, length read, body skipped ──> one write
 *
 * It does the least a correct keep-alive server can do: it finds the blank line, reads the request line and
 * Content-Length, takes the body off the socket, and answers with the same 300 bytes of JSON behind four headers.
 * No header table, no signature, no JSON, no disk. What a real server adds on top is its own cost.
 *
 * Owner    each connection belongs to one thread from accept to close.
 * Fails    a request it does not understand, or a reply that does not fit the socket buffer, closes the connection.
 * Limits   heads of HEAD_MAX bytes; bodies are only counted.
 * Use      ceiling --listen 127.0.0.1:PORT --threads N [--tls-cert FILE --tls-key FILE]; SIGTERM prints one JSON line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util.h"
#include "wire.h"

enum { THREADS_MAX = 64, EVENTS_MAX = 256, HEAD_MAX = 16384, SCRATCH_SIZE = 256 * 1024, REPLY_BODY = 300 };

struct connection {
    struct wire wire;
    size_t have; /* bytes of a head, and of what follows it */
    size_t skip; /* bytes of the body still to come */
    char head[HEAD_MAX];
};

struct worker {
    pthread_t thread;
    int epoll_fd;
    char *scratch;
    _Atomic uint64_t requests;
    char apart[64]; /* two threads' counters never share a cache line */
};

static struct worker workers[THREADS_MAX];
static unsigned worker_count = 1;
static unsigned next_worker; /* touched by worker 0 only */
static int listen_fd = -1;
static SSL_CTX *tls;
static char reply[1024];
static size_t reply_size;

static void make_reply(void)
{
    char body[REPLY_BODY + 1];
    int at = snprintf(body, sizeof body,
        "{\"MessageId\":\"11111111-2222-4333-8444-555555555555\","
        "\"MD5OfMessageBody\":\"00000000000000000000000000000000\",\"Filler\":\"");
    memset(body + at, 'x', (size_t)(REPLY_BODY - at - 2));
    memcpy(body + REPLY_BODY - 2, "\"}", 3);
    reply_size = (size_t)snprintf(reply, sizeof reply,
        "HTTP/1.1 200 OK\r\n"
        "Content-Type: application/x-amz-json-1.0\r\n"
        "Content-Length: %d\r\n"
        "x-amzn-RequestId: 66666666-7777-4888-8999-000000000000\r\n"
        "Connection: keep-alive\r\n\r\n%s",
        REPLY_BODY, body);
}

/* Request line "METHOD SP target SP HTTP/1.x", then the one header that matters. False when it is not HTTP. */
static int parse_head(const char *head, size_t size, size_t *ret_body_size)
{
    const char *line_end = memchr(head, '\r', size);
    const char *space = line_end ? memchr(head, ' ', (size_t)(line_end - head)) : NULL;
    const char *second = space ? memchr(space + 1, ' ', (size_t)(line_end - space - 1)) : NULL;
    if (!second || line_end - second < 9 || memcmp(second + 1, "HTTP/1.", 7) != 0)
        return 0;
    size_t body_size = 0;
    const char *end = head + size;
    for (const char *line = line_end + 2; line < end; line = line_end + 2) {
        line_end = memchr(line, '\r', (size_t)(end - line));
        if (!line_end || line_end == line)
            break;
        if (line_end - line > 15 && strncasecmp(line, "content-length:", 15) == 0)
            body_size = strtoull(line + 15, NULL, 10);
    }
    *ret_body_size = body_size;
    return 1;
}

static int answer(struct worker *w, struct connection *c)
{
    if (wire_write(&c->wire, reply, reply_size) != (long)reply_size)
        return 0;
    atomic_fetch_add_explicit(&w->requests, 1, memory_order_relaxed);
    return 1;
}

/* Takes whole requests off the front of the buffer. False closes the connection. */
static int consume(struct worker *w, struct connection *c)
{
    while (c->have > 0) {
        const char *blank = memmem(c->head, c->have, "\r\n\r\n", 4);
        if (!blank)
            return c->have < HEAD_MAX;
        size_t head_size = (size_t)(blank - c->head) + 4, body_size;
        if (!parse_head(c->head, head_size, &body_size))
            return 0;
        size_t rest = c->have - head_size;
        if (rest < body_size) {
            c->skip = body_size - rest;
            c->have = 0;
            return 1;
        }
        c->have = rest - body_size;
        memmove(c->head, c->head + head_size + body_size, c->have);
        if (!answer(w, c))
            return 0;
    }
    return 1;
}

static int skip_body(struct worker *w, struct connection *c, long *ret_count)
{
    size_t want = c->skip < SCRATCH_SIZE ? c->skip : SCRATCH_SIZE;
    *ret_count = wire_read(&c->wire, w->scratch, want);
    if (*ret_count <= 0)
        return *ret_count == WIRE_WANT_READ;
    c->skip -= (size_t)*ret_count;
    return c->skip > 0 || answer(w, c);
}

static int on_readable(struct worker *w, struct connection *c)
{
    do {
        long count;
        if (c->skip > 0) {
            if (!skip_body(w, c, &count))
                return 0;
            if (count <= 0)
                return 1;
            continue;
        }
        count = wire_read(&c->wire, c->head + c->have, HEAD_MAX - c->have);
        if (count == WIRE_WANT_READ)
            return 1;
        if (count <= 0)
            return 0;
        c->have += (size_t)count;
        if (!consume(w, c))
            return 0;
    } while (c->skip > 0 || wire_has_more(&c->wire));
    return 1;
}

static void accept_all(void)
{
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *c = malloc(sizeof *c);
        if (!c)
            die("out of memory");
        c->have = c->skip = 0;
        wire_start(&c->wire, fd, tls, 0);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
        int epoll_fd = workers[next_worker++ % worker_count].epoll_fd;
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
            die("epoll_ctl: %s", strerror(errno));
    }
}

static void *run_worker(void *argument)
{
    struct worker *w = argument;
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int count = epoll_wait(w->epoll_fd, events, EVENTS_MAX, -1);
        for (int index = 0; index < count; index++) {
            struct connection *c = events[index].data.ptr;
            if (!c) {
                accept_all();
                continue;
            }
            if (!on_readable(w, c)) {
                wire_close(&c->wire);
                free(c);
            }
        }
    }
    return NULL;
}

static void listen_on(const char *host, uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, host, &address.sin_addr);
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listen_fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(listen_fd, 4096) < 0)
        die("cannot listen on %s:%u: %s", host, port, strerror(errno));
}

static void start_workers(void)
{
    for (unsigned index = 0; index < worker_count; index++) {
        workers[index].epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        workers[index].scratch = must_alloc(SCRATCH_SIZE);
    }
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    if (epoll_ctl(workers[0].epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
    for (unsigned index = 0; index < worker_count; index++)
        if (pthread_create(&workers[index].thread, NULL, run_worker, &workers[index]) != 0)
            die("cannot start a thread");
}

static void report(void)
{
    uint64_t requests = 0;
    for (unsigned index = 0; index < worker_count; index++)
        requests += atomic_load(&workers[index].requests);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double user_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    double sys_s = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    printf("{\"requests\":%llu,\"user_s\":%.6f,\"sys_s\":%.6f}\n", (unsigned long long)requests, user_s, sys_s);
    fflush(stdout);
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "listen", required_argument, NULL, 'l' },
        { "threads", required_argument, NULL, 't' },
        { "tls-cert", required_argument, NULL, 'c' },
        { "tls-key", required_argument, NULL, 'k' },
        { NULL, 0, NULL, 0 },
    };
    char host[64] = "127.0.0.1";
    uint16_t port = 0;
    const char *certificate = NULL, *key = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'l')
            parse_address(optarg, host, &port);
        else if (option == 't')
            worker_count = (unsigned)parse_number("threads", optarg, 1, THREADS_MAX);
        else if (option == 'c')
            certificate = optarg;
        else if (option == 'k')
            key = optarg;
        else
            return 2;
    }
    if (!port || !certificate != !key)
        die("usage: ceiling --listen 127.0.0.1:PORT [--threads N] [--tls-cert FILE --tls-key FILE]");
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    make_reply();
    if (certificate)
        tls = wire_server_context(certificate, key);
    listen_on(host, port);
    start_workers();
    int caught;
    sigwait(&signals, &caught);
    report();
    return 0;
}
