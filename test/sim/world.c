#include "world.h"
#include "net.h"
#include "api/clock.h"
#include "base/map.h"
#include "service/sqs/state.h"
#include "store/internal.h" /* how large its ring is */
#include "sys/sys.h"
#include <setjmp.h>
#include <stdlib.h>

#define DATA_DIR "data"
enum { SNAPSHOT_BYTES = 64 * KIB, BEHIND_MAX_MS = 20 * 3600 * 1000, ARENA_BYTES = 16 * MIB };

extern jmp_buf sim_fatal_jump;

static _Noreturn void on_fatal(const char *sentence)
{
    (void)sentence;
    sim.figures.fatal++;
    longjmp(sim_fatal_jump, 1);
}

uint64_t sim_server_ms(void)
{
    uint64_t now_ms = clock_ms();
    if (now_ms > sim.now_ms)
        sim.now_ms = now_ms;
    return sim.now_ms;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------- */

static lsn_t newest_record(lsn_t logs[LOG_COUNT])
{
    lsn_t newest = 0;
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        logs[log] = owner_of(log)->last_lsn;
        if (logs[log] > newest)
            newest = logs[log];
    }
    return newest;
}

/* After a flush: what was there before it can never be missing again, whatever is damaged. The linker puts this in the place
 * of what fronts and the simulator call then. */
void __real_owners_on_durable(void);
void __wrap_owners_on_durable(void);
void __wrap_owners_on_durable(void)
{
    lsn_t logs[LOG_COUNT];
    sim.flushed_before = sim.flushed;
    sim.flushed = newest_record(logs);
    __real_owners_on_durable();
}

static void on_durable(void *context)
{
    (void)context;
    owners_on_durable();
}

/* A snapshot is taken log by log while the server goes on: so between two logs, clients may do something. */
static void capture_and_go_on(void *state, struct snapshot_writer *w)
{
    sqs_state_capture(state, w);
    if (!sim.is_working || !prng_one_in(&sim.random, 40))
        return;
    TRACE("a snapshot is at log %llu", ((struct sqs_state *)state)->owner->log);
    for (uint64_t i = prng_below(&sim.random, 4); i > 0 && calls_have_room(); i--)
        ops_start_random();
    world_net();
    if (prng_one_in(&sim.random, 3))
        world_flush();
}

static struct error try_open(struct slice *ret_sentence)
{
    static struct service *const services[] = { &sqs_service };
    const struct store_options options = {
        .dir = DATA_DIR, .segment_bytes = 4 * MIB, .snapshot_bytes = SNAPSHOT_BYTES, .fatal = on_fatal
    };
    arena_reset(&sim.arena);
    sqs_service.capture = capture_and_go_on;
    sqs_service.apply = moves_apply;
    struct error e = owners_open(&options, services, 1, &sim.arena, &sim.store, ret_sentence);
    if (failed(e))
        return e;
    sim.is_open = true;
    faulty_disk_set_cold(sim.plan.cold_one_in);
    store_on_durable(sim.store, on_durable, NULL);
    return OK;
}

static void make_room(void)
{
    TRACE("the disk gets room");
    sim.is_full = false;
    faulty_disk_set_capacity(UINT64_MAX);
}

/* The server's clock begins at the newest record at the latest. What went by unrecorded goes by again before anything
 * happens: so nothing that time made visible is hidden again, and the model needs no second opinion about the past. */
static void catch_up(void)
{
    clock_start(owners_latest_record_ms());
    for (uint64_t now_ms = clock_ms(); now_ms < sim.now_ms; now_ms = clock_ms())
        faulty_clock_advance((sim.now_ms - now_ms) * 1000 + 500);
    sim_server_ms();
}

/* Now and then the start itself is hit: a crash or an error in the middle of it. */
static void open_with_accidents(void)
{
    struct slice sentence;
    while (prng_one_in(&sim.random, 6)) {
        if (prng_one_in(&sim.random, 2))
            faulty_disk_fail_write((uint32_t)prng_below(&sim.random, 8));
        else
            faulty_disk_fail_sync((uint32_t)prng_below(&sim.random, 4));
        struct error e = try_open(&sentence);
        TRACE("a start that is hit: error %llu", e.code);
        sim.figures.starts_hit++;
        CHECK(INV_START, !failed(e) || e.code == ERR_IO || (e.code == ERR_FULL && sim.is_full),
            "a start with a failing disk was refused with error %u: %.*s", e.code, SLICE_ARG(sentence));
        if (!failed(e))
            owners_abandon();
        sim.is_open = false;
        faulty_disk_crash(prng_one_in(&sim.random, 2) ? CRASH_POWER : CRASH_PROCESS);
    }
}

