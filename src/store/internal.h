/* internal.h: what the files of store/ share. Formats: doc/formats/journal.md, snapshot.md.
 *
 * Positions are bytes in one endless journal: segment n covers [n * span, (n + 1) * span). A file may hold less than its span
 * (the first two of each start are small); the rest of the span is skipped. LSN = position / 16.
 *
 *   ring: the newest RING_BYTES of the journal, addressed by position modulo RING_BYTES
 *     ...........[durable ........ flushing ........ end]
 *                 read here      being written      append here
 *
 * Locks    `lock` guards everything marked (L); held for memcpy-sized work only, except while a segment must be made in a
 *          hurry. `work_lock` makes background steps one at a time. Order: work_lock before lock.
 */
#ifndef MILLRACE_STORE_INTERNAL_H
#define MILLRACE_STORE_INTERNAL_H

#include "store/store.h"
#include "sys/crew.h"
#include "sys/sys.h"
#include <pthread.h>
#include <stdatomic.h>

enum {
    FORMAT_VERSION = 1,
    PAGE_BYTES = 4096,
    SEGMENT_HEADER_BYTES = 4096,
    SEGMENT_HEADER_AGAIN = 2048, /* where in its block the header stands a second time, in another sector */
    FRAME_HEADER_BYTES = 64,
    RECORD_HEADER_BYTES = 32,
    RING_BYTES = 16 * MIB,
    SEGMENT_BYTES_MIN = 4 * MIB,
    SEGMENT_BYTES_DEFAULT = 64 * MIB,
    SEGMENT_FIRST_BYTES = 1 * MIB,
    SEGMENT_SECOND_BYTES = 16 * MIB, /* any batch fits; filled in the time in which the first one is half used */
    SEGMENT_PAGE = 4096,             /* of the two-level table of segments */
    SPARES_MAX = 8,
    PATH_BYTES = 4096,
    FORMAT_TEXT_BYTES = 192,
    QUICK_US = 300,
    FLUSH_US = 250, /* the committer sleeps in a flush for about so long */
    READERS = 2,
    BLOCK_BYTES = 16 * KIB,       /* of a segment file, read and kept as one (blocks.c) */
    SLOW_WRITE_BYTES = 256 * KIB, /* what the background writes between two syncs of its own */
};

#define FRAME_MAGIC 0x4d4c5246u /* "FRLM" */
#define SEGMENT_MAGIC 0x314745534352524dull
#define SNAPSHOT_MAGIC 0x31504e534352524dull
#define NO_POSITION UINT64_MAX
#define SEGMENT_BYTES_MAX ((uint64_t)64 * 1024 * MIB)

/* ---- on disk, little-endian, no padding ---------------------------------------------------------------------------- */

struct segment_header {
    uint64_t magic;
    uint32_t version, log_count;
    uint64_t number, generation, epoch;
    uint64_t file_bytes;     /* usable size of this file, header included */
    uint64_t span;           /* positions a segment covers */
    uint64_t sealed_segment; /* NO_POSITION, or: the segment before ends at sealed_at, whatever it holds after */
    uint64_t sealed_at;
    uint64_t sealed_crc;    /* chain value of the frame that ends there */
    uint32_t reserved, crc; /* of all before */
};
static_assert(sizeof(struct segment_header) == 88, "on disk");

struct frame_header {
    uint32_t magic;
    uint32_t crc; /* of the rest of the header and the payload, seeded with segment number and generation */
    uint64_t position;
    uint64_t durable;    /* everything below was durable when this frame was written */
    uint64_t generation; /* of the segment, so that a frame can be judged without its segment's header */
    uint64_t before;     /* position where the frame before this one ends; 0: this is the first of all */
    uint64_t chain;      /* crc and size of the frame before, mixed with its own chain value */
    uint64_t epoch;
    uint32_t payload_bytes;
    uint32_t record_count;
};
static_assert(sizeof(struct frame_header) == FRAME_HEADER_BYTES, "on disk");

struct record_header {
    uint32_t crc; /* of the position, the rest of this header and the payload */
    uint32_t payload_bytes;
    uint16_t log, type;
    uint8_t version, flags;
    uint16_t reserved;
    uint64_t time_ms, object;
};
static_assert(sizeof(struct record_header) == RECORD_HEADER_BYTES, "on disk");

struct snapshot_header {
    uint64_t magic;
    uint32_t version, log_count;
    uint64_t number, replay_from, span, segment_count;
    uint32_t reserved, crc;
};
struct snapshot_section { /* before each log's bytes */
    uint32_t log, reserved;
    uint64_t covers, bytes;
    uint32_t data_crc, crc;
};
struct snapshot_footer {
    uint64_t magic, sections, bytes;
    uint32_t total_crc, crc;
};

/* ---- in memory ------------------------------------------------------------------------------------------------------- */

