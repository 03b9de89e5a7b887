/* snapshot.c: the state of every log in one file, taken log by log while the server works. Format: doc/formats/snapshot.md. */
#include "store/internal.h"
#include "base/mutant.h"
#include "base/log.h"
#include "crypto/digest.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- what capture writes --------------------------------------------------------------------------------------------------------- */

struct piece {
    const void *bytes; /* NULL: `size` bytes of `copied` from `offset` */
    size_t size, offset;
    void (*release)(void *);
    void *handle;
};

struct snapshot_writer {
    struct buf copied;
    struct piece *pieces;
    size_t count, capacity;
};

static struct piece *add_piece(struct snapshot_writer *w)
{
    if (w->count == w->capacity) {
        w->capacity = w->capacity ? 2 * w->capacity : 64;
        w->pieces = realloc(w->pieces, w->capacity * sizeof(w->pieces[0]));
        ASSERT(w->pieces);
    }
    return &w->pieces[w->count++];
}

void snapshot_add(struct snapshot_writer *w, const void *bytes, size_t size)
{
    struct piece *last = w->count ? &w->pieces[w->count - 1] : NULL;
    size_t offset = w->copied.size;
    buf_add(&w->copied, slice_of(bytes, size));
    if (last && !last->bytes && last->offset + last->size == offset)
        last->size += size;
    else
        *add_piece(w) = (struct piece){ .size = size, .offset = offset };
}

void snapshot_add_ref(struct snapshot_writer *w, const void *bytes, size_t size, void (*release)(void *), void *handle)
{
    *add_piece(w) = (struct piece){ .bytes = bytes, .size = size, .release = release, .handle = handle };
}

static struct slice piece_bytes(const struct snapshot_writer *w, const struct piece *p)
{
    return p->bytes ? slice_of(p->bytes, p->size) : slice_of(w->copied.data + p->offset, p->size);
}

static void writer_clear(struct snapshot_writer *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->pieces[i].release)
            w->pieces[i].release(w->pieces[i].handle);
    w->count = 0;
    buf_reset(&w->copied);
}

/* ---- taking one --------------------------------------------------------------------------------------------------------------------- */

struct output {
    struct sys_file *file;
    struct buf buffer;
    uint64_t offset;
    uint32_t crc;
    bool is_synced; /* bit by bit, as fill_zero does */
};

static struct error drain(struct output *o)
{
    const struct iovec part = { o->buffer.data, o->buffer.size };
    if (part.iov_len == 0)
        return OK;
    TRY(sys->file.write(o->file, o->offset, &part, 1));
    o->offset += part.iov_len;
    buf_reset(&o->buffer);
    return o->is_synced ? sys->file.sync(o->file) : OK;
}

static struct error put(struct output *o, const void *bytes, size_t size)
{
    o->crc = crc32c(o->crc, bytes, size);
    buf_add(&o->buffer, slice_of(bytes, size));
    return o->buffer.size >= SLOW_WRITE_BYTES ? drain(o) : OK;
}

static void snapshot_path(const struct store *s, uint64_t number, char out[PATH_BYTES + 64])
{
    snprintf(out, PATH_BYTES + 64, "%s/snapshot-%016llx", s->dir, (unsigned long long)number);
}

static struct error put_header(struct store *s, struct output *o, uint64_t replay_from)
{
    uint64_t count = 0;
    uint64_t first = atomic_load(&s->first_segment), last = replay_from / s->span;
    for (uint64_t n = first; n <= last; n++)
        count += segment_find(s, n) != NULL;
    struct snapshot_header h = { .magic = SNAPSHOT_MAGIC,
        .version = FORMAT_VERSION,
        .log_count = LOG_COUNT,
        .number = s->snapshot_number + 1,
        .replay_from = replay_from,
        .span = s->span,
        .segment_count = count };
    h.crc = crc32c(0, &h, offsetof(struct snapshot_header, crc));
    TRY(put(o, &h, sizeof(h)));
    for (uint64_t n = first; n <= last; n++) {
        struct segment *g = segment_find(s, n);
        if (!g)
            continue;
        const uint64_t row[2] = { n, (uint64_t)atomic_load(&g->live_total) };
        TRY(put(o, row, sizeof(row)));
    }
    return OK;
}

