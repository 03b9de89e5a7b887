#include "service/sqs/dedup.h"
#include "base/mutant.h"
#include "service/sqs/limits.h"
#include "service/sqs/memory.h"
#include "store/store.h"
#include <stdatomic.h>

enum {
    TABLE_MIN = 16,
    NUMBER_BITS = 26,
    NUMBER_MASK = (1 << 25) - 1, /* numbers wrap here: + 1 they need 26 bits; there are never half as many entries */
    CAPTURE_COPY_CHUNKS = 1,     /* so few are copied into a snapshot, not referred to */
};

static_assert(sizeof(struct dedup_entry) == 24, "entries are part of the memory figures");
static_assert(SQS_DEDUP_ENTRIES_MAX <= (NUMBER_MASK + 1) / 2, "numbers of entries are distinct");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "entries go into snapshots as they are");

static void chunk_unref(void *handle)
{
    struct dedup_chunk *c = handle;
    if (atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) == 1)
        memory_free(c);
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
    struct dedup_chunk *c = memory_new(sizeof(*c));
    atomic_init(&c->references, 1);
    c->reserved = 0;
    c->base_seq = seq;
    c->base_time_ms = time_ms;
    d->chunks[d->chunk_first + d->chunk_count++] = c;
}

void dedup_clear(struct dedup *d)
{
    for (uint32_t i = 0; i < d->chunk_count; i++)
        chunk_unref(d->chunks[d->chunk_first + i]);
    memory_free(d->chunks);
    memory_free(d->table);
    memset(d, 0, sizeof(*d));
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static uint32_t table_home(const struct dedup *d, const uint64_t hash[2])
{
    return (uint32_t)hash[0] & (d->table_capacity - 1); /* the hash is keyed: its bits are as good as any */
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

static uint32_t table_place(const struct dedup *d, const uint64_t hash[2])
{
    uint32_t at = table_home(d, hash), tag = slot_of(hash, 0) >> NUMBER_BITS;
    while (d->table[at] &&
           (d->table[at] >> NUMBER_BITS != tag || !is_equal(entry_of(d, number_of(d->table[at]))->hash, hash)))
        at = (at + 1) & (d->table_capacity - 1);
    return at;
}

static void table_resize(struct dedup *d, uint32_t capacity)
{
    memory_free(d->table);
    d->table = memory_zero(capacity * sizeof(*d->table));
    d->table_capacity = capacity;
    for (uint32_t i = 0; i < d->count; i++) {
        uint32_t number = number_at(d, i);
        const uint64_t *hash = entry_of(d, number)->hash;
        d->table[table_place(d, hash)] = slot_of(hash, number);
    }
}

static void table_remove(struct dedup *d, const uint64_t hash[2])
{
    uint32_t mask = d->table_capacity - 1, hole = table_place(d, hash);
    ASSERT(d->table[hole]);
    for (uint32_t at = (hole + 1) & mask; d->table[at]; at = (at + 1) & mask) {
        uint32_t home = table_home(d, entry_of(d, number_of(d->table[at]))->hash);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            d->table[hole] = d->table[at];
            hole = at;
        }
    }
    d->table[hole] = 0;
}

/* ---- use ---------------------------------------------------------------------------------------------------------- */

bool dedup_find(const struct dedup *d, const uint64_t hash[2], uint64_t *ret_seq)
{
    if (d->count == 0)
        return false;
    uint32_t slot = d->table[table_place(d, hash)];
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
    if ((d->count + 1) * 4ull > d->table_capacity * 3ull)
        table_resize(d, d->table_capacity ? d->table_capacity * 2 : TABLE_MIN);
    uint32_t number = number_at(d, d->count);
    ASSERT(dedup_takes(d, seq, time_ms));
    if (number % DEDUP_CHUNK_ENTRIES == 0 || d->count == 0)
        chunk_add(d, seq, time_ms);
    const struct dedup_chunk *c = chunk_of(d, number);
    struct dedup_entry *e = entry_of(d, number);
    *e = (struct dedup_entry){ .hash = { hash[0], hash[1] },
        .seq_after = (uint32_t)(seq - c->base_seq),
        .time_after = (uint32_t)(time_ms - c->base_time_ms) };
    uint32_t place = table_place(d, hash);
    ASSERT(d->table[place] == 0);
    d->count++;
    d->table[place] = slot_of(hash, number);
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
    if (d->table_capacity > 64 && d->count < d->table_capacity / 8)
        table_resize(d, d->table_capacity / 2);
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

/* False: an id is there twice, or they are not in order. */
static bool restore_table(struct dedup *d)
{
    uint64_t seq, time_ms, last_seq = 0, last_ms = 0;
    uint32_t capacity = TABLE_MIN;
    while ((d->count + 1) * 4ull > capacity * 3ull)
        capacity *= 2;
    d->table = memory_zero(capacity * sizeof(*d->table));
    d->table_capacity = capacity;
    for (uint32_t i = 0; i < d->count; i++) {
        uint64_t hash[2];
        dedup_get(d, i, hash, &seq, &time_ms);
        uint32_t place = table_place(d, hash);
        if (d->table[place] || seq < last_seq || time_ms < last_ms)
            return false;
        d->table[place] = slot_of(hash, number_at(d, i));
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
           d->table_capacity * sizeof(*d->table);
}