struct segment {
    uint64_t number, generation;
    struct sys_file *file;
    uint64_t file_bytes;
    uint64_t end; /* position after its last frame; meaningful once sealed */
    bool is_sealed;
    bool is_newest;             /* recovery: read past the page cache */
    _Atomic int64_t live;       /* records state points at */
    _Atomic int64_t live_total; /* RECORD_LIVE records it ever held (0: unknown) */
    _Atomic int pins;
    uint64_t dead_since; /* journal end when live was first seen 0; 0: not seen */
    bool is_cleaned;     /* the cleaner has been through it */
};

struct pending_frame {
    struct segment *segment;
    uint64_t position;
    uint32_t bytes; /* header included */
    uint32_t record_count;
};

struct warm_request {
    struct warm_request *next;
    void (*done)(void *argument);
    void *argument;
    size_t count;
    lsn_t lsns[];
};

struct store {
    struct store_options options;
    struct store_state_ops ops;
    char dir[PATH_BYTES];
    uint64_t span;
    struct sys_file *lock_file;
    uint8_t secret[32];
    uint64_t epoch;

    pthread_mutex_t lock;
    pthread_cond_t flushed; /* a flush ended, or a segment became ready */
    char *ring;             /* (L) */
    _Atomic uint64_t end;   /* position after the last append; written under (L) */
    _Atomic uint64_t durable;
    uint64_t synced;            /* what a frame calls durable when flushes do not sync; the flusher's */
    uint64_t ring_from;         /* the ring holds nothing below: where this process began to write */
    struct pending_frame frame; /* (L) appended to until a flush takes it; bytes 0: none is open */
    bool is_flushing;           /* (L) */
    uint64_t chain, before;     /* of the last frame written; the flusher's */
    struct segment *current;    /* (L) appended to */
    struct segment *next;       /* (L) ready, or NULL */
    bool is_next_wanted;        /* (L) */
    bool is_next_coming;        /* (L) the background is filling it: quicker than to begin another one */

    _Atomic(struct segment *) *_Atomic *pages;               /* segment table: pages[number / PAGE][number % PAGE] */
    _Atomic uint64_t first_segment;                          /* lowest there is */
    struct sys_file *spares[SPARES_MAX];                     /* (L) zero-filled or used before; added under work_lock */
    uint64_t spare_ids[SPARES_MAX], spare_bytes[SPARES_MAX]; /* (L) */
    _Atomic int spare_count;                                 /* changed under (L) */
    _Atomic uint64_t next_spare_id;

    pthread_mutex_t work_lock;
    char *walk_buffer; /* segment_walk's, under work_lock */
    uint64_t walk_bytes;
    uint64_t snapshot_number, snapshot_from; /* committed: replay starts there */
    uint64_t snapshot_end_seen;              /* journal end when the last one began */
    _Atomic uint64_t unsnapped_bytes;        /* replay_cost of what was appended since then, or replayed */
    _Atomic uint64_t wasted_bytes;           /* of the last snapshot: store_snapshot_waste */
    _Atomic bool refuses_sends, refuses_all;
    _Atomic int backups; /* under way: no segment is freed */
    _Atomic bool stops_backups;
    uint64_t space_checked_us, snapshot_failed_us;

    void (*on_durable)(void *context);
    void *on_durable_context;
    _Atomic int slow_score;

    pthread_t committer, background, readers[READERS];
    _Atomic(struct crew_seat *) committer_seat;
    bool has_threads;
    _Atomic bool stop;
    pthread_mutex_t kick_lock;
    pthread_cond_t kicked, worked, warmed;
    bool is_kicked, is_work_wanted;
    struct warm_request *warm_first, **warm_last;

    struct blocks *blocks;
    struct store_metrics metrics; /* (L) */
    _Atomic uint64_t cold_reads, pinned;
};

static_assert(
    STORE_PENDING_BYTES_MAX + PAGE_BYTES < RING_BYTES, "what is pending is never overwritten, nor its first page");

#define PAGES_MAX 4096
#define SEGMENT_NUMBERS ((uint64_t)SEGMENT_PAGE * PAGES_MAX) /* a pebibyte written, at the default size */

/* journal.c */
struct error sync_parent_dir(const char *path); /* makes the name of a new directory durable */

