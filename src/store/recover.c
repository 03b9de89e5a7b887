/* recover.c: what a start makes of the files it finds. The rules are in doc/formats/journal.md, "Recovery". */
#include "store/internal.h"
#include "base/mutant.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- one segment ------------------------------------------------------------------------------------------------------------- */

/* The newest segments are read past the page cache: after a failed sync it may hold what the disk never got. */
static struct error read_file(const struct store *s, struct segment *g, void *bytes, uint64_t size, size_t *ret_got)
{
    if (!g->is_newest)
        return sys->file.read(g->file, 0, bytes, size, ret_got);
    char path[PATH_BYTES + 64];
    struct sys_file *f;
    segment_path(s, g->number, path);
    TRY(sys->file.open(path, SYS_OPEN_READ | SYS_OPEN_DIRECT, &f));
    struct error e = sys->file.read(f, 0, bytes, size, ret_got);
    sys->file.close(f);
    return e;
}

/* Into a buffer that is kept while a start walks segment after segment. */
static struct error read_whole(struct store *s, struct segment *g, char **ret_bytes)
{
    uint64_t rounded = (g->file_bytes + SEGMENT_HEADER_BYTES - 1) / SEGMENT_HEADER_BYTES * SEGMENT_HEADER_BYTES;
    if (s->walk_bytes < rounded || !s->walk_buffer) {
        segment_walk_end(s);
        void *bytes = NULL;
        if (posix_memalign(&bytes, SEGMENT_HEADER_BYTES, rounded + SEGMENT_HEADER_BYTES)) /* of an empty file, too */
            return ERROR_OF(ERR_NO_MEMORY);
        s->walk_buffer = bytes;
        s->walk_bytes = rounded;
    }
    size_t got = 0;
    TRY(read_file(s, g, s->walk_buffer, rounded, &got));
    memset(s->walk_buffer + got, 0, rounded - got);
    *ret_bytes = s->walk_buffer;
    return OK;
}

void segment_walk_end(struct store *s)
{
    free(s->walk_buffer);
    s->walk_buffer = NULL;
    s->walk_bytes = 0;
}

static bool read_frame(const struct store *s, const struct segment *g, const char *bytes, uint64_t offset,
    struct frame_header *h, struct slice *payload)
{
    if (offset + FRAME_HEADER_BYTES > g->file_bytes)
        return false;
    memcpy(h, bytes + offset, sizeof(*h));
    if (!frame_header_fits(h, g->number * s->span + offset, g, s->span))
        return false;
    *payload = slice_of(bytes + offset + FRAME_HEADER_BYTES, h->payload_bytes);
    return frame_check(h, *payload, g->number);
}

/* Is there a place from *offset on that may begin a frame? What lies behind the frames is mostly zeros: memchr is quick there. */
static bool find_frame(const struct segment *g, const char *bytes, uint64_t *offset)
{
    static const uint32_t magic = FRAME_MAGIC;
    while (*offset + FRAME_HEADER_BYTES <= g->file_bytes) {
        const char *at = memchr(bytes + *offset, (uint8_t)magic, g->file_bytes - FRAME_HEADER_BYTES - *offset + 1);
        if (!at)
            return false;
        *offset = (uint64_t)(at - bytes);
        if (*offset % STORE_RECORD_ALIGN == 0 && memcmp(at, &magic, sizeof(magic)) == 0)
            return true;
        ++*offset;
    }
    return false;
}

/* Beyond the last sound frame: does any frame that survived say that more was durable? */
static uint64_t find_survivor(const struct store *s, const struct segment *g, const char *bytes, uint64_t offset)
{
    uint64_t surviving = 0;
    for (; find_frame(g, bytes, &offset); offset += STORE_RECORD_ALIGN) {
        struct frame_header h;
        struct slice payload;
        if (read_frame(s, g, bytes, offset, &h, &payload) && h.durable > surviving)
            surviving = h.durable;
    }
    return surviving;
}

