#include "server/server.h"
#include "api/clock.h"
#include "api/front.h"
#include "api/gateway.h"
#include "api/owner.h"
#include "api/pages.h"
#include "api/service.h"
#include "auth/network.h"
#include "base/log.h"
#include "base/map.h"
#include "base/text.h"
#include "server/control.h"
#include "server/machine.h"
#include "server/notify.h"
#include "service/sqs/sqs.h"
#include "service/sts/sts.h"
#include "sys/sys.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 64,
    EXIT_DAMAGED = 65,
    EXIT_IN_USE = 69,
    EXIT_DISK = 74,
    EXIT_NEWER = 76,
    FUTURE_LOG_MS = 24 * 3600 * 1000, /* a log this far ahead of the clock needs a flag */
    DRAIN_MS_MAX = 5 * 1000,          /* then slow clients are cut off: whoever supervises us waits 10 s */
    CREDENTIALS_BYTES_MAX = 8 * MIB,
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

/* A set of credentials with its memory, so that a reload can give the old one back. */
struct credential_home {
    struct arena arena;
    struct credential_set *set;
};

struct server {
    const struct config *config;
    struct arena arena;
    struct http_listener_options listeners[CONFIG_TEXTS_MAX];
    size_t listener_count;
    struct http_server *http;
    struct store *store;
    struct control *control;
    int threads;
    struct credential_home *credential_home; /* NULL: the development set */
    struct credential_set *_Atomic credentials;
    struct gateway_options gateway;
    struct network proxies[CONFIG_TEXTS_MAX];
    pthread_t watcher; /* for the second signal, until all is closed */
    bool has_watcher;
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
            return refuse(EXIT_USAGE, arena_printf(&s->arena,
                                          "%.*s is not a loopback address: serve it with --accounts FILE and https:// "
                                          "(--tls-cert, --tls-key), or say "
                                          "--insecure-dev-anywhere if everybody who can reach it may do everything",
                                          SLICE_ARG(address)));
    }
    return 0;
}

static int read_proxies(struct server *s)
{
    const struct texts *texts = &s->config->trusted_proxies;
    for (size_t i = 0; i < texts->count; i++)
        if (!network_parse(texts->items[i], &s->proxies[i]))
            return refuse(EXIT_USAGE, arena_printf(&s->arena,
                                          "trusted-proxies: \"%.*s\" is neither an address nor a network such as "
                                          "10.0.0.0/8",
                                          SLICE_ARG(texts->items[i])));
    return 0;
}

static void credential_home_free(struct credential_home *home)
{
    if (home)
        arena_deinit(&home->arena);
    free(home);
}

/* On failure the old set stays. */
static struct error load_credentials(struct server *s, struct arena *sentence_arena, struct slice *ret_sentence)
{
    if (!*s->config->accounts) {
        atomic_store(&s->credentials, credential_set_development());
        return OK;
    }
    struct credential_home *home = calloc(1, sizeof(*home)), *old = s->credential_home;
    ASSERT(home);
    arena_init(&home->arena, CREDENTIALS_BYTES_MAX);
    struct error e =
        credential_set_load_from(&sys_real.file, s->config->accounts, &home->arena, &home->set, ret_sentence);
    if (failed(e)) {
        *ret_sentence = arena_copy(sentence_arena, *ret_sentence);
        credential_home_free(home);
        return e;
    }
    s->credential_home = home;
    atomic_store(&s->credentials, home->set);
    if (old)
        fronts_pass_turn(); /* after it nobody looks into the old set */
    credential_home_free(old);
    return OK;
}

/* ---- start -------------------------------------------------------------------------------------------------------------- */

static enum store_durability durability_of(const struct config *config)
{
    static const char *const names[] = {
        [DURABILITY_FSYNC] = "fsync", [DURABILITY_OS] = "os", [DURABILITY_MEMORY] = "memory"
    };
    size_t i = 0;
    while (strcmp(names[i], config->durability) != 0) /* one of them: config.def */
        i++;
    return (enum store_durability)i;
}

/* The data directory is in memory; clocks and entropy are as ever. */
static void use_memory_files(void)
{
    static struct sys memory;
    memory = sys_memory;
    memory.clock = sys_real.clock;
    memory.entropy = sys_real.entropy;
    sys = &memory;
}

void server_print_exit_codes(void)
{
    static const struct {
        int code;
        const char *words;
    } rows[] = { { 0, "stopped cleanly; done" }, { EXIT_USAGE, "wrong usage, or a configuration that is refused" },
        { EXIT_DAMAGED, "the data directory is damaged" },
        { EXIT_IN_USE, "the address or the data directory is in use" },
        { EXIT_DISK, "the disk failed, or a file or directory cannot be used" },
        { EXIT_NEWER, "the data directory is of a newer version" },
        { 128 + SIGTERM, "ended at once by a second SIGTERM (Ctrl-C: 130)" } };
    printf("\nExit codes:\n");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        printf("  %-4d %s\n", rows[i].code, rows[i].words);
}

