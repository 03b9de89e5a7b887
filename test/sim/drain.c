#include "world.h"
#include "net.h"
#include "support/faulty_net.h"
#include "store/internal.h" /* how many spare segments it keeps */

static void settle_all(void)
{
    calls_vanish_all();
    calls_finish_late(true);
    if (sim.plan.net.is_on)
        world_sleep_us(10 * 1000 * 1000); /* what was on its way arrives */
    world_flush();
    world_flush(); /* what clients that left gave back */
}

static void delete_all(uint32_t queue)
{
    const struct model_queue *q = &model.queues[queue];
    for (uint32_t i = 0; i < HELD_MAX; i++) {
        struct held *h = &sim.held[i];
        struct sim_call *c;
        if (!h->is_used || h->queue != queue || h->born != q->born || !q->exists ||
            !(c = call_begin(DO_DELETE, OP_sqs_delete_message, queue)))
            continue;
        struct sqs_delete_message_in *in = c->call.in;
        in->queue_url = arena_printf(&c->call.arena, "http://localhost:4566/000000000000/%s", q->name);
        in->receipt_handle = arena_copy(&c->call.arena, slice_of(h->handle, HANDLE_BYTES));
        c->messages[0] = (struct sim_message){ .index = h->message, .born = h->born, .generation = h->generation };
        c->count = 1;
        h->is_used = false;
        call_go(c);
    }
    world_flush();
}

/* True while the queue holds something. */
static bool drain_queue(uint32_t queue)
{
    const struct model_queue *q = &model.queues[queue];
    for (;;) {
        struct model_figures f = model_figures(q, sim_server_ms());
        if (!q->exists || f.receivable == 0)
            return q->exists && f.in_flight + f.delayed + f.visible > 0;
        ASSERT(calls_have_room());
        ops_receive_all(queue); /* the model checks that it gets all it can */
        world_flush();
        delete_all(queue);
    }
}

static void check_empty(uint32_t queue)
{
    if (!model.queues[queue].exists)
        return;
    ops_get_attributes(queue);
    world_flush();
}

static void count_segment(void *context, const char *name)
{
    *(uint32_t *)context += strncmp(name, "journal-", 8) == 0;
}

static void print_name(void *context, const char *name)
{
    char path[128];
    struct sys_file *f;
    uint64_t size = 0;
    (void)context;
    snprintf(path, sizeof(path), "data/%s", name);
    if (!failed(sys->file.open(path, SYS_OPEN_READ, &f))) {
        sys->file.size(f, &size);
        sys->file.close(f);
    }
    printf("  %s: %llu bytes\n", name, (unsigned long long)size);
}

/* Empty queues need no old segments: what is left is the one being written, the next one, spares and the snapshot. */
static void check_space(void)
{
    enum { STEPS_MAX = 10000, IDLE = 3, SEGMENTS_MAX = 2, FILES_MAX = SEGMENTS_MAX + SPARES_MAX + 1 };
    world_flush();
    store_snapshot_now(sim.store);
    for (int i = 0, idle = 0; i < STEPS_MAX && idle < IDLE; i++) { /* what is dead is freed after the next flush */
        idle = store_step(sim.store) ? 0 : idle + 1;
        world_flush();
    }
    uint32_t segments = 0;
    sys->file.list_dir("data", count_segment, &segments);
    CHECK(INV_SPACE, segments <= SEGMENTS_MAX, "every queue is empty, and there are %u segments", segments);
    sys->file.sync_dir("data"); /* until then what was removed takes room */
    uint64_t used = faulty_disk_used_bytes();
    if (used > FILES_MAX * 4ull * MIB)
        sys->file.list_dir("data", print_name, NULL);
    CHECK(INV_SPACE, used <= FILES_MAX * 4ull * MIB, "every queue is empty, and the files hold %llu bytes",
        (unsigned long long)used);
}

/* Every request had its reply, whatever became of its client, and nothing is held for anybody. */
static void check_network(void)
{
    if (!sim.plan.net.is_on)
        return;
    world_flush();
    for (int i = 0; i < CALLS_MAX; i++)
        CHECK(INV_GIVEN_BACK, sim.calls[i].state == SIM_FREE || !sim.calls[i].net.owes_undo,
            "call %d leased messages for a client that is gone, and they are not given back", i);
    for (int i = 0; i < CALLS_MAX; i++) {
        const struct sim_call *c = &sim.calls[i];
        CHECK(INV_ONE_REPLY, c->state == SIM_FREE, "call %d, state %d at the server, never came to an end", i,
            c->net.state);
    }
    CHECK(INV_ONE_REPLY, clients_are_idle(), "a client still waits, and nothing more will come");
    server_check_memory(true);
}

static void count_expired(void)
{
    for (uint32_t i = 0; i < model.message_count; i++)
        sim.figures.expired += model.messages[i].state == M_EXPIRED ||
                               (model.messages[i].state == M_LIVE && !message_is_there(&model.messages[i], sim.now_ms));
}

/* Nothing is left; who looks sees to what is past its retention, and time to that and to what is remembered. */
static void check_rest(void)
{
    enum { MEMORIES_END_S = 600 };
    for (int round = 0; round < 2; round++) {
        world_sleep_us((uint64_t)MEMORIES_END_S * 1000 * 1000);
        for (uint32_t i = 0; i < sim.plan.queue_count; i++)
            check_empty(i);
        check_network();
    }
    world_sleep_us((uint64_t)MEMORIES_END_S * 1000 * 1000);
    check_space();
}

/* Until all are empty. */
static void drain_queues(void)
{
    enum { ROUNDS = 100000, TRANSIT_ROUNDS = 1000 };
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t next_ms = UINT64_MAX;
        for (uint32_t i = 0; i < sim.plan.queue_count; i++) {
            if (!drain_queue(i))
                continue;
            uint64_t ms = model_next_ms(&model.queues[i], sim_server_ms());
            next_ms = ms < next_ms ? ms : next_ms;
        }
        if (next_ms == UINT64_MAX && moves_in_transit() && round < TRANSIT_ROUNDS) {
            world_flush_all();
            world_sleep_us(1000 * 1000); /* what failed is tried again every second */
            continue;
        }
        if (next_ms == UINT64_MAX)
            break;
        uint64_t now_ms = sim_server_ms();
        world_sleep_us(next_ms > now_ms ? (next_ms - now_ms) * 1000 : 1000);
    }
}

/* FIFO queues remember the ids of what they were sent; then nobody asks for anything, and memory must be given back. */
static void check_memories_end(void)
{
    enum { BATCHES = 30 };
    for (uint32_t i = 0; i < sim.plan.queue_count; i++)
        for (int k = 0; k < BATCHES && model.queues[i].exists && model.queues[i].is_fifo; k++) {
            ops_send_batch(i);
            world_flush();
        }
    drain_queues();
    world_weigh();
}

void drain(void)
{
    sim.is_draining = true;
    sim.plan.finishes_late = false;
    faulty_net_change(&(struct faulty_net_plan){ .window_bytes = sim.plan.net.window_bytes });
    faulty_disk_set_capacity(UINT64_MAX);
    sim.is_full = false;
    memset(sim.held, 0, sizeof(sim.held));
    world_sleep_us(1000 * 1000); /* the store looks at the disk's room twice a second */
    store_step(sim.store);
    settle_all();
    drain_queues();
    CHECK(INV_MOVED, moves_in_transit() == 0, "%llu messages are on their way for ever",
        (unsigned long long)moves_in_transit());
    count_expired();
    check_rest();
    check_memories_end();
    world_stop_cleanly();
    check_rest();
}
