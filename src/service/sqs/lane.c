#include "service/sqs/lane.h"
#include "service/sqs/memory.h"
#include "store/store.h"
#include <stdatomic.h>

/* Data sizes that make whole malloc blocks: 40 bytes of header and 8 of malloc's. */
enum {
    CHUNK_OVERHEAD = 48,
    CHUNK_DATA_FIRST = 64 - CHUNK_OVERHEAD,
    CHUNK_DATA_SMALL = 512 - CHUNK_OVERHEAD,
    CHUNK_DATA_LARGE = LANE_CHUNK_BYTES_MAX - CHUNK_OVERHEAD,
    LONG_LANE_CHUNKS = 4,    /* from here on chunks are large */
    CAPTURE_COPY_MAX = 1024, /* shorter chunks are copied into the snapshot: a reference costs more */
};
static_assert(sizeof(struct lane_chunk) == 40, "the header's size is part of the memory figures");
static_assert(CHUNK_DATA_LARGE <= UINT16_MAX, "used is 16 bits");

/* ---- chunks ------------------------------------------------------------------------------------------------------- */

static struct lane_chunk *chunk_new(const struct lane_item *first, size_t capacity)
{
    struct lane_chunk *c = memory_new(sizeof(*c) + capacity);
    atomic_init(&c->references, 1);
    c->capacity = (uint16_t)capacity;
    c->used = 0;
    c->step = c->reserved = 0;
    c->first = *first;
    return c;
}

static void chunk_unref(void *handle)
{
    struct lane_chunk *c = handle;
    if (atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) == 1)
        memory_free(c);
}

