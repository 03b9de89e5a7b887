/* load.c: the load generator's command line and the course of a run; see load.h.
 *
 * Use      load --target 127.0.0.1:PORT --workload send --connections 64 --threads 2 --duration 2 --queue NAME
 *          prints one JSON line; exits 0 when every request was answered well, 1 when not, 2 for a wrong command line.
 */
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "operation.h"
#include "pool.h"
#include "proc.h"
#include "report.h"
#include "workload.h"

enum { OPTIONS_MAX = 32, POLL_NS = 2000000 };

enum kind { TEXT, WHOLE, SIGNED, PID, LONG, DECIMAL, FLAG };

struct setting {
    const char *name;
    enum kind kind;
    size_t offset; /* in struct load */
    uint64_t low, high;
    const char *help;
};

#define AT(member) offsetof(struct load, member)

static const struct setting settings[] = {
    { "connections", WHOLE, AT(connections), 1, CONNECTIONS_MAX, "connections, each with one request at a time (64)" },
    { "threads", WHOLE, AT(threads), 1, THREADS_MAX, "threads of the generator (2)" },
    { "rate", DECIMAL, AT(rate), 0, 100000000, "requests per second in all; without it: closed loop" },
    { "duration", DECIMAL, AT(duration_s), 0, 86400, "measured seconds (2)" },
    { "warmup", DECIMAL, AT(warmup_s), 0, 3600, "seconds before them (0.3)" },
    { "limit", DECIMAL, AT(limit_s), 1, 86400, "seconds after which work that ends by itself is given up (600)" },
    { "count", LONG, AT(count), 0, UINT64_MAX / 2, "messages or queues to do, then end" },
    { "queue", TEXT, AT(queue), 0, 0, "name of the queue, or the first part of the names (bench)" },
    { "queues", WHOLE, AT(queues), 0, 10000000, "queues NAME-0 ... for the workload queues" },
    { "groups", WHOLE, AT(groups), 0, 100000000, "the queue is FIFO: deal messages to so many groups" },
    { "group-prefix", TEXT, AT(group_prefix), 0, 0, "first part of the group names (g)" },
    { "size", LONG, AT(bodies.size), BODY_MIN, BODY_MAX, "bytes of a message body (200)" },
    { "batch", WHOLE, AT(batch), 1, BATCH_MAX, "messages in a batch (10)" },
    { "inflight", WHOLE, AT(inflight), 0, 10000000, "messages kept received and undeleted (0)" },
    { "wait", WHOLE, AT(wait_s), 0, 20, "WaitTimeSeconds of receives (0; longpoll: 20)" },
    { "visibility", SIGNED, AT(visibility_s), 0, 43200, "VisibilityTimeout of receives (the queue's)" },
    { "pid", PID, AT(pid), 1, 1 << 30, "process id of the server, to report what it used" },
    { "raw", FLAG, AT(raw), 0, 0, "any reply with status 200 is a good one" },
    { "reconnect", FLAG, AT(reconnect), 0, 0, "a new connection for every request" },
    { "show", FLAG, AT(show), 0, 0, "print one signed request and end" },
};
enum { SETTING_COUNT = sizeof settings / sizeof *settings };

static void usage(void)
{
    printf("load --target ADDRESS:PORT --workload NAME [options]\n\nworkloads\n");
    for (size_t index = 0; index < workload_count; index++)
        printf("  %-12s  %s\n", workloads[index].name, workloads[index].help);
    printf("\noptions\n  %-12s  speak TLS; the certificate is not verified\n", "--tls");
    for (size_t index = 0; index < SETTING_COUNT; index++)
        printf("  --%-12s%s\n", settings[index].name, settings[index].help);
}

static void set(struct load *l, const struct setting *s, const char *text)
{
    void *at = (char *)l + s->offset;
    if (s->kind == TEXT) {
        *(const char **)at = text;
    } else if (s->kind == FLAG) {
        *(bool *)at = true;
    } else if (s->kind == DECIMAL) {
        char *end;
        double number = strtod(text, &end);
        if (end == text || *end || !(number >= (double)s->low && number <= (double)s->high))
            die("--%s: '%s' is not a number between %llu and %llu", s->name, text, (unsigned long long)s->low,
                (unsigned long long)s->high);
        *(double *)at = number;
    } else {
        uint64_t number = parse_number(s->name, text, s->low, s->high);
        if (s->kind == LONG)
            *(uint64_t *)at = number;
        else if (s->kind == PID)
            *(pid_t *)at = (pid_t)number;
        else if (s->kind == SIGNED)
            *(int *)at = (int)number;
        else
            *(unsigned *)at = (unsigned)number;
    }
}

