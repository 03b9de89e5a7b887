#include "store/internal.h"
#include "base/mutant.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- names ------------------------------------------------------------------------------------------------------------- */

void segment_path(const struct store *s, uint64_t number, char out[PATH_BYTES + 64])
{
    snprintf(out, PATH_BYTES + 64, "%s/journal-%016llx.seg", s->dir, (unsigned long long)number);
}

void spare_path(const struct store *s, uint64_t id, char out[PATH_BYTES + 64])
{
    snprintf(out, PATH_BYTES + 64, "%s/spare-%016llx.seg", s->dir, (unsigned long long)id);
}

static bool parse_hex16(const char *text, const char *prefix, const char *suffix, uint64_t *ret_number)
{
    struct slice s = slice_str(text);
    struct slice head = slice_str(prefix), tail = slice_str(suffix);
    uint8_t bytes[8];
    if (s.size != head.size + 16 + tail.size || !slice_starts(s, head) || !slice_ends(s, tail))
        return false;
    if (!text_parse_hex(slice_head(slice_from(s, head.size), 16), bytes, sizeof(bytes)))
        return false;
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | bytes[i];
    *ret_number = n;
    return true;
}

bool segment_parse_name(const char *name, uint64_t *ret_number)
{
    return parse_hex16(name, "journal-", ".seg", ret_number);
}

bool snapshot_parse_name(const char *name, uint64_t *ret_number)
{
    return parse_hex16(name, "snapshot-", "", ret_number);
}

/* ---- the table: any thread finds, the holder of work_lock or lock changes ------------------------------------------------ */

struct segment *segment_find(const struct store *s, uint64_t number)
{
    if (number / SEGMENT_PAGE >= PAGES_MAX)
        return NULL;
    _Atomic(struct segment *) *page = atomic_load_explicit(&s->pages[number / SEGMENT_PAGE], memory_order_acquire);
    return page ? atomic_load_explicit(&page[number % SEGMENT_PAGE], memory_order_acquire) : NULL;
}

struct segment *segment_add(struct store *s, uint64_t number)
{
    ASSERT(number < SEGMENT_NUMBERS);
    _Atomic(struct segment *) *page = atomic_load(&s->pages[number / SEGMENT_PAGE]);
    if (!page) {
        page = calloc(SEGMENT_PAGE, sizeof(*page));
        ASSERT(page);
        atomic_store(&s->pages[number / SEGMENT_PAGE], page);
    }
    struct segment *g = calloc(1, sizeof(*g));
    ASSERT(g);
    g->number = number;
    g->end = number * s->span + SEGMENT_HEADER_BYTES;
    atomic_store(&page[number % SEGMENT_PAGE], g);
    if (atomic_load(&s->first_segment) == NO_POSITION || number < atomic_load(&s->first_segment))
        atomic_store(&s->first_segment, number);
    return g;
}

/* Only when nothing points into it and nobody has it pinned. */
void segment_forget(struct store *s, struct segment *g)
{
    uint64_t number = g->number;
    atomic_store(&s->pages[number / SEGMENT_PAGE][number % SEGMENT_PAGE], NULL);
    uint64_t last = s->current ? s->current->number : number;
    while (atomic_load(&s->first_segment) < last && !segment_find(s, atomic_load(&s->first_segment)))
        atomic_fetch_add(&s->first_segment, 1);
    free(g);
}

/* ---- files ------------------------------------------------------------------------------------------------------------------ */

static struct error sync_file(struct store *s, struct sys_file *f)
{
    return s->options.durability != DURABILITY_MEMORY ? sys->file.sync(f) : OK;
}

/* Synced bit by bit: one large sync at the end would keep the journal's syncs waiting for tens of milliseconds. */
static struct error fill_zero(struct store *s, struct sys_file *f, uint64_t bytes)
{
    static const char zeros[256 * KIB];
    for (uint64_t from = 0; from < bytes;) {
        size_t size = bytes - from < sizeof(zeros) ? (size_t)(bytes - from) : sizeof(zeros);
        const struct iovec part = { (void *)(uintptr_t)zeros, size };
        TRY(sys->file.write(f, from, &part, 1));
        from += size;
        if (from % SLOW_WRITE_BYTES == 0 || from == bytes)
            TRY(sync_file(s, f));
    }
    return OK;
}

static struct error sync_dir(struct store *s)
{
    return s->options.durability != DURABILITY_MEMORY && !MUTANT(no_dir_sync) ? sys->file.sync_dir(s->dir) : OK;
}