static struct error put_log(struct store *s, struct output *o, struct snapshot_writer *w, uint16_t log, lsn_t *highest)
{
    lsn_t covers = 0;
    TRY(s->ops.capture(s->ops.context, log, w, &covers));
    struct snapshot_section section = { .log = log, .covers = covers };
    for (size_t i = 0; i < w->count; i++) {
        struct slice bytes = piece_bytes(w, &w->pieces[i]);
        section.bytes += bytes.size;
        section.data_crc = crc32c(section.data_crc, bytes.data, bytes.size);
    }
    section.crc = crc32c(0, &section, offsetof(struct snapshot_section, crc));
    struct error e = put(o, &section, sizeof(section));
    for (size_t i = 0; i < w->count && !failed(e); i++) {
        struct slice bytes = piece_bytes(w, &w->pieces[i]);
        e = put(o, bytes.data, bytes.size);
    }
    if (covers > *highest)
        *highest = covers;
    return e;
}

/* Segments before it were synced when they were left. */
static struct error sync_current(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    struct sys_file *f = s->current->file;
    pthread_mutex_unlock(&s->lock);
    return sys->file.sync(f);
}

static struct error write_all(struct store *s, struct output *o, uint64_t replay_from)
{
    struct snapshot_writer w = { 0 };
    buf_init(&w.copied);
    lsn_t highest = 0;
    struct error e = put_header(s, o, replay_from);
    for (uint16_t log = 0; log < LOG_COUNT && !failed(e); log++) {
        e = put_log(s, o, &w, log, &highest);
        writer_clear(&w);
    }
    free(w.pieces);
    buf_deinit(&w.copied);
    TRY(e);
    struct snapshot_footer footer = {
        .magic = SNAPSHOT_MAGIC, .sections = LOG_COUNT, .bytes = o->offset + o->buffer.size, .total_crc = o->crc
    };
    footer.crc = crc32c(0, &footer, offsetof(struct snapshot_footer, crc));
    TRY(put(o, &footer, sizeof(footer)));
    TRY(drain(o));
    /* the state may be ahead of the disk: what it was made of must be durable first */
    while (store_durable(s) <= highest && !MUTANT(snapshot_before_durable)) {
        struct error f = store_flush(s);
        if (f.code == ERR_AGAIN) {
            pthread_mutex_lock(&s->lock);
            if (s->is_flushing)
                pthread_cond_wait(&s->flushed, &s->lock);
            pthread_mutex_unlock(&s->lock);
        }
    }
    if (s->options.durability == DURABILITY_MEMORY)
        return OK;
    if (s->options.durability == DURABILITY_OS)
        TRY(sync_current(s)); /* flushes did not */
    return MUTANT(snapshot_not_synced) ? OK : sys->file.sync(o->file);
}

void store_snapshot_waste(struct store *s, uint64_t bytes)
{
    atomic_fetch_add_explicit(&s->wasted_bytes, bytes, memory_order_relaxed);
}

/* When it would spare a start enough, but never more often than its own size is spared twice: much state must not be written
 * again and again. */
bool snapshot_is_due(struct store *s)
{
    uint64_t wasted = atomic_load(&s->wasted_bytes), size = s->metrics.snapshot_bytes;
    uint64_t spared = atomic_load(&s->unsnapped_bytes) + wasted, left = size > wasted ? size - wasted : 0;
    return spared >= s->options.snapshot_bytes && spared >= 2 * left;
}

