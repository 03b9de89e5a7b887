#include "service/sqs/dedup.h"
#include "base/mutant.h"
#include "service/sqs/limits.h"
#include "service/sqs/memory.h"
#include "store/store.h"
#include "sys/pages.h"
#include <stdatomic.h>

enum {
    PART_SLOTS_MIN = 16,
    PART_SLOTS_MAX = 4096,
    PART_SHARE = 1792, /* entries of a part, on average: one that is not split yet has twice as many as one that is */
    PART_SHARE_LEAST = 512,                   /* with fewer the last part is given up */
    PART_USED_MAX = PART_SLOTS_MAX / 16 * 15, /* chance never makes one so full */
    NUMBER_BITS = 26,
    NUMBER_MASK = (1 << 25) - 1, /* numbers wrap here: + 1 they need 26 bits; there are never half as many entries */
    RESTORE_AHEAD = 16,          /* slots asked for from memory before they are filled */
    DEAL_AHEAD = 16,             /* and entries before they are dealt */
    SLAB_CHUNKS = 168,
    SLAB_BYTES = sizeof(struct dedup_slab) + SLAB_CHUNKS * sizeof(struct dedup_chunk),
    SLAB_FROM = 4 * SLAB_CHUNKS, /* with fewer chunks each is malloc's */
    PART_BYTES = sizeof(struct dedup_part) + PART_SLOTS_MAX * sizeof(uint32_t),
    SLAB_PARTS = 16, /* likewise */
    SLAB_PARTS_FROM = 4 * SLAB_PARTS,
    CAPTURE_COPY_CHUNKS = 1, /* so few are copied into a snapshot, not referred to */
};

static_assert(sizeof(struct dedup_entry) == 24, "entries are part of the memory figures");
static_assert(SQS_DEDUP_ENTRIES_MAX <= (NUMBER_MASK + 1) / 2, "numbers of entries are distinct");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "entries go into snapshots as they are");

static void slab_unref(struct dedup_slab *s)
{
    if (s && atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1)
        sys_pages_free(s, SLAB_BYTES);
}

