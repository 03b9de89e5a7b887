/* owner.c over a store in memory and a toy service: tokens and inboxes under threads, deferred tasks, waits and deadlines,
 * wake-ups for the driver of timers, what waits for the disk, snapshots while requests are running. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/clock.h"
#include "api/owner.h"
#include "api/service.h"
#include "crypto/digest.h"
#include "sys/sys.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- time by hand, files in memory --------------------------------------------------------------------------------- */

static _Atomic uint64_t hand_us; /* both clocks */
enum { START_MS = 1700000000 };

static uint64_t hand_monotonic_us(void)
{
    return atomic_load(&hand_us);
}

static int64_t hand_wall_ms(void)
{
    return (int64_t)(atomic_load(&hand_us) / 1000) + START_MS;
}

static void pass_ms(uint64_t ms)
{
    atomic_fetch_add(&hand_us, ms * 1000);
}

/* ---- the toy: a log's state is how many numbers it was given, their sum, and a digest of their order ------------------ */

enum { TOY_ADDED = 1, TOY_ADDED_WITH_BODY = 2, MARKS_MAX = 64 };

struct toy {
    struct owner *owner;
    uint64_t count, sum, order;
    uint64_t advanced, wake_again_ms;
    size_t body_bytes; /* that the last apply was shown */
};
static _Atomic uint64_t captures;

static void *toy_new(struct owner *o)
{
    struct toy *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    t->owner = o;
    return t;
}

static void toy_free(void *state)
{
    free(state);
}

static struct error toy_apply(void *state, const struct record *r)
{
    struct toy *t = state;
    uint64_t number;
    bool has_body = (r->type & 0xff) == TOY_ADDED_WITH_BODY;
    if ((r->type & 0xff) != TOY_ADDED && !has_body)
        return ERROR_OF(ERR_NEWER_FORMAT);
    if (has_body ? r->payload.size < sizeof(number) : r->payload.size != sizeof(number))
        return ERROR_OF(ERR_CORRUPT);
    t->body_bytes = r->payload.size - sizeof(number);
    memcpy(&number, r->payload.data, sizeof(number));
    t->count++;
    t->sum += number;
    t->order = t->order * 31 + number;
    return OK;
}

static void toy_advance(void *state, uint64_t now_ms)
{
    struct toy *t = state;
    t->advanced++;
    if (t->wake_again_ms > now_ms)
        owner_wake_at(t->owner, t->wake_again_ms);
}

static void toy_capture(void *state, struct snapshot_writer *w)
{
    const struct toy *t = state;
    const uint64_t numbers[3] = { t->count, t->sum, t->order };
    atomic_fetch_add(&captures, 1);
    snapshot_add(w, numbers, sizeof(numbers));
}

static struct error toy_restore(void *state, struct slice bytes)
{
    struct toy *t = state;
    uint64_t numbers[3];
    if (bytes.size != sizeof(numbers))
        return ERROR_OF(ERR_CORRUPT);
    memcpy(numbers, bytes.data, sizeof(numbers));
    t->count = numbers[0], t->sum = numbers[1], t->order = numbers[2];
    return OK;
}

static void toy_digest(void *state, uint8_t out[32])
{
    const struct toy *t = state;
    const uint64_t numbers[3] = { t->count, t->sum, t->order };
    sha256(slice_of(numbers, sizeof(numbers)), out);
}

static struct service toy_service = { .name = { "toy", 3 },
    .state_new = toy_new,
    .state_free = toy_free,
    .apply = toy_apply,
    .advance = toy_advance,
    .capture = toy_capture,
    .restore = toy_restore,
    .digest = toy_digest };

static struct toy *toy_of(uint16_t log)
{
    return owner_of(log)->state[0];
}

