/* space.c: segments ahead, segments freed, segments cleaned, and what the disk has left. One bounded piece a step. */
#include "store/internal.h"
#include "base/mutant.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    SPACE_CHECK_US = 500 * 1000,
    SNAPSHOT_RETRY_US = 1000 * 1000,
    RESERVE_SENDS_SEGMENTS = 3,   /* below this much free space new data is refused ... */
    RESERVE_ALL_BYTES = 64 * KIB, /* ... and with less room than this in segments everything */
};

/* ---- the disk ------------------------------------------------------------------------------------------------------------------ */

/* Files go on after their names were removed, but nobody will find what they hold: better not to promise any more. */
static void check_directory(struct store *s)
{
    char path[PATH_BYTES + 64];
    struct sys_file *f;
    snprintf(path, sizeof(path), "%s/lock", s->dir);
    struct error e = sys->file.open(path, SYS_OPEN_READ, &f);
    if (!failed(e))
        sys->file.close(f);
    else if (e.code == ERR_NOT_FOUND)
        store_die(s, "finding the data directory again (was it removed?)", e);
}

/* While there is work that may make room, refusals end here and do not begin. */
static void check_disk(struct store *s, bool is_at_work)
{
    uint64_t now = sys->clock.monotonic_us(), free_bytes, total;
    if (s->space_checked_us && now < s->space_checked_us + SPACE_CHECK_US)
        return;
    s->space_checked_us = is_at_work ? 0 : now;
    check_directory(s);
    if (failed(sys->file.free_bytes(s->dir, &free_bytes, &total)))
        return;
    /* spares are room that is ours already; what is left of the segments in use is for deletes */
    uint64_t have = free_bytes + (uint64_t)atomic_load(&s->spare_count) * s->span;
    pthread_mutex_lock(&s->lock);
    s->metrics.free_disk_bytes = free_bytes;
    uint64_t room = s->current->number * s->span + s->current->file_bytes - atomic_load(&s->end);
    room += s->next ? s->next->file_bytes : 0;
    pthread_mutex_unlock(&s->lock);
    bool refuse_sends = have < RESERVE_SENDS_SEGMENTS * s->span && !MUTANT(no_reserve);
    bool refuse_all = have + room < RESERVE_ALL_BYTES;
    if (is_at_work) {
        refuse_sends &= atomic_load(&s->refuses_sends);
        refuse_all &= atomic_load(&s->refuses_all);
    }
    if (refuse_sends != atomic_load(&s->refuses_sends))
        log_event(refuse_sends ? LOG_ERROR : LOG_INFO, refuse_sends ? "disk_full" : "disk_has_room", "free_bytes=%llu",
            (unsigned long long)free_bytes);
    atomic_store(&s->refuses_sends, refuse_sends);
    atomic_store(&s->refuses_all, refuse_all);
}

/* ---- ahead ---------------------------------------------------------------------------------------------------------------------- */

bool space_for(const struct store *s, uint64_t bytes)
{
    uint64_t free_bytes, total;
    return failed(sys->file.free_bytes(s->dir, &free_bytes, &total)) || free_bytes >= bytes;
}

bool space_for_sends(const struct store *s)
{
    int spares = atomic_load(&((struct store *)(uintptr_t)s)->spare_count);
    return spares > RESERVE_SENDS_SEGMENTS || space_for(s, (uint64_t)(RESERVE_SENDS_SEGMENTS + 1 - spares) * s->span);
}

static bool prepare_next(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_wanted = s->is_next_wanted && !s->next;
    uint64_t number = s->current->number + 1;
    struct segment *current = s->current;
    uint64_t bytes = segment_next_bytes(s);
    s->is_next_coming = is_wanted;
    pthread_mutex_unlock(&s->lock);
    if (!is_wanted)
        return false;
    bool is_ready = atomic_load(&s->spare_count) > 0 || (space_for(s, bytes) && !failed(spare_make(s, bytes)));
    s->space_checked_us = 0; /* the free space changed by a whole segment */
    /* Under the lock: an append in a hurry makes the same segment, and only one may. The file is ready, so this is quick. */
    pthread_mutex_lock(&s->lock);
    struct error e = is_ready ? OK : ERROR_OF(ERR_AGAIN);
    if (is_ready && s->current == current && !s->next)
        e = segment_make(s, number, bytes, NULL, &s->next);
    if (is_ready)
        s->is_next_wanted = failed(e); /* then again with another file, a little later */
    s->is_next_coming = false;
    pthread_cond_broadcast(&s->flushed);
    pthread_mutex_unlock(&s->lock);
    return !failed(e);
}