static void chunk_unref(void *handle)
{
    struct dedup_chunk *c = handle;
    if (atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
        return;
    if (c->place)
        slab_unref(CONTAINER_OF(c - (c->place - 1), struct dedup_slab, chunks));
    else
        memory_free(c);
}

/* They leave in the order they came: slab by slab. */
static struct dedup_chunk *chunk_from_slab(struct dedup *d)
{
    if (!d->slab || d->slab->used == SLAB_CHUNKS) {
        slab_unref(d->slab);
        d->slab = sys_pages_new(SLAB_BYTES);
        atomic_init(&d->slab->references, 1);
    }
    struct dedup_chunk *c = &d->slab->chunks[d->slab->used++];
    atomic_fetch_add_explicit(&d->slab->references, 1, memory_order_relaxed);
    c->place = d->slab->used;
    return c;
}

static struct dedup_chunk *chunk_new(struct dedup *d)
{
    if (d->chunk_count >= SLAB_FROM)
        return chunk_from_slab(d);
    struct dedup_chunk *c = memory_new(sizeof(*c));
    c->place = 0;
    return c;
}

/* ---- the ring: entries have rising numbers ---------------------------------------------------------------------------- */

static struct dedup_chunk *chunk_of(const struct dedup *d, uint32_t number)
{
    uint32_t first_of_ring = d->first - d->first % DEDUP_CHUNK_ENTRIES;
    return d->chunks[d->chunk_first + ((number - first_of_ring) & NUMBER_MASK) / DEDUP_CHUNK_ENTRIES];
}

static uint32_t number_at(const struct dedup *d, uint32_t index)
{
    return (d->first + index) & NUMBER_MASK;
}

static struct dedup_entry *entry_of(const struct dedup *d, uint32_t number)
{
    return &chunk_of(d, number)->entries[number % DEDUP_CHUNK_ENTRIES];
}

static void chunk_add(struct dedup *d, uint64_t seq, uint64_t time_ms)
{
    if (d->chunk_first + d->chunk_count == d->chunk_capacity) {
        if (d->chunk_first > d->chunk_capacity / 2) {
            memmove(d->chunks, d->chunks + d->chunk_first, d->chunk_count * sizeof(*d->chunks));
            d->chunk_first = 0;
        } else {
            d->chunk_capacity = d->chunk_capacity ? d->chunk_capacity * 2 : 1;
            d->chunks = memory_resize(d->chunks, d->chunk_capacity * sizeof(*d->chunks));
        }
    }
    struct dedup_chunk *c = chunk_new(d);
    atomic_init(&c->references, 1);
    c->base_seq = seq;
    c->base_time_ms = time_ms;
    d->chunks[d->chunk_first + d->chunk_count++] = c;
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static uint32_t level_of(uint32_t count) /* the largest power of two that is not above it */
{
    return 1u << (31 - __builtin_clz(count));
}

/* Linear hashing (Litwin 1980): part `level + i` takes its entries from part i, one part after the other, so that growing by
 * one costs no more than that part. The hash is keyed: its bits are as good as any; those in the part are others. */
static uint32_t part_number(const struct dedup *d, const uint64_t hash[2])
{
    uint32_t level = level_of(d->part_count), number = (uint32_t)(hash[0] >> 32) & (2 * level - 1);
    return number < d->part_count ? number : number & (level - 1);
}

static uint32_t home_of(const struct dedup *d, const uint64_t hash[2])
{
    return (uint32_t)hash[0] & (d->part_slots - 1);
}

/* What the table keeps of an entry: its number, and enough of the hash that a wrong one is rarely looked at. */
static uint32_t slot_of(const uint64_t hash[2], uint32_t number)
{
    return (uint32_t)(hash[1] >> (64 - (32 - NUMBER_BITS))) << NUMBER_BITS | (number + 1);
}

static uint32_t number_of(uint32_t slot)
{
    return (slot & ((1u << NUMBER_BITS) - 1)) - 1;
}

static bool is_equal(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

/* The slot of the entry with this hash, or the empty one where it would be. */
static uint32_t *table_place(const struct dedup *d, struct dedup_part *part, const uint64_t hash[2])
{
    uint32_t at = home_of(d, hash), tag = slot_of(hash, 0) >> NUMBER_BITS;
    while (part->slots[at] &&
           (part->slots[at] >> NUMBER_BITS != tag || !is_equal(entry_of(d, number_of(part->slots[at]))->hash, hash)))
        at = (at + 1) & (d->part_slots - 1);
    return &part->slots[at];
}

static struct dedup_part *part_of(const struct dedup *d, const uint64_t hash[2])
{
    return d->parts[part_number(d, hash)];
}

/* Inline wherever it is called: gcc 12 takes a function that does no more for one without effect, and leaves the call out. */
static inline __attribute__((always_inline)) void fetch(const struct dedup *d, const uint64_t hash[2])
{
    __builtin_prefetch(&part_of(d, hash)->slots[home_of(d, hash)]);
}

/* The last one is the first to go. */
static bool is_in_slab(uint32_t number)
{
    return number >= SLAB_PARTS_FROM;
}

static struct dedup_part *part_new(const struct dedup *d, uint32_t number)
{
    if (!is_in_slab(number))
        return memory_zero(sizeof(struct dedup_part) + d->part_slots * sizeof(uint32_t));
    if (number % SLAB_PARTS == 0)
        return sys_pages_new((size_t)SLAB_PARTS * PART_BYTES);
    struct dedup_part *part = (struct dedup_part *)((char *)d->parts[number - 1] + PART_BYTES);
    memset(part, 0, PART_BYTES);
    return part;
}

static void part_free(struct dedup *d, uint32_t number)
{
    if (!is_in_slab(number))
        memory_free(d->parts[number]);
    else if (number % SLAB_PARTS == 0)
        sys_pages_free(d->parts[number], (size_t)SLAB_PARTS * PART_BYTES);
}

static void part_put(struct dedup_part *part, uint32_t *place, const uint64_t hash[2], uint32_t number)
{
    ASSERT(*place == 0);
    *place = slot_of(hash, number);
    part->used++;
}

/* Puts the entries of a part that was emptied, or ends, where they belong now. */
static void part_deal(struct dedup *d, const uint32_t *slots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (count - i > DEAL_AHEAD && slots[i + DEAL_AHEAD])
            __builtin_prefetch(entry_of(d, number_of(slots[i + DEAL_AHEAD])));
        if (!slots[i])
            continue;
        uint32_t number = number_of(slots[i]);
        const uint64_t *hash = entry_of(d, number)->hash;
        struct dedup_part *part = part_of(d, hash);
        part_put(part, table_place(d, part, hash), hash, number);
    }
}

static void part_add(struct dedup *d)
{
    if (d->part_count == 0 || d->part_count == level_of(d->part_count))
        d->parts = memory_resize(d->parts, (d->part_count ? 2 * d->part_count : 1) * sizeof(*d->parts));
    d->parts[d->part_count] = part_new(d, d->part_count);
    d->part_count++;
}

static void part_split(struct dedup *d)
{
    uint32_t slots[PART_SLOTS_MAX];
    struct dedup_part *part = d->parts[d->part_count - level_of(d->part_count)];
    memcpy(slots, part->slots, sizeof(slots));
    memset(part, 0, PART_BYTES);
    part_add(d);
    part_deal(d, slots, PART_SLOTS_MAX);
}

static void part_give_up(struct dedup *d)
{
    d->part_count--;
    part_deal(d, d->parts[d->part_count]->slots, PART_SLOTS_MAX);
    part_free(d, d->part_count);
}

/* While it is one part, that one grows and shrinks. */
static void part_resize(struct dedup *d, uint32_t slots)
{
    struct dedup_part *old = d->parts[0];
    uint32_t old_slots = d->part_slots;
    d->part_slots = slots;
    d->parts[0] = part_new(d, 0);
    part_deal(d, old->slots, old_slots);
    memory_free(old);
}

/* Room for one more with this hash. */
static void table_grow(struct dedup *d, const uint64_t hash[2])
{
    if (d->part_count == 0) {
        d->part_slots = PART_SLOTS_MIN;
        part_add(d);
    }
    if (d->part_slots < PART_SLOTS_MAX) {
        if ((d->count + 1) * 4ull > d->part_slots * 3ull)
            part_resize(d, d->part_slots * 2);
        return;
    }
    while (d->count + 1 > d->part_count * PART_SHARE || part_of(d, hash)->used >= PART_USED_MAX)
        part_split(d);
}

static void table_shrink(struct dedup *d)
{
    if (d->part_count > 1) {
        if (d->count < d->part_count * PART_SHARE_LEAST)
            part_give_up(d);
    } else if (d->part_slots > 4 * PART_SLOTS_MIN && d->count < d->part_slots / 8) {
        part_resize(d, d->part_slots / 2);
    }
}

static void table_remove(struct dedup *d, const uint64_t hash[2])
{
    struct dedup_part *part = part_of(d, hash);
    uint32_t *slots = part->slots, mask = d->part_slots - 1;
    uint32_t hole = (uint32_t)(table_place(d, part, hash) - slots);
    ASSERT(slots[hole]);
    for (uint32_t at = (hole + 1) & mask; slots[at]; at = (at + 1) & mask) {
        uint32_t home = home_of(d, entry_of(d, number_of(slots[at]))->hash);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            slots[hole] = slots[at];
            hole = at;
        }
    }
    slots[hole] = 0;
    part->used--;
}

/* As many parts as so many entries have once they all came. */
static void table_reserve(struct dedup *d, uint32_t count)
{
    d->part_slots = PART_SLOTS_MIN;
    while (d->part_slots < PART_SLOTS_MAX && count * 4ull > d->part_slots * 3ull)
        d->part_slots *= 2;
    do {
        part_add(d);
    } while (d->part_slots == PART_SLOTS_MAX && count > d->part_count * PART_SHARE);
}

/* ---- use ---------------------------------------------------------------------------------------------------------- */

void dedup_clear(struct dedup *d)
{
    for (uint32_t i = 0; i < d->chunk_count; i++)
        chunk_unref(d->chunks[d->chunk_first + i]);
    slab_unref(d->slab);
    while (d->part_count)
        part_free(d, --d->part_count);
    memory_free(d->chunks);
    memory_free(d->parts);
    memset(d, 0, sizeof(*d));
}

void dedup_fetch(const struct dedup *d, const uint64_t hash[2])
{
    if (d->count)
        fetch(d, hash);
}

bool dedup_find(const struct dedup *d, const uint64_t hash[2], uint64_t *ret_seq)
{
    if (d->count == 0)
        return false;
    uint32_t slot = *table_place(d, part_of(d, hash), hash);
    if (!slot)
        return false;
    uint32_t number = number_of(slot);
    *ret_seq = chunk_of(d, number)->base_seq + entry_of(d, number)->seq_after;
    return true;
}

bool dedup_takes(const struct dedup *d, uint64_t seq, uint64_t time_ms)
{
    uint32_t number = number_at(d, d->count);
    if (d->count == 0)
        return true;
    uint32_t last = number_at(d, d->count - 1);
    const struct dedup_chunk *c = chunk_of(d, last);
    if (seq < c->base_seq + entry_of(d, last)->seq_after || time_ms < c->base_time_ms + entry_of(d, last)->time_after)
        return false;
    bool is_new_chunk = number % DEDUP_CHUNK_ENTRIES == 0;
    return is_new_chunk || (seq - c->base_seq <= UINT32_MAX && time_ms - c->base_time_ms <= UINT32_MAX);
}

void dedup_add(struct dedup *d, const uint64_t hash[2], uint64_t seq, uint64_t time_ms)
{
    table_grow(d, hash);
    uint32_t number = number_at(d, d->count);
    ASSERT(dedup_takes(d, seq, time_ms));
    if (number % DEDUP_CHUNK_ENTRIES == 0 || d->count == 0)
        chunk_add(d, seq, time_ms);
    const struct dedup_chunk *c = chunk_of(d, number);
    struct dedup_entry *e = entry_of(d, number);
    *e = (struct dedup_entry){ .hash = { hash[0], hash[1] },
        .seq_after = (uint32_t)(seq - c->base_seq),
        .time_after = (uint32_t)(time_ms - c->base_time_ms) };
    struct dedup_part *part = part_of(d, hash);
    part_put(part, table_place(d, part, hash), hash, number);
    d->count++;
}

static void drop_first(struct dedup *d)
{
    table_remove(d, entry_of(d, d->first)->hash);
    d->count--;
    if (d->count == 0) {
        dedup_clear(d);
        return;
    }
    d->first = number_at(d, 1);
    if (d->first % DEDUP_CHUNK_ENTRIES == 0) {
        chunk_unref(d->chunks[d->chunk_first++]);
        d->chunk_count--;
    }
    table_shrink(d);
}

uint64_t dedup_oldest_ms(const struct dedup *d)
{
    if (d->count == 0)
        return UINT64_MAX;
    return chunk_of(d, d->first)->base_time_ms + entry_of(d, d->first)->time_after;
}

void dedup_expire(struct dedup *d, uint64_t upto_ms)
{
    while (d->count && dedup_oldest_ms(d) <= upto_ms)
        drop_first(d);
}

void dedup_get(const struct dedup *d, uint32_t index, uint64_t ret_hash[2], uint64_t *ret_seq, uint64_t *ret_time_ms)
{
    const struct dedup_chunk *c = chunk_of(d, number_at(d, index));
    const struct dedup_entry *e = entry_of(d, number_at(d, index));
    ret_hash[0] = e->hash[0];
    ret_hash[1] = e->hash[1];
    *ret_seq = c->base_seq + e->seq_after;
    *ret_time_ms = c->base_time_ms + e->time_after;
}

/* ---- snapshots ---------------------------------------------------------------------------------------------------- */

/* The entries of one chunk that are in use: the first chunk may begin late, the last end early. */
static void used_range(const struct dedup *d, uint32_t chunk, uint32_t *ret_from, uint32_t *ret_to)
{
    uint32_t skipped = d->first % DEDUP_CHUNK_ENTRIES, end = skipped + d->count - chunk * DEDUP_CHUNK_ENTRIES;
    *ret_from = chunk == 0 ? skipped : 0;
    *ret_to = end < DEDUP_CHUNK_ENTRIES ? end : DEDUP_CHUNK_ENTRIES;
}

void dedup_capture(const struct dedup *d, struct buf *pending, struct snapshot_writer *w)
{
    pack_u64(pending, MUTANT(dedup_not_in_snapshot) ? 0 : d->count);
    pack_u64(pending, d->first % DEDUP_CHUNK_ENTRIES);
    if (MUTANT(dedup_not_in_snapshot))
        return;
    for (uint32_t i = 0; i < d->chunk_count; i++) {
        struct dedup_chunk *c = d->chunks[d->chunk_first + i];
        uint32_t from, to;
        used_range(d, i, &from, &to);
        pack_u64(pending, c->base_seq);
        pack_u64(pending, c->base_time_ms);
        struct slice bytes = slice_of(c->entries + from, (to - from) * sizeof(c->entries[0]));
        if (d->chunk_count <= CAPTURE_COPY_CHUNKS) {
            buf_add(pending, bytes);
            continue;
        }
        snapshot_add(w, pending->data, pending->size);
        buf_reset(pending);
        atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
        snapshot_add_ref(w, bytes.data, bytes.size, chunk_unref, c);
    }
}

static bool restore_entries(struct dedup *d, struct unpack *u, uint32_t count)
{
    for (uint32_t done = 0, chunk = 0; done < count; chunk++) {
        uint32_t from, to;
        d->count = count; /* used_range wants the whole */
        used_range(d, chunk, &from, &to);
        uint64_t base_seq = unpack_u64(u), base_time_ms = unpack_ms(u);
        struct slice bytes = unpack_raw(u, (to - from) * sizeof(struct dedup_entry));
        if (u->is_bad)
            return false;
        chunk_add(d, base_seq, base_time_ms);
        memcpy(d->chunks[d->chunk_first + chunk]->entries + from, bytes.data, bytes.size);
        done += to - from;
    }
    return true;
}

/* False: an id is there twice, they are not in order, or chance never made such hashes. */
static bool restore_table(struct dedup *d)
{
    uint64_t seq, time_ms, last_seq = 0, last_ms = 0;
    table_reserve(d, d->count);
    for (uint32_t i = 0; i < d->count; i++) {
        uint64_t hash[2];
        if (d->count - i > RESTORE_AHEAD)
            fetch(d, entry_of(d, number_at(d, i + RESTORE_AHEAD))->hash);
        dedup_get(d, i, hash, &seq, &time_ms);
        struct dedup_part *part = part_of(d, hash);
        uint32_t *place = table_place(d, part, hash);
        if (*place || seq < last_seq || time_ms < last_ms || part->used >= PART_USED_MAX)
            return false;
        part_put(part, place, hash, number_at(d, i));
        last_seq = seq;
        last_ms = time_ms;
    }
    return true;
}

bool dedup_restore(struct dedup *d, struct unpack *u)
{
    uint64_t count = unpack_u64(u), first = unpack_u64(u);
    if (u->is_bad || count > SQS_DEDUP_ENTRIES_MAX || first >= DEDUP_CHUNK_ENTRIES)
        return false;
    if (count == 0)
        return true;
    d->first = (uint32_t)first;
    if (!restore_entries(d, u, (uint32_t)count)) {
        d->count = 0;
        dedup_clear(d);
        return false;
    }
    if (!restore_table(d)) {
        dedup_clear(d);
        return false;
    }
    return true;
}

size_t dedup_memory(const struct dedup *d)
{
    return d->chunk_capacity * sizeof(*d->chunks) + d->chunk_count * sizeof(struct dedup_chunk) +
           d->part_count * (sizeof(*d->parts) + sizeof(struct dedup_part) + d->part_slots * sizeof(uint32_t));
}