struct error segment_walk(
    struct store *s, struct segment *g, uint64_t stop_at, frame_fn *each, void *context, struct walk_end *end)
{
    char *bytes;
    TRY(read_whole(s, g, &bytes));
    uint64_t base = g->number * s->span, offset = SEGMENT_HEADER_BYTES;
    struct error e = OK;
    end->goes_on_elsewhere = false;
    while (base + offset < stop_at) {
        struct frame_header h;
        struct slice payload;
        if (!read_frame(s, g, bytes, offset, &h, &payload))
            break;
        bool is_first_known = end->before == NO_POSITION;
        end->goes_on_elsewhere = !is_first_known && (h.before != end->before || h.chain != end->chain);
        if (end->goes_on_elsewhere)
            break;
        e = each ? each(context, &h, payload) : OK;
        if (failed(e))
            break;
        offset += FRAME_HEADER_BYTES + h.payload_bytes;
        end->chain = chain_next(h.chain, h.crc, FRAME_HEADER_BYTES + h.payload_bytes);
        end->before = base + offset;
    }
    end->position = base + offset;
    end->surviving = failed(e) || base + offset >= stop_at ? 0 : find_survivor(s, g, bytes, offset);
    return e;
}

/* ---- the directory ----------------------------------------------------------------------------------------------------------- */

struct found {
    uint64_t *numbers;
    size_t count, capacity;
    uint64_t *spares;
    size_t spare_count;
};

static void add_number(uint64_t **list, size_t *count, uint64_t number)
{
    *list = realloc(*list, (*count + 1) * sizeof(**list));
    ASSERT(*list);
    (*list)[(*count)++] = number;
}

