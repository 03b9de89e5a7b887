/* lane.h: waiting messages in order, a few bytes each: what a queue mostly consists of.
 *
 *   chunks:  [ first | d d d d ]  [ first | d d d d d d ]  [ first | d d ]
 *                  ^ head (decoded)                                   ^ tail (last appended)
 *
 * A message here was never received; it has a sequence number (rising), the LSN of its record and the time it was sent;
 * everything else is read from the record. A chunk holds its first message whole and the others as differences:
 *     varint( zigzag(lsn difference - seq difference * step) << 2 | seq difference is not 1 << 1 | time differs )
 *     [varint seq difference] [varint zigzag(time difference)]
 * where step is what the first two messages of the chunk needed for each number: records of one queue are alike. So a
 * message of a busy standard queue takes 1 to 3 bytes, one of a FIFO group 5 to 9.
 *
 * Invariants  L1 seq rises strictly; L2 count is the number of messages from head to tail; L3 without messages there are
 *             no chunks; L4 bytes of a chunk below `used` never change: relocation and extraction make a new chunk, so a
 *             snapshot may keep references.
 * Owner       the holder of the log's token. Chunks are counted: a snapshot writer releases them on any thread.
 * Cost        append, pop: O(1). find, extract, relocate: O(log chunks) + one chunk decoded (LANE_CHUNK_BYTES_MAX).
 * Memory      chunks grow by doubling from 64 bytes to 512, later chunks of a long lane to 4 KiB.
 */
#ifndef MILLRACE_SERVICE_SQS_LANE_H
#define MILLRACE_SERVICE_SQS_LANE_H

#include "service/sqs/pack.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANE_CHUNK_BYTES_MAX = 4096, LANE_ITEM_BYTES_MAX = 30 };

struct lane_item {
    uint64_t seq, lsn, time_ms;
};

struct lane_chunk {
    _Atomic uint32_t references;
    uint16_t capacity, used; /* bytes of data */
    uint32_t step;           /* of the LSN for each seq; fixed once there is data */
    uint32_t reserved;
    struct lane_item first;
    uint8_t data[];
};

struct lane {
    struct lane_chunk **chunks; /* a window of chunk_count from chunk_first */
    uint32_t chunk_first, chunk_count, chunk_capacity;
    uint32_t offset; /* in the first chunk: of the message after the head */
    uint64_t count;
    struct lane_item head, tail; /* meaningless without messages */
};

/* A zeroed struct lane is an empty one. */
void lane_clear(struct lane *l); /* drops all messages */
void lane_append(struct lane *l, const struct lane_item *item);
/* Asks memory for what lane_append will look at: first where the last chunk is, then the chunk. */
static inline void lane_fetch_place(const struct lane *l)
{
    if (l->chunk_count)
        __builtin_prefetch(&l->chunks[l->chunk_first + l->chunk_count - 1]);
}
static inline void lane_fetch_last(const struct lane *l)
{
    if (l->chunk_count)
        __builtin_prefetch(l->chunks[l->chunk_first + l->chunk_count - 1]);
}
void lane_pop(struct lane *l); /* removes the head; there must be one */
bool lane_find(const struct lane *l, uint64_t seq, struct lane_item *ret_item);
/* Removes a message from the middle. False: it is not there. */
bool lane_extract(struct lane *l, uint64_t seq, struct lane_item *ret_item);
/* The record of `seq` moved. False: it is not there. */
bool lane_relocate(struct lane *l, uint64_t seq, uint64_t to_lsn, uint64_t *ret_from_lsn);

/* for (struct lane_cursor at = lane_begin(l); lane_next(&at, &item);) ...; the lane must not change meanwhile */
struct lane_cursor {
    const struct lane *lane;
    struct lane_item item;
    uint64_t left;
    uint32_t chunk, offset;
    bool is_started;
};
struct lane_cursor lane_begin(const struct lane *l);
bool lane_next(struct lane_cursor *at, struct lane_item *ret_item);

struct snapshot_writer;
/* All messages, long chunks by reference. `pending` holds bytes that were not given to the writer yet. */
void lane_capture(const struct lane *l, struct buf *pending, struct snapshot_writer *w);
/* Reads it back into an empty lane and calls `each` for every message. False: the bytes are not a lane; it is empty then. */
bool lane_restore(
    struct lane *l, struct unpack *u, void (*each)(void *context, const struct lane_item *item), void *context);
size_t lane_memory(const struct lane *l); /* bytes allocated, for tests and metrics */

#endif
