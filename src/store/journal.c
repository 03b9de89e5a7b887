/* journal.c: a store's birth, threads and end. */
#include "store/internal.h"
#include "base/log.h"
#include "base/text.h"
#include "sys/thread.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BACKGROUND_PAUSE_US = 100 * 1000 };

/* ---- small files of the directory --------------------------------------------------------------------------------------------- */

static struct error write_small(struct store *s, const char *name, const void *bytes, size_t size)
{
    char path[PATH_BYTES + 64], temporary[PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    snprintf(temporary, sizeof(temporary), "%s/%s.tmp", s->dir, name);
    struct sys_file *f;
    sys->file.remove(temporary);
    TRY(sys->file.open(temporary, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f));
    const struct iovec part = { (void *)(uintptr_t)bytes, size };
    struct error e = sys->file.write(f, 0, &part, 1);
    if (!failed(e))
        e = sys->file.sync(f);
    sys->file.close(f);
    TRY(e);
    TRY(sys->file.rename(temporary, path));
    return sys->file.sync_dir(s->dir);
}

static struct error read_small(struct store *s, const char *name, void *out, size_t size, size_t *ret_size)
{
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    struct sys_file *f;
    TRY(sys->file.open(path, SYS_OPEN_READ, &f));
    struct error e = sys->file.read(f, 0, out, size, ret_size);
    sys->file.close(f);
    return e;
}

static struct error say(
    struct arena *arena, struct slice *ret_sentence, uint32_t code, const char *dir, const char *what)
{
    *ret_sentence = arena_printf(arena, "%s: %s", dir, what);
    return ERROR_OF(code);
}

static struct error read_mode(struct store *s, const char *name, uint32_t *ret_mode)
{
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    struct sys_file *f;
    TRY(sys->file.open(path, SYS_OPEN_READ, &f));
    struct error e = sys->file.mode(f, ret_mode);
    sys->file.close(f);
    return e;
}

static struct error make_format(struct store *s)
{
    char text[FORMAT_TEXT_BYTES];
    sys->entropy(s->secret, sizeof(s->secret));
    int size = format_text(s, text);
    TRY(write_small(s, "secret", s->secret, sizeof(s->secret)));
    return write_small(s, "format", text, (size_t)size); /* last: with it the directory counts as born */
}

static struct error open_format(struct store *s, struct arena *arena, struct slice *ret_sentence)
{
    char text[FORMAT_TEXT_BYTES] = "";
    size_t size = 0;
    struct error e = read_small(s, "format", text, sizeof(text) - 1, &size);
    if (e.code == ERR_NOT_FOUND)
        return make_format(s);
    TRY(e);
    int version, logs;
    unsigned long long span;
    if (sscanf(text, "millrace %d\nlogs %d\nspan %llu\n", &version, &logs, &span) != 3)
        return say(arena, ret_sentence, ERR_CORRUPT, s->dir,
            "the file `format` is not readable; this may not be a data directory");
    if (version > FORMAT_VERSION)
        return say(arena, ret_sentence, ERR_NEWER_FORMAT, s->dir, "was written by a newer version of millrace");
    bool is_possible = span >= SEGMENT_BYTES_MIN && span <= SEGMENT_BYTES_MAX && span % SEGMENT_HEADER_BYTES == 0;
    if (logs != LOG_COUNT || !is_possible)
        return say(arena, ret_sentence, ERR_CORRUPT, s->dir, "the file `format` holds impossible numbers");
    s->span = span;
    e = read_small(s, "secret", s->secret, sizeof(s->secret), &size);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (failed(e) || size != sizeof(s->secret))
        return say(arena, ret_sentence, ERR_CORRUPT, s->dir,
            "the file `secret` is missing or cut short; restore it from a backup");
    if (!is_format_text(s, text))
        return say(arena, ret_sentence, ERR_CORRUPT, s->dir,
            "the files `format` and `secret` do not belong together, or one is damaged");
    uint32_t mode = 0;
    if (failed(read_mode(s, "secret", &mode)) || (mode & 077))
        return say(arena, ret_sentence, ERR_CONFIG, s->dir, "the file `secret` can be read by others: chmod 600 it");
    return OK;
}

/* Without this a power loss may take a new directory away, name and all. A parent that may be passed through but not read
 * cannot be synced: then the operator's choice of place decides. */
struct error sync_parent_dir(const char *path)
{
    char parent[PATH_BYTES];
    snprintf(parent, sizeof(parent), "%.*s", SLICE_ARG(text_parent_dir(path)));
    struct error e = sys->file.sync_dir(parent);
    return e.system == EACCES ? OK : e;
}

struct strangers {
    bool has_format, has_others;
};

static void look_at_name(void *context, const char *name)
{
    static const char *const of_a_birth[] = { "lock", "secret", "secret.tmp", "format.tmp", "millrace-doctor.tmp",
        "lost+found" };
    struct strangers *found = context;
    if (!strcmp(name, "format")) {
        found->has_format = true;
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(of_a_birth); i++)
        if (!strcmp(name, of_a_birth[i]))
            return;
    found->has_others |= name[0] != '.';
}

/* Without `format` a directory is new, or its birth was cut short; with other files in it, it is somebody else's, or ours
 * and damaged. Nothing is written into it then. */
static struct error refuse_strangers(struct store *s, struct arena *arena, struct slice *ret_sentence)
{
    struct strangers found = { 0 };
    struct error e = sys->file.list_dir(s->dir, look_at_name, &found);
    if (failed(e))
        return say(arena, ret_sentence, e.code, s->dir, "the data directory cannot be read");
    if (found.has_others && !found.has_format)
        return say(arena, ret_sentence, ERR_CORRUPT, s->dir,
            "holds files but no file `format`: this is not a data directory, or one that lost it (then restore a "
            "backup)");
    return OK;
}

static struct error lock_directory(struct store *s, struct arena *arena, struct slice *ret_sentence)
{
    struct error e = sys->file.make_dir(s->dir);
    bool is_old = e.code == ERR_EXISTS; /* perhaps of a birth that was cut short: its name may still be unsynced */
    if (!failed(e) || is_old) {
        struct error synced = sync_parent_dir(s->dir);
        e = is_old ? OK : synced;
    }
    if (failed(e))
        return say(arena, ret_sentence, e.code, s->dir, "the data directory cannot be made");
    TRY(refuse_strangers(s, arena, ret_sentence));
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/lock", s->dir);
    e = sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &s->lock_file);
    if (failed(e))
        return say(arena, ret_sentence, e.code, s->dir, "the data directory cannot be written");
    e = sys->file.lock(s->lock_file);
    if (failed(e))
        return say(arena, ret_sentence, ERR_LOCKED, s->dir, "another process uses this data directory");
    return OK;
}