/* format.c: checksums and headers */
int format_text(const struct store *s, char out[FORMAT_TEXT_BYTES]); /* of the file `format`; returns its length */
bool is_format_text(const struct store *s, const char *text); /* with or, as the first directories, without its check */
uint32_t frame_seed(uint64_t segment, uint64_t generation);
uint64_t chain_next(uint64_t chain, uint32_t crc, uint32_t bytes);
uint32_t record_crc(uint64_t position, const struct record_header *h, struct slice payload);
static inline size_t record_bytes(size_t payload)
{
    return (RECORD_HEADER_BYTES + payload + STORE_RECORD_ALIGN - 1) & ~(size_t)(STORE_RECORD_ALIGN - 1);
}
/* The header's block as it is written: the header twice, so that no damage to one sector takes it. */
void segment_header_seal(struct segment_header *h, char block[SEGMENT_HEADER_BYTES]);
/* The header of segment `number` from the `size` bytes read of its block, whichever copy is sound; false: none is. */
bool segment_header_find(const char *block, size_t size, uint64_t number, struct segment_header *ret);
bool segment_header_is_sound(const struct segment_header *h);
/* Is it of a start (only their segments have SEGMENT_FIRST_BYTES) that found nothing in segment `number`, nor between that and its own? */
bool segment_header_voids(const struct segment_header *h, uint64_t number);
/* A frame's payload, record by record; false at its end or at damage (*ret_bad). Views of `payload`. */
bool frame_next_record(struct slice payload, uint64_t position, size_t *at, struct record *ret_record, bool *ret_bad);
enum frame_state { FRAME_SOUND, FRAME_NONE, FRAME_DAMAGED };
/* Judges the header alone, then (frame_check) header and payload together. */
bool frame_header_fits(const struct frame_header *h, uint64_t position, const struct segment *g, uint64_t span);
bool frame_check(const struct frame_header *h, struct slice payload, uint64_t segment);

/* segment.c: files and the table */
void segment_path(const struct store *s, uint64_t number, char out[PATH_BYTES + 64]);
void spare_path(const struct store *s, uint64_t id, char out[PATH_BYTES + 64]);
struct segment *segment_find(const struct store *s, uint64_t number);
static inline struct segment *segment_of(const struct store *s, uint64_t position)
{
    return segment_find(s, position / s->span);
}
struct segment *segment_add(struct store *s, uint64_t number);
void segment_forget(struct store *s, struct segment *g);
uint64_t segment_last_number(const struct store *s);
/* Makes the file of segment `number` ready: from a spare, or new, of `bytes`, filled with zeros. Header synced. */
struct error segment_make(
    struct store *s, uint64_t number, uint64_t bytes, const struct segment_header *sealed, struct segment **ret);
/* The first segments are small, so that each is ready when the one before is full: 1, 16, then the full span. */
uint64_t segment_next_bytes(const struct store *s); /* (L) */
struct error spare_make(struct store *s, uint64_t bytes);
void spare_add(struct store *s, struct sys_file *f, uint64_t id, uint64_t bytes);

/* recover.c */
struct error recover(struct store *s, struct arena *arena, struct slice *ret_sentence);
/* Walks one segment's sound frames from its start; each(context, frame, payload, position). */
typedef struct error frame_fn(void *context, const struct frame_header *h, struct slice payload);
struct walk_end {
    uint64_t position; /* after the last sound frame */
    uint64_t chain, before;
    bool goes_on_elsewhere; /* a sound frame stands there, but it continues another one */
    uint64_t surviving;     /* a sound frame further on says that at least this was durable; 0: none */
};
struct error segment_walk(
    struct store *s, struct segment *g, uint64_t stop_at, frame_fn *each, void *context, struct walk_end *end);
void segment_walk_end(struct store *s); /* gives the walks' buffer back */

/* snapshot.c */
enum {
    REPLAY_RECORD_BYTES = 256
}; /* what handling one record costs a start, in bytes that it could read and check meanwhile */
static inline uint64_t replay_cost(uint64_t bytes, uint64_t records)
{
    return bytes + records * REPLAY_RECORD_BYTES;
}
struct error snapshot_load(struct store *s, struct arena *arena, lsn_t covers[LOG_COUNT], struct slice *ret_sentence);
struct error snapshot_check_file(
    const char *path, void (*emit)(void *, struct slice), void *context, uint64_t *ret_replay_from);
/* A power loss may bring back what was removed when its successor came. */
void snapshot_remove_older(struct store *s);
bool snapshot_is_due(struct store *s);
struct error snapshot_take(struct store *s);
bool snapshot_parse_name(const char *name, uint64_t *ret_number);
bool segment_parse_name(const char *name, uint64_t *ret_number);

/* blocks.c: 2 MiB of segment files that were read lately. Copies what the block at `offset` holds from there on, `size` bytes at
 * most, and says how many. 0: read the file; the block is not to be had (!wait: without the disk), not wholly durable, or
 * somebody is at it. */
struct blocks *blocks_new(void);
void blocks_free(struct blocks *b);
size_t blocks_copy(struct store *s, const struct segment *g, uint64_t offset, void *out, size_t size, bool wait);

/* space.c */
bool space_step(struct store *s);                      /* with work_lock held */
bool space_for(const struct store *s, uint64_t bytes); /* are so many bytes free on the disk? */
bool space_for_sends(const struct store *s);           /* and the reserve for deletes beside another segment? */

/* append.c */
_Noreturn void store_die(struct store *s, const char *what, struct error e);
void background_wake(struct store *s);
void *reader_main(void *argument);
void ring_read(const struct store *s, uint64_t position, void *out, size_t size); /* (L) */

#endif
