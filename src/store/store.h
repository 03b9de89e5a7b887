/* store.h: named append-only logs, snapshots of the state made from them, and the space they take.
 *
 *   append ──> pending frames ──flush──> segment files ──replay/read──> records
 *                 (memory)    (one fdatasync      └─ live counts ─> recycled when dead, cleaned when nearly dead
 *                              for all logs)
 *
 * A store holds LOG_COUNT logs in one journal; the simulator runs the same code over files in memory.
 * Vocabulary: an LSN names a record: the journal's byte position / 16. LSNs grow, are never reused, not dense, and never
 * shown raw to clients. LSN 0 is before everything. A record is durable (as `durability` says) once store_durable() > its LSN.
 *
 * Guarantees (numbers of log-and-cluster.md 5.2): G1 one total order a log, the same for ever; G3 durable means it survives
 * any crash; G4 what one store_append takes is atomic (all or nothing after a crash); G5 fail-stop: after a failed sync the
 * process ends (fatal callback), nothing is reported durable afterwards; G8 space is freed only from segments that hold
 * no live record and lie wholly below the last committed snapshot; G10 record times never go back inside a log (the owner
 * gives them so). Files beside the journal (the segment that comes next, snapshots, copies) may fail: others are made.
 *
 * Owner    store_append for one log is called by that log's owner only (api/owner.h); different logs may append at once.
 * Thread   each function says; "any" means any thread at any time after store_open.
 * Memory   store_append copies. Bytes appended but not yet durable are bounded by STORE_PENDING_BYTES_MAX: past it an
 *          append waits for the disk, or flushes itself.
 * Source   format: doc/formats/journal.md
 */
#ifndef MILLRACE_STORE_STORE_H
#define MILLRACE_STORE_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/histogram.h"
#include "base/limits.h"

typedef uint64_t lsn_t;

enum {
    STORE_RECORD_ALIGN = 16,
    STORE_READ_MAX = 16,                /* records in one store_read_some */
    STORE_PENDING_BYTES_MAX = 14 * MIB, /* of a ring of 16 MiB: doc/decisions/0003-the-ring.md */
};

enum record_flags {
    RECORD_MUST_UNDERSTAND = 1, /* replay stops with a sentence when the type is unknown */
    RECORD_LIVE = 2,            /* holds bytes that state points at (a message): counted in the segment's live count */
};

struct record {
    lsn_t lsn;
    uint64_t time_ms; /* of the owner when it decided; never back inside a log */
    uint16_t log;
    uint16_t type; /* service << 8 | number of the record row */
    uint8_t version;
    uint8_t flags;
    uint64_t object; /* e.g. the queue's uid; a hint for dump, meaningless to the store */
    struct slice payload;
};

enum store_durability {
    DURABILITY_FSYNC,  /* durable: synced */
    DURABILITY_OS,     /* durable: handed to the kernel; segments are synced when they are left, and at snapshots */
    DURABILITY_MEMORY, /* nothing is ever synced */
};

struct store_options {
    const char *dir; /* made if absent (its parent must exist) */
    enum store_durability durability;
    /* 0: 64 MiB; at least 4; a directory keeps what it was born with; the first of a start has 1 MiB, the second 16 */
    uint64_t segment_bytes;
    /* 0: 128 MiB of journal between snapshots, each record counted as 256 bytes more than it has (a start that reads them is
     * busy with records as much as with bytes); at least twice the last snapshot's size, or what is left of it. */
    uint64_t snapshot_bytes;
    /* The store cannot go on (a write or sync of the journal failed, its directory is gone). Must not return; the default
     * prints and exits 74. */
    void (*fatal)(const char *sentence);
};

struct snapshot_writer;