static struct error toy_add(struct owner *o, uint64_t number, lsn_t *ret_lsn)
{
    const struct slice payload = slice_of(&number, sizeof(number));
    const struct record_in in = { .type = TOY_ADDED, .version = 1, .parts = &payload, .part_count = 1 };
    return owner_record(o, &in, 1, false, ret_lsn);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------ */

static struct arena arena;
static struct store *store;
static struct sys hand_sys;

static void on_durable(void *context)
{
    (void)context;
    owners_on_durable();
}

static void replay_toy(const char *dir)
{
    static struct service *const services[] = { &toy_service };
    const struct store_options options = {
        .dir = dir, .durability = DURABILITY_FSYNC, .segment_bytes = 4 * MIB, .snapshot_bytes = 1 * MIB
    };
    struct slice sentence;
    hand_sys = sys_memory;
    hand_sys.clock.monotonic_us = hand_monotonic_us;
    hand_sys.clock.wall_ms = hand_wall_ms;
    sys = &hand_sys;
    arena_init(&arena, 4 * MIB);
    assert_false(failed(owners_open(&options, services, 1, &arena, &store, &sentence)));
    store_on_durable(store, on_durable, NULL);
}

static void begin_toy(bool threads)
{
    clock_start(owners_latest_record_ms());
    if (threads)
        store_start(store);
}

static void open_toy(const char *dir, bool threads)
{
    replay_toy(dir);
    begin_toy(threads);
}

static void close_toy(bool snapshot)
{
    owners_on_earlier_wake(NULL);
    owners_close(snapshot);
    arena_deinit(&arena);
    sys = &sys_real;
}

static const char *new_dir(void)
{
    static int number;
    static char dir[64];
    snprintf(dir, sizeof(dir), "owner-test-%d", number++);
    return dir;
}

/* ---- records ------------------------------------------------------------------------------------------------------------ */

/* Three parts, of which apply looks at two: it is not shown the third, but the log has it, and so has a replay. */
static void test_bodies_are_for_the_log_alone(void **state)
{
    (void)state;
    const char *dir = new_dir();
    static char body[100000];
    memset(body, 'b', sizeof(body));
    const uint64_t number = 0x1122334455667788;
    const struct slice parts[3] = { slice_of(&number, 3), slice_of((const char *)&number + 3, 5),
        slice_of(body, sizeof(body)) };
    const struct record_in in[2] = {
        { .type = TOY_ADDED_WITH_BODY, .version = 1, .parts = parts, .part_count = 3, .opaque_parts = 1 },
        { .type = TOY_ADDED_WITH_BODY, .version = 1, .parts = parts, .part_count = 3 },
    };
    lsn_t lsns[2];
    uint8_t live[32], replayed[32];
    open_toy(dir, false);
    assert_false(failed(owner_record(owner_of(5), in, 1, false, lsns)));
    assert_int_equal(toy_of(5)->body_bytes, 0);
    assert_false(failed(owner_record(owner_of(5), in, 2, false, lsns)));
    assert_int_equal(toy_of(5)->body_bytes, sizeof(body));
    owners_digest(0, live);
    struct record r;
    assert_false(failed(store_read(store, lsns[0], true, &arena, &r)));
    assert_int_equal(r.payload.size, sizeof(number) + sizeof(body));
    assert_memory_equal(r.payload.data, &number, sizeof(number));
    assert_memory_equal(r.payload.data + sizeof(number), body, sizeof(body));
    close_toy(false);
    open_toy(dir, false);
    assert_int_equal(toy_of(5)->count, 3);
    assert_int_equal(toy_of(5)->sum, 3 * number);
    assert_int_equal(toy_of(5)->body_bytes, sizeof(body));
    owners_digest(0, replayed);
    assert_memory_equal(live, replayed, sizeof(live));
    close_toy(false);
}

/* ---- the token under threads ----------------------------------------------------------------------------------------- */

enum { THREADS = 4, TASKS_EACH = 20000, LOGS_USED = 3 };

struct numbered {
    struct task task;
    int thread;
    uint32_t number;
};

static struct {
    int inside; /* plain on purpose: two holders of a token would be seen, and by the thread sanitizer too */
    uint32_t next[THREADS]; /* tasks of one thread come in its order */
    uint64_t ran, out_of_order, overlaps;
} seen[LOGS_USED];
static _Atomic uint64_t all_ran;

static void run_numbered(struct owner *o, struct task *t)
{
    const struct numbered *n = CONTAINER_OF(t, struct numbered, task);
    seen[o->log].overlaps += seen[o->log].inside++ != 0;
    seen[o->log].out_of_order += seen[o->log].next[n->thread] != n->number;
    seen[o->log].next[n->thread] = n->number + 1;
    seen[o->log].ran++;
    seen[o->log].inside--;
    atomic_fetch_add(&all_ran, 1);
}

static void *submit_many(void *argument)
{
    struct numbered *tasks = argument;
    for (uint32_t i = 0; i < TASKS_EACH; i++)
        owner_submit(owner_of((uint16_t)(i % LOGS_USED)), &tasks[i].task);
    return NULL;
}

static void test_tasks_of_many_threads(void **state)
{
    (void)state;
    static struct numbered tasks[THREADS][TASKS_EACH];
    pthread_t threads[THREADS];
    open_toy(new_dir(), false);
    memset(seen, 0, sizeof(seen));
    atomic_store(&all_ran, 0);
    for (int t = 0; t < THREADS; t++)
        for (uint32_t i = 0; i < TASKS_EACH; i++)
            tasks[t][i] = (struct numbered){ .task.run = run_numbered, .thread = t, .number = i / LOGS_USED };
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, submit_many, tasks[t]), 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    /* whoever submitted last let go only with an empty inbox: nothing may be left behind */
    assert_int_equal(atomic_load(&all_ran), THREADS * TASKS_EACH);
    for (int log = 0; log < LOGS_USED; log++) {
        assert_int_equal(seen[log].overlaps, 0);
        assert_int_equal(seen[log].out_of_order, 0);
    }
    close_toy(false);
}

