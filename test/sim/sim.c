/* sim.c: one seed: its plan, the scheduler, and what is said when it fails. */
#include "world.h"
#include "net.h"
#include "base/map.h"
#include "support/faulty_net.h"
#include "sys/sys.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

struct sim sim;
jmp_buf sim_fatal_jump;
static jmp_buf failed_jump;
static int reports;

enum { REPORTS_MAX = 5 };

/* ---- failing --------------------------------------------------------------------------------------------------------------- */

void sim_report(enum invariant number, const char *sentence)
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
    sim_report(number, sentence);
    longjmp(failed_jump, 1);
}

/* The sanitizers end the process themselves: the seed is what one needs then. */
extern void __sanitizer_set_death_callback(void (*call)(void)) __attribute__((weak));

static void on_sanitizer(void)
{
    reports = 0;
    sim_report(INV_CRASHED, "a sanitizer ended the history");
}

/* The server's own end, an assertion for example, or none at all: a failed seed, too, and there is no going on after it. */
static void on_signal(int number)
{
    reports = 0;
    sim_report(INV_CRASHED, number == SIGPROF ? "the history does not end" : "the server under test crashed");
    _exit(1);
}

void sim_watch(uint32_t seconds)
{
    static const int numbers[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGPROF };
    const struct itimerval limit = { .it_value = { .tv_sec = seconds } };
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
        if (!__sanitizer_set_death_callback || numbers[i] == SIGABRT || numbers[i] == SIGPROF)
            signal(numbers[i], on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(on_sanitizer);
    setitimer(ITIMER_PROF, &limit, NULL);
}

/* A failed sync leaves the store by longjmp, as the process would end there: what it was at then is not given back. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:snapshot_take\nleak:transfer_deliver\nleak:move_tasks_work\n";
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
    static const uint32_t usual[] = {
#define OP_KIND(name, text, weight, refused, disk) weight,
#include "sim/op_kinds.def"
#undef OP_KIND
    };
    *p = (struct plan){ .queue_count = draw(2, QUEUES_MAX), .body_max = prng_one_in(&sim.random, 2) ? 200 : 2000 };
    for (int i = 0; i < DO_COUNT; i++) {
        static const uint32_t shares[] = { 0, 1, 2, 2, 2, 6 };
        p->weight[i] = usual[i] * shares[prng_below(&sim.random, ARRAY_COUNT(shares))];
    }
    p->weight[DO_SEND] += 10;
    p->weight[DO_RECEIVE] += 15;
    p->weight[DO_DELETE] += 10;
    p->big_one_in = draw_rate(100);
    p->huge_one_in = prng_one_in(&sim.random, 6) ? draw(100, 300) : prng_one_in(&sim.random, 10) ? draw(15, 40) : 0;
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

/* In one seed of four the server has quotas for move tasks, small ones so that they are met. Not drawn: without them the
 * histories are those that they would be. */
static void choose_quotas(void)
{
    uint64_t mix = prng_mix(sim.seed ^ 0x71756f7461);
    sqs_quotas = (struct sqs_quotas){ 0 };
    if (mix % 4 == 0) {
        sqs_quotas.move_tasks_max = 1 + (uint32_t)(mix >> 8) % 3;
        sqs_quotas.move_task_ms_max = 100ull << (mix >> 16) % 11;
    }
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
    sim.figures.leaps++;
    TRACE("time passes: %llu ms", ms);
    world_sleep_us(ms * 1000);
}

/* The wall clock jumps; the server's only leans. Never so far back that a start would be refused. */
static void jump_wall(void)
{
    int64_t ms = (int64_t)prng_below(&sim.random, 2 * 3600 * 1000) - 3600 * 1000;
    int64_t behind = (int64_t)sim_server_ms() - (sys->clock.wall_ms() + ms);
    if (behind < 20 * 3600 * 1000) {
        sim.figures.wall_jumps++;
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
    choose_quotas();
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
    const struct faulty_counts *sectors = faulty_disk_counts();
    sim.figures.kept = sectors->kept;
    sim.figures.dropped = sectors->dropped;
    sim.figures.torn = sectors->torn;
    sim.history ^= faulty_disk_digest();
    faulty_disk_reset(0);
    return is_good;
}