void world_open(void)
{
    struct slice sentence;
    lsn_t logs[LOG_COUNT];
    sim.may_fail = false;
    weigh_start();
    if (sim.figures.starts++)
        open_with_accidents();
    struct error e = try_open(&sentence);
    if (e.code == ERR_FULL && sim.is_full) { /* a start needs room for one small segment */
        make_room();
        e = try_open(&sentence);
    }
    CHECK(INV_START, !failed(e), "the start was refused with error %u: %.*s", e.code, SLICE_ARG(sentence));
    lsn_t newest = newest_record(logs);
    sim.flushed_before = sim.flushed = newest;
    TRACE("open, newest record %llu, epoch %llu", newest, store_epoch(sim.store));
    model_crash(newest, logs);
    catch_up();
    if (sim.plan.net.is_on)
        server_open();
    owners_resume();
    calls_take_inbox();
}

/* ---- one step's pieces ------------------------------------------------------------------------------------------------------ */

void world_net(void)
{
    if (!sim.plan.net.is_on)
        return;
    for (uint64_t i = prng_between(&sim.random, 1, 4); i > 0; i--) {
        clients_move(false);
        if (prng_one_in(&sim.random, 2))
            server_turn();
    }
    server_check_memory(false);
}

/* Everything that can move moves. */
static void settle_net(void)
{
    for (bool moved = true; moved;) {
        moved = clients_move(true);
        moved = server_turn() || moved;
        calls_deliver();
    }
}

void world_flush(void)
{
    do {
        store_flush(sim.store);
        calls_take_inbox();
        if (sim.plan.net.is_on && sim.is_draining)
            settle_net();
    } while (sim.plan.net.is_on && sim.is_draining && store_end(sim.store) > store_durable(sim.store));
    calls_deliver();
}

/* What a flush lets happen may append again: messages that clients who left give back. */
void world_flush_all(void)
{
    do {
        world_flush();
        server_turns();
    } while (store_end(sim.store) > store_durable(sim.store));
}

/* ---- ends ----------------------------------------------------------------------------------------------------------------- */

static void note_figures(void)
{
    struct store_metrics m;
    store_get_metrics(sim.store, &m);
    sim.figures.snapshots += m.snapshots;
    sim.figures.relocated += m.relocated_records;
    sim.figures.recycled += m.recycled_segments;
    sim.has_lost_segments |= m.recycled_segments > 0;
}

/* The server's side of every connection closes. What it had sent may be read before anybody sees that. */
static void stop_network(bool is_crash)
{
    if (!sim.plan.net.is_on)
        return;
    server_close(is_crash);
    store_on_durable(sim.store, on_durable, NULL);
    clients_end(prng_one_in(&sim.random, 2));
}

static void stop_hearing(void)
{
    model_durable(store_durable(sim.store));
    stop_network(true);
    calls_forget();
}

void world_abandon(enum faulty_crash kind)
{
    note_figures();
    sim.is_working = false;
    stop_hearing(); /* while the owners can still tell which queue a record is about */
    owners_abandon();
    sim.is_open = false;
    faulty_disk_crash(kind);
}

void world_crash(enum faulty_crash kind)
{
    TRACE("crash, kind %llu", kind);
    ++*(kind == CRASH_POWER ? &sim.figures.power_cuts : &sim.figures.kills);
    world_abandon(kind);
    world_open();
}

void world_work(void)
{
    sim.is_working = true;
    if (prng_one_in(&sim.random, 200))
        store_snapshot_now(sim.store);
    else
        store_step(sim.store);
    sim.is_working = false;
    calls_take_inbox();
    calls_deliver();
}

/* A queue is emptied while replies about its messages are still being built, and the space is wanted back. */
void world_press(void)
{
    TRACE("space is wanted");
    ops_purge((uint32_t)prng_below(&sim.random, sim.plan.queue_count));
    world_flush_all();
    store_snapshot_now(sim.store);
    for (int i = 0; i < 20; i++)
        store_step(sim.store);
    calls_take_inbox();
    world_flush_all();
}

void world_after_fatal(void)
{
    TRACE("the store gave up");
    world_crash(prng_one_in(&sim.random, 2) ? CRASH_POWER : CRASH_PROCESS);
}