/* Tasks that submit to one another's owners in rings, from several threads: nobody waits for a token, so nobody deadlocks. */
struct hopper {
    struct task task;
    int hops_left;
};

static void run_hopper(struct owner *o, struct task *t)
{
    struct hopper *h = CONTAINER_OF(t, struct hopper, task);
    if (h->hops_left-- > 0)
        owner_submit(owner_of((uint16_t)((o->log + 1) % LOGS_USED)), t);
    else
        atomic_fetch_add(&all_ran, 1);
}

static void *submit_hoppers(void *argument)
{
    struct hopper *hoppers = argument;
    for (int i = 0; i < 500; i++)
        owner_submit(owner_of((uint16_t)(i % LOGS_USED)), &hoppers[i].task);
    return NULL;
}

static void test_tasks_that_travel(void **state)
{
    (void)state;
    static struct hopper hoppers[THREADS][500];
    pthread_t threads[THREADS];
    open_toy(new_dir(), false);
    atomic_store(&all_ran, 0);
    for (int t = 0; t < THREADS; t++)
        for (int i = 0; i < 500; i++)
            hoppers[t][i] = (struct hopper){ .task.run = run_hopper, .hops_left = 20 };
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, submit_hoppers, hoppers[t]), 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    assert_int_equal(atomic_load(&all_ran), THREADS * 500);
    close_toy(false);
}

/* ---- the order of tasks ------------------------------------------------------------------------------------------------ */

static char marks[MARKS_MAX];

struct marker {
    struct task task;
    const char *mark;
    struct task *defers[2], *submits;
};

static void run_marker(struct owner *o, struct task *t)
{
    const struct marker *m = CONTAINER_OF(t, struct marker, task);
    strcat(marks, m->mark);
    for (int i = 0; i < 2 && m->defers[i]; i++)
        owner_defer(o, m->defers[i]);
    if (m->submits)
        owner_submit(o, m->submits);
}

static void test_deferred_before_queued(void **state)
{
    (void)state;
    open_toy(new_dir(), false);
    marks[0] = 0;
    struct marker inner = { { .run = run_marker }, "i", { NULL }, NULL };
    struct marker second = { { .run = run_marker }, "2", { NULL }, NULL };
    struct marker first = { { .run = run_marker }, "1", { &inner.task }, NULL };
    struct marker queued = { { .run = run_marker }, "q", { NULL }, NULL };
    struct marker outer = { { .run = run_marker }, "o", { &first.task, &second.task }, &queued.task };
    owner_submit(owner_of(5), &outer.task);
    assert_string_equal(marks, "o12iq"); /* deferred in their order, theirs too, then what was submitted meanwhile */
    close_toy(false);
}

/* ---- calls that wait ---------------------------------------------------------------------------------------------------- */

static const struct op waiting_op = { .name = { "Wait", 4 }, .is_waiting = true };

struct waiter {
    struct call call;
    struct link *list;
    uint64_t deadline_ms;
    const char *mark;
    bool is_parked;
};

