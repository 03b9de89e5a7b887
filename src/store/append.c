/* append.c: records into the ring, the ring into segment files, one sync for everybody. */
#include "store/internal.h"
#include "base/mutant.h"
#include "base/log.h"
#include "crypto/digest.h"
#include <stdio.h>
#include <stdlib.h>

_Noreturn void store_die(struct store *s, const char *what, struct error e)
{
    char sentence[PATH_BYTES + 256]; /* two threads may be here */
    snprintf(sentence, sizeof(sentence),
        "%s failed (%s, errno %d) in %s: nothing more can be promised, the server ends", what, error_text(e), e.system,
        s->dir);
    if (s->options.fatal)
        s->options.fatal(sentence);
    fprintf(stderr, "millrace: %s\n", sentence);
    _Exit(74);
}

void background_wake(struct store *s)
{
    if (!s->has_threads)
        return;
    pthread_mutex_lock(&s->kick_lock);
    s->is_work_wanted = true;
    pthread_cond_signal(&s->worked);
    pthread_mutex_unlock(&s->kick_lock);
}

/* ---- the ring ------------------------------------------------------------------------------------------------------------- */

static void ring_write(struct store *s, uint64_t position, const void *bytes, size_t size)
{
    size_t at = position % RING_BYTES, first = RING_BYTES - at;
    if (size <= first) {
        memcpy(s->ring + at, bytes, size);
        return;
    }
    memcpy(s->ring + at, bytes, first);
    memcpy(s->ring, (const char *)bytes + first, size - first);
}

void ring_read(const struct store *s, uint64_t position, void *out, size_t size)
{
    size_t at = position % RING_BYTES, first = RING_BYTES - at;
    if (size <= first) {
        memcpy(out, s->ring + at, size);
        return;
    }
    memcpy(out, s->ring + at, first);
    memcpy((char *)out + first, s->ring, size - first);
}

static void ring_zero(struct store *s, uint64_t position, size_t size)
{
    static const char zeros[STORE_RECORD_ALIGN];
    ring_write(s, position, zeros, size);
}

/* ---- room: the open frame, or the next segment ------------------------------------------------------------------------------ */

static uint64_t room_in_current(const struct store *s)
{
    uint64_t limit = s->current->number * s->span + s->current->file_bytes;
    return limit - atomic_load_explicit(&s->end, memory_order_relaxed);
}

static void open_frame(struct store *s)
{
    uint64_t position = atomic_load_explicit(&s->end, memory_order_relaxed);
    s->frame = (struct pending_frame){ .segment = s->current, .position = position, .bytes = FRAME_HEADER_BYTES };
    atomic_store(&s->end, position + FRAME_HEADER_BYTES);
}

enum { HURRY_TRIES = 8 };

/* The background was not quick enough, or its files failed: nothing is written yet, so a file that fails is left for another
 * one, and the append is refused only when none can be had. */
static struct error make_next(struct store *s, bool urgent)
{
    struct error e = OK;
    while (s->is_next_coming && !s->next)
        pthread_cond_wait(&s->flushed, &s->lock);
    if (s->next)
        return OK;
    s->is_next_wanted = true; /* the background goes on with it if we cannot */
    if (!urgent && !space_for_sends(s) && !MUTANT(no_reserve))
        return ERROR_OF(ERR_FULL);
    for (int i = 0; i < HURRY_TRIES; i++) {
        e = segment_make(s, s->current->number + 1, segment_next_bytes(s), NULL, &s->next);
        if (!failed(e)) {
            s->is_next_wanted = false;
            return OK;
        }
        if (e.code == ERR_FULL && s->spare_count == 0)
            return e;
    }
    log_event(LOG_ERROR, "no_next_segment", "error=\"%s\" errno=%d", error_text(e), e.system);
    return e.code == ERR_FULL ? e : ERROR_SYS(ERR_IO, e.system);
}