/* A file of full size, durable, under a name of a spare. Only such files become segments: so a segment's file that is shorter
 * than it should be was cut later, and never just being made. */
static struct error make_file(struct store *s, uint64_t bytes, struct sys_file **ret_file, uint64_t *ret_id)
{
    char path[PATH_BYTES + 64];
    struct sys_file *f;
    *ret_id = atomic_fetch_add(&s->next_spare_id, 1);
    spare_path(s, *ret_id, path);
    TRY(sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f));
    struct error e = fill_zero(s, f, bytes);
    if (failed(e)) {
        sys->file.close(f);
        sys->file.remove(path);
        return e;
    }
    *ret_file = f;
    return OK;
}

void spare_add(struct store *s, struct sys_file *f, uint64_t id, uint64_t bytes)
{
    pthread_mutex_lock(&s->lock); /* an append in a hurry may take one */
    s->spares[s->spare_count] = f;
    s->spare_ids[s->spare_count] = id;
    s->spare_bytes[s->spare_count++] = bytes;
    pthread_mutex_unlock(&s->lock);
}

/* A zero-filled file for a later segment. */
struct error spare_make(struct store *s, uint64_t bytes)
{
    struct sys_file *f;
    uint64_t id;
    TRY(make_file(s, bytes, &f, &id));
    sys->file.advise_done(f, 0, bytes); /* zeros need no memory */
    spare_add(s, f, id, bytes);
    return OK;
}

uint64_t segment_next_bytes(const struct store *s)
{
    uint64_t bytes = s->current->file_bytes < SEGMENT_SECOND_BYTES ? SEGMENT_SECOND_BYTES : s->span;
    return bytes < s->span ? bytes : s->span;
}

/* A file of full size becomes that of segment `number`: a spare, if there is one. One that fails is not tried again. */
static struct error open_segment_file(
    struct store *s, uint64_t number, uint64_t bytes, struct sys_file **ret_file, uint64_t *ret_bytes)
{
    char path[PATH_BYTES + 64], spare[PATH_BYTES + 64];
    struct sys_file *f;
    uint64_t id;
    if (bytes > SEGMENT_FIRST_BYTES && s->spare_count > 0) {
        f = s->spares[--s->spare_count];
        id = s->spare_ids[s->spare_count];
        bytes = s->spare_bytes[s->spare_count];
    } else {
        TRY(make_file(s, bytes, &f, &id));
    }
    segment_path(s, number, path);
    spare_path(s, id, spare);
    struct error e = sys->file.rename(spare, path);
    if (failed(e)) {
        sys->file.close(f);
        sys->file.remove(spare);
        return e;
    }
    *ret_file = f;
    *ret_bytes = bytes;
    return OK;
}

struct error segment_make(
    struct store *s, uint64_t number, uint64_t bytes, const struct segment_header *sealed, struct segment **ret)
{
    struct sys_file *f;
    TRY(open_segment_file(s, number, bytes, &f, &bytes));
    static _Thread_local char block[SEGMENT_HEADER_BYTES];
    struct segment_header h = { .magic = SEGMENT_MAGIC,
        .version = FORMAT_VERSION,
        .log_count = LOG_COUNT,
        .number = number,
        .epoch = s->epoch,
        .file_bytes = bytes,
        .span = s->span,
        .sealed_segment = sealed ? sealed->sealed_segment : NO_POSITION,
        .sealed_at = sealed ? sealed->sealed_at : 0,
        .sealed_crc = sealed ? sealed->sealed_crc : 0 };
    sys->entropy(&h.generation, sizeof(h.generation));
    segment_header_seal(&h, block);
    const struct iovec part = { block, sizeof(block) };
    /* The name first: were the header durable and the renaming of a spare not, a power loss would bring the segment back
     * that the spare once was, with a header that is not its own. */
    struct error e = sync_dir(s);
    if (!failed(e))
        e = sys->file.write(f, 0, &part, 1);
    if (!failed(e))
        e = MUTANT(no_header_sync) ? OK : sync_file(s, f);
    if (failed(e)) {
        sys->file.close(f);
        return e;
    }
    struct segment *g = segment_add(s, number);
    g->generation = h.generation;
    g->file = f;
    g->file_bytes = bytes;
    *ret = g;
    return OK;
}

uint64_t segment_last_number(const struct store *s)
{
    return s->next ? s->next->number : s->current->number;
}