static void on_name(void *context, const char *name)
{
    struct found *f = context;
    uint64_t number;
    unsigned long long id;
    if (segment_parse_name(name, &number))
        add_number(&f->numbers, &f->count, number);
    else if (sscanf(name, "spare-%16llx.seg", &id) == 1)
        add_number(&f->spares, &f->spare_count, id);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void take_spares(struct store *s, const struct found *found)
{
    for (size_t i = 0; i < found->spare_count; i++) {
        char path[PATH_BYTES + 64];
        spare_path(s, found->spares[i], path);
        if (found->spares[i] >= s->next_spare_id)
            s->next_spare_id = found->spares[i] + 1;
        struct sys_file *f;
        uint64_t size = 0;
        if (s->spare_count == SPARES_MAX || failed(sys->file.open(path, SYS_OPEN_WRITE, &f))) {
            sys->file.remove(path);
            continue;
        }
        if (failed(sys->file.size(f, &size)) || size != s->span) { /* its making was cut short */
            sys->file.close(f);
            sys->file.remove(path);
            continue;
        }
        spare_add(s, f, found->spares[i], s->span);
    }
}

enum { REPLAY_AHEAD = 16 };

struct recovery {
    struct store *s;
    struct arena *arena;
    struct slice *sentence;
    lsn_t covers[LOG_COUNT];
    struct segment_header *headers; /* of the segments found, same order */
    uint64_t *numbers;
    size_t count;
    uint64_t *passed; /* numbers of files without a header that hold nothing */
    size_t passed_count;
    struct segment *walking;
    bool has_frame;
    uint64_t applied;
};

static struct error refuse(struct recovery *r, uint32_t code, uint64_t number, uint64_t position, const char *why)
{
    char path[PATH_BYTES + 64];
    segment_path(r->s, number, path);
    *r->sentence = arena_printf(
        r->arena, "%s: %s (at byte %llu of the file)", path, why, (unsigned long long)(position - number * r->s->span));
    return ERROR_OF(code);
}

/* Does the file hold a frame of this segment? Frames carry all that is needed to judge them without a header. */
static struct error holds_frames(struct store *s, struct sys_file *f, uint64_t number, bool *ret)
{
    struct segment g = { .number = number, .file = f };
    char *bytes;
    *ret = false;
    TRY(sys->file.size(f, &g.file_bytes));
    if (g.file_bytes > s->span)
        g.file_bytes = s->span;
    TRY(read_whole(s, &g, &bytes));
    for (uint64_t offset = SEGMENT_HEADER_BYTES; find_frame(&g, bytes, &offset); offset += STORE_RECORD_ALIGN) {
        struct frame_header h;
        struct slice payload;
        memcpy(&h, bytes + offset, sizeof(h));
        g.generation = h.generation;
        if (read_frame(s, &g, bytes, offset, &h, &payload)) {
            *ret = true;
            return OK;
        }
    }
    return OK;
}

/* Files get the names of segments with their full size. */
static bool is_cut_short(struct sys_file *f, uint64_t full_bytes)
{
    uint64_t size;
    return !failed(sys->file.size(f, &size)) && size < full_bytes;
}

/* A segment without a sound header was being made when a process died; its removal may have been undone by a power loss.
 * Headers are synced before the first frame, so if there is a frame, the header was damaged later. */
static struct error pass_over(struct recovery *r, struct sys_file *f, uint64_t number)
{
    bool has_frames = false, is_short = is_cut_short(f, SEGMENT_FIRST_BYTES);
    struct error e = holds_frames(r->s, f, number, &has_frames);
    sys->file.close(f);
    TRY(e);
    if (is_short)
        return refuse(r, ERR_CORRUPT, number, number * r->s->span, "the file was cut short");
    if (has_frames)
        return refuse(r, ERR_CORRUPT, number, number * r->s->span, "the segment's header is damaged");
    r->passed[r->passed_count++] = number;
    return OK;
}

static struct error refuse_number(struct recovery *r, uint64_t number)
{
    return refuse(r, ERR_CORRUPT, number, number * r->s->span, "no segment has such a number");
}

/* New segments are numbered from the highest name on: a stray file must not use the numbers up. Files without a header come
 * from starts that were cut short, one after the other. */
static struct error check_last_number(struct recovery *r, uint64_t last)
{
    uint64_t known = r->s->snapshot_from / r->s->span;
    if (r->count && r->numbers[r->count - 1] > known)
        known = r->numbers[r->count - 1];
    return last <= known + SEGMENT_PAGE ? OK : refuse_number(r, last);
}

/* Opens every segment file and reads its header. */
static struct error open_segments(struct recovery *r)
{
    struct store *s = r->s;
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        char path[PATH_BYTES + 64];
        uint64_t number = r->numbers[i];
        segment_path(s, number, path);
        struct sys_file *f;
        TRY(sys->file.open(path, SYS_OPEN_READ, &f));
        static _Alignas(4096) char block[SEGMENT_HEADER_BYTES];
        size_t got = 0;
        struct error e = sys->file.read(f, 0, block, sizeof(block), &got);
        if (failed(e)) {
            sys->file.close(f);
            return e;
        }
        struct segment_header h;
        if (!segment_header_find(block, got, number, &h)) {
            TRY(pass_over(r, f, number));
            continue;
        }
        if (h.span != s->span || h.file_bytes > h.span) {
            sys->file.close(f);
            return refuse(
                r, ERR_CORRUPT, number, number * s->span, "the segment's header and the file `format` do not agree");
        }
        if (is_cut_short(f, h.file_bytes)) {
            sys->file.close(f);
            return refuse(r, ERR_CORRUPT, number, number * s->span, "the file was cut short");
        }
        if (h.version > FORMAT_VERSION) {
            sys->file.close(f);
            return refuse(r, ERR_NEWER_FORMAT, number, number * s->span, "was written by a newer version of millrace");
        }
        struct segment *g = segment_add(s, number);
        g->generation = h.generation;
        g->file = f;
        g->file_bytes = h.file_bytes;
        g->is_sealed = true;
        if (h.epoch >= s->epoch && !MUTANT(epoch_not_counted))
            s->epoch = h.epoch + 1;
        r->numbers[kept] = number;
        r->headers[kept++] = h;
    }
    r->count = kept;
    for (size_t i = kept > 2 ? kept - 2 : 0; i < kept; i++)
        segment_find(s, r->numbers[i])->is_newest = true;
    return OK;
}