static void check_settings(struct load *l, const char *target, const char *workload)
{
    if (!workload)
        die("no --workload (see --help)");
    l->workload = workload_find(workload);
    if (!l->workload)
        die("'%s' is not a workload (see --help)", workload);
    if (!target)
        die("no --target");
    parse_address(target, l->host, &l->port);
    snprintf(l->host_header, sizeof l->host_header, "%s:%u", l->host, l->port);
    if (l->workload->needs_count && !l->count)
        die("the workload %s needs --count", workload);
    if (strcmp(workload, "queues") == 0 && l->queues == 0)
        die("the workload queues needs --queues");
    if (strcmp(workload, "longpoll") == 0 && l->wait_s == 0)
        l->wait_s = 20;
    l->raw |= l->workload->raw;
    l->reconnect |= l->workload->reconnect;
    if (l->threads > l->connections)
        l->threads = l->connections;
}

static void parse_options(struct load *l, int argc, char **argv)
{
    struct option options[OPTIONS_MAX] = {
        [SETTING_COUNT] = { "target", required_argument, NULL, 0 },
        { "workload", required_argument, NULL, 0 },
        { "tls", no_argument, NULL, 0 },
        { "help", no_argument, NULL, 0 },
    };
    const char *target = NULL, *workload = NULL;
    for (int index = 0; index < SETTING_COUNT; index++)
        options[index] = (struct option){ settings[index].name,
            settings[index].kind == FLAG ? no_argument : required_argument, NULL, 0 };
    for (int index = 0, got; (got = getopt_long(argc, argv, "", options, &index)) != -1;) {
        if (got != 0)
            exit(2); /* getopt has said why */
        if (index < SETTING_COUNT) {
            set(l, &settings[index], optarg);
        } else if (index == SETTING_COUNT) {
            target = optarg;
        } else if (index == SETTING_COUNT + 1) {
            workload = optarg;
        } else if (index == SETTING_COUNT + 2) {
            l->tls = wire_client_context();
        } else {
            usage();
            exit(0);
        }
    }
    check_settings(l, target, workload);
}

static void show_request(const struct load *l)
{
    struct worker w = { .load = (struct load *)l };
    struct conn c;
    struct buf out = { 0 };
    conn_init(&c, &w);
    enum op op = l->workload->next(&c);
    w.signer = signer_new(l->host_header);
    operations[op].build(&c, &w.body);
    signer_add_request(w.signer, &out, operations[op].target, (struct span){ w.body.data, w.body.size });
    fwrite(out.data, 1, out.size, stdout);
    buf_free(&out);
    buf_free(&w.body);
    signer_free(w.signer);
}

static void raise_file_limit(unsigned connections)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < connections + 64)
        die("%u connections need a higher limit of open files than %llu", connections,
            (unsigned long long)limit.rlim_max);
}

