/* sim.c: the program: seeds, the scheduler, and what is said about a seed that fails. */
#include "world.h"
#include "net.h"
#include "api/gateway.h"
#include "base/log.h"
#include "base/map.h"
#include "support/faulty_net.h"
#include "base/text.h"
#include "sys/sys.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct sim sim;
jmp_buf sim_fatal_jump;
static jmp_buf failed_jump;
static int reports;

enum { REPORTS_MAX = 5 };

/* ---- failing --------------------------------------------------------------------------------------------------------------- */

static void report(enum invariant number, const char *sentence)
{
    if (reports++ >= REPORTS_MAX)
        return;
    printf("\nseed %llu failed at step %u: SQS-INV-%d: %s\n", (unsigned long long)sim.seed, sim.step, number, sentence);
    trace_print(stdout);
    printf("again: sim --seed %llu --steps %u --network %llu --trace\n\n", (unsigned long long)sim.seed, sim.steps,
        (unsigned long long)sim.net_one_in);
    fflush(stdout);
}

_Noreturn void sim_fail(enum invariant number, const char *format, ...)
{
    static char sentence[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    report(number, sentence);
    longjmp(failed_jump, 1);
}

/* An assertion of the server is a failed seed, too; there is no going on after it. */
static void on_abort(int number)
{
    (void)number;
    reports = 0;
    report(INV_CRASHED, "the server under test aborted");
    _exit(1);
}

/* A failed sync leaves the store by longjmp, as the process would end there: what it was at then is not given back. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:snapshot_take\nleak:transfer_deliver\nleak:move_tasks_work\n";
}

/* The sanitizers end the process themselves: the seed is what one needs then. */
extern void __sanitizer_set_death_callback(void (*call)(void)) __attribute__((weak));

static void on_sanitizer(void)
{
    reports = 0;
    report(INV_CRASHED, "a sanitizer ended the history");
}

/* ---- what a history is like ---------------------------------------------------------------------------------------------------- */

static uint32_t draw(uint32_t from, uint32_t to)
{
    return (uint32_t)prng_between(&sim.random, from, to);
}

static uint32_t draw_rate(uint32_t high) /* often none, now and then far too much */
{
    if (prng_one_in(&sim.random, 3))
        return 0;
    return prng_one_in(&sim.random, 8) ? draw(high, 6 * high) : draw(1, high);
}

static void draw_plan(struct plan *p)
{
    static const uint32_t usual[DO_COUNT] = { [DO_SEND] = 30,
        [DO_SEND_BATCH] = 8,
        [DO_RECEIVE] = 30,
        [DO_DELETE] = 25,
        [DO_DELETE_BATCH] = 6,
        [DO_VISIBILITY] = 8,
        [DO_VISIBILITY_BATCH] = 3,
        [DO_PURGE] = 1,
        [DO_CREATE] = 2,
        [DO_DELETE_QUEUE] = 2,
        [DO_SET_ATTRIBUTES] = 2,
        [DO_GET_ATTRIBUTES] = 4,
        [DO_LIST] = 1,
        [DO_TAG] = 1,
        [DO_PERMISSION] = 1,
        [DO_GET_URL] = 1,
        [DO_LIST_SOURCES] = 1,
        [DO_REDRIVE_POLICY] = 2,
        [DO_START_TASK] = 2,
        [DO_CANCEL_TASK] = 1,
        [DO_LIST_TASKS] = 1 };
    *p = (struct plan){ .queue_count = draw(2, QUEUES_MAX), .body_max = prng_one_in(&sim.random, 2) ? 200 : 2000 };
    for (int i = 0; i < DO_COUNT; i++) {
        static const uint32_t shares[] = { 0, 1, 2, 2, 2, 6 };
        p->weight[i] = usual[i] * shares[prng_below(&sim.random, ARRAY_COUNT(shares))];
    }
    p->weight[DO_SEND] += 10;
    p->weight[DO_RECEIVE] += 15;
    p->weight[DO_DELETE] += 10;
    p->big_one_in = draw_rate(100);
    p->huge_one_in = prng_one_in(&sim.random, 6) ? draw(100, 300) : 0;
    p->flush = draw(5, 60);
    p->work = draw(1, 20);
    p->clock = draw(5, 40);
    p->leap = draw_rate(10);
    p->wall_jump = draw_rate(3);
    p->vanish = draw_rate(6);
    p->crash = draw_rate(30);
    p->restart = draw_rate(10);
    p->compare = draw_rate(10);
    p->disk_full = draw_rate(10);
    p->fail = draw_rate(20);
    p->flip = draw_rate(6);
    p->press = draw_rate(20);
    p->cold_one_in = draw_rate(4);
    p->step_us_max = draw(1, 50) * 1000;
    p->finishes_late = prng_one_in(&sim.random, 3);
}

static uint32_t draw_seldom(uint32_t least) /* one in so many; often never */
{
    return prng_one_in(&sim.random, 3) ? 0 : draw(least, 8 * least);
}

/* One seed in so many has its clients come over the network; it has a character of its own, too. */
static void draw_net(struct net_plan *p)
{
    static const size_t windows[] = { 65536, 65536, 65536, 4096, 700 };
    bool is_on = sim.net_one_in && prng_mix(sim.seed ^ 0x6e6574) % sim.net_one_in == 0;
    *p = (struct net_plan){ .is_on = is_on };
    if (!is_on)
        return;
    p->step = draw(100, 600);
    p->late = draw_seldom(2);
    p->late_us_max = prng_one_in(&sim.random, 4) ? 3000 * 1000 : 20 * 1000;
    p->part = draw_seldom(2);
    p->interrupt = draw_seldom(10);
    p->accept = draw_seldom(4);
    p->window_bytes = windows[prng_below(&sim.random, ARRAY_COUNT(windows))];
    p->stall = draw_seldom(8);
    p->dribble = draw_seldom(4);
    p->early_end = draw_seldom(8);
    p->pipeline = draw_seldom(2);
    p->retry = draw_seldom(1);
    p->query = draw_seldom(1);
    p->connections_max = prng_one_in(&sim.random, 4) ? draw(1, 8) : 0;
    p->body_budget = prng_one_in(&sim.random, 4) ? draw(1, 200) * KIB : 0;
    p->starve = prng_one_in(&sim.random, 4) ? draw(3, 60) : 0;
    p->sync_us = prng_one_in(&sim.random, 2) ? draw(301, 20000) : 0;
}

static void start_net(void)
{
    const struct net_plan *p = &sim.plan.net;
    const struct faulty_net_plan plan = { .late = p->late,
        .part = p->part,
        .interrupt = p->interrupt,
        .accept = p->accept,
        .late_us_max = p->late_us_max,
        .window_bytes = p->window_bytes };
    clients_reset();
    faulty_net_reset(sim.seed, &plan, faulty_clock_us);
    faulty_disk_set_sync_us(p->sync_us);
}

/* ---- the scheduler's other choices --------------------------------------------------------------------------------------------------- */

static void leap(void)
{
    uint64_t wake = owners_next_wake(0, 1), now_ms = sim_server_ms(), ms;
    switch (prng_below(&sim.random, 8)) {
    case 0:
    case 1:
    case 2:
        ms = wake != UINT64_MAX && wake > now_ms ? wake - now_ms : 1;
        break;
    case 3:
    case 4:
    case 5:
        ms = prng_between(&sim.random, 1000, 60 * 1000);
        break;
    case 6:
        ms = prng_between(&sim.random, 60 * 1000, 10 * 60 * 1000);
        break;
    default:
        ms = prng_one_in(&sim.random, 4) ? prng_between(&sim.random, 1, 5) * 3600 * 1000 : 5 * 60 * 1000;
        break;
    }
    TRACE("time passes: %llu ms", ms);
    world_sleep_us(ms * 1000);
}

/* The wall clock jumps; the server's only leans. Never so far back that a start would be refused. */
static void jump_wall(void)
{
    int64_t ms = (int64_t)prng_below(&sim.random, 2 * 3600 * 1000) - 3600 * 1000;
    int64_t behind = (int64_t)sim_server_ms() - (sys->clock.wall_ms() + ms);
    if (behind < 20 * 3600 * 1000) {
        TRACE("the wall clock jumps by %lld ms", ms);
        faulty_clock_jump_wall(ms);
    }
}

static void change_disk(void)
{
    sim.is_full = !sim.is_full;
    uint64_t room = prng_below(&sim.random, 20) * MIB;
    TRACE("disk: full %llu, room %llu", sim.is_full, room);
    faulty_disk_set_capacity(sim.is_full ? faulty_disk_used_bytes() + room : UINT64_MAX);
}

static void break_disk(void)
{
    sim.may_fail = true;
    uint32_t skip = (uint32_t)prng_below(&sim.random, 6);
    if (prng_one_in(&sim.random, 3)) {
        TRACE("a write will fail, after %llu", skip);
        faulty_disk_fail_write(skip);
    } else {
        TRACE("a sync will fail, after %llu", skip);
        faulty_disk_fail_sync(skip);
    }
}

static void pass_time(void)
{
    world_sleep_us(prng_below(&sim.random, sim.plan.step_us_max) + 1);
}

static void crash(void)
{
    world_crash(prng_one_in(&sim.random, 3) ? CRASH_PROCESS : CRASH_POWER);
}

/* In ten thousand steps, so often. True: that was this step. */
static bool rare_step(void)
{
    const struct plan *p = &sim.plan;
    const struct {
        uint32_t rate;
        void (*run)(void);
    } rows[] = { { p->crash, crash }, { p->restart, world_stop_cleanly }, { p->compare, world_compare },
        { p->disk_full, change_disk }, { p->fail, break_disk }, { p->flip, world_flip }, { p->press, world_press } };
    uint64_t at = prng_below(&sim.random, 10000);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (at < rows[i].rate) {
            rows[i].run();
            return true;
        }
        at -= rows[i].rate;
    }
    return false;
}