int server_exit_code(struct error e)
{
    static const struct {
        uint32_t error;
        int code;
    } codes[] = { { ERR_NONE, 0 }, { ERR_CONFIG, EXIT_USAGE }, { ERR_LOCKED, EXIT_IN_USE },
        { ERR_NEWER_FORMAT, EXIT_NEWER }, { ERR_CORRUPT, EXIT_DAMAGED } };
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++)
        if (codes[i].error == e.code)
            return codes[i].code;
    return EXIT_DISK;
}

static int open_store(struct server *s)
{
    const struct config *config = s->config;
    const struct store_options options = { .dir = config->data_dir,
        .durability = durability_of(config),
        .segment_bytes = (uint64_t)config->segment_mib * MIB,
        .snapshot_bytes = (uint64_t)config->snapshot_mib * MIB };
    if (options.durability == DURABILITY_MEMORY)
        use_memory_files();
    uint64_t seed[2];
    sys->entropy(seed, sizeof(seed));
    map_set_seed(seed[0], seed[1]);
    size_t count;
    struct service *const *list = server_services(&count);
    struct slice sentence = SLICE("the data directory cannot be opened");
    struct error e = owners_open(&options, list, count, &s->arena, &s->store, &sentence);
    if (failed(e))
        return refuse(server_exit_code(e), sentence);
    int64_t ahead = (int64_t)owners_latest_record_ms() - sys->clock.wall_ms();
    if (ahead > FUTURE_LOG_MS && !config->accept_future_log) {
        owners_close(false);
        return refuse(EXIT_USAGE,
            arena_printf(&s->arena,
                "the newest record is %lld seconds ahead of this machine's clock: set the clock, or start with "
                "--accept-future-log",
                (long long)ahead / 1000));
    }
    clock_start(owners_latest_record_ms());
    store_start(s->store);
    return 0;
}

/* Where memory is limited large bodies take a quarter of it: they are decoded, journaled and answered besides. */
static size_t body_budget(void)
{
    uint64_t quarter = machine_memory_limit(&machine_paths_real) / 4;
    if (quarter < HTTP_BODY_BYTES_MAX)
        return HTTP_BODY_BYTES_MAX;
    return quarter < HTTP_BODY_BUDGET_BYTES ? (size_t)quarter : HTTP_BODY_BUDGET_BYTES;
}

static int open_http(struct server *s)
{
    struct http_server_options options = { .listeners = s->listeners,
        .listener_count = s->listener_count,
        .threads = s->threads,
        .max_connections = (size_t)s->config->max_connections,
        .body_budget_bytes = body_budget(),
        .handler = front_handler };
    struct slice sentence = SLICE("the address cannot be used");
    struct error e = http_server_open(&options, &s->http, &sentence);
    if (failed(e)) {
        owners_close(false);
        return refuse(e.code == ERR_CONFIG ? EXIT_USAGE : EXIT_IN_USE, sentence);
    }
    s->gateway = (struct gateway_options){ .credentials = &s->credentials,
        .clock_window_s = s->config->clock_window_s,
        .public_url = *s->config->public_url ? slice_str(s->config->public_url) : SLICE_NONE,
        .cors_origins = s->config->cors_origins.items,
        .cors_origin_count = s->config->cors_origins.count,
        .trusted_proxies = s->proxies,
        .trusted_proxy_count = s->config->trusted_proxies.count };
    for (size_t i = 0; i < s->gateway.cors_origin_count; i++)
        s->gateway.is_any_origin_allowed |= slice_equal(s->gateway.cors_origins[i], SLICE("*"));
    const struct front_options fronts = {
        .http = s->http, .store = s->store, .threads = s->threads, .gateway = &s->gateway
    };
    fronts_open(&fronts);
    return 0;
}

static struct slice url_of(struct server *s, size_t index)
{
    const struct http_listener_options *l = &s->listeners[index];
    struct slice host = l->address;
    while (host.size && host.data[host.size - 1] != ':')
        host.size--;
    return arena_printf(
        &s->arena, "%s://%.*s%u", l->tls_cert ? "https" : "http", SLICE_ARG(host), http_server_port(s->http, index));
}

static void print_welcome(struct server *s)
{
    bool is_memory = durability_of(s->config) == DURABILITY_MEMORY;
    struct slice url = url_of(s, 0);
    printf("millrace %s is ready at %.*s", MILLRACE_VERSION, SLICE_ARG(url));
    for (size_t i = 1; i < s->listener_count; i++)
        printf(" and %.*s", SLICE_ARG(url_of(s, i)));
    printf(" (data in %s, durability %s)\n", is_memory ? "memory" : s->config->data_dir, s->config->durability);
    if (!*s->config->accounts) {
        static const char *const examples[] = { "create-queue --queue-name hello",
            "send-message --message-body 'Hello, millrace'", "receive-message" };
        printf("Credentials for development: access key \"test\", secret \"test\" (account 000000000000)\n\n");
        printf("  export AWS_ENDPOINT_URL=%.*s AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test "
               "AWS_DEFAULT_REGION=us-east-1\n",
            SLICE_ARG(url));
        for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
            printf("  aws --endpoint-url %.*s sqs %s", SLICE_ARG(url), examples[i]);
            if (i > 0)
                printf(" --queue-url %.*s/000000000000/hello", SLICE_ARG(url));
            printf("\n");
        }
    }
    fflush(stdout);
    log_event(LOG_INFO, "started", "version=%s listeners=%zu threads=%d durability=%s", MILLRACE_VERSION,
        s->listener_count, s->threads, s->config->durability);
}