/* ---- freed ---------------------------------------------------------------------------------------------------------------------- */

static bool is_below_snapshot(const struct store *s, const struct segment *g)
{
    uint64_t below = MUTANT(trim_above_snapshot) ? g->number * s->span : (g->number + 1) * s->span;
    return s->snapshot_number && g->is_sealed && below <= s->snapshot_from;
}

/* What made the last record dead must itself be durable before the record may go. */
static bool is_free(struct store *s, struct segment *g)
{
    if (!is_below_snapshot(s, g) || atomic_load(&g->live) > (MUTANT(trim_live_off_by_one) ? 1 : 0) ||
        (atomic_load(&g->pins) > 0 && !MUTANT(unpinned_read))) {
        g->dead_since = 0;
        return false;
    }
    if (!g->dead_since)
        g->dead_since = atomic_load(&s->end);
    return atomic_load(&s->durable) >= g->dead_since || MUTANT(trim_before_durable);
}

static void release_segment(struct store *s, struct segment *g)
{
    char path[PATH_BYTES + 64], spare[PATH_BYTES + 64];
    segment_path(s, g->number, path);
    sys->file.advise_done(g->file, 0, g->file_bytes); /* nobody reads that any more */
    sys->file.close(g->file);
    uint64_t id = atomic_fetch_add(&s->next_spare_id, 1);
    spare_path(s, id, spare);
    struct sys_file *f;
    /* The old name must be gone from the disk before the file gets another header. */
    if (atomic_load(&s->spare_count) < SPARES_MAX && g->file_bytes == s->span &&
        !failed(sys->file.rename(path, spare)) && !failed(sys->file.sync_dir(s->dir)) &&
        !failed(sys->file.open(spare, SYS_OPEN_WRITE, &f))) {
        spare_add(s, f, id, s->span);
    } else {
        sys->file.remove(path);
        sys->file.remove(spare);
    }
    pthread_mutex_lock(&s->lock);
    s->metrics.recycled_segments++;
    segment_forget(s, g);
    pthread_mutex_unlock(&s->lock);
}

static bool free_one(struct store *s)
{
    if (atomic_load(&s->backups) > 0 || !s->snapshot_number || MUTANT(nothing_freed))
        return false;
    uint64_t last = MUTANT(trim_above_snapshot) ? s->current->number : s->snapshot_from / s->span;
    for (uint64_t n = atomic_load(&s->first_segment); n < last; n++) {
        struct segment *g = segment_find(s, n);
        if (g && is_free(s, g)) {
            release_segment(s, g);
            s->space_checked_us = 0; /* sends may be taken again */
            return true;
        }
    }
    return false;
}

/* ---- cleaned -------------------------------------------------------------------------------------------------------------------- */

static const double CLEAN_SHARE_MAX = 0.75; /* a segment more alive than this is not worth copying */

/* Live bytes are judged by counts: live records of those the segment ever held. */
static double live_share(const struct segment *g)
{
    int64_t live = atomic_load(&((struct segment *)(uintptr_t)g)->live);
    int64_t total = atomic_load(&((struct segment *)(uintptr_t)g)->live_total);
    if (live <= 0)
        return 0;
    return total > live ? (double)live / (double)total : 1.0;
}