void world_stop_cleanly(void)
{
    TRACE("clean stop");
    sim.figures.stops++;
    sim.is_stopping = true;
    if (sim.plan.net.is_on)
        server_drain();
    owners_end_waits();
    calls_take_inbox();
    calls_finish_late(true);
    world_flush_all();
    stop_network(false);
    sim.is_stopping = false;
    note_figures();
    owners_close(prng_one_in(&sim.random, 4) ? false : true);
    sim.is_open = false;
    CHECK(INV_DURABLE, faulty_disk_open_handles() == 0, "a clean stop left %zu files open, %s",
        faulty_disk_open_handles(), faulty_disk_open_name());
    faulty_disk_crash(CRASH_POWER);
    calls_forget();
    world_open();
}

/* ---- timers ---------------------------------------------------------------------------------------------------- */

/* The server may be a little late; what its retention ended since then could not be had any more when it looked. */
static void check_sleepers(void)
{
    uint64_t now_ms = clock_ms(), then_ms = now_ms - server_late_ms();
    for (uint32_t i = 0; i < sim.plan.queue_count && then_ms >= sim.excused_ms; i++) {
        const struct model_queue *q = &model.queues[i];
        if (calls_parked(i))
            CHECK(INV_WAKE, model_figures(q, then_ms).receivable <= model_ended_between(q, then_ms, now_ms),
                "%s: long polls sleep beside a message they could have", q->name);
    }
    CHECK(INV_WAKE, calls_first_deadline() > then_ms, "a long poll sleeps past its time");
}

void world_tick(void)
{
    if (sim.plan.net.is_on) {
        sim_server_ms();
        server_turns();
        clients_check_times();
        server_check_replies();
    } else {
        owners_tick(0, 1, sim_server_ms());
    }
    calls_take_inbox();
    check_sleepers();
}

void world_sleep_us(uint64_t us)
{
    faulty_clock_advance(us);
    world_tick();
}

/* ---- the state against itself ------------------------------------------------------------------------------------------------ */

/* Brings every view to one time. The process must be abandoned after this: no record says so. */
static void advance_views(uint64_t to_ms)
{
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        struct owner *o = owner_of(log);
        struct sqs_state *s = sqs_state_of(o);
        o->now_ms = to_ms;
        for (struct link *l = s->queues.next; l != &s->queues; l = l->next)
            queue_advance(LIST_ENTRY(l, struct queue, in_state), to_ms, 0);
    }
}

/* A view may be ahead of the clock as it is asked for here: what was seen then is not hidden again. */
static uint64_t latest_view_ms(void)
{
    uint64_t latest_ms = sim_server_ms();
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        struct sqs_state *s = sqs_state_of(owner_of(log));
        for (struct link *l = s->queues.next; l != &s->queues; l = l->next) {
            uint64_t view_ms = LIST_ENTRY(l, struct queue, in_state)->view_ms;
            latest_ms = view_ms > latest_ms ? view_ms : latest_ms;
        }
    }
    return latest_ms;
}

static void digest_at(uint64_t at_ms, uint8_t out[32])
{
    advance_views(at_ms);
    owners_digest(SQS_INDEX, out);
}

/* Returns the bytes that the server held in memory. */
static size_t abandon_quietly(enum faulty_crash kind)
{
    size_t held = memory_held();
    note_figures();
    owners_abandon();
    held -= memory_held();
    sim.is_open = false;
    faulty_disk_crash(kind);
    return held;
}

static void remove_snapshot(void *context, const char *name)
{
    (void)context;
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", DATA_DIR, name);
    if (strncmp(name, "snapshot-", 9) == 0)
        sys->file.remove(path);
}

static void must_open(const char *why)
{
    struct slice sentence;
    struct error e = try_open(&sentence);
    if (e.code == ERR_FULL && sim.is_full) {
        make_room();
        e = try_open(&sentence);
    }
    CHECK(INV_START, !failed(e), "%s: the start was refused with error %u: %.*s", why, e.code, SLICE_ARG(sentence));
}

static char *before; /* the live state as text */

static void same_state(const uint8_t live[32], const uint8_t again[32], const char *what)
{
    if (memcmp(live, again, 32) == 0)
        return;
    char *after = dump_state();
    dump_differences(before, after);
    if (getenv("SIM_DUMP"))
        printf("%s", after);
    free(after);
    sim_fail(INV_REPLAY, "%s", what);
}

/* But for transfers under way, which hold the messages themselves. */
static void check_memory(size_t live, size_t again)
{
    size_t slack = weigh_slack();
    CHECK(INV_MEMORY, live <= again + slack || moves_in_transit(),
        "the server holds %zu bytes; one that reads the same state %zu, and %zu may be left", live, again, slack);
}