/* The machine above the logs. All calls for one log come from one thread at a time. */
struct store_state_ops {
    void *context;
    /* replay: every record above what the log's snapshot covers, in LSN order inside each log */
    struct error (*apply)(void *context, const struct record *r);
    /* replay: what `apply` gets next, of any logs, for asking memory for what it will look at; changes nothing. NULL: not wanted */
    void (*look_ahead)(void *context, const struct record *records, size_t count);
    /* a log's snapshot, before its records, and what capture said that it covers; `bytes` is valid during the call only */
    struct error (*restore)(void *context, uint16_t log, lsn_t covers, struct slice bytes);
    /* Called by whoever takes the snapshot (the background thread, store_step, store_snapshot_now, store_backup, store_close):
     * must bring the state of `log` into `w` at one instant, with the owner's token held, and set *ret_covers to the LSN of
     * the last record applied (0: none). Must not ask for a step, a snapshot or a backup itself. */
    struct error (*capture)(void *context, uint16_t log, struct snapshot_writer *w, lsn_t *ret_covers);
    /* The cleaner asks: is the record at r->lsn still pointed at? If so append it again (its owner does, with a record type
     * of its own that moves the pointer). Called on the background thread, or in store_step. */
    struct error (*relocate)(void *context, const struct record *r);
};

/* What capture writes: bytes copied at once, and immutable blocks by reference, written later without the token. */
struct snapshot_writer;
void snapshot_add(struct snapshot_writer *w, const void *bytes, size_t size);
void snapshot_add_ref(struct snapshot_writer *w, const void *bytes, size_t size, void (*release)(void *), void *handle);

struct store;

/* Reads the newest snapshot, replays the rest through ops, opens a new segment. ERR_LOCKED (another process),
 * ERR_NEWER_FORMAT, ERR_CORRUPT (damage below what was durable, or no data directory), ERR_CONFIG (the secret can be read by
 * others), ERR_FULL, ERR_IO and what ops say: `ret_sentence` (in `arena`) says what and where.
 * *ret_store is set before the first restore or apply, which may count live records (store_live_add). */
struct error store_open(const struct store_options *options, const struct store_state_ops *ops, struct arena *arena,
    struct store **ret_store, struct slice *ret_sentence);
/* Starts the committer, the background and the readers: from here on capture and relocate may be called. Without it the
 * caller flushes and steps (simulator). The committer is one of the crew (sys/crew.h). */
void store_start(struct store *s);
/* Stops and joins its threads, flushes what is pending; a last snapshot if `snapshot` and anything came since the last one.
 * No other call may be under way. */
void store_close(struct store *s, bool snapshot);

/* Frees all memory and descriptors without any I/O, as if the process had died here. Only without threads. */
void store_abandon(struct store *s);

/* The directory's 32-byte root secret (0600, made and synced at birth) and the epoch: counted up at each open. */
const uint8_t *store_secret(const struct store *s);
uint64_t store_epoch(const struct store *s);

/* ---- append and commit ------------------------------------------------------------------------------------------ */

struct record_in {
    uint16_t type;
    uint8_t version;
    uint8_t flags;
    uint64_t object;
    const struct slice *parts; /* payload, gathered */
    size_t part_count;
    size_t
        opaque_parts; /* the last so many are bytes that `apply` does not look at (a body): only a replay shows it them */
};
/* Atomic: all records are in one frame. ret_lsns[count]. ERR_TOO_LARGE past LOG_BATCH_BYTES_MAX or a segment, ERR_FULL when
 * the disk's reserve is reached (`urgent` appends - deletes - may use the second reserve), ERR_IO when no file can be made
 * for the next segment: then nothing was appended. Waits while too much is pending (STORE_PENDING_BYTES_MAX) or a segment is
 * full: no lock may be held that a flush or its on_durable needs. Cost: one CRC and one memcpy of the bytes under the lock. */
struct error store_append(struct store *s, uint16_t log, uint64_t time_ms, const struct record_in *records,
    size_t count, bool urgent, lsn_t *ret_lsns);
/* Any thread: about so many bytes will be appended in a moment. Asks memory for their place, which a record would otherwise wait
 * for with the lock held: it was last touched RING_BYTES ago. */
void store_expect(const struct store *s, size_t bytes);

lsn_t store_end(const struct store *s);     /* any thread: above every record appended so far */
lsn_t store_durable(const struct store *s); /* any thread: every record with an LSN below it is durable */
/* Writes and syncs all that was appended, on this thread, if no other thread does so now (then ERR_AGAIN at once). */
struct error store_flush(struct store *s);
/* Asks the committer thread to do so; returns at once. Without threads nothing happens. */
void store_kick(struct store *s);
/* Would an inline flush be quick? (of late fewer than one flush in 17 took longer than 300 us) */
bool store_is_quick(const struct store *s);
/* `call` runs after each flush on the thread that flushed, with no lock of the store held: short (it wakes the fronts). */
void store_on_durable(struct store *s, void (*call)(void *context), void *context);

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* The record at `lsn`; the payload is copied into `arena`. Its checksum and position are verified: ERR_CORRUPT. wait == false:
 * ERR_COLD instead of waiting for the disk. ERR_TRIMMED: its segment is gone; ERR_IO. Any thread; the segment must be pinned. */
