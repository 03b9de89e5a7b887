#include "server/server.h"
#include "api/clock.h"
#include "api/front.h"
#include "api/gateway.h"
#include "api/owner.h"
#include "api/service.h"
#include "base/log.h"
#include "base/map.h"
#include "base/text.h"
#include "server/notify.h"
#include "service/sqs/sqs.h"
#include "service/sts/sts.h"
#include "sys/sys.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 64,
    EXIT_DAMAGED = 65,
    EXIT_IN_USE = 69,
    EXIT_DISK = 74,
    EXIT_NEWER = 76,
    FUTURE_LOG_MS = 24 * 3600 * 1000, /* a log this far ahead of the clock needs a flag */
    DRAIN_MS_MAX = 20 * 1000,
    THREADS_MAX = 64,
};

static struct service *const services[] = {
#define SERVICE(object) &object,
#include "server/services.def"
#undef SERVICE
};

struct service *const *server_services(size_t *ret_count)
{
    static bool is_registered;
    if (!is_registered) {
        gateway_register();
        sqs_register();
        is_registered = true;
    }
    *ret_count = ARRAY_COUNT(services);
    return services;
}

struct server {
    const struct config *config;
    struct arena arena;
    struct http_listener_options listeners[CONFIG_TEXTS_MAX];
    size_t listener_count;
    struct http_server *http;
    struct store *store;
    int threads;
    struct credential_set *_Atomic credentials;
    struct gateway_options gateway;
};

static int refuse(int code, struct slice sentence)
{
    fprintf(stderr, "millrace: %.*s\n", SLICE_ARG(sentence));
    return code;
}

/* ---- what may be served where ----------------------------------------------------------------------------------------- */

static bool is_loopback(struct slice address)
{
    return slice_starts(address, SLICE("127.")) || slice_starts(address, SLICE("[::1]:")) ||
           slice_starts(address, SLICE("localhost:"));
}

static int read_listeners(struct server *s)
{
    const struct config *config = s->config;
    for (size_t i = 0; i < config->listen.count; i++) {
        struct slice address = config->listen.items[i];
        struct http_listener_options *l = &s->listeners[s->listener_count++];
        *l = (struct http_listener_options){ .address = address };
        if (slice_starts(address, SLICE("https://"))) {
            l->address = slice_from(address, 8);
            l->tls_cert = config->tls_cert;
            l->tls_key = config->tls_key;
            if (!*config->tls_cert || !*config->tls_key)
                return refuse(EXIT_USAGE, SLICE("an https:// address needs --tls-cert and --tls-key"));
        } else if (slice_starts(address, SLICE("http://"))) {
            l->address = slice_from(address, 7);
        }
        if (slice_starts(l->address, SLICE("localhost:")))
            l->address = arena_printf(&s->arena, "127.0.0.1:%.*s", SLICE_ARG(slice_from(l->address, 10)));
        bool is_guarded = *config->accounts && l->tls_cert;
        if (!is_loopback(l->address) && !is_guarded && !config->insecure_dev_anywhere)
            return refuse(EXIT_USAGE,
                arena_printf(&s->arena,
                    "%.*s is not a loopback address: serve it with --accounts FILE and https:// (--tls-cert, --tls-key), or say "
                    "--insecure-dev-anywhere if everybody who can reach it may do everything",
                    SLICE_ARG(address)));
    }
    return 0;
}

static int load_credentials(struct server *s)
{
    struct credential_set *set = NULL;
    if (!*s->config->accounts) {
        set = credential_set_development();
    } else {
        struct slice sentence = SLICE_NONE;
        if (failed(credential_set_load(s->config->accounts, &s->arena, &set, &sentence)))
            return refuse(EXIT_USAGE, sentence);
    }
    atomic_store(&s->credentials, set);
    return 0;
}

/* ---- start -------------------------------------------------------------------------------------------------------------- */

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Cores this process may use: affinity, and the quota of its cgroup (v2). */
static int usable_cores(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    long long quota, period;
    if (f && fscanf(f, "%lld %lld", &quota, &period) == 2 && period > 0) {
        int allowed = (int)((quota + period - 1) / period);
        if (allowed >= 1 && allowed < cores)
            cores = allowed;
    }
    if (f)
        fclose(f);
    return cores < THREADS_MAX ? cores : THREADS_MAX;
}

static int parse_durability(const struct config *config, enum store_durability *ret)
{
    static const char *const names[] = { "fsync", "os", "memory" };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (slice_equal(slice_str(names[i]), slice_str(config->durability))) {
            *ret = (enum store_durability)i;
            return 0;
        }
    }
    return refuse(EXIT_USAGE, SLICE("--durability is one of fsync, os, memory"));
}

static int open_store(struct server *s)
{
    const struct config *config = s->config;
    struct store_options options = { .dir = config->data_dir,
        .segment_bytes = (uint64_t)config->segment_mib * MIB,
        .snapshot_bytes = (uint64_t)config->snapshot_mib * MIB,
        .threads = true };
    int code = parse_durability(config, &options.durability);
    if (code)
        return code;
    if (options.durability == DURABILITY_MEMORY) {
        static struct sys memory;
        memory = sys_memory;
        memory.clock = sys_real.clock;
        memory.entropy = sys_real.entropy;
        sys = &memory;
    }
    uint64_t seed[2];
    sys->entropy(seed, sizeof(seed));
    map_set_seed(seed[0], seed[1]);
    size_t count;
    struct service *const *list = server_services(&count);
    struct slice sentence = SLICE("the data directory cannot be opened");
    struct error e = owners_open(&options, list, count, &s->arena, &s->store, &sentence);
    if (failed(e))
        return refuse(e.code == ERR_LOCKED             ? EXIT_IN_USE
                      : e.code == ERR_NEWER_FORMAT     ? EXIT_NEWER
                      : e.code == ERR_CORRUPT          ? EXIT_DAMAGED
                                                       : EXIT_DISK,
            sentence);
    int64_t ahead = (int64_t)owners_latest_record_ms() - sys->clock.wall_ms();
    if (ahead > FUTURE_LOG_MS && !config->accept_future_log)
        return refuse(EXIT_USAGE,
            arena_printf(&s->arena,
                "the newest record is %lld seconds ahead of this machine's clock: set the clock, or start with --accept-future-log",
                (long long)ahead / 1000));
    clock_start(owners_latest_record_ms());
    owners_resume();
    return 0;
}