static struct error replay_record(struct recovery *r, const struct record *record)
{
    struct store *s = r->s;
    if (record->flags & RECORD_LIVE)
        atomic_fetch_add(&r->walking->live_total, 1);
    if (record->log >= LOG_COUNT)
        return ERROR_OF(ERR_CORRUPT);
    if ((record->lsn <= r->covers[record->log] && !MUTANT(ignore_covers)) ||
        record->lsn * STORE_RECORD_ALIGN < s->snapshot_from)
        return OK;
    struct error e = s->ops.apply(s->ops.context, record);
    if (e.code == ERR_NEWER_FORMAT && !(record->flags & RECORD_MUST_UNDERSTAND))
        return OK; /* of a type that says it may be passed over */
    TRY(e);
    r->applied++;
    atomic_fetch_add_explicit(
        &s->unsnapped_bytes, replay_cost(record_bytes(record->payload.size), 1), memory_order_relaxed);
    return OK;
}

/* Each record looks at memory that no other has: that of some is asked for before the first of them is applied. */
static struct error replay_frame(void *context, const struct frame_header *h, struct slice payload)
{
    struct recovery *r = context;
    struct record records[REPLAY_AHEAD];
    size_t at = 0, count;
    bool is_bad;
    /* The first frame there is continues nothing, or what a snapshot covers: else a segment before it is gone. */
    if (!r->has_frame && h->before > r->s->snapshot_from)
        return ERROR_OF(ERR_TRIMMED);
    r->has_frame = true;
    do {
        for (count = 0; count < REPLAY_AHEAD; count++)
            if (!frame_next_record(payload, h->position, &at, &records[count], &is_bad))
                break;
        if (r->s->ops.look_ahead)
            r->s->ops.look_ahead(r->s->ops.context, records, count);
        for (size_t i = 0; i < count; i++)
            TRY(replay_record(r, &records[i]));
    } while (count == REPLAY_AHEAD);
    return is_bad ? ERROR_OF(ERR_CORRUPT) : OK;
}

/* Where a later start said that this segment ends. */
static bool sealed_end(const struct recovery *r, size_t index, uint64_t *ret_at, uint64_t *ret_chain)
{
    for (size_t i = index + 1; i < r->count; i++) {
        if (r->headers[i].sealed_segment != r->numbers[index])
            continue;
        *ret_at = r->headers[i].sealed_at;
        *ret_chain = r->headers[i].sealed_crc;
        return true;
    }
    return false;
}

/* Did a later start find nothing in this segment? The page cache may still show what a failed sync kept from the disk, and
 * only the newest segments are read past it: starts that were cut short, each with a segment of its own, may lie above. */
static bool is_void(const struct recovery *r, size_t index)
{
    for (size_t i = index + 1; i < r->count; i++)
        if (segment_header_voids(&r->headers[i], r->numbers[index]) && !MUTANT(void_segment_walked))
            return true;
    return false;
}

/* Segment `index` was walked up to `end`: is what follows consistent with nothing durable being lost? */
static struct error judge_end(struct recovery *r, size_t index, const struct walk_end *end, bool is_sealed,
    uint64_t sealed_at, uint64_t sealed_chain)
{
    uint64_t number = r->numbers[index];
    if (is_sealed && (end->position != sealed_at || end->chain != sealed_chain))
        return refuse(r, ERR_CORRUPT, number, end->position, "a frame that was durable is damaged");
    if (!is_sealed && end->surviving > end->position && !MUTANT(ignore_survivor))
        return refuse(
            r, ERR_CORRUPT, number, end->position, "a frame is damaged, and a later one says that it was durable");
    return OK;
}

/* A process that was killed leaves frames that no sync has covered: before anybody is shown what they say, and before a
 * header seals the segment at its end, they must be durable. Nothing before the tail can be in that state. */
static struct error sync_tail(const struct recovery *r, size_t index)
{
    const struct segment *g = segment_find(r->s, r->numbers[index]);
    return r->s->options.durability != DURABILITY_MEMORY && !MUTANT(no_tail_sync) ? sys->file.sync(g->file) : OK;
}