struct error store_read(struct store *s, lsn_t lsn, bool wait, struct arena *arena, struct record *ret_record);
/* Up to STORE_READ_MAX of them, each with its own outcome; ERR_COLD: one of them is cold, and nothing else is said. Pieces of up
 * to 8 KiB come from blocks of 16 KiB, of which the 2 MiB used last are kept: what lies beside something that was read lately
 * costs no system call, as a rule. */
struct error store_read_some(struct store *s, const lsn_t *lsns, size_t count, bool wait, struct arena *arena,
    struct record *ret_records, struct error *ret_errors);
/* A reader thread brings these records into memory, as far as they can be read, and then calls done (on the reader thread;
 * without threads at once, here). */
void store_warm(struct store *s, const lsn_t *lsns, size_t count, void (*done)(void *argument), void *argument);
/* A pinned segment is not recycled. Taken while the record is live (under the owner's token). Any thread unpins. */
void store_pin(struct store *s, lsn_t lsn);
void store_unpin(struct store *s, lsn_t lsn);

/* ---- space ------------------------------------------------------------------------------------------------------ */

/* A RECORD_LIVE record became live (apply of its append, restore) or dead (delete, expiry, move). Any thread; atomic. */
void store_live_add(struct store *s, lsn_t lsn, uint32_t count);
void store_live_drop(struct store *s, lsn_t lsn, uint32_t count);

/* ---- background work; after store_start its own threads call these ------------------------------------------- */

/* Does one piece (a look at the disk; the segment ahead, a dead segment freed, a snapshot, or a segment cleaned); false if there
 * was nothing to do or it failed. */
bool store_step(struct store *s);
/* State let go of so many bytes of what the last snapshot holds, without a record for each (a queue deleted or purged; ids and
 * messages that time takes): a start would load them for nothing, so the next snapshot is due sooner. Any thread; atomic; while
 * replaying, too. */
void store_snapshot_waste(struct store *s, uint64_t bytes);
struct error store_snapshot_now(struct store *s); /* any thread; waits for the step under way */

struct store_metrics {
    uint64_t appends, append_bytes, flushes, frames, written_bytes, snapshots, snapshot_bytes, segments, segments_free;
    uint64_t relocated_records, relocated_bytes, recycled_segments, cold_reads, pinned;
    struct histogram fsync_us, batch_records;
    uint64_t free_disk_bytes;        /* at the last look, of two a second */
    bool refuses_sends, refuses_all; /* disk reserves reached */
};
void store_get_metrics(struct store *s, struct store_metrics *ret_metrics);

/* ---- offline tools ----------------------------------------------------------------------------------------------- */

typedef struct slice store_describe_fn(struct arena *arena, const struct record *r); /* service's text for a record */
/* Every record as one line of text: emit is called per line. Takes no lock: what a running server writes meanwhile may show
 * in part. ERR_CORRUPT if anything is damaged; what is sound is shown all the same. */
struct error store_dump(
    const char *dir, store_describe_fn *describe, void (*emit)(void *, struct slice line), void *context);
/* Checks every frame, record, the newest snapshot, `format` and `secret`; emits a line per finding and one that counts;
 * ERR_CORRUPT if there are findings. ERR_LOCKED: a process uses it. */
struct error store_verify(const char *dir, void (*emit)(void *, struct slice line), void *context);
/* Copies what a start needs into the new directory to_dir (ERR_EXISTS), and syncs it: of an open store a snapshot and all
 * that is durable once it is taken, while appends and background work go on (no segment is freed meanwhile, so the disk
 * fills); or of a directory no process uses (ERR_LOCKED). A copy that failed half-way has no file `format` and is no data
 * directory. Any thread. */
struct error store_backup(struct store *s, const char *to_dir);
struct error store_backup_offline(const char *dir, const char *to_dir);
/* For a server that ends: backups under way, and later ones, fail with ERR_CLOSED. */
void store_stop_backups(struct store *s);

#endif