/* ---- threads --------------------------------------------------------------------------------------------------------------------- */

static void *committer_main(void *argument)
{
    struct store *s = argument;
    sys_thread_begin("commit", true);
    struct crew_seat *seat = crew_join(sys->clock.monotonic_us());
    atomic_store(&s->committer_seat, seat);
    pthread_mutex_lock(&s->kick_lock);
    for (;;) {
        while (!s->is_kicked && !atomic_load(&s->stop)) {
            crew_rest(seat);
            pthread_cond_wait(&s->kicked, &s->kick_lock);
        }
        if (atomic_load(&s->stop))
            break;
        s->is_kicked = false;
        pthread_mutex_unlock(&s->kick_lock);
        crew_begin(seat, sys->clock.monotonic_us() + FLUSH_US);
        if (store_flush(s).code == ERR_AGAIN) { /* another thread flushes: what came after it is ours */
            pthread_mutex_lock(&s->lock);
            while (s->is_flushing)
                pthread_cond_wait(&s->flushed, &s->lock);
            pthread_mutex_unlock(&s->lock);
            store_flush(s);
        }
        sched_yield(); /* whom it woke comes first, where there are fewer cores than threads: then the next group is larger */
        crew_look(seat, sys->clock.monotonic_us());
        pthread_mutex_lock(&s->kick_lock);
    }
    pthread_mutex_unlock(&s->kick_lock);
    atomic_store(&s->committer_seat, NULL);
    crew_leave(seat);
    return NULL;
}

bool store_step(struct store *s)
{
    pthread_mutex_lock(&s->work_lock);
    bool did = space_step(s);
    pthread_mutex_unlock(&s->work_lock);
    return did;
}

/* The wall clock may jump; `worked` waits by the other one: the kernel's, whatever clock a test has put in its place. */
static struct timespec monotonic_in(uint64_t us)
{
    us += sys_real.clock.monotonic_us();
    return (struct timespec){ .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };
}

static void init_monotonic(pthread_cond_t *cond)
{
    pthread_condattr_t how;
    pthread_condattr_init(&how);
    ASSERT(pthread_condattr_setclock(&how, CLOCK_MONOTONIC) == 0);
    pthread_cond_init(cond, &how);
    pthread_condattr_destroy(&how);
}

static void *background_main(void *argument)
{
    struct store *s = argument;
    sys_thread_begin("background", false);
    while (!atomic_load(&s->stop)) {
        if (store_step(s))
            continue;
        const struct timespec until = monotonic_in(BACKGROUND_PAUSE_US);
        pthread_mutex_lock(&s->kick_lock);
        if (!s->is_work_wanted && !atomic_load(&s->stop))
            pthread_cond_timedwait(&s->worked, &s->kick_lock, &until);
        s->is_work_wanted = false;
        pthread_mutex_unlock(&s->kick_lock);
    }
    return NULL;
}

void store_start(struct store *s)
{
    s->has_threads = true;
    ASSERT(pthread_create(&s->committer, NULL, committer_main, s) == 0);
    ASSERT(pthread_create(&s->background, NULL, background_main, s) == 0);
    for (int i = 0; i < READERS; i++)
        ASSERT(pthread_create(&s->readers[i], NULL, reader_main, s) == 0);
}