static void one_step(void)
{
    const struct plan *p = &sim.plan;
    if (rare_step())
        return;
    if (p->finishes_late)
        calls_finish_late(false);
    const struct {
        uint32_t weight;
        void (*run)(void);
    } rows[] = { { 100, ops_start_random }, { p->flush, world_flush }, { p->work, world_work }, { p->clock, pass_time },
        { p->leap, leap }, { p->wall_jump, jump_wall }, { p->vanish, calls_vanish }, { p->net.step, world_net } };
    uint64_t total = 0;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        total += rows[i].weight;
    uint64_t at = prng_below(&sim.random, total);
    size_t i = 0;
    for (; at >= rows[i].weight; i++)
        at -= rows[i].weight;
    if (rows[i].run == ops_start_random && !calls_have_room())
        i = p->net.is_on ? ARRAY_COUNT(rows) - 1 : 1; /* every client waits: let some of them go on */
    rows[i].run();
    model_tidy();
}

/* ---- one seed -------------------------------------------------------------------------------------------------------------------------- */

static void name_queues(void)
{
    uint32_t kinds = draw(1, 6);
    for (uint32_t i = 0; i < sim.plan.queue_count; i++) {
        struct model_queue *q = &model.queues[i];
        q->is_fifo = (i + kinds) % 2 == 0;
        q->is_fair = !q->is_fifo && (i + kinds) % 3 == 0;
        snprintf(q->name, sizeof(q->name), "q%u%s", i, q->is_fifo ? ".fifo" : "");
        q->log = owner_log_of(SLICE("000000000000"), SLICE("us-east-1"), slice_str(q->name));
    }
}