/* At the end of a seed, all queues being empty: what is remembered for five minutes goes without anybody asking. */
void world_weigh(void)
{
    enum { STEP_S = 10, STEPS = (5 * 60 + 60) / STEP_S };
    for (int i = 0; i < STEPS; i++)
        world_sleep_us(STEP_S * 1000000ull);
    world_flush_all();
    stop_hearing();
    size_t live = abandon_quietly(CRASH_PROCESS);
    must_open("to weigh it");
    advance_views(sim_server_ms());
    check_memory(live, abandon_quietly(CRASH_PROCESS));
    world_open();
}

void world_compare(void)
{
    uint8_t live[32], again[32];
    uint64_t later_ms = prng_below(&sim.random, 3600 * 1000);
    bool is_full_replay = !sim.has_lost_segments && prng_one_in(&sim.random, 2);
    sim.figures.comparisons++;
    world_flush_all();
    stop_hearing();
    uint64_t at_ms = latest_view_ms() + later_ms;
    TRACE("compare with a replay, full %llu, at %llu", is_full_replay, at_ms);
    digest_at(at_ms, live);
    free(before);
    before = dump_state();
    size_t bytes = abandon_quietly(CRASH_PROCESS);
    must_open("replay");
    digest_at(at_ms, again);
    same_state(live, again, "the state after snapshot and replay is another than the live one");
    check_memory(bytes, abandon_quietly(CRASH_PROCESS));
    if (prng_one_in(&sim.random, 2)) { /* the replayed state, in a snapshot, and back */
        must_open("before a stop");
        owners_close(true);
        sim.is_open = false;
        faulty_disk_crash(CRASH_POWER);
        must_open("after a stop");
        digest_at(at_ms, again);
        same_state(live, again, "the state from a snapshot of a replayed state is another");
        abandon_quietly(CRASH_PROCESS);
    }
    if (is_full_replay && !sim.has_lost_segments) {
        sys->file.list_dir(DATA_DIR, remove_snapshot, NULL);
        sys->file.sync_dir(DATA_DIR);
        must_open("full replay");
        sim.figures.full_replays++;
        digest_at(at_ms, again);
        same_state(live, again, "the state after a full replay is another than the live one");
        abandon_quietly(CRASH_PROCESS);
    }
    world_open();
}

/* ---- damage --------------------------------------------------------------------------------------------------------------------- */

struct chosen {
    char path[128];
    uint32_t seen;
};

static void choose_file(void *context, const char *name)
{
    struct chosen *c = context;
    if (strncmp(name, "journal-", 8) != 0 && strncmp(name, "snapshot-", 9) != 0)
        return;
    if (prng_one_in(&sim.random, ++c->seen))
        snprintf(c->path, sizeof(c->path), "%s/%s", DATA_DIR, name);
}

/* Biased to where something is written: the beginnings of files. */
static uint64_t choose_offset(const char *path)
{
    struct sys_file *f;
    uint64_t size = 0;
    if (!failed(sys->file.open(path, SYS_OPEN_READ, &f))) {
        sys->file.size(f, &size);
        sys->file.close(f);
    }
    uint64_t shares[] = { size, 64 * KIB, 8 * KIB, 200 };
    uint64_t bound = shares[prng_below(&sim.random, ARRAY_COUNT(shares))];
    return prng_below(&sim.random, bound < size ? bound : size ? size : 1);
}

/* Opens with the damage in place. True: it was refused, or what is there is what was there. */
static bool open_damaged(struct slice *ret_sentence, lsn_t *ret_newest, uint32_t *ret_code)
{
    lsn_t logs[LOG_COUNT];
    struct error e = try_open(ret_sentence);
    *ret_code = e.code;
    if (failed(e)) {
        bool is_known = e.code == ERR_CORRUPT || e.code == ERR_NEWER_FORMAT || (e.code == ERR_FULL && sim.is_full);
        CHECK(INV_START, is_known, "damage was refused with error %u: %.*s", e.code, SLICE_ARG(*ret_sentence));
        return false;
    }
    *ret_newest = newest_record(logs);
    return true;
}

/* is_sealed: the directory was opened again before, so that the new segment's header says where everything ends. Without
 * that one thing cannot be told apart: a last group that was damaged from one that never was on the disk. */
