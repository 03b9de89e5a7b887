/* Random operations against a naive model: an array of messages. After each history the state must be the same by replay of
 * all records and by snapshot and tail; seeds are fixed, SEEDS=n in the environment runs more. */
#include "base/log.h"
#include "base/text.h"
#include "state_harness.h"
#include "state_random.h"

enum { MESSAGES_MAX = 4000, STEPS = 1500 };
enum kind { STANDARD, FAIR, FIFO };

struct held { /* a message as the model sees it */
    uint64_t seq, sent_ms, visible_ms, position, leased_ms;
    uint32_t count;
    char group; /* 0: none */
    bool is_gone, is_delayed;
    char handle[96]; /* of the last receive */
    uint32_t generation, handle_generation;
};

static struct model {
    enum kind kind;
    struct held items[MESSAGES_MAX];
    size_t count;
    uint64_t next_seq;
    uint32_t visibility_s, delay_s, retention_s;
    struct random random;
    const char *queue;
    struct {
        char id[16];
        uint64_t time_ms, seq;
    } dedup[MESSAGES_MAX];
    size_t dedup_count;
} m;

static uint64_t below(uint64_t limit)
{
    return random_below(&m.random, limit);
}

/* ---- what the model knows ------------------------------------------------------------------------------------------- */

static void age(void) /* what time did until now */
{
    for (size_t i = 0; i < m.count; i++) {
        struct held *h = &m.items[i];
        if (h->is_gone)
            continue;
        uint64_t expiry = h->sent_ms + m.retention_s * 1000ull;
        if (expiry <= harness_ms)
            h->is_gone = true;
        else if (h->visible_ms > 0 && h->visible_ms <= harness_ms) {
            h->visible_ms = 0;
            h->is_delayed = false;
            h->position = m.kind != FIFO && h->count >= 3 ? m.next_seq : h->seq;
        }
    }
}

static bool is_visible(const struct held *h)
{
    return !h->is_gone && h->visible_ms == 0;
}

static bool is_leased(const struct held *h)
{
    return !h->is_gone && h->visible_ms != 0 && !h->is_delayed;
}

/* FIFO: nothing of its group that is in flight is before it. */
static bool is_free(const struct held *h)
{
    if (!is_visible(h))
        return false;
    for (size_t i = 0; m.kind == FIFO && i < m.count; i++)
        if (is_leased(&m.items[i]) && m.items[i].group == h->group && m.items[i].seq < h->seq)
            return false;
    return true;
}

static struct held *by_body(struct slice body) /* the body is the number of the item */
{
    uint64_t index;
    assert_true(text_parse_u64(body, &index));
    assert_true(index < m.count);
    return &m.items[index];
}

static void check_counts(void)
{
    uint64_t visible = 0, leased = 0, delayed = 0;
    age();
    for (size_t i = 0; i < m.count; i++) {
        visible += is_visible(&m.items[i]);
        leased += is_leased(&m.items[i]);
        delayed += !m.items[i].is_gone && m.items[i].is_delayed;
    }
    const struct queue *q = harness_queue(m.queue);
    assert_int_equal(queue_visible(q), visible);
    assert_int_equal(q->in_flight, leased);
    assert_int_equal(q->delayed, delayed);
    assert_int_equal(q->state->messages, q->messages);
}

/* ---- steps ------------------------------------------------------------------------------------------------------------ */

static bool is_duplicate(const char *id)
{
    for (size_t i = 0; i < m.dedup_count; i++)
        if (strcmp(m.dedup[i].id, id) == 0 && m.dedup[i].time_ms + SQS_DEDUP_WINDOW_MS > harness_ms)
            return true;
    return false;
}

static void do_send(void)
{
    if (m.count == MESSAGES_MAX)
        return;
    char body[24], group[2] = { (char)('A' + below(8)), 0 }, dedup[16];
    snprintf(body, sizeof(body), "%zu", m.count);
    snprintf(dedup, sizeof(dedup), "d%d", (int)below(400));
    struct sent s = { .queue = m.queue, .body = body, .delay_s = -1 };
    if (m.kind == FIFO || (m.kind == FAIR && below(4)))
        s.group = group;
    if (m.kind == FIFO)
        s.dedup = dedup;
    else if (below(5) == 0)
        s.delay_s = (int64_t)below(20);
    assert_works(harness_send(&s));
    age();
    if (m.kind == FIFO) {
        if (is_duplicate(dedup))
            return;
        memcpy(m.dedup[m.dedup_count].id, dedup, sizeof(dedup));
        m.dedup[m.dedup_count++].time_ms = harness_ms;
    }
    struct held *h = &m.items[m.count++];
    uint64_t delay_s = s.delay_s >= 0 ? (uint64_t)s.delay_s : m.delay_s;
    *h = (struct held){
        .seq = m.next_seq, .position = m.next_seq, .sent_ms = harness_ms, .group = s.group ? *s.group : 0
    };
    m.next_seq++;
    if (delay_s) {
        h->visible_ms = harness_ms + delay_s * 1000;
        h->is_delayed = true;
    }
}