static void stop_threads(struct store *s)
{
    if (!s->has_threads)
        return;
    pthread_mutex_lock(&s->kick_lock);
    atomic_store(&s->stop, true);
    pthread_cond_broadcast(&s->kicked);
    pthread_cond_broadcast(&s->worked);
    pthread_cond_broadcast(&s->warmed);
    pthread_mutex_unlock(&s->kick_lock);
    pthread_join(s->committer, NULL);
    pthread_join(s->background, NULL);
    for (int i = 0; i < READERS; i++)
        pthread_join(s->readers[i], NULL);
    s->has_threads = false;
}

/* ---- birth and end ----------------------------------------------------------------------------------------------------------------- */

static struct store *store_new(const struct store_options *options, const struct store_state_ops *ops)
{
    struct store *s = calloc(1, sizeof(*s));
    ASSERT(s);
    s->options = *options;
    s->ops = *ops;
    if (!s->options.segment_bytes)
        s->options.segment_bytes = SEGMENT_BYTES_DEFAULT;
    if (s->options.segment_bytes < SEGMENT_BYTES_MIN)
        s->options.segment_bytes = SEGMENT_BYTES_MIN;
    if (!s->options.snapshot_bytes)
        s->options.snapshot_bytes = 128 * MIB;
    snprintf(s->dir, sizeof(s->dir), "%s", options->dir);
    s->span = s->options.segment_bytes / SEGMENT_HEADER_BYTES * SEGMENT_HEADER_BYTES;
    s->epoch = 1;
    s->ring = aligned_alloc(PAGE_BYTES, RING_BYTES); /* touched only as far as it is used */
    s->pages = calloc(PAGES_MAX, sizeof(*s->pages));
    s->blocks = blocks_new();
    ASSERT(s->ring && s->pages);
    atomic_store(&s->first_segment, NO_POSITION);
    s->warm_last = &s->warm_first;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->work_lock, NULL);
    pthread_mutex_init(&s->kick_lock, NULL);
    pthread_cond_init(&s->flushed, NULL);
    pthread_cond_init(&s->kicked, NULL);
    init_monotonic(&s->worked);
    pthread_cond_init(&s->warmed, NULL);
    return s;
}

void store_abandon(struct store *s)
{
    ASSERT(!s->has_threads);
    segment_walk_end(s);
    for (size_t p = 0; p < PAGES_MAX; p++) {
        _Atomic(struct segment *) *page = atomic_load(&s->pages[p]);
        for (size_t i = 0; page && i < SEGMENT_PAGE; i++) {
            struct segment *g = atomic_load(&page[i]);
            if (g && g->file)
                sys->file.close(g->file);
            free(g);
        }
        free(page);
    }
    for (int i = 0; i < atomic_load(&s->spare_count); i++)
        sys->file.close(s->spares[i]);
    if (s->lock_file)
        sys->file.close(s->lock_file);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->work_lock);
    pthread_mutex_destroy(&s->kick_lock);
    pthread_cond_destroy(&s->flushed);
    pthread_cond_destroy(&s->kicked);
    pthread_cond_destroy(&s->worked);
    pthread_cond_destroy(&s->warmed);
    free((void *)s->pages);
    blocks_free(s->blocks);
    free(s->ring);
    free(s);
}

struct error store_open(const struct store_options *options, const struct store_state_ops *ops, struct arena *arena,
    struct store **ret_store, struct slice *ret_sentence)
{
    struct store *s = store_new(options, ops);
    *ret_store = s;
    *ret_sentence = SLICE_NONE;
    struct error e = lock_directory(s, arena, ret_sentence);
    if (!failed(e))
        e = open_format(s, arena, ret_sentence);
    if (!failed(e))
        e = recover(s, arena, ret_sentence);
    if (failed(e)) {
        if (slice_is_none(*ret_sentence))
            say(arena, ret_sentence, e.code, s->dir, error_text(e));
        *ret_store = NULL;
        store_abandon(s);
        return e;
    }
    return OK;
}

void store_close(struct store *s, bool snapshot)
{
    stop_threads(s);
    store_flush(s);
    if (snapshot && atomic_load(&s->end) != s->snapshot_end_seen)
        store_snapshot_now(s);
    store_abandon(s);
}

const uint8_t *store_secret(const struct store *s)
{
    return s->secret;
}

uint64_t store_epoch(const struct store *s)
{
    return s->epoch;
}

void store_get_metrics(struct store *s, struct store_metrics *ret_metrics)
{
    pthread_mutex_lock(&s->lock);
    *ret_metrics = s->metrics;
    uint64_t first = atomic_load(&s->first_segment), last = segment_last_number(s);
    ret_metrics->segments = 0;
    for (uint64_t n = first; n <= last; n++)
        ret_metrics->segments += segment_find(s, n) != NULL;
    pthread_mutex_unlock(&s->lock);
    ret_metrics->segments_free = (uint64_t)atomic_load(&s->spare_count);
    ret_metrics->cold_reads = atomic_load(&s->cold_reads);
    ret_metrics->pinned = atomic_load(&s->pinned);
    ret_metrics->refuses_sends = atomic_load(&s->refuses_sends);
    ret_metrics->refuses_all = atomic_load(&s->refuses_all);
}
