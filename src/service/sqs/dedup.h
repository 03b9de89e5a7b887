/* dedup.h: the deduplication ids a FIFO queue saw in the last five minutes.
 *
 *   ring of chunks, oldest first:  [ 64 entries ] [ 64 entries ] [ .. ]      table: hash -> number of the entry
 *
 * An entry is the keyed hash of the id (with its group where the scope says so), the sequence number of the message that
 * was accepted, and the time: 24 bytes and about 9 of table. Entries leave in the order they came. The table grows and
 * shrinks by parts of 4096 slots, so that no send waits for more than some thousand entries to move, however many there are.
 *
 * Of many ids (some ten thousand) both lie in pages of their own, which go back to the kernel when the ids end.
 *
 * Owner   the holder of the log's token; full chunks never change, so a snapshot may keep references.
 * Cost    O(1) each; adding and expiring now and then a part (about 0.2 ms).
 * Limits  SQS_DEDUP_ENTRIES_MAX is the caller's check (dedup_count).
 */
#ifndef MILLRACE_SERVICE_SQS_DEDUP_H
#define MILLRACE_SERVICE_SQS_DEDUP_H

#include "service/sqs/pack.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEDUP_CHUNK_ENTRIES = 64 };

struct dedup_entry {
    uint64_t hash[2];
    uint32_t seq_after, time_after; /* the chunk's base */
};
struct dedup_chunk {
    _Atomic uint32_t references;
    uint32_t place; /* in its slab, + 1; 0: in none */
    uint64_t base_seq, base_time_ms;
    struct dedup_entry entries[DEDUP_CHUNK_ENTRIES];
};
struct dedup_part {
    uint32_t used;
    uint32_t slots[]; /* part_slots: number of an entry + 1, below 6 bits of its hash; 0: empty */
};
struct dedup_slab {
    _Atomic uint32_t references; /* chunks that are in use, and the struct dedup that takes more */
    uint32_t used;
    struct dedup_chunk chunks[];
};
struct dedup {
    struct dedup_chunk **chunks;
    struct dedup_slab *slab; /* chunks are taken from; NULL: none */
    struct dedup_part **parts;
    uint32_t chunk_first, chunk_count, chunk_capacity; /* chunks: a window, as in lane.h */
    uint32_t part_count, part_slots;
    uint32_t first; /* number of the oldest entry, modulo 2^25; the first chunk begins with number first - first % 64 */
    uint32_t count;
};

/* A zeroed struct dedup is an empty one. */
void dedup_clear(struct dedup *d);
void dedup_fetch(const struct dedup *d, const uint64_t hash[2]); /* asks memory for what dedup_find will look at */
bool dedup_find(const struct dedup *d, const uint64_t hash[2], uint64_t *ret_seq);
/* seq and time_ms never go back; entries of one chunk follow each other within the window, so their differences are far
 * from 32 bits. False: not so. */
bool dedup_takes(const struct dedup *d, uint64_t seq, uint64_t time_ms);
/* It must take it; the hash must be absent. */
void dedup_add(struct dedup *d, const uint64_t hash[2], uint64_t seq, uint64_t time_ms);
void dedup_expire(struct dedup *d, uint64_t upto_ms); /* drops entries whose time is <= upto_ms */
uint64_t dedup_oldest_ms(const struct dedup *d);      /* UINT64_MAX when empty */
static inline uint32_t dedup_count(const struct dedup *d)
{
    return d->count;
}
/* index 0 is the oldest */
void dedup_get(const struct dedup *d, uint32_t index, uint64_t ret_hash[2], uint64_t *ret_seq, uint64_t *ret_time_ms);

struct snapshot_writer;
/* As lane_capture and lane_restore. */
void dedup_capture(const struct dedup *d, struct buf *pending, struct snapshot_writer *w);
bool dedup_restore(struct dedup *d, struct unpack *u);
size_t dedup_memory(const struct dedup *d);

#endif