static struct error replay_segments(struct recovery *r, size_t from, struct walk_end *tail, size_t *ret_tail_index)
{
    struct walk_end end = { .before = NO_POSITION };
    bool has_tail = false;
    for (size_t i = from; i < r->count; i++) {
        uint64_t sealed_at = NO_POSITION, sealed_chain = 0;
        bool is_sealed = sealed_end(r, i, &sealed_at, &sealed_chain);
        struct segment *g = segment_find(r->s, r->numbers[i]);
        uint64_t start = g->number * r->s->span + SEGMENT_HEADER_BYTES;
        struct walk_end before = end;
        g->end = start;
        if (is_void(r, i))
            continue;
        r->walking = g;
        atomic_store(&g->live_total, 0);
        struct error e = segment_walk(r->s, g, sealed_at, replay_frame, r, &end);
        if (failed(e)) {
            bool is_gap = e.code == ERR_TRIMMED;
            if (slice_is_none(*r->sentence))
                refuse(r, e.code, g->number, end.position,
                    is_gap ? "a segment before this one is missing or damaged" : error_text(e));
            return is_gap ? ERROR_OF(ERR_CORRUPT) : e;
        }
        g->end = end.position;
        bool is_empty = end.position == start;
        /* The first frame here continues the one before it, or this segment is not a continuation at all. */
        if (is_empty && !is_sealed && end.goes_on_elsewhere && has_tail)
            return refuse(r, ERR_CORRUPT, g->number - 1, before.position,
                "the end of the segment is damaged: the next one goes on elsewhere");
        TRY(judge_end(r, i, &end, is_sealed, sealed_at, sealed_chain));
        if (is_empty) {
            end = before;
            continue;
        }
        has_tail = true;
        *tail = end;
        *ret_tail_index = i;
    }
    return has_tail ? sync_tail(r, *ret_tail_index) : OK;
}

/* What a header says was before it must be there, unless a snapshot made it superfluous. */
static struct error check_sealed_are_there(struct recovery *r)
{
    for (size_t i = 0; i < r->count; i++) {
        uint64_t number = r->headers[i].sealed_segment;
        if (number != NO_POSITION && (number + 1) * r->s->span > r->s->snapshot_from && !segment_find(r->s, number))
            return refuse(r, ERR_CORRUPT, number, number * r->s->span, "the segment is missing");
    }
    return OK;
}

/* What a start that succeeds needs no more. Segments after the tail hold nothing: prepared ahead, or of a start that never wrote. */
static void tidy_up(struct recovery *r, size_t first)
{
    snapshot_remove_older(r->s);
    for (size_t i = 0; i < r->passed_count; i++) {
        char path[PATH_BYTES + 64];
        segment_path(r->s, r->passed[i], path);
        sys->file.remove(path);
    }
    for (size_t i = first; i < r->count; i++) {
        struct segment *g = segment_find(r->s, r->numbers[i]);
        char path[PATH_BYTES + 64];
        segment_path(r->s, g->number, path);
        sys->file.close(g->file);
        sys->file.remove(path);
        segment_forget(r->s, g);
    }
}

/* No frame was walked when a snapshot covers everything: the chain goes on from the last one below, if it is still there. */
static struct error find_tail_below(
    struct recovery *r, size_t from, struct walk_end *tail, uint64_t *ret_segment, bool *ret_found)
{
    for (size_t i = from; i-- > 0;) {
        struct segment *g = segment_find(r->s, r->numbers[i]);
        struct walk_end end = { .before = NO_POSITION };
        if (is_void(r, i))
            continue;
        *ret_segment = g->number;
        *ret_found = true;
        if (sealed_end(r, i, &tail->position, &tail->chain)) {
            tail->before = tail->position;
            return OK;
        }
        TRY(segment_walk(r->s, g, NO_POSITION, NULL, NULL, &end));
        *tail = end;
        if (end.before != NO_POSITION)
            return OK;
    }
    *ret_found = false;
    return OK;
}

/* A snapshot counts once all that it was made of is durable: what it covers beyond the place where replay begins must be there.
 * Otherwise new records would get LSNs that it covers, and the next start would skip them. */
static struct error check_covers(struct recovery *r, uint64_t end)
{
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        uint64_t position = r->covers[log] * STORE_RECORD_ALIGN;
        if (position >= r->s->snapshot_from && position >= end)
            return refuse(
                r, ERR_CORRUPT, position / r->s->span, position, "the snapshot knows of a record that is missing here");
    }
    return OK;
}