/* What must be true of any receive, and exactly which messages where one lane decides. */
static void check_choice(const struct call *c, size_t max)
{
    size_t count = received_count(c), free_count = 0;
    uint64_t last_of_group[256] = { 0 };
    for (size_t i = 0; i < m.count; i++)
        free_count += is_free(&m.items[i]);
    if (m.kind != FIFO)
        assert_int_equal(count, free_count < max ? free_count : max);
    else
        assert_true((count == 0) == (free_count == 0));
    for (size_t i = 0; i < count; i++) {
        struct held *h = by_body(received(c, i)->body);
        assert_true(is_free(h));
        for (size_t k = 0; k < m.count && m.kind == STANDARD; k++) /* strictly the best */
            assert_false(
                is_visible(&m.items[k]) && m.items[k].position < h->position && m.items[k].leased_ms != UINT64_MAX);
        for (size_t k = 0; k < m.count && m.kind == FIFO; k++) /* in order, none left out */
            if (is_visible(&m.items[k]) && m.items[k].group == h->group && m.items[k].seq < h->seq)
                assert_true(m.items[k].seq <= last_of_group[(uint8_t)h->group]);
        assert_true(h->seq > last_of_group[(uint8_t)h->group] || m.kind != FIFO);
        last_of_group[(uint8_t)h->group] = h->seq;
        h->leased_ms = UINT64_MAX; /* taken by this receive */
    }
    if (m.kind == FIFO && count < max) /* then every group gave all it could */
        for (size_t i = 0; i < m.count; i++)
            if (is_free(&m.items[i]))
                assert_true(m.items[i].leased_ms == UINT64_MAX);
}

static void do_receive(bool is_undone)
{
    size_t max = 1 + below(10);
    int64_t visibility_s = below(6) == 0 ? 0 : below(3) ? -1 : (int64_t)below(100);
    struct call *c = harness_receive(
        &(struct wanted){ .queue = m.queue, .max = (int64_t)max, .visibility_s = visibility_s, .wait_s = -1 });
    age();
    check_choice(c, max);
    uint64_t timeout_s = visibility_s < 0 ? m.visibility_s : (uint64_t)visibility_s;
    for (size_t i = 0; i < received_count(c); i++) {
        const struct sqs_message *r = received(c, i);
        struct held *h = by_body(r->body);
        char count[12];
        snprintf(count, sizeof(count), "%u", ++h->count);
        assert_text(received_attribute(r, "ApproximateReceiveCount"), count);
        h->handle_generation = ++h->generation;
        memcpy(h->handle, r->receipt_handle.data, r->receipt_handle.size);
        h->handle[r->receipt_handle.size] = 0;
        h->leased_ms = harness_ms;
        h->visible_ms = timeout_s ? harness_ms + timeout_s * 1000 : 0;
        h->position = m.kind != FIFO && h->count >= 3 ? m.next_seq : h->seq;
    }
    if (!is_undone)
        return;
    harness_undo(c);
    for (size_t i = 0; i < received_count(c); i++) {
        struct held *h = by_body(received(c, i)->body);
        h->count--;
        if (h->visible_ms) /* with a timeout of zero it is back already */
            h->position = m.kind != FIFO && h->count >= 3 ? m.next_seq : h->seq;
        h->visible_ms = 0;
    }
}

static struct held *any_received(void)
{
    for (int i = 0; i < 50 && m.count; i++) {
        struct held *h = &m.items[below(m.count)];
        if (h->handle[0] && (!h->is_gone || below(10) == 0))
            return h;
    }
    return NULL;
}

static void do_delete(void)
{
    struct held *h = any_received();
    if (!h)
        return;
    struct call *c = harness_delete(m.queue, slice_str(h->handle));
    age();
    if (m.kind == FIFO && !h->is_gone && !(is_leased(h) && h->generation == h->handle_generation)) {
        assert_int_equal(c->error.code, SQS_INVALID_PARAMETER);
        return;
    }
    assert_works(c);
    h->is_gone = true;
}