static void nap(double seconds)
{
    struct timespec t = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static bool is_over(const struct load *l)
{
    return atomic_load(&l->finished) == l->threads || atomic_load(&l->fatal);
}

/* Sleeps until the seconds are over or nothing is left to do. */
static void wait_while_working(const struct load *l, double seconds)
{
    uint64_t end_ns = now_ns() + (uint64_t)(seconds * 1e9);
    for (uint64_t now = now_ns(); now < end_ns && !is_over(l); now = now_ns())
        nap((end_ns - now < POLL_NS ? (double)(end_ns - now) : POLL_NS) / 1e9);
}

static void wait_until_ready(struct load *l)
{
    uint64_t end_ns = now_ns() + (uint64_t)(l->limit_s * 1e9);
    while (atomic_load(&l->ready) < l->connections && !is_over(l)) {
        if (now_ns() > end_ns) {
            atomic_store(&l->fatal, "the connections did not get ready within --limit");
            return;
        }
        nap(POLL_NS / 1e9);
    }
}

static void sample(const struct load *l, struct window *window, struct proc_sample *server, double sign)
{
    struct rusage usage;
    if (l->pid && !proc_read(l->pid, server))
        window->has_server = false;
    getrusage(RUSAGE_SELF, &usage);
    window->client_user_s += sign * ((double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6);
    window->client_sys_s += sign * ((double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6);
}

/* Work with a count is measured whole; everything else after the warm-up, for the duration. */
static void conduct(struct load *l, struct window *window)
{
    if (!l->count) {
        wait_until_ready(l);
        wait_while_working(l, l->warmup_s);
    }
    sample(l, window, &window->server_start, -1);
    uint64_t start_ns = now_ns();
    atomic_store(&l->window_start_ns, start_ns);
    int warm = PHASE_WARM;
    atomic_compare_exchange_strong(&l->phase, &warm, PHASE_MEASURE);
    wait_while_working(l, l->count ? l->limit_s : l->duration_s);
    uint64_t end_ns = now_ns();
    sample(l, window, &window->server_end, 1);
    atomic_store(&l->window_end_ns, end_ns);
    if (l->count && !is_over(l))
        atomic_store(&l->fatal, "not done within --limit");
    atomic_store(&l->phase, PHASE_STOP);
    window->seconds = (double)(end_ns - start_ns) / 1e9;
}

static unsigned pool_count(const struct load *l)
{
    return l->rate > 0 ? 1 : l->threads;
}

static struct pool *make_pools(struct load *l)
{
    unsigned count = pool_count(l), left = l->connections;
    struct pool *pools = must_alloc(count * sizeof *pools);
    for (unsigned index = 0; index < count; index++) {
        unsigned share = left / (count - index);
        pool_init(&pools[index], l, share, l->threads / count);
        left -= share;
    }
    return pools;
}

static struct worker *start_workers(struct load *l, struct pool *pools)
{
    struct worker *workers = must_alloc(l->threads * sizeof *workers);
    for (unsigned index = 0; index < l->threads; index++)
        worker_init(&workers[index], l, &pools[index % pool_count(l)], index);
    for (unsigned index = 0; index < l->threads; index++)
        if (pthread_create(&workers[index].thread, NULL, worker_run, &workers[index]) != 0)
            die("cannot start a thread");
    return workers;
}

static bool is_clean(const struct load *l, const struct worker *workers)
{
    bool clean = !atomic_load(&l->fatal);
    for (unsigned index = 0; index < l->threads; index++)
        clean = clean && workers[index].stats.errors == 0 && workers[index].stats.unanswered == 0;
    return clean;
}

int main(int argc, char **argv)
{
    static struct load load = { .threads = 2,
        .connections = 64,
        .duration_s = 2,
        .warmup_s = 0.3,
        .limit_s = 600,
        .queue = "bench",
        .group_prefix = "g",
        .batch = BATCH_MAX,
        .visibility_s = -1,
        .bodies.size = 200 };
    struct load *l = &load;
    struct window window = { 0 };
    struct timespec wall;
    signal(SIGPIPE, SIG_IGN);
    parse_options(l, argc, argv);
    bodies_make(&l->bodies, l->bodies.size);
    clock_gettime(CLOCK_REALTIME, &wall);
    l->nonce = ((uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000) ^ ((uint64_t)getpid() << 44);
    if (l->show) {
        show_request(l);
        return 0;
    }
    raise_file_limit(l->connections);
    window.has_server = l->pid && proc_read(l->pid, &window.server_idle);
    if (l->pid && !window.has_server)
        die("--pid: no process %ld, or its /proc entry cannot be read", (long)l->pid);
    if (l->count)
        atomic_store(&l->phase, PHASE_MEASURE);
    struct pool *pools = make_pools(l);
    struct worker *workers = start_workers(l, pools);
    conduct(l, &window);
    for (unsigned index = 0; index < l->threads; index++)
        pthread_join(workers[index].thread, NULL);
    report_print(l, workers, &window);
    bool clean = is_clean(l, workers);
    for (unsigned index = 0; index < l->threads; index++) {
        signer_free(workers[index].signer);
        buf_free(&workers[index].body);
    }
    for (unsigned index = 0; index < pool_count(l); index++)
        pool_deinit(&pools[index]);
    free(workers);
    free(pools);
    return clean ? 0 : 1;
}