static struct error start_segment(
    struct recovery *r, uint64_t number, const struct walk_end *tail, bool has_tail, uint64_t tail_segment)
{
    struct store *s = r->s;
    const struct segment_header sealed = { .sealed_segment = has_tail ? tail_segment : NO_POSITION,
        .sealed_at = has_tail ? tail->position : 0,
        .sealed_crc = has_tail ? tail->chain : 0 };
    TRY(segment_make(s, number, SEGMENT_FIRST_BYTES, &sealed, &s->current));
    s->chain = sealed.sealed_crc;
    s->before = has_tail ? tail->before : 0;
    uint64_t start = number * s->span + SEGMENT_HEADER_BYTES;
    s->ring_from = start;
    atomic_store(&s->end, start);
    atomic_store(&s->durable, start);
    s->synced = start;
    return OK;
}

struct error recover(struct store *s, struct arena *arena, struct slice *ret_sentence)
{
    struct found found = { 0 };
    TRY(sys->file.list_dir(s->dir, on_name, &found));
    if (found.count)
        qsort(found.numbers, found.count, sizeof(found.numbers[0]), compare_numbers);
    struct recovery r = {
        .s = s, .arena = arena, .sentence = ret_sentence, .numbers = found.numbers, .count = found.count
    };
    r.headers = calloc(found.count + 1, sizeof(*r.headers));
    r.passed = calloc(found.count + 1, sizeof(*r.passed));
    ASSERT(r.headers && r.passed);
    *ret_sentence = SLICE_NONE;
    uint64_t last = found.count ? found.numbers[found.count - 1] : 0;
    take_spares(s, &found);
    struct walk_end tail = { .before = NO_POSITION };
    size_t tail_index = 0, from = 0;
    struct error e = last + 1 < SEGMENT_NUMBERS ? open_segments(&r) : refuse_number(&r, last);
    if (!failed(e))
        e = snapshot_load(s, arena, r.covers, ret_sentence);
    if (!failed(e))
        e = check_last_number(&r, last);
    if (!failed(e))
        e = check_sealed_are_there(&r);
    while (!failed(e) && from < r.count && (r.numbers[from] + 1) * s->span <= s->snapshot_from) {
        uint64_t at, chain;
        struct segment *g = segment_find(s, r.numbers[from]);
        g->end = sealed_end(&r, from, &at, &chain) ? at : (g->number + 1) * s->span;
        from++;
    }
    /* one more, where it touches: its end is the start of the chain */
    if (from > 0 && from < r.count && r.numbers[from - 1] + 1 == r.numbers[from])
        from--;
    if (!failed(e))
        e = replay_segments(&r, from, &tail, &tail_index);
    if (!failed(e) && s->snapshot_number)
        e = check_covers(&r, tail.before != NO_POSITION ? tail.position : 0);
    if (!failed(e)) {
        bool has_tail = tail.before != NO_POSITION;
        tail_index = has_tail ? tail_index : from - 1; /* from may be 0: then all are empty */
        uint64_t tail_segment = has_tail ? r.numbers[tail_index] : 0;
        if (!has_tail)
            e = find_tail_below(&r, from, &tail, &tail_segment, &has_tail);
        uint64_t number = found.count ? last + 1 : 0, snapshot = s->snapshot_from / s->span + 1;
        if (s->snapshot_number && number < snapshot)
            number = snapshot; /* positions are never used twice, whatever files are gone */
        if (!failed(e) && number >= SEGMENT_NUMBERS)
            e = refuse_number(&r, number);
        if (!failed(e))
            e = start_segment(&r, number, &tail, has_tail, tail_segment);
        if (!failed(e)) /* not before: their headers hold the newest epoch, which must not be given twice */
            tidy_up(&r, tail_index + 1);
    }
    log_event(LOG_INFO, "log_replayed", "records=%llu segments=%zu", (unsigned long long)r.applied, r.count);
    segment_walk_end(s);
    free(r.headers);
    free(r.passed);
    free(found.numbers);
    free(found.spares);
    return e;
}