/* The current segment is full, nothing of it is pending, and the next one is there: go on in that. */
static void switch_segment(struct store *s)
{
    if (s->options.durability == DURABILITY_OS) {
        struct error e = sys->file.sync(s->current->file);
        if (failed(e))
            store_die(s, "fdatasync of a full segment", e);
    }
    s->current->end = atomic_load(&s->end);
    s->current->is_sealed = true;
    s->current = s->next;
    s->next = NULL;
    atomic_store(&s->end, s->current->number * s->span + SEGMENT_HEADER_BYTES);
    atomic_store(&s->durable, atomic_load(&s->end)); /* nothing lies between */
    s->synced = atomic_load(&s->end);
}

/* Too much is pending: the disk must catch up before more is taken. With the lock; lets go of it meanwhile. */
static void wait_for_disk(struct store *s)
{
    if (s->is_flushing) {
        pthread_cond_wait(&s->flushed, &s->lock);
        return;
    }
    pthread_mutex_unlock(&s->lock);
    store_flush(s);
    pthread_mutex_lock(&s->lock);
}

/* Room for `bytes` of records in one frame. A segment is left only when all of it is on disk: so a group is never split over
 * two, and the ring never holds two unwritten places that share memory. */
static struct error make_room(struct store *s, size_t bytes, bool urgent)
{
    for (;;) {
        size_t need = bytes + (s->frame.bytes ? 0 : FRAME_HEADER_BYTES);
        bool is_pending = s->frame.bytes || s->is_flushing;
        bool fits = room_in_current(s) >= need;
        if (fits && atomic_load(&s->end) - atomic_load(&s->durable) + need <= STORE_PENDING_BYTES_MAX)
            return OK;
        if (is_pending)
            wait_for_disk(s);
        else if (fits)
            return OK;
        else if (s->next)
            switch_segment(s);
        else { /* lets go of the lock: others may have appended what still fits, so look again */
            TRY(make_next(s, urgent));
            if (MUTANT(no_second_look))
                switch_segment(s);
        }
    }
}

enum { CACHE_LINE_BYTES = 64 };

/* ---- append ------------------------------------------------------------------------------------------------------------------- */

static size_t payload_bytes(const struct record_in *r)
{
    size_t size = 0;
    for (size_t i = 0; i < r->part_count; i++)
        size += r->parts[i].size;
    return size;
}

static uint32_t gathered_crc(uint64_t position, const struct record_header *h, const struct record_in *r)
{
    uint32_t crc = record_crc(position, h, SLICE_NONE);
    for (size_t i = 0; i < r->part_count; i++)
        crc = crc32c(crc, r->parts[i].data, r->parts[i].size);
    return crc;
}

static uint64_t put_record(struct store *s, uint16_t log, uint64_t time_ms, const struct record_in *r)
{
    uint64_t position = atomic_load_explicit(&s->end, memory_order_relaxed);
    size_t payload = payload_bytes(r), total = record_bytes(payload);
    struct record_header h = { .payload_bytes = (uint32_t)payload,
        .log = log,
        .type = r->type,
        .version = r->version,
        .flags = r->flags,
        .time_ms = time_ms,
        .object = r->object };
    h.crc = gathered_crc(position, &h, r);
    ring_write(s, position, &h, sizeof(h));
    uint64_t at = position + sizeof(h);
    for (size_t i = 0; i < r->part_count; at += r->parts[i].size, i++)
        ring_write(s, at, r->parts[i].data, r->parts[i].size);
    ring_zero(s, at, (size_t)(position + total - at));
    if (r->flags & RECORD_LIVE)
        atomic_fetch_add_explicit(&s->current->live_total, 1, memory_order_relaxed);
    atomic_store_explicit(&s->end, position + total, memory_order_release);
    return position;
}