static void flip_one(uint64_t at_ms, const uint8_t sound[32], bool is_sealed, lsn_t must_be_there)
{
    struct chosen chosen = { .seen = 0 };
    struct slice sentence;
    uint8_t damaged[32];
    lsn_t newest;
    uint32_t code;
    faulty_disk_save();
    sys->file.list_dir(DATA_DIR, choose_file, &chosen);
    uint64_t offset = choose_offset(chosen.path);
    unsigned bit = (unsigned)prng_below(&sim.random, 8);
    if (faulty_disk_flip_bit(chosen.path, offset, bit)) {
        bool is_open = open_damaged(&sentence, &newest, &code);
        TRACE("bit %llu of byte %llu flipped: error %llu", bit, offset, code);
        ++*(is_open ? &sim.figures.flips_harmless : &sim.figures.flips_refused);
        if (is_open) {
            CHECK(INV_START, newest >= must_be_there,
                "byte %llu of %s was damaged, and the start went on without record %llu", (unsigned long long)offset,
                chosen.path, (unsigned long long)must_be_there);
            digest_at(at_ms, damaged);
            CHECK(INV_START, !is_sealed || memcmp(sound, damaged, 32) == 0,
                "byte %llu of %s was damaged, and the start went on with another state", (unsigned long long)offset,
                chosen.path);
            owners_abandon();
            sim.is_open = false;
        }
    }
    faulty_disk_crash(CRASH_PROCESS);
    faulty_disk_restore();
}

void world_flip(void)
{
    uint8_t sound[32];
    lsn_t logs[LOG_COUNT];
    bool is_sealed = prng_one_in(&sim.random, 2);
    world_flush_all();
    stop_hearing();
    uint64_t at_ms = latest_view_ms();
    lsn_t must_be_there = is_sealed ? newest_record(logs) : sim.flushed_before;
    digest_at(at_ms, sound);
    abandon_quietly(CRASH_PROCESS);
    if (is_sealed) {
        must_open("before the damage");
        abandon_quietly(CRASH_PROCESS);
    }
    for (uint64_t i = 1 + prng_below(&sim.random, 4); i > 0; i--)
        flip_one(at_ms, sound, is_sealed, must_be_there);
    world_open();
}

/* ---- for the reader of a failure ------------------------------------------------------------------------------------------------- */

static bool server_has(struct sqs_state *s, struct queue *q, uint64_t seq, char *out, size_t size)
{
    void *group;
    struct lane_item item;
    uint32_t entry = flights_find(&q->flights, seq);
    (void)s;
    if (entry != FLIGHT_NONE) {
        const struct flight *e = flights_get(&q->flights, entry);
        snprintf(out, size, "state %u, until +%u, received %u", e->state, e->visible_after, flight_count(e));
        return true;
    }
    snprintf(out, size, "in a lane");
    if (q->main && lane_find(&q->main->lane, seq, &item))
        return true;
    for (size_t i = 0; map_next(&q->groups, &i, &group);)
        if (lane_find(&((struct group *)group)->lane, seq, &item))
            return true;
    return false;
}

void world_explain(uint32_t queue, uint64_t now_ms)
{
    const struct model_queue *m = &model.queues[queue];
    uint16_t log = owner_log_of(SLICE("000000000000"), SLICE("us-east-1"), slice_str(m->name));
    struct sqs_state *s = sqs_state_of(owner_of(log));
    struct queue *q = sqs_queue_find(s, SLICE("000000000000"), SLICE("us-east-1"), slice_str(m->name));
    if (!q)
        return;
    printf("%s at %llu (views at %llu), delay %llu s, retention %llu s:\n", m->name, (unsigned long long)now_ms,
        (unsigned long long)q->view_ms, (unsigned long long)m->delay_s, (unsigned long long)m->retention_s);
    for (word i = 0; i < m->list_count; i++) {
        const struct model_message *x = &model.messages[m->list[i]];
        char text[100] = "";
        bool is_there = message_is_there(x, now_ms);
        bool has = x->order > m->order_base && server_has(s, q, x->order - m->order_base, text, sizeof(text));
        if (is_there || has)
            printf("  %s message %u, number %llu, group %u, sent %lld ms ago: model %s%s%s, server %s\n",
                is_there == has ? " " : "*", m->list[i], (unsigned long long)(x->order - m->order_base), x->group,
                (long long)(now_ms - x->sent_ms), is_there ? "has it" : "does not",
                is_there && message_is_leased(x, now_ms) ? ", leased" : "",
                is_there && message_is_delayed(x, now_ms) ? ", delayed" : "", has ? text : "does not");
    }
}