static void do_change(void)
{
    struct held *h = any_received();
    int64_t visibility_s = below(3) ? (int64_t)below(200) : 0;
    if (!h)
        return;
    struct call *c = harness_visibility(m.queue, slice_str(h->handle), visibility_s);
    age();
    if (h->is_gone || (m.kind == FIFO && !is_leased(h))) {
        assert_int_equal(c->error.code, SQS_INVALID_PARAMETER);
        return;
    }
    assert_works(c);
    if (!is_leased(h))
        return;
    h->visible_ms = visibility_s ? harness_ms + (uint64_t)visibility_s * 1000 : 0;
    if (!visibility_s)
        h->position = m.kind != FIFO && h->count >= 3 ? m.next_seq : h->seq;
}

static void do_attribute(void)
{
    char value[12];
    age();
    if (below(2)) {
        m.retention_s = 60 + (uint32_t)below(400);
        snprintf(value, sizeof(value), "%u", m.retention_s);
        assert_works(harness_set(m.queue, "MessageRetentionPeriod", value));
    } else {
        m.delay_s = below(2) ? 0 : (uint32_t)below(30);
        snprintf(value, sizeof(value), "%u", m.delay_s);
        assert_works(harness_set(m.queue, "DelaySeconds", value));
    }
    for (size_t i = 0; i < m.count && m.kind == FIFO; i++) { /* retroactive: as if it had always been so */
        struct held *h = &m.items[i];
        if (h->is_gone || h->count > 0 || h->generation > 0)
            continue;
        uint64_t visible_ms = h->sent_ms + m.delay_s * 1000ull;
        h->is_delayed = visible_ms > harness_ms;
        h->visible_ms = h->is_delayed ? visible_ms : 0;
    }
}

static void do_purge(void)
{
    assert_works(harness_purge(m.queue));
    for (size_t i = 0; i < m.count; i++)
        m.items[i].is_gone = true;
    m.dedup_count = 0;
}

static void step(void)
{
    uint64_t what = below(1000);
    if (what < 380)
        do_send();
    else if (what < 600)
        do_receive(below(20) == 0);
    else if (what < 800)
        do_delete();
    else if (what < 900)
        do_change();
    else if (what < 980)
        harness_pass(1 + below(below(4) ? 500 : 20000));
    else if (what < 997)
        do_attribute();
    else
        do_purge();
}

/* ---- histories ---------------------------------------------------------------------------------------------------------- */

static void digest(uint8_t out[32])
{
    harness_pass(1); /* every log looks at the clock */
    for (uint16_t log = 0; log < LOG_COUNT; log++)
        owner_of(log)->now_ms = harness_ms;
    owners_digest(0, out);
}

static void restart(const char *dir, bool snapshot)
{
    uint8_t before[32], after[32];
    digest(before);
    harness_forget();
    harness_close(snapshot);
    harness_open(dir);
    harness_ms--; /* digest passes one */
    digest(after);
    assert_memory_equal(before, after, sizeof(before));
    check_counts();
}

static void run_history(enum kind kind, uint64_t seed, const char *dir)
{
    static const char *const fifo[] = { "FifoQueue", "true", "VisibilityTimeout", "30", "MessageRetentionPeriod", "300",
        NULL };
    memset(&m, 0, sizeof(m));
    m.kind = kind;
    m.random.state = seed;
    m.next_seq = 1;
    m.visibility_s = 30;
    m.retention_s = 300;
    m.queue = kind == FIFO ? "q.fifo" : "q";
    harness_create(m.queue, kind == FIFO ? fifo : fifo + 2);
    for (int i = 0; i < STEPS; i++) {
        step();
        if (i % 20 == 0)
            check_counts();
        if (i % 100 == 0)
            harness_forget();
        if (i % 400 == 399)
            restart(dir, i % 800 == 799);
    }
    restart(dir, false);
    restart(dir, true);
    restart(dir, false);
}

static void run_seeds(enum kind kind)
{
    static int number;
    const char *seeds = getenv("SEEDS");
    int count = seeds ? atoi(seeds) : 6;
    for (int seed = 1; seed <= count; seed++) {
        char dir[32];
        snprintf(dir, sizeof(dir), "/model%d", number++);
        harness_open(dir);
        run_history(kind, (uint64_t)seed * 1000 + (uint64_t)kind, dir);
        harness_forget();
        harness_close(false);
    }
}

static void test_standard(void **state)
{
    (void)state;
    run_seeds(STANDARD);
}

static void test_fair(void **state)
{
    (void)state;
    run_seeds(FAIR);
}

static void test_fifo(void **state)
{
    (void)state;
    run_seeds(FIFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standard),
        cmocka_unit_test(test_fair),
        cmocka_unit_test(test_fifo),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
