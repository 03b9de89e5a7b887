/* main.c: the program: which seeds, in how many processes, and what they came to. */
#include "api/gateway.h"
#include "base/log.h"
#include "base/text.h"
#include "net.h"
#include "support/faulty_disk.h"
#include "support/faulty_net.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 64, SEED_SECONDS = 600, NETWORK_ONE_IN = 4 };

struct options {
    uint64_t from, count, jobs, seconds;
    uint32_t steps;
    bool is_verbose, checks_repeat, stops, must_all_happen;
};
struct result {
    uint64_t done, bad;
    struct figures figures;
};

/* ---- seeds ------------------------------------------------------------------------------------------------------------------ */

static bool run_one(const struct options *o, uint64_t seed, struct figures *total)
{
    sim_watch((uint32_t)o->seconds);
    bool is_good = sim_run_seed(seed, o->steps);
    uint64_t history = sim.history;
    figures_add(total, &sim.figures);
    if (o->is_verbose)
        printf("seed %llu: %s, history %016llx\n", (unsigned long long)seed, is_good ? "good" : "FAILED",
            (unsigned long long)history);
    if (is_good && o->checks_repeat) {
        sim_run_seed(seed, o->steps);
        if (sim.history != history) {
            sim_report(INV_REPEAT, "the same seed was another history");
            return false;
        }
    }
    return is_good;
}

/* Every jobs-th seed from the first one on. */
static void run_share(const struct options *o, uint64_t first, struct result *r)
{
    sim.calls = calloc(CALLS_MAX, sizeof(*sim.calls));
    sim.events = calloc(EVENTS_MAX, sizeof(*sim.events));
    ASSERT(sim.calls && sim.events);
    arena_init(&sim.arena, 64 * MIB);
    arena_init(&sim.details, 64 * MIB);
    for (uint64_t i = first; i < o->count && !(r->bad && o->stops); i += o->jobs, r->done++)
        r->bad += !run_one(o, o->from + i, &r->figures);
    for (int i = 0; i < CALLS_MAX; i++) {
        if (sim.calls[i].call.arena.limit_bytes)
            arena_deinit(&sim.calls[i].call.arena);
        buf_deinit(&sim.calls[i].net.request);
        buf_deinit(&sim.calls[i].net.decided);
    }
    clients_reset();
    arena_deinit(&sim.arena);
    arena_deinit(&sim.details);
    free(sim.calls);
    free(sim.events);
}

/* ---- processes --------------------------------------------------------------------------------------------------------------- */

static void start_job(const struct options *o, uint64_t job, int *ret_fd)
{
    int fds[2];
    fflush(stdout);
    bool is_piped = pipe(fds) == 0;
    pid_t pid = is_piped ? fork() : -1;
    ASSERT(pid >= 0);
    if (pid > 0) {
        close(fds[1]);
        *ret_fd = fds[0];
        return;
    }
    struct result r = { 0 };
    run_share(o, job, &r);
    fflush(stdout);
    _exit(write(fds[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
}

/* A job that crashed has told about its seed, but no figures. */
static void take_result(int fd, struct result *total)
{
    struct result r;
    if (read(fd, &r, sizeof(r)) == sizeof(r)) {
        total->done += r.done;
        total->bad += r.bad;
        figures_add(&total->figures, &r.figures);
    } else {
        total->done++;
        total->bad++;
    }
    close(fd);
}

static void run_jobs(const struct options *o, struct result *total)
{
    int fds[JOBS_MAX];
    for (uint64_t i = 0; i < o->jobs; i++)
        start_job(o, i, &fds[i]);
    for (uint64_t i = 0; i < o->jobs; i++)
        take_result(fds[i], total);
    while (wait(NULL) > 0)
        ;
}

static int run(const struct options *o)
{
    static struct result total;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (o->jobs == 1)
        run_share(o, 0, &total);
    else
        run_jobs(o, &total);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    double steps = (double)total.done * o->steps * (o->checks_repeat ? 2 : 1);
    if (o->is_verbose)
        figures_print(&total.figures);
    size_t missing = o->must_all_happen ? figures_missing(&total.figures) : 0;
    printf("%llu seeds, %.0f steps, %.0f steps/s\n", (unsigned long long)total.done, steps,
        seconds > 0 ? steps / seconds : 0);
    printf("%llu passed, %llu failed\n", (unsigned long long)(total.done - total.bad), (unsigned long long)total.bad);
    return total.bad || missing ? 1 : 0;
}

/* ---- the command line -------------------------------------------------------------------------------------------------------- */

static int usage(void)
{
    fputs("sim --seeds COUNT [--from SEED] [--steps N]     COUNT histories\n"
          "sim --seed SEED [--steps N] [--trace]            one, with every event on stdout\n"
          "    --verbose       a line for each seed; figures   --check-repeat  every seed twice, compared\n"
          "    --stop          end at the first failure        --jobs N        so many processes\n"
          "    --must-happen   fail when something never happened\n"
          "    --seconds N     of processor time: a seed that takes more fails\n"
          "    --network N     one seed in N over the network (4; 0: none)\n",
        stderr);
    return 64;
}

static bool parse_flag(struct slice option, struct options *o)
{
    const struct {
        struct slice name;
        bool *at;
    } flags[] = { { SLICE("--verbose"), &o->is_verbose }, { SLICE("--trace"), &trace_is_loud },
        { SLICE("--check-repeat"), &o->checks_repeat }, { SLICE("--stop"), &o->stops },
        { SLICE("--must-happen"), &o->must_all_happen } };
    for (size_t i = 0; i < ARRAY_COUNT(flags); i++)
        if (slice_equal(option, flags[i].name))
            return *flags[i].at = true;
    return false;
}

static bool parse_number(struct slice option, uint64_t number, struct options *o)
{
    if (slice_equal(option, SLICE("--seeds")))
        o->count = number;
    else if (slice_equal(option, SLICE("--seed")) || slice_equal(option, SLICE("--from")))
        o->from = number;
    else if (slice_equal(option, SLICE("--steps")))
        o->steps = (uint32_t)number;
    else if (slice_equal(option, SLICE("--jobs")))
        o->jobs = number;
    else if (slice_equal(option, SLICE("--seconds")))
        o->seconds = number;
    else if (slice_equal(option, SLICE("--network")))
        sim.net_one_in = number;
    else
        return false;
    return o->jobs >= 1 && o->jobs <= JOBS_MAX;
}

static bool parse(int count, char **words, struct options *o)
{
    for (int i = 1; i < count; i++) {
        struct slice option = slice_str(words[i]);
        uint64_t number = 0;
        if (parse_flag(option, o))
            continue;
        if (i + 1 == count || !text_parse_u64(slice_str(words[++i]), &number) || !parse_number(option, number, o))
            return false;
    }
    return true;
}

int main(int count, char **words)
{
    struct options o = { .from = 1, .count = 1, .jobs = 1, .seconds = SEED_SECONDS, .steps = 2000 };
    sim.net_one_in = NETWORK_ONE_IN;
    if (!parse(count, words, &o))
        return usage();
    log_set_level(LOG_ERROR + 1);
    static struct sys sim_sys;
    sim_sys = sys_faulty;
    sim_sys.net = &sys_net_faulty;
    sys = &sim_sys;
    gateway_register();
    sqs_register();
    server_register();
    return run(&o);
}