static void sim_clear(uint64_t seed, uint32_t steps)
{
    struct sim_call *calls = sim.calls;
    struct event *events = sim.events;
    struct arena arena = sim.arena, details = sim.details;
    uint64_t net_one_in = sim.net_one_in;
    sim = (struct sim){ .seed = seed,
        .steps = steps,
        .net_one_in = net_one_in,
        .calls = calls,
        .events = events,
        .arena = arena,
        .details = details };
    for (int i = 0; i < CALLS_MAX; i++)
        calls[i].state = SIM_FREE;
    sim.random = prng_of(seed);
    trace_clear();
}

static void live(void)
{
    draw_plan(&sim.plan);
    draw_net(&sim.plan.net);
    start_net();
    name_queues();
    world_open();
    for (uint32_t i = 0; i < sim.plan.queue_count; i++)
        ops_create_queue(i, true);
    world_flush();
    for (sim.step = 1; sim.step <= sim.steps; sim.step++)
        if (setjmp(sim_fatal_jump) == 0)
            one_step();
        else
            world_after_fatal();
    if (setjmp(sim_fatal_jump) != 0)
        world_after_fatal();
    else if (prng_one_in(&sim.random, 2))
        world_crash(CRASH_POWER);
    faulty_disk_fail_sync(UINT32_MAX);
    faulty_disk_fail_write(UINT32_MAX);
    drain();
}

bool sim_run_seed(uint64_t seed, uint32_t steps)
{
    volatile bool is_good = false;
    sim_clear(seed, steps);
    faulty_disk_reset(seed);
    model_start(steps);
    uint64_t hash_seed = prng_mix(seed);
    map_set_seed(hash_seed, ~hash_seed);
    if (setjmp(failed_jump) == 0) {
        live();
        is_good = true;
    }
    if (sim.is_open) {
        if (is_good)
            server_close(true);
        else
            server_forget(); /* in the middle of something */
        owners_abandon();
    }
    sim.is_open = false;
    sim.history ^= faulty_disk_digest();
    faulty_disk_reset(0);
    model_end();
    return is_good;
}

/* ---- the program --------------------------------------------------------------------------------------------------------------------------- */

struct options {
    uint64_t from, count;
    uint32_t steps;
    bool is_verbose, checks_repeat, stops;
};