static int open_http(struct server *s)
{
    struct http_server_options options = { .listeners = s->listeners,
        .listener_count = s->listener_count,
        .threads = s->threads,
        .max_connections = (size_t)s->config->max_connections,
        .handler = front_handler };
    struct slice sentence = SLICE("the address cannot be used");
    if (failed(http_server_open(&options, &s->http, &sentence)))
        return refuse(EXIT_IN_USE, sentence);
    s->gateway = (struct gateway_options){ .credentials = &s->credentials,
        .clock_window_s = s->config->clock_window_s,
        .public_url = *s->config->public_url ? slice_str(s->config->public_url) : SLICE_NONE,
        .cors_origins = s->config->cors_origins.items,
        .cors_origin_count = s->config->cors_origins.count };
    for (size_t i = 0; i < s->gateway.cors_origin_count; i++)
        s->gateway.is_any_origin_allowed |= slice_equal(s->gateway.cors_origins[i], SLICE("*"));
    const struct front_options fronts = {
        .http = s->http, .store = s->store, .threads = s->threads, .gateway = &s->gateway
    };
    fronts_open(&fronts);
    return 0;
}

static void print_welcome(const struct server *s)
{
    char url[160];
    const struct http_listener_options *l = &s->listeners[0];
    struct slice host = l->address;
    while (host.size && host.data[host.size - 1] != ':')
        host.size--;
    snprintf(url, sizeof(url), "%s://%.*s%u", l->tls_cert ? "https" : "http", SLICE_ARG(host), http_server_port(s->http, 0));
    printf("millrace %s is ready at %s (data in %s, durability %s)\n", MILLRACE_VERSION, url,
        slice_equal(slice_str(s->config->durability), SLICE("memory")) ? "memory" : s->config->data_dir, s->config->durability);
    if (!*s->config->accounts) {
        printf("Credentials for development: access key \"test\", secret \"test\" (account 000000000000)\n\n");
        printf("  export AWS_ENDPOINT_URL=%s AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1\n", url);
        printf("  aws --endpoint-url %s sqs create-queue --queue-name hello\n", url);
        printf("  aws --endpoint-url %s sqs send-message --queue-url %s/000000000000/hello --message-body 'Hello, millrace'\n", url, url);
        printf("  aws --endpoint-url %s sqs receive-message --queue-url %s/000000000000/hello\n", url, url);
    }
    fflush(stdout);
}

/* ---- life and end --------------------------------------------------------------------------------------------------------- */

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void reload(struct server *s)
{
    notify_systemd("RELOADING=1");
    http_server_reload_tls(s->http);
    if (*s->config->accounts)
        load_credentials(s); /* on failure it says why and the old set stays */
    log_event(LOG_INFO, "reloaded", "accounts=%s", s->config->accounts);
    notify_systemd("READY=1");
}

static void *end_at_once(void *argument)
{
    int number;
    sigwait(argument, &number);
    _exit(128 + number);
}

static void drain(struct server *s, sigset_t *signals)
{
    notify_systemd("STOPPING=1");
    log_event(LOG_INFO, "stopping", "reason=signal");
    static sigset_t second;
    second = *signals;
    sigdelset(&second, SIGHUP);
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, end_at_once, &second) == 0)
        pthread_detach(watcher);
    http_server_drain(s->http);
    uint64_t give_up = sys->clock.monotonic_us() + DRAIN_MS_MAX * 1000ull;
    while (!http_server_is_drained(s->http) && sys->clock.monotonic_us() < give_up) {
        owners_end_waits();
        const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
        nanosleep(&pause, NULL);
    }
}

static void run_until_signal(struct server *s, sigset_t *signals)
{
    for (;;) {
        int number = 0;
        if (sigwait(signals, &number) != 0)
            continue;
        if (number != SIGHUP)
            break;
        reload(s);
    }
    drain(s, signals);
}

int server_run(const struct config *config)
{
    static struct server server; /* one a process; lives until its end */
    struct server *s = &server;
    s->config = config;
    arena_init(&s->arena, 64 * MIB);
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    for (size_t i = 0; i < ARRAY_COUNT(levels); i++)
        if (slice_equal(slice_str(levels[i]), slice_str(config->log_level)))
            log_set_level((enum log_level)i);
    sqs_quotas.is_aws = slice_equal(slice_str(config->quotas), SLICE("aws"));
    sigset_t signals;
    block_signals(&signals);
    raise_file_limit();
    s->threads = config->threads > 0 && config->threads <= THREADS_MAX ? (int)config->threads : usable_cores();
    int code = read_listeners(s);
    code = code ? code : load_credentials(s);
    code = code ? code : open_store(s);
    code = code ? code : open_http(s);
    if (code)
        return code;
    http_server_start(s->http);
    print_welcome(s);
    notify_systemd("READY=1");
    run_until_signal(s, &signals);
    http_server_stop(s->http);
    fronts_close();
    http_server_free(s->http);
    owners_close(true);
    log_event(LOG_INFO, "stopped", "clean=true");
    return 0;
}
