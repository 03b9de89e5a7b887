/* read.c: records by their LSNs: from the ring while they are there, else from their segment files. */
#include "store/internal.h"
#include "sys/thread.h"
#include <stdlib.h>

enum {
    GUESS_BYTES_FIRST = 1 * KIB, /* of a record whose size is not known yet; then as much as the last one had */
    GUESS_BYTES_MAX = 4 * KIB
};

struct how {
    bool wait, takes_kept;
};

static struct error corrupt(uint64_t position)
{
    return ERROR_SYS(ERR_CORRUPT, (int32_t)(position & 0x7fffffff));
}

static struct error take(uint64_t position, const struct record_header *h, const char *payload, struct record *ret)
{
    struct slice body = slice_of(payload, h->payload_bytes);
    if (record_crc(position, h, body) != h->crc)
        return corrupt(position);
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

/* ---- from the ring ------------------------------------------------------------------------------------------------------------ */

struct ring_copy {
    bool is_there; /* then, without a payload, its header was nonsense */
    struct record_header header;
    char *payload;
};

static void ring_take(struct store *s, uint64_t position, struct arena *arena, struct ring_copy *ret) /* (L) */
{
    uint64_t end = atomic_load_explicit(&s->end, memory_order_relaxed);
    *ret = (struct ring_copy){ .is_there = position + RING_BYTES >= end && position < end && position >= s->ring_from };
    if (!ret->is_there)
        return;
    ring_read(s, position, &ret->header, sizeof(ret->header));
    if (ret->header.payload_bytes > end - position)
        return;
    ret->payload = arena_alloc(arena, ret->header.payload_bytes + 1u);
    ring_read(s, position + sizeof(ret->header), ret->payload, ret->header.payload_bytes);
}

/* ---- from a file ---------------------------------------------------------------------------------------------------------------- */

/* Some of it at least, if there is any: up to the end of a block, or of the file. The disk is waited for only if these very
 * bytes are cold. */
static struct error read_piece(struct store *s, const struct segment *g, uint64_t offset, void *out, size_t size,
    const struct how *how, size_t *ret_size)
{
    bool is_small = how->takes_kept && size <= BLOCK_BYTES / 2;
    if (is_small && (*ret_size = blocks_copy(s, g, offset, out, size, false)) > 0)
        return OK;
    struct error e = sys->file.read_nowait(g->file, offset, out, size, ret_size);
    if (e.code != ERR_COLD || !how->wait)
        return e;
    atomic_fetch_add_explicit(&s->cold_reads, 1, memory_order_relaxed);
    if (is_small && (*ret_size = blocks_copy(s, g, offset, out, size, true)) > 0)
        return OK;
    return sys->file.read(g->file, offset, out, size, ret_size);
}

static struct error read_rest(
    struct store *s, const struct segment *g, uint64_t offset, char *out, size_t size, const struct how *how)
{
    for (size_t got; size > 0; offset += got, out += got, size -= got) {
        TRY(read_piece(s, g, offset, out, size, how, &got));
        if (got == 0)
            return ERROR_OF(ERR_CORRUPT);
    }
    return OK;
}

static struct error read_file(
    struct store *s, uint64_t position, size_t guess, const struct how *how, struct arena *arena, struct record *ret)
{
    const struct segment *g = segment_of(s, position);
    if (!g)
        return ERROR_OF(ERR_TRIMMED);
    uint64_t offset = position - g->number * s->span;
    if (offset + RECORD_HEADER_BYTES > g->file_bytes)
        return corrupt(position);
    char head[GUESS_BYTES_MAX];
    struct record_header h;
    size_t have = guess < g->file_bytes - offset ? guess : (size_t)(g->file_bytes - offset);
    TRY(read_piece(s, g, offset, head, have, how, &have));
    if (have < sizeof(h)) {
        TRY(read_rest(s, g, offset + have, head + have, sizeof(h) - have, how));
        have = sizeof(h);
    }
    memcpy(&h, head, sizeof(h));
    have -= sizeof(h);
    if (h.payload_bytes > g->file_bytes - offset - sizeof(h))
        return corrupt(position);
    if (have > h.payload_bytes)
        have = h.payload_bytes;
    char *payload = arena_alloc(arena, h.payload_bytes + 1u);
    memcpy(payload, head + sizeof(h), have);
    TRY(read_rest(s, g, offset + sizeof(h) + have, payload + have, h.payload_bytes - have, how));
    return take(position, &h, payload, ret);
}

/* What was kept in memory may have gone bad there: the file has the last word. */
static struct error read_checked(
    struct store *s, uint64_t position, size_t guess, bool wait, struct arena *arena, struct record *ret)
{
    struct error e = read_file(s, position, guess, &(struct how){ .wait = wait, .takes_kept = true }, arena, ret);
    if (LIKELY(e.code != ERR_CORRUPT))
        return e;
    e = read_file(s, position, guess, &(struct how){ .wait = wait }, arena, ret);
    return e.code == ERR_CORRUPT ? corrupt(position) : e;
}

/* ---- both ------------------------------------------------------------------------------------------------------------------------ */

struct error store_read_some(struct store *s, const lsn_t *lsns, size_t count, bool wait, struct arena *arena,
    struct record *ret_records, struct error *ret_errors)
{
    struct ring_copy copies[STORE_READ_MAX];
    size_t guess = GUESS_BYTES_FIRST;
    ASSERT(count <= STORE_READ_MAX);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < count; i++)
        ring_take(s, lsns[i] * STORE_RECORD_ALIGN, arena, &copies[i]);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < count; i++) {
        const struct ring_copy *r = &copies[i];
        uint64_t position = lsns[i] * STORE_RECORD_ALIGN;
        if (r->is_there)
            ret_errors[i] = r->payload ? take(position, &r->header, r->payload, &ret_records[i]) : corrupt(position);
        else
            ret_errors[i] = read_checked(s, position, guess, wait, arena, &ret_records[i]);
        if (ret_errors[i].code == ERR_COLD)
            return ret_errors[i];
        if (!failed(ret_errors[i]))
            guess = record_bytes(ret_records[i].payload.size);
        if (guess > GUESS_BYTES_MAX)
            guess = GUESS_BYTES_MAX;
    }
    return OK;
}

struct error store_read(struct store *s, lsn_t lsn, bool wait, struct arena *arena, struct record *ret_record)
{
    struct error e;
    TRY(store_read_some(s, &lsn, 1, wait, arena, ret_record, &e));
    return e;
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
    sys_thread_begin("reader", true);
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
