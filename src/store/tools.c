/* tools.c: a data directory looked at from outside: every record as text, every checksum, a copy. No process may be using it
 * (but for store_backup, which is the process). */
#include "store/internal.h"
#include "crypto/digest.h"
#include <stdio.h>
#include <stdlib.h>

enum { COPY_BYTES = 1 * MIB };

struct listing {
    uint64_t segments[SEGMENT_PAGE];
    size_t segment_count;
    uint64_t snapshot;
    bool is_too_long;
};

static void list_name(void *context, const char *name)
{
    struct listing *l = context;
    uint64_t number;
    if (segment_parse_name(name, &number)) {
        l->is_too_long |= l->segment_count == SEGMENT_PAGE;
        if (!l->is_too_long)
            l->segments[l->segment_count++] = number;
    } else if (snapshot_parse_name(name, &number) && number > l->snapshot) {
        l->snapshot = number;
    }
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* A store without threads, lock or state: just enough for segment_walk. */
struct viewer {
    struct store *s;
    struct listing *listing;
    void (*emit)(void *context, struct slice line);
    void *context;
    store_describe_fn *describe;
    struct arena arena;
    uint64_t findings, frames, records;
    struct segment *segment;
};

static void say(struct viewer *v, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(struct viewer *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    v->emit(v->context, arena_vprintf(&v->arena, format, args));
    va_end(args);
    arena_reset(&v->arena);
}

static struct error read_span(struct viewer *v, const char *dir)
{
    char path[PATH_BYTES + 64], text[FORMAT_TEXT_BYTES] = "";
    snprintf(path, sizeof(path), "%s/format", dir);
    struct sys_file *f;
    size_t size;
    TRY(sys->file.open(path, SYS_OPEN_READ, &f));
    struct error e = sys->file.read(f, 0, text, sizeof(text) - 1, &size);
    sys->file.close(f);
    TRY(e);
    int version, logs;
    unsigned long long span;
    text[size] = '\0';
    if (sscanf(text, "millrace %d\nlogs %d\nspan %llu\n", &version, &logs, &span) != 3 || span < SEGMENT_BYTES_MIN)
        return ERROR_OF(ERR_CORRUPT);
    if (version > FORMAT_VERSION)
        return ERROR_OF(ERR_NEWER_FORMAT);
    v->s->span = span;
    return OK;
}

static struct error viewer_open(struct viewer *v, const char *dir, void (*emit)(void *, struct slice), void *context)
{
    memset(v, 0, sizeof(*v));
    arena_init(&v->arena, 64 * MIB);
    v->emit = emit;
    v->context = context;
    v->s = calloc(1, sizeof(*v->s));
    v->listing = calloc(1, sizeof(*v->listing));
    ASSERT(v->s && v->listing);
    snprintf(v->s->dir, sizeof(v->s->dir), "%s", dir);
    TRY(read_span(v, dir));
    TRY(sys->file.list_dir(dir, list_name, v->listing));
    if (v->listing->is_too_long)
        return ERROR_OF(ERR_TOO_LARGE);
    qsort(v->listing->segments, v->listing->segment_count, sizeof(v->listing->segments[0]), compare_numbers);
    return OK;
}

/* A directory in use changes while it is looked at: what verify found there would mean nothing. A copy that no server has
 * opened yet has no lock. */
static struct error lock_quietly(struct viewer *v, const char *dir)
{
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/lock", dir);
    struct error e = sys->file.open(path, SYS_OPEN_READ, &v->s->lock_file);
    if (e.code == ERR_NOT_FOUND)
        return OK;
    TRY(e);
    return sys->file.lock(v->s->lock_file);
}

static void viewer_close(struct viewer *v)
{
    if (v->s->lock_file)
        sys->file.close(v->s->lock_file);
    arena_deinit(&v->arena);
    segment_walk_end(v->s);
    free(v->s);
    free(v->listing);
}

/* ---- one segment at a time ------------------------------------------------------------------------------------------------------- */

static bool open_segment(struct viewer *v, uint64_t number, struct segment *g, struct segment_header *h)
{
    char path[PATH_BYTES + 64];
    segment_path(v->s, number, path);
    memset(g, 0, sizeof(*g));
    char block[SEGMENT_HEADER_BYTES];
    size_t got = 0;
    if (failed(sys->file.open(path, SYS_OPEN_READ, &g->file)))
        return false;
    struct error e = sys->file.read(g->file, 0, block, sizeof(block), &got);
    if (failed(e) || got < sizeof(block) || !segment_header_find(block, got, number, h)) {
        sys->file.close(g->file);
        return false;
    }
    g->number = number;
    g->generation = h->generation;
    g->file_bytes = h->file_bytes;
    return true;
}

static struct error view_frame(void *context, const struct frame_header *h, struct slice payload)
{
    struct viewer *v = context;
    struct record r;
    bool is_bad;
    v->frames++;
    for (size_t at = 0; frame_next_record(payload, h->position, &at, &r, &is_bad);) {
        v->records++;
        if (!v->describe)
            continue;
        struct slice text = v->describe(&v->arena, &r);
        say(v, "%llu log=%u type=%u.%u version=%u time_ms=%llu object=%llu bytes=%zu %.*s", (unsigned long long)r.lsn,
            r.log, r.type >> 8, r.type & 255, r.version, (unsigned long long)r.time_ms, (unsigned long long)r.object,
            r.payload.size, SLICE_ARG(text));
    }
    if (is_bad) {
        say(v, "frame at %llu: a record does not match its checksum", (unsigned long long)h->position);
        v->findings++;
    }
    return OK;
}

struct seal { /* what a later header says about a segment */
    bool is_known, is_void;
    uint64_t at, chain;
};

static struct seal find_seal(struct viewer *v, size_t index)
{
    for (size_t i = index + 1; i < v->listing->segment_count; i++) {
        struct segment g;
        struct segment_header h;
        if (!open_segment(v, v->listing->segments[i], &g, &h))
            continue;
        sys->file.close(g.file);
        if (segment_header_voids(&h, v->listing->segments[index]))
            return (struct seal){ .is_void = true };
        if (h.sealed_segment == v->listing->segments[index])
            return (struct seal){ .is_known = true, .at = h.sealed_at, .chain = h.sealed_crc };
    }
    return (struct seal){ .at = NO_POSITION };
}

/* Would a frame stand here if its marks were right? Then it is they that are damaged. */
static bool is_frame_but_for_marks(
    const struct viewer *v, const struct segment *g, uint64_t position, struct frame_header h)
{
    size_t got = 0;
    uint64_t offset = position - g->number * v->s->span + sizeof(h);
    h.magic = FRAME_MAGIC;
    h.position = position;
    h.generation = g->generation;
    if (!frame_header_fits(&h, position, g, v->s->span))
        return false;
    char *payload = malloc(h.payload_bytes + 1u);
    ASSERT(payload);
    struct error e = sys->file.read(g->file, offset, payload, h.payload_bytes, &got);
    bool is_sound = !failed(e) && got == h.payload_bytes && frame_check(&h, slice_of(payload, got), g->number);
    free(payload);
    return is_sound;
}

/* Behind the last frame lies nothing, or what an earlier use of the file or of the ring left, at times with a frame's magic
 * and this segment's generation, but never with this position. What bears all marks is a frame that was cut off by a crash
 * and never acknowledged, or a damaged one. Nothing on the disk tells these two apart. */
static bool has_marks(const struct viewer *v, const struct segment *g, uint64_t position)
{
    struct frame_header h;
    size_t got = 0;
    uint64_t offset = position - g->number * v->s->span;
    if (failed(sys->file.read(g->file, offset, &h, sizeof(h), &got)) || got < sizeof(h))
        return false;
    if (h.magic == FRAME_MAGIC && h.position == position && h.generation == g->generation)
        return true;
    return is_frame_but_for_marks(v, g, position, h);
}

/* A start needs one sound copy of the header only; the first directories have no second one. */
static void view_header(struct viewer *v, const struct segment *g, struct segment_header h)
{
    static const char zeros[sizeof(h)];
    char block[SEGMENT_HEADER_BYTES], sound[SEGMENT_HEADER_BYTES];
    size_t got = 0;
    segment_header_seal(&h, sound);
    if (failed(sys->file.read(g->file, 0, block, sizeof(block), &got)) || got < sizeof(block))
        return; /* it could be read a moment ago */
    if (memcmp(block + SEGMENT_HEADER_AGAIN, zeros, sizeof(zeros)) == 0)
        memcpy(sound + SEGMENT_HEADER_AGAIN, zeros, sizeof(zeros));
    for (size_t i = 0; i < sizeof(sound); i++) {
        if (block[i] == sound[i])
            continue;
        say(v, "segment %llu: the header is damaged at byte %zu", (unsigned long long)g->number, i);
        v->findings++;
        return;
    }
}

static void view_segment(struct viewer *v, size_t index, struct walk_end *end)
{
    uint64_t number = v->listing->segments[index];
    struct segment g;
    struct segment_header h;
    if (!open_segment(v, number, &g, &h)) {
        say(v, "segment %llu: the header is damaged", (unsigned long long)number);
        v->findings++;
        end->before = NO_POSITION;
        return;
    }
    view_header(v, &g, h);
    struct seal seal = find_seal(v, index);
    if (seal.is_void) {
        sys->file.close(g.file);
        return;
    }
    bool is_adjacent = index > 0 && v->listing->segments[index - 1] + 1 == number;
    if (!is_adjacent && h.sealed_segment == NO_POSITION)
        end->before = NO_POSITION; /* segments between were freed: the chain starts anew */
    if (h.sealed_segment != NO_POSITION && (index == 0 || v->listing->segments[index - 1] != h.sealed_segment))
        end->before = NO_POSITION;
    struct walk_end was = *end;
    struct error e = segment_walk(v->s, &g, seal.at, view_frame, v, end);
    bool is_cut = !v->describe && !seal.is_known && has_marks(v, &g, end->position);
    sys->file.close(g.file);
    uint64_t start = number * v->s->span + SEGMENT_HEADER_BYTES, at_byte = end->position - start + SEGMENT_HEADER_BYTES;
    bool is_short = seal.is_known && (end->position != seal.at || end->chain != seal.chain);
    if (is_cut && !end->surviving) {
        say(v, "segment %llu: at byte %llu a frame that is damaged, or was cut off by a crash and never acknowledged",
            (unsigned long long)number, (unsigned long long)at_byte);
        v->findings++;
    }
    if (failed(e) || end->surviving || is_short) {
        say(v, "segment %llu: damaged at byte %llu", (unsigned long long)number, (unsigned long long)at_byte);
        v->findings++;
        end->before = NO_POSITION;
    } else if (end->position == start) {
        *end = was;
    }
}

static struct error view_all(struct viewer *v)
{
    struct walk_end end = { .before = NO_POSITION };
    for (size_t i = 0; i < v->listing->segment_count; i++)
        view_segment(v, i, &end);
    return v->findings ? ERROR_OF(ERR_CORRUPT) : OK;
}

struct error store_dump(
    const char *dir, store_describe_fn *describe, void (*emit)(void *, struct slice line), void *context)
{
    struct viewer v;
    struct error e = viewer_open(&v, dir, emit, context);
    v.describe = describe;
    if (!failed(e))
        e = view_all(&v);
    viewer_close(&v);
    return e;
}

/* Is `format` what this version writes for its span and this secret? */
static bool is_format_sound(struct viewer *v, const char *dir, const char *secret_path)
{
    char path[PATH_BYTES + 64], text[FORMAT_TEXT_BYTES] = "";
    struct sys_file *f;
    size_t got = 0;
    if (failed(sys->file.open(secret_path, SYS_OPEN_READ, &f)))
        return false;
    struct error e = sys->file.read(f, 0, v->s->secret, sizeof(v->s->secret), &got);
    sys->file.close(f);
    snprintf(path, sizeof(path), "%s/format", dir);
    if (failed(e) || got != sizeof(v->s->secret) || failed(sys->file.open(path, SYS_OPEN_READ, &f)))
        return false;
    e = sys->file.read(f, 0, text, sizeof(text) - 1, &got);
    sys->file.close(f);
    return !failed(e) && got == strlen(text) && is_format_text(v->s, text);
}

static void check_secret(struct viewer *v, const char *dir)
{
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/secret", dir);
    struct sys_file *f;
    uint64_t size = 0;
    if (!failed(sys->file.open(path, SYS_OPEN_READ, &f))) {
        sys->file.size(f, &size);
        sys->file.close(f);
    }
    if (size != 32) {
        say(v, "%s: expected 32 bytes", path);
        v->findings++;
    } else if (!is_format_sound(v, dir, path)) {
        say(v, "%s: does not belong to the file `format`, or one of the two is damaged", path);
        v->findings++;
    }
}

struct error store_verify(const char *dir, void (*emit)(void *, struct slice line), void *context)
{
    struct viewer v;
    struct error e = viewer_open(&v, dir, emit, context);
    if (!failed(e))
        e = lock_quietly(&v, dir);
    if (!failed(e) && v.listing->snapshot) {
        char path[PATH_BYTES + 64];
        uint64_t replay_from;
        snprintf(path, sizeof(path), "%s/snapshot-%016llx", dir, (unsigned long long)v.listing->snapshot);
        v.findings += failed(snapshot_check_file(path, emit, context, &replay_from));
    }
    if (!failed(e)) {
        check_secret(&v, dir);
        e = view_all(&v);
        say(&v, "%zu segments, %llu frames, %llu records, %llu findings", v.listing->segment_count,
            (unsigned long long)v.frames, (unsigned long long)v.records, (unsigned long long)v.findings);
    }
    viewer_close(&v);
    return e;
}

/* ---- backup -------------------------------------------------------------------------------------------------------------------------- */

struct copying {
    const char *from, *to;
    const _Atomic bool *is_stopped; /* NULL: nobody stops it */
    struct error error;             /* of a listing */
};

static struct error copy_bytes(
    const struct copying *c, struct sys_file *in, struct sys_file *out, uint64_t limit, uint64_t *ret_copied)
{
    char *bytes = malloc(COPY_BYTES);
    ASSERT(bytes);
    struct error e = OK;
    uint64_t at = 0;
    for (size_t got = 1; !failed(e) && got && at < limit; at += got) {
        e = sys->file.read(in, at, bytes, limit - at < COPY_BYTES ? (size_t)(limit - at) : COPY_BYTES, &got);
        const struct iovec part = { bytes, got };
        if (!failed(e) && got)
            e = sys->file.write(out, at, &part, 1);
        if (c->is_stopped && atomic_load(c->is_stopped))
            e = ERROR_OF(ERR_CLOSED);
    }
    free(bytes);
    *ret_copied = at;
    return e;
}

/* The first `limit` bytes; what is behind them in the original is zero in the copy. */
static struct error copy_file(const struct copying *c, const char *name, uint64_t limit)
{
    char from[PATH_BYTES + 300], to[PATH_BYTES + 300];
    struct sys_file *in, *out;
    uint64_t size = 0, copied = 0;
    snprintf(from, sizeof(from), "%s/%s", c->from, name);
    snprintf(to, sizeof(to), "%s/%s", c->to, name);
    TRY(sys->file.open(from, SYS_OPEN_READ, &in));
    struct error e = sys->file.open(to, SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_EXCLUSIVE, &out);
    if (failed(e)) {
        sys->file.close(in);
        return e;
    }
    e = sys->file.size(in, &size);
    if (!failed(e))
        e = copy_bytes(c, in, out, limit, &copied);
    if (!failed(e) && copied < size)
        e = sys->file.truncate(out, size);
    if (!failed(e))
        e = sys->file.sync(out);
    sys->file.close(in);
    sys->file.close(out);
    return e;
}

/* `format` comes last: a copy that was cut short is not a data directory. */
static struct error finish_copy(const struct copying *c)
{
    TRY(copy_file(c, "format", UINT64_MAX));
    TRY(sys->file.sync_dir(c->to));
    return sync_parent_dir(c->to);
}

/* ---- of an open store ---- */

/* With work_lock: a snapshot made for it, the secret, and the numbers of the segments to copy up to what is durable now. */
static struct error begin_copy(
    struct store *s, const struct copying *c, uint64_t *ret_upto, uint64_t **ret_numbers, size_t *ret_count)
{
    char name[64];
    TRY(snapshot_take(s));
    TRY(sys->file.make_dir(c->to));
    snprintf(name, sizeof(name), "snapshot-%016llx", (unsigned long long)s->snapshot_number);
    TRY(copy_file(c, name, UINT64_MAX));
    TRY(copy_file(c, "secret", UINT64_MAX));
    uint64_t upto = atomic_load(&s->durable), first = atomic_load(&s->first_segment), last = (upto - 1) / s->span;
    uint64_t *numbers = calloc(last - first + 1, sizeof(*numbers));
    ASSERT(numbers);
    size_t count = 0;
    for (uint64_t n = first; n <= last; n++)
        if (segment_find(s, n))
            numbers[count++] = n;
    *ret_upto = upto;
    *ret_numbers = numbers;
    *ret_count = count;
    return OK;
}

/* Not a byte of what is written meanwhile is copied: a later frame without the one before it would look like damage. The
 * background works on, but frees no segment. */
struct error store_backup(struct store *s, const char *to_dir)
{
    const struct copying c = { .from = s->dir, .to = to_dir, .is_stopped = &s->stops_backups };
    uint64_t upto = 0, *numbers = NULL;
    size_t count = 0;
    pthread_mutex_lock(&s->work_lock);
    struct error e = begin_copy(s, &c, &upto, &numbers, &count);
    atomic_fetch_add(&s->backups, 1);
    pthread_mutex_unlock(&s->work_lock);
    for (size_t i = 0; i < count && !failed(e); i++) {
        char name[64];
        snprintf(name, sizeof(name), "journal-%016llx.seg", (unsigned long long)numbers[i]);
        e = copy_file(&c, name, upto - numbers[i] * s->span);
    }
    atomic_fetch_sub(&s->backups, 1);
    free(numbers);
    return failed(e) ? e : finish_copy(&c);
}

void store_stop_backups(struct store *s)
{
    atomic_store(&s->stops_backups, true);
}

/* ---- of a directory that no process uses ---- */

static void copy_name(void *context, const char *name)
{
    struct copying *c = context;
    uint64_t number;
    bool is_ours = !strcmp(name, "secret") || segment_parse_name(name, &number) || snapshot_parse_name(name, &number);
    if (is_ours && !failed(c->error))
        c->error = copy_file(c, name, UINT64_MAX);
}

static struct error copy_all(const char *from, const char *to)
{
    struct copying c = { .from = from, .to = to };
    TRY(sys->file.make_dir(to));
    TRY(sys->file.list_dir(from, copy_name, &c));
    TRY(c.error);
    return finish_copy(&c);
}

struct error store_backup_offline(const char *dir, const char *to_dir)
{
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/lock", dir);
    struct sys_file *lock;
    TRY(sys->file.open(path, SYS_OPEN_WRITE, &lock));
    struct error e = sys->file.lock(lock);
    if (!failed(e))
        e = copy_all(dir, to_dir);
    sys->file.close(lock);
    return e;
}