/* The segment least alive, when garbage has become more than what lives and more than two segments. */
static struct segment *choose_to_clean(struct store *s)
{
    struct segment *best = NULL;
    double best_share = CLEAN_SHARE_MAX, live_bytes = 0, garbage_bytes = 0;
    uint64_t last = s->snapshot_from / s->span;
    for (uint64_t n = atomic_load(&s->first_segment); n < last; n++) {
        struct segment *g = segment_find(s, n);
        if (!g || !is_below_snapshot(s, g))
            continue;
        double share = live_share(g), bytes = (double)g->file_bytes;
        live_bytes += share * bytes;
        garbage_bytes += (1 - share) * bytes;
        if (atomic_load(&g->live) > 0 && !g->is_cleaned && share < best_share) {
            best = g;
            best_share = share;
        }
    }
    double bound = live_bytes > 2.0 * (double)s->span ? live_bytes : 2.0 * (double)s->span;
    if (atomic_load(&s->refuses_sends)) /* a full disk needs what garbage there is */
        bound = (double)s->span;
    return garbage_bytes > bound ? best : NULL;
}

static struct error relocate_frame(void *context, const struct frame_header *h, struct slice payload)
{
    struct store *s = context;
    struct record r;
    bool is_bad;
    for (size_t at = 0; frame_next_record(payload, h->position, &at, &r, &is_bad);) {
        if (!(r.flags & RECORD_LIVE))
            continue;
        uint64_t before = atomic_load(&s->end);
        TRY(s->ops.relocate(s->ops.context, &r));
        if (atomic_load(&s->end) != before) {
            pthread_mutex_lock(&s->lock);
            s->metrics.relocated_records++;
            s->metrics.relocated_bytes += record_bytes(r.payload.size);
            pthread_mutex_unlock(&s->lock);
        }
    }
    return is_bad ? ERROR_OF(ERR_CORRUPT) : OK;
}

static bool clean_one(struct store *s)
{
    if (!s->snapshot_number || atomic_load(&s->refuses_all))
        return false;
    struct segment *g = choose_to_clean(s);
    if (!g)
        return false;
    struct walk_end end = { .before = NO_POSITION };
    struct error e = segment_walk(s, g, NO_POSITION, relocate_frame, s, &end);
    segment_walk_end(s);
    g->is_cleaned = true;
    if (failed(e))
        log_event(
            LOG_WARN, "cleaning_failed", "segment=%llu error=\"%s\"", (unsigned long long)g->number, error_text(e));
    store_kick(s);
    return true;
}

/* ---- one step ---------------------------------------------------------------------------------------------------------------------- */

/* On a full disk: could a segment be freed or cleaned but for the lack of a newer snapshot? */
static bool snapshot_would_free(struct store *s)
{
    if (!atomic_load(&s->refuses_sends))
        return false;
    pthread_mutex_lock(&s->lock);
    uint64_t current = s->current->number;
    pthread_mutex_unlock(&s->lock);
    for (uint64_t n = s->snapshot_from / s->span; n < current; n++) {
        const struct segment *g = segment_find(s, n);
        if (g && g->is_sealed && live_share(g) < CLEAN_SHARE_MAX)
            return true;
    }
    return false;
}

static bool wants_snapshot(struct store *s)
{
    if (s->snapshot_failed_us && sys->clock.monotonic_us() < s->snapshot_failed_us + SNAPSHOT_RETRY_US)
        return false;
    return snapshot_is_due(s) || snapshot_would_free(s);
}

/* What is dead is freed before the disk is judged: nothing is refused for want of room that only has to be taken. */
bool space_step(struct store *s)
{
    bool did = prepare_next(s) || free_one(s);
    check_disk(s, did);
    if (did)
        return true;
    if (wants_snapshot(s)) {
        bool is_taken = !failed(snapshot_take(s));
        s->snapshot_failed_us = is_taken ? 0 : sys->clock.monotonic_us();
        /* a new snapshot may let segments be cleaned that the last round passed over */
        for (uint64_t n = atomic_load(&s->first_segment); n <= s->snapshot_from / s->span; n++) {
            struct segment *g = segment_find(s, n);
            if (g)
                g->is_cleaned = false;
        }
        return is_taken;
    }
    return clean_one(s);
}