struct error store_append(struct store *s, uint16_t log, uint64_t time_ms, const struct record_in *records,
    size_t count, bool urgent, lsn_t *ret_lsns)
{
    ASSERT(log < LOG_COUNT && count > 0);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += record_bytes(payload_bytes(&records[i]));
    if (bytes > LOG_BATCH_BYTES_MAX || bytes > s->span - SEGMENT_HEADER_BYTES - FRAME_HEADER_BYTES)
        return ERROR_OF(ERR_TOO_LARGE);
    if (UNLIKELY(atomic_load_explicit(&s->refuses_all, memory_order_relaxed) ||
                 (!urgent && atomic_load_explicit(&s->refuses_sends, memory_order_relaxed))))
        return ERROR_OF(ERR_FULL);
    pthread_mutex_lock(&s->lock);
    struct error e = make_room(s, bytes, urgent);
    if (failed(e)) {
        pthread_mutex_unlock(&s->lock);
        background_wake(s); /* it may find room */
        return e;
    }
    if (s->frame.bytes == 0)
        open_frame(s);
    for (size_t i = 0; i < count; i++)
        ret_lsns[i] = put_record(s, log, time_ms, &records[i]) / STORE_RECORD_ALIGN;
    s->frame.bytes += (uint32_t)bytes;
    s->frame.record_count += (uint32_t)count;
    s->metrics.appends++;
    s->metrics.append_bytes += bytes;
    atomic_fetch_add_explicit(&s->unsnapped_bytes, replay_cost(bytes, count), memory_order_relaxed);
    bool wants_next = !s->next && !s->is_next_wanted && room_in_current(s) < s->current->file_bytes * 3 / 4;
    s->is_next_wanted |= wants_next;
    pthread_mutex_unlock(&s->lock);
    if (UNLIKELY(wants_next))
        background_wake(s);
    return OK;
}

void store_expect(const struct store *s, size_t bytes)
{
    uint64_t position = atomic_load_explicit(&((struct store *)(uintptr_t)s)->end, memory_order_relaxed);
    for (size_t ahead = 0; ahead < bytes; ahead += CACHE_LINE_BYTES)
        __builtin_prefetch(s->ring + (position + ahead) % RING_BYTES, 1);
}

lsn_t store_end(const struct store *s)
{
    return atomic_load(&((struct store *)(uintptr_t)s)->end) / STORE_RECORD_ALIGN;
}

lsn_t store_durable(const struct store *s)
{
    return atomic_load(&((struct store *)(uintptr_t)s)->durable) / STORE_RECORD_ALIGN;
}

/* ---- flush ---------------------------------------------------------------------------------------------------------------------- */

static void add_iovec(struct store *s, struct iovec *parts, int *count, uint64_t position, size_t size)
{
    size_t at = position % RING_BYTES, first = RING_BYTES - at;
    if (first > size)
        first = size;
    parts[(*count)++] = (struct iovec){ s->ring + at, first };
    if (size > first)
        parts[(*count)++] = (struct iovec){ s->ring, size - first };
}

/* Writes the bytes of the ring that lie in these pages, zeros past `end`. */
static struct error write_pages(struct store *s, const struct segment *g, uint64_t from, uint64_t to, uint64_t end)
{
    static const char zeros[PAGE_BYTES];
    struct iovec parts[3];
    int count = 0;
    add_iovec(s, parts, &count, from, (size_t)((end < to ? end : to) - from));
    if (to > end)
        parts[count++] = (struct iovec){ (void *)(uintptr_t)zeros, (size_t)(to - end) };
    return sys->file.write(g->file, from - g->number * s->span, parts, count);
}

enum { SMALL_WRITE_BYTES = 4 * PAGE_BYTES }; /* its pieces are small, too */

/* Whole pages, so that the kernel never has to read one before it can write: the bytes before the frame are those of the
 * frame before, which are the same again; after it come zeros, not the ring, where others append meanwhile. The last page
 * goes by itself: the kernel caches what one call writes in pieces as large as it can, and the next frame, which begins
 * in that page, would dirty the whole piece. */