static void add_figures(uint64_t *total)
{
    const uint64_t *own = (const uint64_t *)&sim.figures;
    for (size_t i = 0; i < sizeof(sim.figures) / sizeof(*own); i++)
        total[i] += own[i];
}

static void print_figures(const uint64_t *total)
{
    static const char *const names[] = { "calls", "received", "crashes", "starts", "snapshots", "relocated", "recycled",
        "parked", "undone", "duplicates", "flips", "disk errors", "fatal", "moved", "cold", "requests", "replies",
        "given up", "sent again", "refused" };
    static_assert(ARRAY_COUNT(names) == sizeof(sim.figures) / sizeof(uint64_t), "one name a figure");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        printf("%s%s %llu", i ? ", " : "", names[i], (unsigned long long)total[i]);
    printf("\n");
}

static bool run_one(const struct options *o, uint64_t seed)
{
    bool is_good = sim_run_seed(seed, o->steps);
    uint64_t history = sim.history;
    if (o->is_verbose)
        printf("seed %llu: %s, history %016llx\n", (unsigned long long)seed, is_good ? "good" : "FAILED",
            (unsigned long long)history);
    if (is_good && o->checks_repeat) {
        sim_run_seed(seed, o->steps);
        if (sim.history != history) {
            report(INV_REPEAT, "the same seed was another history");
            return false;
        }
    }
    return is_good;
}

static int run(const struct options *o)
{
    uint64_t bad = 0, done = 0, total[sizeof(sim.figures) / sizeof(uint64_t)] = { 0 };
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (; done < o->count && !(bad && o->stops); done++) {
        bad += !run_one(o, o->from + done);
        add_figures(total);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    double steps = (double)done * o->steps * (o->checks_repeat ? 2 : 1);
    print_figures(total);
    printf(
        "%llu seeds, %.0f steps, %.0f steps/s\n", (unsigned long long)done, steps, seconds > 0 ? steps / seconds : 0);
    printf("%llu passed, %llu failed\n", (unsigned long long)(done - bad), (unsigned long long)bad);
    return bad ? 1 : 0;
}

static int usage(void)
{
    fputs("sim --seeds COUNT [--from SEED] [--steps N]     COUNT histories\n"
          "sim --seed SEED [--steps N] [--trace]            one, with every event on stdout\n"
          "    --verbose       a line for each seed        --check-repeat  every seed twice, compared\n"
          "    --stop          end at the first failure        --network N     one seed in N over the network (4; 0: "
          "none)\n",
        stderr);
    return 64;
}

static bool parse(int count, char **words, struct options *o)
{
    for (int i = 1; i < count; i++) {
        struct slice option = slice_str(words[i]);
        uint64_t number = 0;
        bool has_number = i + 1 < count && text_parse_u64(slice_str(words[i + 1]), &number);
        if (slice_equal(option, SLICE("--verbose"))) {
            o->is_verbose = true;
            continue;
        } else if (slice_equal(option, SLICE("--trace"))) {
            trace_is_loud = true;
            continue;
        } else if (slice_equal(option, SLICE("--check-repeat"))) {
            o->checks_repeat = true;
            continue;
        } else if (slice_equal(option, SLICE("--stop"))) {
            o->stops = true;
            continue;
        } else if (!has_number) {
            return false;
        } else if (slice_equal(option, SLICE("--seeds"))) {
            o->count = number;
        } else if (slice_equal(option, SLICE("--seed"))) {
            o->from = number;
            o->count = 1;
        } else if (slice_equal(option, SLICE("--network"))) {
            sim.net_one_in = number;
        } else if (slice_equal(option, SLICE("--from"))) {
            o->from = number;
        } else if (slice_equal(option, SLICE("--steps"))) {
            o->steps = (uint32_t)number;
        } else {
            return false;
        }
        i++;
    }
    return true;
}

int main(int count, char **words)
{
    struct options o = { .from = 1, .count = 1, .steps = 2000 };
    sim.net_one_in = 4;
    if (!parse(count, words, &o))
        return usage();
    signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(on_sanitizer);
    log_set_level(LOG_ERROR + 1);
    static struct sys sim_sys;
    sim_sys = sys_faulty;
    sim_sys.net = &sys_net_faulty;
    sys = &sim_sys;
    sim.calls = calloc(CALLS_MAX, sizeof(*sim.calls));
    sim.events = calloc(EVENTS_MAX, sizeof(*sim.events));
    ASSERT(sim.calls && sim.events);
    arena_init(&sim.arena, 64 * MIB);
    arena_init(&sim.details, 64 * MIB);
    gateway_register();
    sqs_register();
    server_register();
    int code = run(&o);
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
    return code;
}