static void warn_of_limits(void)
{
    uint64_t limit = machine_memory_limit(&machine_paths_real);
    if (limit < MACHINE_MEMORY_MIB_WANTED * (uint64_t)MIB)
        log_event(LOG_WARN, "little_memory", "limit_mib=%llu wanted_mib=%d", (unsigned long long)(limit / MIB),
            MACHINE_MEMORY_MIB_WANTED);
}

/* ---- life and end --------------------------------------------------------------------------------------------------------- */

/* As process 1 of a container it inherits what others leave behind: children that ended are not kept. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
}

static void reload(struct server *s)
{
    notify_systemd("RELOADING=1");
    http_server_reload_tls(s->http);
    struct arena arena;
    struct slice sentence = SLICE_NONE;
    arena_init(&arena, 64 * KIB);
    if (failed(load_credentials(s, &arena, &sentence)))
        log_event(LOG_ERROR, "credentials_reload_failed", "reason=%s", LOG_QUOTED(sentence));
    else if (*s->config->accounts)
        log_event(LOG_INFO, "credentials_reloaded", "file=%s", LOG_QUOTED(slice_str(s->config->accounts)));
    arena_deinit(&arena);
    notify_systemd("READY=1");
}

static void *end_at_once(void *argument)
{
    int number;
    sigwait(argument, &number);
    _exit(128 + number);
}

/* Before anybody could connect there is nothing to drain, and a start may be broken off anywhere. */
static void *end_start(void *argument)
{
    int number;
    sigwait(argument, &number);
    log_event(LOG_INFO, "stopped", "clean=true reason=\"before the start was over\"");
    _exit(0);
}

/* False: there is none, and signals wait until the start is over. */
static bool watch_for_end(pthread_t *ret_watcher, const sigset_t *signals, void *(*watch)(void *))
{
    static sigset_t ending;
    ending = *signals;
    sigdelset(&ending, SIGHUP);
    return pthread_create(ret_watcher, NULL, watch, &ending) == 0;
}

static void drain(struct server *s, sigset_t *signals)
{
    notify_systemd("STOPPING=1");
    log_event(LOG_INFO, "stopping", "reason=signal");
    s->has_watcher = watch_for_end(&s->watcher, signals, end_at_once);
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

static void set_log_level(const struct config *config)
{
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    for (size_t i = 0; i < ARRAY_COUNT(levels); i++)
        if (!strcmp(levels[i], config->log_level))
            log_set_level((enum log_level)i);
}

static int open_all(struct server *s, const sigset_t *signals)
{
    pthread_t watcher;
    bool is_watched = watch_for_end(&watcher, signals, end_start);
    struct slice sentence = SLICE_NONE;
    int code = read_listeners(s);
    code = code ? code : read_proxies(s);
    if (code == 0 && failed(load_credentials(s, &s->arena, &sentence)))
        code = refuse(EXIT_USAGE, sentence);
    code = code ? code : open_store(s);
    code = code ? code : open_http(s);
    if (is_watched) { /* it had its last chance: from here on a signal drains */
        pthread_cancel(watcher);
        pthread_join(watcher, NULL);
    }
    return code;
}

/* Threads first, then who they worked for: reactors, the calls they left, the store with its threads, what those could
 * still wake. */
static void close_all(struct server *s)
{
    http_server_stop(s->http);
    control_close(s->control);
    fronts_close();
    owners_close(true);
    pages_end();
    fronts_free();
    http_server_free(s->http);
    credential_home_free(s->credential_home);
    arena_deinit(&s->arena);
    if (s->has_watcher) {
        pthread_cancel(s->watcher);
        pthread_join(s->watcher, NULL);
    }
}

int server_run(const struct config *config)
{
    static struct server server; /* one a process; lives until its end */
    struct server *s = &server;
    s->config = config;
    arena_init(&s->arena, 64 * MIB);
    set_log_level(config);
    if (!strcmp(config->quotas, "aws"))
        sqs_quotas = sqs_quotas_aws;
    sigset_t signals;
    block_signals(&signals);
    machine_raise_file_limit();
    s->threads = config->threads > 0 ? (int)config->threads : machine_cores(&machine_paths_real);
    if (s->threads > FRONTS_MAX)
        s->threads = FRONTS_MAX;
    warn_of_limits();
    int code = open_all(s, &signals);
    if (code)
        return code;
    owners_resume();
    http_server_start(s->http);
    if (durability_of(config) != DURABILITY_MEMORY)
        s->control = control_open(config->data_dir, s->store);
    print_welcome(s);
    notify_systemd("READY=1");
    run_until_signal(s, &signals);
    close_all(s);
    log_event(LOG_INFO, "stopped", "clean=true");
    return 0;
}