static struct error write_whole_pages(struct store *s, const struct segment *g, uint64_t position, uint64_t end)
{
    uint64_t from = position / PAGE_BYTES * PAGE_BYTES, to = (end + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    if (to - from > SMALL_WRITE_BYTES) {
        TRY(write_pages(s, g, from, to - PAGE_BYTES, end));
        from = to - PAGE_BYTES;
    }
    return write_pages(s, g, from, to, end);
}

/* Fills in the header, whose place in the ring was kept free, and writes the frame. No lock: these bytes are ours. */
static struct error write_frame(struct store *s, const struct pending_frame *f, uint64_t durable)
{
    struct iovec parts[2];
    int count = 0;
    size_t payload = f->bytes - FRAME_HEADER_BYTES;
    add_iovec(s, parts, &count, f->position + FRAME_HEADER_BYTES, payload);
    struct frame_header h = { .magic = FRAME_MAGIC,
        .position = f->position,
        .durable = durable,
        .generation = f->segment->generation,
        .before = s->before,
        .chain = s->chain,
        .epoch = s->epoch,
        .payload_bytes = (uint32_t)payload,
        .record_count = f->record_count };
    uint32_t crc = frame_seed(f->segment->number, h.generation);
    crc = crc32c(crc, &h.position, sizeof(h) - offsetof(struct frame_header, position));
    for (int i = 0; i < count; i++)
        crc = crc32c(crc, parts[i].iov_base, parts[i].iov_len);
    h.crc = crc;
    ring_write(s, f->position, &h, sizeof(h));
    s->chain = chain_next(s->chain, crc, f->bytes);
    s->before = f->position + f->bytes;
    return write_whole_pages(s, f->segment, f->position, s->before);
}

static void judge_speed(struct store *s, uint64_t took_us)
{
    int score = atomic_load_explicit(&s->slow_score, memory_order_relaxed);
    score = took_us > QUICK_US ? score + 16 : score - 1;
    score = score < 0 ? 0 : score > 256 ? 256 : score;
    atomic_store_explicit(&s->slow_score, score, memory_order_relaxed);
}

bool store_is_quick(const struct store *s)
{
    return atomic_load_explicit(&((struct store *)(uintptr_t)s)->slow_score, memory_order_relaxed) < 128;
}

static void sync_segment(struct store *s, struct segment *g)
{
    if (s->options.durability != DURABILITY_FSYNC)
        return;
    struct error e = sys->file.sync(g->file);
    if (failed(e) && !MUTANT(sync_error_ignored))
        store_die(s, "fdatasync of the journal", e);
}

struct error store_flush(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->is_flushing || s->frame.bytes == 0) {
        struct error e = s->is_flushing ? ERROR_OF(ERR_AGAIN) : OK;
        pthread_mutex_unlock(&s->lock);
        return e;
    }
    const struct pending_frame frame = s->frame;
    s->frame.bytes = 0;
    s->is_flushing = true;
    uint64_t upto = atomic_load(&s->end);
    /* A mark that is not true would make the loss of an unsynced tail look like damage. */
    uint64_t durable = s->options.durability == DURABILITY_FSYNC ? atomic_load(&s->durable) : s->synced;
    pthread_mutex_unlock(&s->lock);

    uint64_t from_us = sys->clock.monotonic_us();
    struct error e = write_frame(s, &frame, durable);
    if (failed(e))
        store_die(s, "a write to the journal", e);
    sync_segment(s, frame.segment);
    uint64_t took_us = sys->clock.monotonic_us() - from_us;
    judge_speed(s, took_us);

    pthread_mutex_lock(&s->lock);
    atomic_store(&s->durable, upto);
    s->is_flushing = false;
    s->metrics.flushes++;
    s->metrics.frames++;
    s->metrics.written_bytes += frame.bytes;
    histogram_add(&s->metrics.fsync_us, took_us);
    histogram_add(&s->metrics.batch_records, frame.record_count);
    pthread_cond_broadcast(&s->flushed);
    void (*call)(void *context) = s->on_durable;
    void *context = s->on_durable_context;
    pthread_mutex_unlock(&s->lock);
    if (call)
        call(context);
    return OK;
}

void store_on_durable(struct store *s, void (*call)(void *context), void *context)
{
    pthread_mutex_lock(&s->lock); /* the store's own threads may flush already */
    s->on_durable_context = context;
    s->on_durable = call;
    pthread_mutex_unlock(&s->lock);
}

void store_kick(struct store *s)
{
    if (!s->has_threads) {
        return; /* whoever steps the store flushes it */
    }
    uint64_t now_us = sys->clock.monotonic_us();
    pthread_mutex_lock(&s->kick_lock);
    s->is_kicked = true;
    crew_call(atomic_load_explicit(&s->committer_seat, memory_order_relaxed), now_us);
    pthread_cond_signal(&s->kicked);
    pthread_mutex_unlock(&s->kick_lock);
}