static void run_waiter(struct owner *o, struct task *t)
{
    struct waiter *w = CONTAINER_OF(t, struct waiter, call.task);
    w->call.owner = o;
    if (!w->is_parked) {
        w->is_parked = true;
        assert_int_equal(call_wait(&w->call, w->list, w->deadline_ms).code, ERR_PENDING);
        return;
    }
    strcat(marks, w->mark);
    strcat(marks, w->call.is_timed_out ? "!" : "");
}

static void park(struct waiter *w, const char *mark, struct link *list, uint64_t deadline_ms)
{
    *w = (struct waiter){ .list = list, .deadline_ms = deadline_ms, .mark = mark };
    w->call.op = &waiting_op;
    w->call.task.run = run_waiter;
    owner_submit(owner_of(7), &w->call.task);
}

static struct link *woken_list;

static void run_wake_first(struct owner *o, struct task *t)
{
    (void)t;
    strcat(marks, call_wake_first(o, woken_list) ? "<" : "-");
}

static void run_wake_all(struct owner *o, struct task *t)
{
    (void)t;
    call_wake_all(o, woken_list);
}

static struct waiter *unparked;

static void run_unpark(struct owner *o, struct task *t)
{
    (void)t;
    strcat(marks, owner_unpark(o, &unparked->call) ? "u" : "n");
}

static void do_task(void (*run)(struct owner *o, struct task *t))
{
    struct task t = { .run = run };
    owner_submit(owner_of(7), &t);
}

static void test_waits_in_order(void **state)
{
    (void)state;
    struct link list;
    struct waiter w[5];
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    open_toy(new_dir(), false);
    list_init(&list);
    woken_list = &list;
    marks[0] = 0;
    for (int i = 0; i < 5; i++)
        park(&w[i], names[i], &list, clock_ms() + 1000);
    do_task(run_wake_first);
    assert_string_equal(marks, "<a");
    unparked = &w[2];
    do_task(run_unpark);
    do_task(run_unpark);
    assert_string_equal(marks, "<aun"); /* c is out, and only once */
    do_task(run_wake_first);
    assert_string_equal(marks, "<aun<b");
    do_task(run_wake_all);
    do_task(run_wake_first);
    assert_string_equal(marks, "<aun<bde-");
    assert_true(list_is_empty(&list));
    close_toy(false);
}

static void test_deadlines_in_order(void **state)
{
    (void)state;
    struct link list;
    struct waiter w[6];
    open_toy(new_dir(), false);
    list_init(&list);
    woken_list = &list;
    marks[0] = 0;
    uint64_t now = clock_ms();
    park(&w[0], "a", &list, now + 30);
    park(&w[1], "b", &list, now + 10);
    park(&w[2], "c", &list, now + 20);
    park(&w[3], "d", &list, now + 20); /* equal ones end in the order they were parked */
    park(&w[4], "e", &list, now + 20);
    park(&w[5], "f", &list, now + 5000);
    assert_int_equal(owners_next_wake(0, 1), now + 10);
    assert_int_equal(owners_next_wake(7, LOG_COUNT), now + 10);
    assert_int_equal(owners_next_wake(8, LOG_COUNT), UINT64_MAX);
    owners_tick(0, 1, clock_ms()); /* nothing is due */
    assert_string_equal(marks, "");
    pass_ms(12);
    owners_tick(0, 1, clock_ms());
    assert_string_equal(marks, "b!");
    assert_int_equal(owners_next_wake(0, 1), now + 20);
    pass_ms(30);
    owners_tick(0, 1, clock_ms());
    assert_string_equal(marks, "b!c!d!e!a!");
    assert_int_equal(owners_next_wake(0, 1), now + 5000);
    owners_end_waits();
    assert_string_equal(marks, "b!c!d!e!a!f!");
    assert_true(list_is_empty(&list));
    close_toy(false);
}

/* ---- the driver of the timers -------------------------------------------------------------------------------------------- */

static int earlier_calls;
static uint16_t earlier_log;

static void on_earlier(uint16_t log)
{
    earlier_calls++;
    earlier_log = log;
}

struct wish {
    struct task task;
    uint64_t at_ms;
};

static void run_wish(struct owner *o, struct task *t)
{
    owner_wake_at(o, CONTAINER_OF(t, struct wish, task)->at_ms);
}