struct error snapshot_take(struct store *s)
{
    char temporary[PATH_BYTES + 64], path[PATH_BYTES + 64], old[PATH_BYTES + 64];
    snprintf(temporary, sizeof(temporary), "%s/snapshot.tmp", s->dir);
    snapshot_path(s, s->snapshot_number + 1, path);
    snapshot_path(s, s->snapshot_number, old);
    uint64_t replay_from = atomic_load(&s->end);
    s->snapshot_end_seen = replay_from;
    uint64_t unsnapped = atomic_exchange(&s->unsnapped_bytes, 0), wasted = atomic_exchange(&s->wasted_bytes, 0);
    struct output o = { .is_synced = s->options.durability != DURABILITY_MEMORY && !MUTANT(snapshot_not_synced) };
    buf_init(&o.buffer);
    sys->file.remove(temporary);
    struct error e = sys->file.open(temporary, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &o.file);
    if (!failed(e)) {
        e = write_all(s, &o, replay_from);
        sys->file.close(o.file);
    }
    buf_deinit(&o.buffer);
    if (!failed(e))
        e = sys->file.rename(temporary, path);
    if (!failed(e) && s->options.durability != DURABILITY_MEMORY)
        e = sys->file.sync_dir(s->dir);
    if (failed(e)) {
        log_event(LOG_WARN, "snapshot_failed", "error=\"%s\" errno=%d", error_text(e), e.system);
        atomic_fetch_add(&s->unsnapped_bytes, unsnapped); /* still to be replayed: the next try is due */
        atomic_fetch_add(&s->wasted_bytes, wasted);
        sys->file.remove(temporary);
        return e;
    }
    if (s->snapshot_number)
        sys->file.remove(old);
    s->snapshot_number++;
    s->snapshot_from = replay_from;
    pthread_mutex_lock(&s->lock);
    s->metrics.snapshots++;
    s->metrics.snapshot_bytes = o.offset;
    pthread_mutex_unlock(&s->lock);
    return OK;
}

struct error store_snapshot_now(struct store *s)
{
    pthread_mutex_lock(&s->work_lock);
    struct error e = snapshot_take(s);
    pthread_mutex_unlock(&s->work_lock);
    return e;
}

/* ---- loading one ----------------------------------------------------------------------------------------------------------------------- */

enum { MAP_BYTES_MIN = 1 * MIB };

struct input {
    struct sys_file *file;
    uint64_t offset, size;
    uint32_t crc;
    struct error error; /* of the disk: then nothing is known about the bytes */
};

static bool get(struct input *in, void *out, size_t size)
{
    size_t got = 0;
    if (in->size - in->offset < size)
        return false;
    in->error = sys->file.read(in->file, in->offset, out, size, &got);
    if (failed(in->error) || got != size)
        return false;
    in->crc = crc32c(in->crc, out, size);
    in->offset += size;
    return true;
}

typedef struct error section_fn(void *context, const struct snapshot_section *section, struct slice bytes);

struct section_bytes {
    const char *data, *mapped;
    char *copied;
};

static bool section_get(struct input *in, size_t size, struct section_bytes *ret)
{
    *ret = (struct section_bytes){ 0 };
    if (sys->file.map && size >= MAP_BYTES_MIN && !failed(sys->file.map(in->file, in->offset, size, &ret->mapped))) {
        ret->data = ret->mapped;
        in->crc = crc32c(in->crc, ret->data, size);
        in->offset += size;
        return true;
    }
    ret->data = ret->copied = malloc(size + 1);
    ASSERT(ret->copied);
    return get(in, ret->copied, size);
}

static void section_free(const struct section_bytes *b, size_t size)
{
    if (b->mapped)
        sys->file.unmap(b->mapped, size);
    free(b->copied);
}

static bool get_section(struct input *in, uint32_t log, section_fn *each, void *context, struct error *ret_error)
{
    struct snapshot_section section;
    if (!get(in, &section, sizeof(section)) ||
        section.crc != crc32c(0, &section, offsetof(struct snapshot_section, crc)) || section.log != log ||
        section.bytes > in->size - in->offset)
        return false;
    struct section_bytes bytes;
    bool is_sound = section_get(in, section.bytes, &bytes) && crc32c(0, bytes.data, section.bytes) == section.data_crc;
    if (is_sound && each)
        *ret_error = each(context, &section, slice_of(bytes.data, section.bytes));
    section_free(&bytes, section.bytes);
    return is_sound;
}

static struct error judge_file(struct input *in, struct snapshot_header *h,
    void (*segment_row)(void *, const uint64_t row[2]), section_fn *each, void *context)
{
    if (!get(in, h, sizeof(*h)) || h->magic != SNAPSHOT_MAGIC ||
        h->crc != crc32c(0, h, offsetof(struct snapshot_header, crc)))
        return ERROR_OF(ERR_CORRUPT);
    if (h->version > FORMAT_VERSION)
        return ERROR_OF(ERR_NEWER_FORMAT);
    if (h->log_count != LOG_COUNT)
        return ERROR_OF(ERR_CORRUPT);
    for (uint64_t i = 0; i < h->segment_count; i++) {
        uint64_t row[2];
        if (!get(in, row, sizeof(row)))
            return ERROR_OF(ERR_CORRUPT);
        if (segment_row)
            segment_row(context, row);
    }
    for (uint32_t log = 0; log < LOG_COUNT; log++) {
        struct error e = OK;
        if (!get_section(in, log, each, context, &e))
            return ERROR_OF(ERR_CORRUPT);
        TRY(e);
    }
    uint32_t total = in->crc;
    struct snapshot_footer footer;
    if (!get(in, &footer, sizeof(footer)) || footer.crc != crc32c(0, &footer, offsetof(struct snapshot_footer, crc)) ||
        footer.total_crc != total || in->offset != in->size)
        return ERROR_OF(ERR_CORRUPT);
    return OK;
}

