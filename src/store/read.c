/* read.c: one record by its LSN: from the ring while it is there, else from its segment file. */
#include "store/internal.h"
#include <stdlib.h>

enum { READ_GUESS_BYTES = 2048 };

static struct error corrupt(const struct store *s, uint64_t position)
{
    (void)s;
    return ERROR_SYS(ERR_CORRUPT, (int32_t)(position & 0x7fffffff));
}

static struct error take(
    const struct store *s, uint64_t position, const struct record_header *h, const char *payload, struct record *ret)
{
    struct slice body = slice_of(payload, h->payload_bytes);
    if (record_crc(position, h, body) != h->crc)
        return corrupt(s, position);
    *ret = (struct record){ .lsn = position / STORE_RECORD_ALIGN,
        .time_ms = h->time_ms,
        .log = h->log,
        .type = h->type,
        .version = h->version,
        .flags = h->flags,
        .object = h->object,
        .payload = body };
    return OK;
}

/* True if the record was still in the ring. */
static bool read_ring(
    struct store *s, uint64_t position, struct arena *arena, struct record *ret, struct error *ret_error)
{
    pthread_mutex_lock(&s->lock);
    uint64_t end = atomic_load_explicit(&s->end, memory_order_relaxed);
    bool is_there = position + RING_BYTES >= end && position < end && position >= s->ring_from;
    struct record_header h;
    char *payload = NULL;
    if (is_there) {
        ring_read(s, position, &h, sizeof(h));
        if (h.payload_bytes <= end - position) {
            payload = arena_alloc(arena, h.payload_bytes + 1u);
            ring_read(s, position + sizeof(h), payload, h.payload_bytes);
        }
    }
    pthread_mutex_unlock(&s->lock);
    if (is_there)
        *ret_error = payload ? take(s, position, &h, payload, ret) : corrupt(s, position);
    return is_there;
}

static struct error read_at(
    struct store *s, struct segment *g, uint64_t offset, void *out, size_t size, bool wait, size_t *ret_size)
{
    struct error e = sys->file.read_nowait(g->file, offset, out, size, ret_size);
    if (e.code != ERR_COLD)
        return e;
    if (!wait)
        return e;
    atomic_fetch_add_explicit(&s->cold_reads, 1, memory_order_relaxed);
    return sys->file.read(g->file, offset, out, size, ret_size);
}

struct error store_read(struct store *s, lsn_t lsn, bool wait, struct arena *arena, struct record *ret_record)
{
    uint64_t position = lsn * STORE_RECORD_ALIGN;
    struct error e = OK;
    if (read_ring(s, position, arena, ret_record, &e))
        return e;
    struct segment *g = segment_of(s, position);
    if (!g)
        return ERROR_OF(ERR_TRIMMED);
    uint64_t offset = position - g->number * s->span;
    char guess[READ_GUESS_BYTES];
    size_t got = 0;
    size_t want = g->file_bytes - offset < sizeof(guess) ? (size_t)(g->file_bytes - offset) : sizeof(guess);
    TRY(read_at(s, g, offset, guess, want, wait, &got));
    struct record_header h;
    if (got < sizeof(h))
        return corrupt(s, position);
    memcpy(&h, guess, sizeof(h));
    if (h.payload_bytes > g->file_bytes - offset - sizeof(h))
        return corrupt(s, position);
    char *payload = arena_alloc(arena, h.payload_bytes + 1u);
    size_t have = got - sizeof(h) < h.payload_bytes ? got - sizeof(h) : h.payload_bytes;
    memcpy(payload, guess + sizeof(h), have);
    if (have < h.payload_bytes) {
        size_t rest = 0;
        TRY(read_at(s, g, offset + sizeof(h) + have, payload + have, h.payload_bytes - have, wait, &rest));
        if (rest < h.payload_bytes - have)
            return corrupt(s, position);
    }
    return take(s, position, &h, payload, ret_record);
}

/* ---- cold records: a reader thread touches them, then the caller tries again --------------------------------------------------- */

static void warm_now(struct store *s, const struct warm_request *w)
{
    struct arena arena;
    arena_init(&arena, LOG_BATCH_BYTES_MAX * 2);
    for (size_t i = 0; i < w->count; i++) {
        struct record r;
        (void)store_read(s, w->lsns[i], true, &arena, &r); /* damage shows when the caller reads */
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    w->done(w->argument);
}

void store_warm(struct store *s, const lsn_t *lsns, size_t count, void (*done)(void *argument), void *argument)
{
    struct warm_request *w = malloc(sizeof(*w) + count * sizeof(lsns[0]));
    ASSERT(w);
    *w = (struct warm_request){ .done = done, .argument = argument, .count = count };
    memcpy(w->lsns, lsns, count * sizeof(lsns[0]));
    if (!s->has_threads) {
        warm_now(s, w);
        free(w);
        return;
    }
    pthread_mutex_lock(&s->kick_lock);
    *s->warm_last = w;
    s->warm_last = &w->next;
    pthread_cond_signal(&s->warmed);
    pthread_mutex_unlock(&s->kick_lock);
}

void *reader_main(void *argument)
{
    struct store *s = argument;
    pthread_mutex_lock(&s->kick_lock);
    for (;;) {
        while (!s->warm_first && !atomic_load(&s->stop))
            pthread_cond_wait(&s->warmed, &s->kick_lock);
        struct warm_request *w = s->warm_first;
        if (!w)
            break;
        s->warm_first = w->next;
        if (!s->warm_first)
            s->warm_last = &s->warm_first;
        pthread_mutex_unlock(&s->kick_lock);
        warm_now(s, w);
        free(w);
        pthread_mutex_lock(&s->kick_lock);
    }
    pthread_mutex_unlock(&s->kick_lock);
    return NULL;
}

/* ---- pins and live counts ------------------------------------------------------------------------------------------------------ */

/* A record whose file somebody removed has nothing to be held; reading it says so. */
void store_pin(struct store *s, lsn_t lsn)
{
    struct segment *g = segment_of(s, lsn * STORE_RECORD_ALIGN);
    if (!g)
        return;
    atomic_fetch_add(&g->pins, 1);
    atomic_fetch_add_explicit(&s->pinned, 1, memory_order_relaxed);
}

void store_unpin(struct store *s, lsn_t lsn)
{
    struct segment *g = segment_of(s, lsn * STORE_RECORD_ALIGN);
    if (!g)
        return; /* it was not there to be pinned: a pinned segment stays */
    ASSERT(atomic_load(&g->pins) > 0);
    atomic_fetch_sub(&g->pins, 1);
    atomic_fetch_sub_explicit(&s->pinned, 1, memory_order_relaxed);
}

/* A snapshot may point into a segment that was freed since: what takes the record away is in what is replayed after it, or,
 * where time alone does (retention), in the services' next advance. Until then the count has nowhere to go. */
void store_live_add(struct store *s, lsn_t lsn, uint32_t count)
{
    struct segment *g = segment_of(s, lsn * STORE_RECORD_ALIGN);
    if (g)
        atomic_fetch_add_explicit(&g->live, count, memory_order_release);
}

void store_live_drop(struct store *s, lsn_t lsn, uint32_t count)
{
    struct segment *g = segment_of(s, lsn * STORE_RECORD_ALIGN);
    if (g)
        atomic_fetch_sub_explicit(&g->live, count, memory_order_release);
}