static void wish(uint16_t log, uint64_t at_ms)
{
    struct wish w = { { .run = run_wish }, at_ms };
    owner_submit(owner_of(log), &w.task);
}

static void test_earlier_wakes_are_told(void **state)
{
    (void)state;
    open_toy(new_dir(), false);
    owners_on_earlier_wake(on_earlier);
    earlier_calls = 0;
    uint64_t now = clock_ms();
    wish(9, now + 500);
    assert_int_equal(earlier_calls, 1);
    assert_int_equal(earlier_log, 9);
    wish(9, now + 900); /* later: the driver wakes before that anyway */
    assert_int_equal(earlier_calls, 1);
    wish(9, now + 100);
    assert_int_equal(earlier_calls, 2);
    assert_int_equal(owners_next_wake(0, 1), now + 100);
    /* After a tick the log has nothing published but what the tick leaves behind: that is told, whatever it is. */
    toy_of(9)->wake_again_ms = now + 700;
    pass_ms(150);
    owners_tick(0, 1, clock_ms());
    assert_int_equal(toy_of(9)->advanced, 1);
    assert_int_equal(owners_next_wake(0, 1), now + 700);
    assert_int_equal(earlier_calls, 3);
    close_toy(false);
}

/* Another thread holds the token: the driver does not spin on what is due, and hears when the tick ran there. */
static struct {
    struct task task;
    _Atomic int is_inside, may_leave;
} holder;

static void run_holder(struct owner *o, struct task *t)
{
    (void)o;
    (void)t;
    atomic_store(&holder.is_inside, 1);
    while (!atomic_load(&holder.may_leave))
        sched_yield();
}

static void *hold_token(void *argument)
{
    (void)argument;
    owner_submit(owner_of(11), &holder.task);
    return NULL;
}

static void test_a_tick_behind_a_holder(void **state)
{
    (void)state;
    pthread_t thread;
    open_toy(new_dir(), false);
    owners_on_earlier_wake(on_earlier);
    uint64_t now = clock_ms();
    wish(11, now + 10);
    toy_of(11)->wake_again_ms = now + 300;
    holder.task.run = run_holder;
    atomic_store(&holder.is_inside, 0);
    atomic_store(&holder.may_leave, 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_token, NULL), 0);
    while (!atomic_load(&holder.is_inside))
        sched_yield();
    earlier_calls = 0;
    pass_ms(20);
    owners_tick(0, 1, clock_ms());
    assert_int_equal(toy_of(11)->advanced, 0);
    assert_int_equal(owners_next_wake(0, 1), UINT64_MAX); /* on its way: nothing to be done about it */
    owners_tick(0, 1, clock_ms());
    atomic_store(&holder.may_leave, 1);
    pthread_join(thread, NULL);
    assert_int_equal(toy_of(11)->advanced, 1);
    assert_int_equal(earlier_calls, 1);
    assert_int_equal(owners_next_wake(0, 1), now + 300);
    close_toy(false);
}

/* A service that asks for "now" in advance gets the next millisecond, not an endless loop. */
static void run_wish_again(struct owner *o, struct task *t)
{
    (void)t;
    owner_wake_at(o, 0);
}

static void test_asking_for_now(void **state)
{
    (void)state;
    open_toy(new_dir(), false);
    struct task t = { .run = run_wish_again };
    owner_submit(owner_of(3), &t);
    assert_int_equal(toy_of(3)->advanced, 1);
    assert_int_equal(owners_next_wake(0, 1), UINT64_MAX);
    close_toy(false);
}

/* ---- what waits for the disk ---------------------------------------------------------------------------------------------- */

static lsn_t added_lsn;

static void run_add(struct owner *o, struct task *t)
{
    (void)t;
    assert_false(failed(toy_add(o, 1, &added_lsn)));
}