/* The same bytes with more room; the old one may live on in a snapshot. */
static struct lane_chunk *chunk_grow(struct lane_chunk *c, size_t capacity)
{
    if (atomic_load_explicit(&c->references, memory_order_acquire) == 1) {
        c = memory_resize(c, sizeof(*c) + capacity);
        c->capacity = (uint16_t)capacity;
        return c;
    }
    struct lane_chunk *copy = chunk_new(&c->first, capacity);
    copy->used = c->used;
    copy->step = c->step;
    memcpy(copy->data, c->data, c->used);
    chunk_unref(c);
    return copy;
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static bool get_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* The differences of a chunk are taken from this many LSNs for each number: what its first two messages show. */
static uint32_t step_of(const struct lane_item *before, const struct lane_item *item)
{
    if (item->lsn < before->lsn)
        return 0; /* it was moved */
    uint64_t step = (item->lsn - before->lsn) / (item->seq - before->seq);
    return step < UINT32_MAX ? (uint32_t)step : 0;
}

/* All differences inside a chunk must stay far from 64 bits, also when messages between two are taken out. */
static bool step_fits(const struct lane_chunk *c, uint64_t seq)
{
    uint64_t product;
    return !__builtin_mul_overflow(seq - c->first.seq, (uint64_t)c->step, &product) && product < 1ull << 57;
}

static size_t encode(
    uint8_t out[LANE_ITEM_BYTES_MAX], const struct lane_item *before, const struct lane_item *item, uint32_t step)
{
    uint64_t seq_step = item->seq - before->seq;
    bool is_jump = seq_step != 1, is_later = item->time_ms != before->time_ms;
    uint64_t surprise = zigzag((int64_t)(item->lsn - before->lsn - seq_step * step));
    uint8_t *at = put_varint(out, surprise << 2 | (uint64_t)is_jump << 1 | (uint64_t)is_later);
    if (is_jump)
        at = put_varint(at, seq_step);
    if (is_later)
        at = put_varint(at, zigzag((int64_t)(item->time_ms - before->time_ms)));
    return (size_t)(at - out);
}

/* The message at `offset` of the chunk, given the one before it. False at the end, or if the bytes are not a message. */
static bool decode(const struct lane_chunk *c, uint32_t *offset, struct lane_item *item)
{
    const uint8_t *at = c->data + *offset, *end = c->data + c->used;
    uint64_t head, step = 1, later = 0;
    if (!get_varint(&at, end, &head))
        return false;
    if ((head & 2) && !get_varint(&at, end, &step))
        return false;
    if ((head & 1) && !get_varint(&at, end, &later))
        return false;
    item->seq += step;
    item->lsn += step * c->step + (uint64_t)unzigzag(head >> 2);
    item->time_ms += (uint64_t)unzigzag(later);
    *offset = (uint32_t)(at - c->data);
    return true;
}

/* ---- the window of chunks ----------------------------------------------------------------------------------------- */

static struct lane_chunk **chunk_at(const struct lane *l, uint32_t index)
{
    return &l->chunks[l->chunk_first + index];
}

static void window_push(struct lane *l, struct lane_chunk *c)
{
    if (l->chunk_first + l->chunk_count == l->chunk_capacity) {
        if (l->chunk_first > l->chunk_capacity / 2) { /* amortised: half of the window was popped since */
            memmove(l->chunks, l->chunks + l->chunk_first, l->chunk_count * sizeof(*l->chunks));
            l->chunk_first = 0;
        } else {
            l->chunk_capacity = l->chunk_capacity ? l->chunk_capacity * 2 : 1;
            l->chunks = memory_resize(l->chunks, l->chunk_capacity * sizeof(*l->chunks));
        }
    }
    l->chunks[l->chunk_first + l->chunk_count++] = c;
}

static void window_drop_first(struct lane *l)
{
    chunk_unref(*chunk_at(l, 0));
    l->chunk_first++;
    l->chunk_count--;
}

static void window_remove(struct lane *l, uint32_t index)
{
    chunk_unref(*chunk_at(l, index));
    memmove(chunk_at(l, index), chunk_at(l, index) + 1, (l->chunk_count - index - 1) * sizeof(*l->chunks));
    l->chunk_count--;
}

void lane_clear(struct lane *l)
{
    while (l->chunk_count)
        window_drop_first(l);
    memory_free(l->chunks);
    l->chunks = NULL;
    l->chunk_first = l->chunk_capacity = 0;
    l->offset = 0;
    l->count = 0;
}

/* ---- append and pop ----------------------------------------------------------------------------------------------- */

/* Room for `size` more bytes in the last chunk, if it may grow so far. */
static bool make_room(struct lane *l, struct lane_chunk **last, size_t size)
{
    size_t limit = l->chunk_count > LONG_LANE_CHUNKS ? CHUNK_DATA_LARGE : CHUNK_DATA_SMALL;
    size_t capacity = (*last)->capacity;
    if (capacity - (*last)->used < size && capacity < limit) {
        capacity = (capacity + CHUNK_OVERHEAD) * 2 - CHUNK_OVERHEAD;
        *last = chunk_grow(*last, capacity < limit ? capacity : limit);
    }
    return (size_t)((*last)->capacity - (*last)->used) >= size;
}

/* False: the last chunk is full, or the message too far away for it. */
static bool append_to_last(struct lane *l, const struct lane_item *item)
{
    uint8_t bytes[LANE_ITEM_BYTES_MAX];
    struct lane_chunk **last = chunk_at(l, l->chunk_count - 1);
    if ((*last)->used == 0)
        (*last)->step = step_of(&l->tail, item);
    if (!step_fits(*last, item->seq))
        return false;
    size_t size = encode(bytes, &l->tail, item, (*last)->step);
    if (!make_room(l, last, size))
        return false;
    memcpy((*last)->data + (*last)->used, bytes, size);
    (*last)->used = (uint16_t)((*last)->used + size);
    return true;
}

void lane_append(struct lane *l, const struct lane_item *item)
{
    ASSERT(l->count == 0 || item->seq > l->tail.seq);
    if (l->chunk_count == 0 || !append_to_last(l, item))
        window_push(l, chunk_new(item, CHUNK_DATA_FIRST));
    if (l->count++ == 0) {
        l->head = *item;
        l->offset = 0;
    }
    l->tail = *item;
}

void lane_pop(struct lane *l)
{
    ASSERT(l->count > 0);
    if (--l->count == 0) {
        lane_clear(l);
        return;
    }
    if (decode(*chunk_at(l, 0), &l->offset, &l->head))
        return;
    window_drop_first(l);
    l->head = (*chunk_at(l, 0))->first;
    l->offset = 0;
}

/* ---- walking ------------------------------------------------------------------------------------------------------ */

struct lane_cursor lane_begin(const struct lane *l)
{
    return (struct lane_cursor){ .lane = l, .left = l->count, .item = l->head, .offset = l->offset };
}

bool lane_next(struct lane_cursor *at, struct lane_item *ret_item)
{
    if (at->left == 0)
        return false;
    at->left--;
    if (!at->is_started) {
        at->is_started = true;
    } else if (!decode(*chunk_at(at->lane, at->chunk), &at->offset, &at->item)) {
        at->chunk++;
        ASSERT(at->chunk < at->lane->chunk_count);
        at->item = (*chunk_at(at->lane, at->chunk))->first;
        at->offset = 0;
    }
    *ret_item = at->item;
    return true;
}

/* ---- the middle --------------------------------------------------------------------------------------------------- */

/* The chunk that would hold `seq`: the last one that starts at or before it. */
static uint32_t chunk_of(const struct lane *l, uint64_t seq)
{
    uint32_t low = 0, high = l->chunk_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if ((*chunk_at(l, middle))->first.seq <= seq)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The waiting messages of one chunk: those before the head are gone. */
static struct lane_cursor cursor_of_chunk(const struct lane *l, uint32_t index)
{
    if (index == 0)
        return lane_begin(l);
    return (struct lane_cursor){ .lane = l, .left = l->count, .item = (*chunk_at(l, index))->first, .chunk = index };
}

/* Like lane_next, but ends with the chunk it began in. */
static bool next_in_chunk(struct lane_cursor *at, struct lane_item *ret_item)
{
    if (at->is_started && !decode(*chunk_at(at->lane, at->chunk), &at->offset, &at->item))
        return false;
    at->is_started = true;
    *ret_item = at->item;
    return true;
}

bool lane_find(const struct lane *l, uint64_t seq, struct lane_item *ret_item)
{
    if (l->count == 0 || seq < l->head.seq || seq > l->tail.seq)
        return false;
    struct lane_cursor at = cursor_of_chunk(l, chunk_of(l, seq));
    struct lane_item item;
    while (next_in_chunk(&at, &item) && item.seq <= seq) {
        if (item.seq == seq) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

/* Writes chunk `index` anew, without `seq` or with its LSN changed (to_lsn != 0). It must stay non-empty. */
static void rewrite_chunk(struct lane *l, uint32_t index, uint64_t seq, uint64_t to_lsn)
{
    struct lane_chunk *old = *chunk_at(l, index), *new = NULL;
    struct lane_cursor at = cursor_of_chunk(l, index);
    struct lane_item item, before = { 0 };
    size_t capacity = (size_t)old->used + 2 * LANE_ITEM_BYTES_MAX; /* two differences change, each to its longest */
    while (next_in_chunk(&at, &item)) {
        if (item.seq == seq && to_lsn == 0)
            continue;
        if (item.seq == seq)
            item.lsn = to_lsn;
        if (!new) {
            new = chunk_new(&item, capacity);
            new->step = old->step;
        } else {
            new->used = (uint16_t)(new->used + encode(new->data + new->used, &before, &item, new->step));
        }
        before = item;
    }
    ASSERT(new &&new->used <= capacity);
    *chunk_at(l, index) = new;
    chunk_unref(old);
    if (index == 0) {
        l->head = new->first;
        l->offset = 0;
    }
    if (index + 1 == l->chunk_count)
        l->tail = before;
}

static bool is_alone_in_chunk(const struct lane *l, uint32_t index)
{
    struct lane_cursor at = cursor_of_chunk(l, index);
    struct lane_item item;
    return next_in_chunk(&at, &item) && !next_in_chunk(&at, &item);
}

bool lane_extract(struct lane *l, uint64_t seq, struct lane_item *ret_item)
{
    struct lane_item item;
    if (l->count && l->head.seq == seq) {
        *ret_item = l->head;
        lane_pop(l);
        return true;
    }
    if (!lane_find(l, seq, &item))
        return false;
    *ret_item = item;
    uint32_t index = chunk_of(l, seq);
    if (is_alone_in_chunk(l, index)) { /* never chunk 0: the head is there */
        window_remove(l, index);
        if (index == l->chunk_count) { /* the last: find the new tail */
            struct lane_cursor at = cursor_of_chunk(l, index - 1);
            while (next_in_chunk(&at, &item))
                l->tail = item;
        }
    } else {
        rewrite_chunk(l, index, seq, 0);
    }
    l->count--;
    return true;
}

bool lane_relocate(struct lane *l, uint64_t seq, uint64_t to_lsn, uint64_t *ret_from_lsn)
{
    struct lane_item item;
    if (!lane_find(l, seq, &item))
        return false;
    *ret_from_lsn = item.lsn;
    rewrite_chunk(l, chunk_of(l, seq), seq, to_lsn);
    return true;
}

/* ---- snapshots ---------------------------------------------------------------------------------------------------- */

static void pack_item(struct buf *b, const struct lane_item *item)
{
    pack_u64(b, item->seq);
    pack_u64(b, item->lsn);
    pack_u64(b, item->time_ms);
}

static struct lane_item unpack_item(struct unpack *u)
{
    struct lane_item item;
    item.seq = unpack_u64(u);
    item.lsn = unpack_u64(u);
    item.time_ms = unpack_ms(u);
    return item;
}

void lane_capture(const struct lane *l, struct buf *pending, struct snapshot_writer *w)
{
    pack_u64(pending, l->count);
    if (l->count == 0)
        return;
    pack_item(pending, &l->head);
    pack_u64(pending, l->offset);
    pack_u64(pending, l->chunk_count);
    for (uint32_t i = 0; i < l->chunk_count; i++) {
        struct lane_chunk *c = *chunk_at(l, i);
        pack_item(pending, &c->first);
        pack_u64(pending, c->step);
        pack_u64(pending, c->used);
        if (c->used <= CAPTURE_COPY_MAX) {
            buf_add(pending, slice_of(c->data, c->used));
            continue;
        }
        snapshot_add(w, pending->data, pending->size);
        buf_reset(pending);
        atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
        snapshot_add_ref(w, c->data, c->used, chunk_unref, c);
    }
}

static struct lane_chunk *restore_chunk(struct unpack *u)
{
    struct lane_item first = unpack_item(u);
    uint32_t step = unpack_u32(u);
    struct slice data = unpack_bytes(u);
    if (u->is_bad || data.size > UINT16_MAX - 2 * LANE_ITEM_BYTES_MAX)
        return NULL;
    struct lane_chunk *c = chunk_new(&first, data.size > CHUNK_DATA_FIRST ? data.size : CHUNK_DATA_FIRST);
    memcpy(c->data, data.data, data.size);
    c->used = (uint16_t)data.size;
    c->step = step;
    return c;
}

/* Walks all that was read: right seqs, right count, whole chunks. */
static bool check_restored(
    struct lane *l, uint64_t count, void (*each)(void *, const struct lane_item *), void *context)
{
    uint64_t seen = 0;
    struct lane_item before = { 0 };
    for (uint32_t i = 0; i < l->chunk_count; i++) {
        struct lane_chunk *c = *chunk_at(l, i);
        struct lane_item item = i == 0 ? l->head : c->first;
        uint32_t offset = i == 0 ? l->offset : 0;
        do {
            if (seen++ >= count || (seen > 1 && item.seq <= before.seq))
                return false;
            each(context, &item);
            before = item;
        } while (decode(c, &offset, &item));
        if (offset != c->used)
            return false;
    }
    l->tail = before;
    return seen == count;
}

bool lane_restore(
    struct lane *l, struct unpack *u, void (*each)(void *context, const struct lane_item *item), void *context)
{
    uint64_t count = unpack_u64(u);
    if (count == 0)
        return !u->is_bad;
    l->head = unpack_item(u);
    uint64_t offset = unpack_u64(u), chunk_count = unpack_u64(u);
    for (uint64_t i = 0; i < chunk_count && !u->is_bad; i++) {
        struct lane_chunk *c = restore_chunk(u);
        if (c)
            window_push(l, c);
        else
            u->is_bad = true;
    }
    bool is_good = !u->is_bad && l->chunk_count && offset <= (*chunk_at(l, 0))->used;
    if (is_good) {
        l->offset = (uint32_t)offset;
        l->count = count;
        is_good = check_restored(l, count, each, context);
    }
    if (!is_good)
        lane_clear(l);
    return is_good;
}

size_t lane_memory(const struct lane *l)
{
    size_t bytes = l->chunk_capacity * sizeof(*l->chunks);
    for (uint32_t i = 0; i < l->chunk_count; i++)
        bytes += sizeof(struct lane_chunk) + (*chunk_at(l, i))->capacity;
    return bytes;
}