/* ERR_CORRUPT when anything does not match; `segment_row` is called for each segment's line. */
static struct error read_file(struct input *in, struct snapshot_header *h,
    void (*segment_row)(void *, const uint64_t row[2]), section_fn *each, void *context)
{
    struct error e = judge_file(in, h, segment_row, each, context);
    return failed(in->error) ? in->error : e;
}

struct loading {
    struct store *s;
    lsn_t *covers;
};

static void load_segment_row(void *context, const uint64_t row[2])
{
    struct loading *l = context;
    struct segment *g = segment_find(l->s, row[0]);
    if (g)
        atomic_store(&g->live_total, (int64_t)row[1]);
}

static struct error load_section(void *context, const struct snapshot_section *section, struct slice bytes)
{
    struct loading *l = context;
    l->covers[section->log] = section->covers;
    return l->s->ops.restore(l->s->ops.context, (uint16_t)section->log, section->covers, bytes);
}

static void find_newest(void *context, const char *name)
{
    uint64_t number, *newest = context;
    if (snapshot_parse_name(name, &number) && number > *newest)
        *newest = number;
}

static void remove_older(void *context, const char *name)
{
    const struct store *s = context;
    char path[PATH_BYTES + 64];
    uint64_t number;
    if (!snapshot_parse_name(name, &number) || number >= s->snapshot_number)
        return;
    snapshot_path(s, number, path);
    sys->file.remove(path);
}

void snapshot_remove_older(struct store *s)
{
    (void)sys->file.list_dir(s->dir, remove_older, s); /* at the next start otherwise */
}

static struct error open_input(const char *path, struct input *in)
{
    *in = (struct input){ 0 };
    TRY(sys->file.open(path, SYS_OPEN_READ, &in->file));
    return sys->file.size(in->file, &in->size);
}

struct error snapshot_load(struct store *s, struct arena *arena, lsn_t covers[LOG_COUNT], struct slice *ret_sentence)
{
    char path[PATH_BYTES + 64];
    TRY(sys->file.list_dir(s->dir, find_newest, &s->snapshot_number));
    if (!s->snapshot_number)
        return OK;
    snapshot_path(s, s->snapshot_number, path);
    struct input in;
    TRY(open_input(path, &in));
    struct snapshot_header h;
    struct loading l = { s, covers };
    struct error e = read_file(&in, &h, load_segment_row, load_section, &l);
    sys->file.close(in.file);
    if (!failed(e) && (h.number != s->snapshot_number || h.span != s->span))
        e = ERROR_OF(ERR_CORRUPT); /* its name, or its directory, is another one's */
    if (failed(e)) {
        *ret_sentence =
            arena_printf(arena, "%s: %s (near byte %llu)", path, error_text(e), (unsigned long long)in.offset);
        return e;
    }
    s->snapshot_from = h.replay_from;
    s->snapshot_end_seen = h.replay_from;
    s->metrics.snapshot_bytes = in.offset;
    return OK;
}

struct error snapshot_check_file(
    const char *path, void (*emit)(void *, struct slice), void *context, uint64_t *ret_replay_from)
{
    struct input in;
    TRY(open_input(path, &in));
    struct snapshot_header h;
    struct error e = read_file(&in, &h, NULL, NULL, NULL);
    sys->file.close(in.file);
    if (failed(e)) {
        char line[PATH_BYTES + 128];
        int size = snprintf(line, sizeof(line), "%s: damaged near byte %llu", path, (unsigned long long)in.offset);
        emit(context, slice_of(line, (size_t)size));
        return ERROR_OF(ERR_CORRUPT);
    }
    *ret_replay_from = h.replay_from;
    return OK;
}