static void test_durable_waits(void **state)
{
    (void)state;
    open_toy(new_dir(), false);
    marks[0] = 0;
    struct marker early = { { .run = run_marker }, "e", { NULL }, NULL };
    struct marker late = { { .run = run_marker }, "l", { NULL }, NULL };
    struct marker done = { { .run = run_marker }, "d", { NULL }, NULL };
    do_task(run_add);
    lsn_t first = added_lsn;
    owner_submit_when_durable(owner_of(2), &early.task, first);
    assert_string_equal(marks, "");
    assert_false(failed(store_flush(store)));
    assert_string_equal(marks, "e");
    do_task(run_add);
    assert_true(added_lsn > first);
    owner_submit_when_durable(owner_of(2), &late.task, added_lsn);
    owner_submit_when_durable(owner_of(2), &done.task, first); /* durable already: at once */
    assert_string_equal(marks, "ed");
    assert_false(failed(store_flush(store)));
    assert_string_equal(marks, "edl");
    close_toy(false);
}

static _Atomic uint64_t durable_ran, too_early;

struct durable_task {
    struct task add, after;
    uint16_t log;
    lsn_t lsn;
};

static void run_after(struct owner *o, struct task *t)
{
    const struct durable_task *d = CONTAINER_OF(t, struct durable_task, after);
    (void)o;
    atomic_fetch_add(&too_early, store_durable(store) <= d->lsn);
    atomic_fetch_add(&durable_ran, 1);
}

static void run_durable_add(struct owner *o, struct task *t)
{
    struct durable_task *d = CONTAINER_OF(t, struct durable_task, add);
    assert_false(failed(toy_add(o, d->log, &d->lsn)));
    owner_submit_when_durable(owner_of((uint16_t)((d->log + 13) % LOG_COUNT)), &d->after, d->lsn);
}

enum { DURABLE_EACH = 2000 };

static void *add_durably(void *argument)
{
    struct durable_task *tasks = argument;
    for (int i = 0; i < DURABLE_EACH; i++)
        owner_submit(owner_of(tasks[i].log), &tasks[i].add);
    return NULL;
}

static void test_durable_waits_of_threads(void **state)
{
    (void)state;
    static struct durable_task tasks[THREADS][DURABLE_EACH];
    pthread_t threads[THREADS];
    open_toy(new_dir(), true);
    atomic_store(&durable_ran, 0);
    atomic_store(&too_early, 0);
    for (int t = 0; t < THREADS; t++)
        for (int i = 0; i < DURABLE_EACH; i++)
            tasks[t][i] =
                (struct durable_task){ .add.run = run_durable_add, .after.run = run_after, .log = (uint16_t)(i % 8) };
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, add_durably, tasks[t]), 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    while (
        atomic_load(&durable_ran) < THREADS * DURABLE_EACH) /* a lost one hangs here, and the runner's limit ends it */
        sched_yield();
    assert_int_equal(atomic_load(&too_early), 0);
    close_toy(false);
}

/* ---- snapshots while requests are running --------------------------------------------------------------------------------- */

struct adder {
    struct task task;
    uint64_t number;
};

static void run_adder(struct owner *o, struct task *t)
{
    lsn_t lsn;
    while (failed(toy_add(o, CONTAINER_OF(t, struct adder, task)->number, &lsn)))
        store_flush(store);
}

enum { ADDS_EACH = 30000 };

static void *add_many(void *argument)
{
    uint64_t thread = (uint64_t)(uintptr_t)argument;
    static struct adder adders[THREADS][ADDS_EACH];
    for (uint64_t i = 0; i < ADDS_EACH; i++) {
        struct adder *a = &adders[thread][i];
        *a = (struct adder){ { .run = run_adder }, thread * ADDS_EACH + i };
        owner_submit(owner_of((uint16_t)(i * 7 % LOG_COUNT)), &a->task);
    }
    return NULL;
}

static void read_all(uint64_t out[3])
{
    memset(out, 0, 3 * sizeof(*out));
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        out[0] += toy_of(log)->count;
        out[1] += toy_of(log)->sum;
        out[2] ^= toy_of(log)->order;
    }
}

/* A start with work for the background: it comes after the replay and the clock, which nobody may look at before. */
static void test_a_start_that_owes_a_snapshot(void **state)
{
    (void)state;
    static struct adder adders[30000];
    const char *dir = new_dir();
    const struct timespec pause = { .tv_nsec =
                                        50 * 1000 * 1000 }; /* in which threads that must not be there would be seen */
    open_toy(dir, false);
    for (uint64_t i = 0; i < ARRAY_COUNT(adders); i++) {
        adders[i] = (struct adder){ { .run = run_adder }, i };
        owner_submit(owner_of((uint16_t)(i % LOG_COUNT)), &adders[i].task);
    }
    close_toy(false);
    atomic_store(&captures, 0);
    replay_toy(dir);
    nanosleep(&pause, NULL);
    assert_int_equal(atomic_load(&captures), 0);
    begin_toy(true);
    while (atomic_load(&captures) < LOG_COUNT)
        sched_yield();
    close_toy(false);
}

