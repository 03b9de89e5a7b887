/* peer_amqp.c: publishes to a RabbitMQ quorum queue, one unconfirmed message per connection: the like of SendMessage.
 *
 * One thread per connection, since librabbitmq blocks. Every message is persistent, and counts when its confirm arrived.
 * Afterwards the queue is asked how many messages it holds, then deleted.
 *
 * Use      peer_amqp --target 127.0.0.1:PORT [--connections C] [--duration S] [--size BYTES]; prints one JSON line.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <amqp.h>
#include <amqp_tcp_socket.h>

#include "hist.h"
#include "util.h"

enum { CONNECTIONS_MAX = 1024, CHANNEL = 1, WARM_MS = 300, SETTLE_TRIES = 200, SETTLE_MS = 10 };

enum phase { WARM, MEASURE, STOP };

struct publisher {
    pthread_t thread;
    amqp_connection_state_t connection;
    struct hist latency;
    uint64_t measured;
    uint64_t acknowledged;
    uint64_t errors;
};

static char host[64] = "127.0.0.1";
static uint16_t port;
static size_t body_size = 200;
static char *body;
static char queue[64];
static _Atomic int phase;

static amqp_connection_state_t open_connection(void)
{
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket || amqp_socket_open(socket, host, port) != AMQP_STATUS_OK)
        die("cannot connect to %s:%u", host, port);
    if (amqp_login(connection, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type !=
        AMQP_RESPONSE_NORMAL)
        die("the login was refused");
    amqp_channel_open(connection, CHANNEL);
    if (amqp_get_rpc_reply(connection).reply_type != AMQP_RESPONSE_NORMAL)
        die("no channel");
    return connection;
}

/* The number of messages in the queue, which is created when `passive` is not set. */
static uint32_t declare_queue(amqp_connection_state_t connection, bool passive)
{
    amqp_table_entry_t entry = { .key = amqp_cstring_bytes("x-queue-type") };
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes("quorum");
    amqp_table_t arguments = { .num_entries = 1, .entries = &entry };
    amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(connection, CHANNEL, amqp_cstring_bytes(queue), passive, 1, 0, 0, arguments);
    if (!ok)
        die("the queue cannot be declared");
    return ok->message_count;
}

static bool publish(struct publisher *p)
{
    amqp_basic_properties_t properties = { ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2 };
    amqp_bytes_t bytes = { .len = body_size, .bytes = body };
    amqp_frame_t frame;
    int sent = amqp_basic_publish(
        p->connection, CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(queue), 1, 0, &properties, bytes);
    amqp_maybe_release_buffers(p->connection);
    return sent == AMQP_STATUS_OK && amqp_simple_wait_frame(p->connection, &frame) == AMQP_STATUS_OK &&
           frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD;
}

static void *run(void *argument)
{
    struct publisher *p = argument;
    while (atomic_load_explicit(&phase, memory_order_relaxed) != STOP) {
        uint64_t start_ns = now_ns();
        if (!publish(p)) {
            p->errors++;
            break; /* a refused message leaves the channel unusable */
        }
        p->acknowledged++;
        if (atomic_load_explicit(&phase, memory_order_relaxed) != MEASURE)
            continue;
        p->measured++;
        hist_add(&p->latency, now_ns() - start_ns);
    }
    return NULL;
}

static void nap_ms(long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    nanosleep(&t, NULL);
}

/* A quorum queue counts a moment behind its confirms. */
static uint32_t count_stored(amqp_connection_state_t connection, uint64_t expected)
{
    uint32_t stored = 0;
    for (int tries = 0; tries < SETTLE_TRIES && (stored = declare_queue(connection, true)) != expected; tries++)
        nap_ms(SETTLE_MS);
    return stored;
}

static void start(struct publisher *publishers, unsigned count)
{
    for (unsigned index = 0; index < count; index++) {
        publishers[index].connection = open_connection();
        if (!amqp_confirm_select(publishers[index].connection, CHANNEL))
            die("no confirms");
    }
    for (unsigned index = 0; index < count; index++)
        if (pthread_create(&publishers[index].thread, NULL, run, &publishers[index]) != 0)
            die("cannot start a thread");
}

static void report(const struct publisher *sum, double seconds, uint32_t stored)
{
    const struct hist *h = &sum->latency;
    printf("{\"messages\":%llu,\"messages_per_s\":%.1f,\"acknowledged\":%llu,\"stored\":%u,\"errors\":%llu,"
           "\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f}}\n",
        (unsigned long long)sum->measured, (double)sum->measured / seconds, (unsigned long long)sum->acknowledged,
        stored, (unsigned long long)sum->errors, (double)hist_quantile(h, 0.50) / 1e3,
        (double)hist_quantile(h, 0.90) / 1e3, (double)hist_quantile(h, 0.99) / 1e3,
        (double)hist_quantile(h, 0.999) / 1e3, (double)h->max_ns / 1e3);
}

static void measure(unsigned count, double duration_s)
{
    struct publisher *publishers = must_alloc(count * sizeof *publishers), *sum = must_alloc(sizeof *sum);
    amqp_connection_state_t control = open_connection();
    declare_queue(control, false);
    start(publishers, count);
    nap_ms(WARM_MS);
    uint64_t start_ns = now_ns();
    atomic_store(&phase, MEASURE);
    nap_ms((long)(duration_s * 1000));
    atomic_store(&phase, STOP);
    double seconds = (double)(now_ns() - start_ns) / 1e9;
    for (unsigned index = 0; index < count; index++) {
        struct publisher *p = &publishers[index];
        pthread_join(p->thread, NULL);
        hist_merge(&sum->latency, &p->latency);
        sum->measured += p->measured;
        sum->acknowledged += p->acknowledged;
        sum->errors += p->errors;
        amqp_destroy_connection(p->connection);
    }
    report(sum, seconds, count_stored(control, sum->acknowledged));
    amqp_queue_delete(control, CHANNEL, amqp_cstring_bytes(queue), 0, 0);
    amqp_destroy_connection(control);
    free(publishers);
    free(sum);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "target", required_argument, NULL, 't' },
        { "connections", required_argument, NULL, 'c' },
        { "duration", required_argument, NULL, 'd' },
        { "size", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 },
    };
    unsigned connections = 64;
    double duration_s = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 't')
            parse_address(optarg, host, &port);
        else if (option == 'c')
            connections = (unsigned)parse_number("connections", optarg, 1, CONNECTIONS_MAX);
        else if (option == 'd')
            duration_s = atof(optarg);
        else if (option == 's')
            body_size = parse_number("size", optarg, 1, 16 * 1024 * 1024);
        else
            return 2;
    }
    if (!port || duration_s <= 0)
        die("usage: peer_amqp --target 127.0.0.1:PORT [--connections C] [--duration S] [--size BYTES]");
    body = must_alloc(body_size);
    memset(body, 'x', body_size);
    snprintf(queue, sizeof queue, "bench-%ld", (long)getpid());
    measure(connections, duration_s);
    return 0;
}