static void test_snapshots_while_busy(void **state)
{
    (void)state;
    uint64_t before[3], after[3];
    uint8_t digest_before[32], digest_after[32];
    pthread_t threads[THREADS];
    const char *dir = new_dir();
    open_toy(dir, true); /* its own thread takes one for each MiB appended */
    for (uint64_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, add_many, (void *)(uintptr_t)t), 0);
    for (int i = 0; i < 5; i++) {
        assert_false(failed(store_snapshot_now(store)));
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    do_task(run_add); /* and something after the last one */
    read_all(before);
    owners_digest(0, digest_before);
    assert_int_equal(before[0], THREADS * ADDS_EACH + 1);
    close_toy(false); /* without a last one: the start reads the last of those above and the records after it */
    open_toy(dir, false);
    read_all(after);
    owners_digest(0, digest_after);
    assert_memory_equal(before, after, sizeof(before));
    assert_memory_equal(digest_before, digest_after, 32);
    close_toy(true); /* and once more from a whole snapshot */
    open_toy(dir, false);
    owners_digest(0, digest_after);
    assert_memory_equal(digest_before, digest_after, 32);
    close_toy(false);
}

/* ---- records and time ------------------------------------------------------------------------------------------------------ */

static uint64_t task_now_ms;

static void run_look(struct owner *o, struct task *t)
{
    (void)t;
    task_now_ms = o->now_ms;
}

static void test_time_of_tasks_and_records(void **state)
{
    (void)state;
    const char *dir = new_dir();
    open_toy(dir, false);
    do_task(run_look);
    uint64_t first = task_now_ms;
    assert_int_equal(first, clock_ms());
    pass_ms(40);
    do_task(run_add);
    do_task(run_look);
    assert_int_equal(task_now_ms, first + 40);
    assert_int_equal(owner_of(7)->last_time_ms, first + 40);
    assert_int_equal(owner_of(7)->last_lsn, added_lsn);
    close_toy(false);
    open_toy(dir, false);
    assert_int_equal(owners_latest_record_ms(), first + 40);
    assert_int_equal(owner_of(7)->last_time_ms, first + 40);
    assert_int_equal(owner_of(7)->last_lsn, added_lsn);
    close_toy(false);
}

static void test_logs_of_names(void **state)
{
    (void)state;
    /* part of the data directory's layout: these may never change */
    static const struct {
        const char *account, *region, *name;
        uint16_t log;
    } rows[] = {
        { "000000000000", "us-east-1", "hello", 43 },
        { "000000000000", "us-east-1", "hello.fifo", 8 },
        { "000000000000", "eu-west-1", "hello", 43 },
        { "123456789012", "us-east-1", "hello", 10 },
        { "", "", "", 15 },
        { "a", "bc", "d", 55 },
        { "ab", "c", "d", 44 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint16_t log = owner_log_of(slice_str(rows[i].account), slice_str(rows[i].region), slice_str(rows[i].name));
        assert_int_equal(log, rows[i].log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_are_for_the_log_alone),
        cmocka_unit_test(test_tasks_of_many_threads),
        cmocka_unit_test(test_tasks_that_travel),
        cmocka_unit_test(test_deferred_before_queued),
        cmocka_unit_test(test_waits_in_order),
        cmocka_unit_test(test_deadlines_in_order),
        cmocka_unit_test(test_earlier_wakes_are_told),
        cmocka_unit_test(test_a_tick_behind_a_holder),
        cmocka_unit_test(test_asking_for_now),
        cmocka_unit_test(test_durable_waits),
        cmocka_unit_test(test_durable_waits_of_threads),
        cmocka_unit_test(test_a_start_that_owes_a_snapshot),
        cmocka_unit_test(test_snapshots_while_busy),
        cmocka_unit_test(test_time_of_tasks_and_records),
        cmocka_unit_test(test_logs_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
