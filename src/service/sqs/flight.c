#include "service/sqs/flight.h"
#include "base/mutant.h"
#include "base/map.h"
#include "service/sqs/memory.h"

/* Blocks: 8, 8, 16, 32, ... 512, then 1024 each, so that one message in flight costs half a KiB and a hundred thousand
 * little more than 64 bytes each. */
enum {
    BLOCK_FIRST = 8,
    BLOCK_MAX = 1024,
    GEOMETRIC_BLOCKS = 8,
    HEAP_CHILDREN = 4,
    TABLE_MIN = 16,
    DEADLINES_SLACK = 64,
    SHRINK_MIN = 64,
};

static_assert(sizeof(struct flight) == 64, "entries are part of the memory figures");

/* ---- blocks ------------------------------------------------------------------------------------------------------- */

static uint32_t block_of(uint32_t entry, uint32_t *ret_offset)
{
    if (entry >= BLOCK_MAX) {
        *ret_offset = entry % BLOCK_MAX;
        return GEOMETRIC_BLOCKS - 1 + entry / BLOCK_MAX;
    }
    if (entry < BLOCK_FIRST) {
        *ret_offset = entry;
        return 0;
    }
    uint32_t log = 31 - (uint32_t)__builtin_clz(entry);
    *ret_offset = entry - (1u << log);
    return log - 2;
}

static size_t block_entries(uint32_t block)
{
    return block == 0 ? BLOCK_FIRST : block < GEOMETRIC_BLOCKS ? (size_t)BLOCK_FIRST << (block - 1) : BLOCK_MAX;
}

static struct flight *entry_at(const struct flights *f, uint32_t entry)
{
    uint32_t offset, block = block_of(entry, &offset);
    return &f->blocks[block][offset];
}

struct flight *flights_get(const struct flights *f, uint32_t entry)
{
    return entry_at(f, entry);
}

static void block_add(struct flights *f)
{
    if (f->block_count == f->block_capacity) {
        f->block_capacity = f->block_capacity ? f->block_capacity * 2 : 1;
        f->blocks = memory_resize(f->blocks, f->block_capacity * sizeof(*f->blocks));
    }
    f->blocks[f->block_count] = memory_new(block_entries(f->block_count) * sizeof(struct flight));
    f->block_count++;
}

static uint32_t entry_take(struct flights *f)
{
    if (f->free_head) {
        uint32_t entry = f->free_head - 1;
        f->free_head = entry_at(f, entry)->next_free;
        return entry;
    }
    uint32_t offset, entry = f->used;
    ASSERT(entry < INT32_MAX);
    if (block_of(entry, &offset) == f->block_count)
        block_add(f);
    f->used++;
    return entry;
}

/* ---- the table by seq: open addressing, linear steps, no tombstones -------------------------------------------------- */

/* Sixteen neighbours share a cache line of the table: messages leave about in the order they came. */
static uint32_t table_home(const struct flights *f, uint64_t seq)
{
    return ((uint32_t)map_hash_u64(seq / 16) * 16 + (uint32_t)(seq % 16)) & (f->table_capacity - 1);
}

static uint32_t table_place(
    const struct flights *f, uint64_t seq) /* where it is, or the empty slot where it would be */
{
    uint32_t at = table_home(f, seq);
    while (f->table[at] != FLIGHT_NONE && entry_at(f, f->table[at])->seq != seq)
        at = (at + 1) & (f->table_capacity - 1);
    return at;
}

static void table_resize(struct flights *f, uint32_t capacity)
{
    uint32_t *old = f->table, old_capacity = f->table_capacity;
    f->table = memory_new(capacity * sizeof(*f->table));
    memset(f->table, 0xff, capacity * sizeof(*f->table));
    f->table_capacity = capacity;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i] != FLIGHT_NONE)
            f->table[table_place(f, entry_at(f, old[i])->seq)] = old[i];
    memory_free(old);
}

static void table_remove(struct flights *f, uint64_t seq)
{
    uint32_t mask = f->table_capacity - 1, hole = table_place(f, seq);
    ASSERT(f->table[hole] != FLIGHT_NONE);
    for (uint32_t at = (hole + 1) & mask; f->table[at] != FLIGHT_NONE; at = (at + 1) & mask) {
        uint32_t home = table_home(f, entry_at(f, f->table[at])->seq);
        if (((at - home) & mask) >= ((at - hole) & mask)) { /* it may move back to the hole */
            f->table[hole] = f->table[at];
            hole = at;
        }
    }
    f->table[hole] = FLIGHT_NONE;
}

static void sweep_if_stale(struct flights *f);
static void line_clear(struct flight_line *l);

/* ---- entries ------------------------------------------------------------------------------------------------------ */

uint32_t flights_find(const struct flights *f, uint64_t seq)
{
    return f->count ? f->table[table_place(f, seq)] : FLIGHT_NONE;
}

uint32_t flights_add(struct flights *f, uint64_t seq)
{
    if ((f->count + 1) * 4ull > f->table_capacity * 3ull)
        table_resize(f, f->table_capacity ? f->table_capacity * 2 : TABLE_MIN);
    uint32_t entry = entry_take(f), place = table_place(f, seq);
    ASSERT(f->table[place] == FLIGHT_NONE);
    f->table[place] = entry;
    f->count++;
    struct flight *e = entry_at(f, entry);
    memset(e, 0, sizeof(*e));
    e->seq = seq;
    return entry;
}

void flights_remove(struct flights *f, uint32_t entry)
{
    struct flight *e = entry_at(f, entry);
    ASSERT(e->state != FLIGHT_FREE && e->place == 0);
    table_remove(f, e->seq);
    if (--f->count == 0 && !MUTANT(flights_kept)) {
        flights_clear(f);
        return;
    }
    e->state = FLIGHT_FREE;
    e->next_free = f->free_head;
    f->free_head = entry + 1;
    sweep_if_stale(f);
}

void flights_clear(struct flights *f)
{
    for (uint32_t i = 0; i < f->block_count; i++)
        memory_free(f->blocks[i]);
    memory_free(f->blocks);
    memory_free(f->table);
    line_clear(&f->line);
    flight_heap_clear(&f->odd);
    memset(f, 0, sizeof(*f));
}

bool flights_next(const struct flights *f, uint32_t *position, uint32_t *ret_entry)
{
    while (*position < f->used) {
        uint32_t entry = (*position)++;
        if (entry_at(f, entry)->state != FLIGHT_FREE) {
            *ret_entry = entry;
            return true;
        }
    }
    return false;
}

size_t flights_memory(const struct flights *f)
{
    size_t bytes = f->block_capacity * sizeof(*f->blocks) + f->table_capacity * sizeof(*f->table) +
                   (f->line.capacity + f->odd.capacity) * sizeof(struct flight_slot);
    for (uint32_t i = 0; i < f->block_count; i++)
        bytes += block_entries(i) * sizeof(struct flight);
    return bytes;
}

/* ---- heaps -------------------------------------------------------------------------------------------------------- */

static bool is_before(struct flight_slot a, struct flight_slot b)
{
    return a.key != b.key ? a.key < b.key : a.tie < b.tie;
}

/* `f` is NULL for the deadlines: their entries do not know their places. */
static void slot_set(struct flights *f, struct flight_heap *h, uint32_t at, struct flight_slot s)
{
    h->slots[at] = s;
    if (f)
        entry_at(f, s.entry)->place = at + 1;
}

static void move_up(struct flights *f, struct flight_heap *h, uint32_t at, struct flight_slot s)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / HEAP_CHILDREN;
        if (!is_before(s, h->slots[parent]))
            break;
        slot_set(f, h, at, h->slots[parent]);
        at = parent;
    }
    slot_set(f, h, at, s);
}

static void move_down(struct flights *f, struct flight_heap *h, uint32_t at, struct flight_slot s)
{
    for (;;) {
        uint32_t child = at * HEAP_CHILDREN + 1, least = child;
        if (child >= h->count)
            break;
        for (uint32_t i = child + 1; i < child + HEAP_CHILDREN && i < h->count; i++)
            if (is_before(h->slots[i], h->slots[least]))
                least = i;
        if (!is_before(h->slots[least], s))
            break;
        slot_set(f, h, at, h->slots[least]);
        at = least;
    }
    slot_set(f, h, at, s);
}

void flight_heap_clear(struct flight_heap *h)
{
    memory_free(h->slots);
    *h = (struct flight_heap){ 0 };
}

static void push(struct flights *f, struct flight_heap *h, struct flight_slot s)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? h->capacity * 2 : 4;
        h->slots = memory_resize(h->slots, h->capacity * sizeof(*h->slots));
    }
    move_up(f, h, h->count++, s);
}

static struct flight_slot slot_of(const struct flights *f, uint32_t entry, uint64_t key)
{
    return (struct flight_slot){ key, entry, (uint32_t)entry_at(f, entry)->seq };
}

void flight_order_insert(struct flights *f, struct flight_heap *h, uint32_t entry, uint64_t key)
{
    ASSERT(entry_at(f, entry)->place == 0);
    push(f, h, slot_of(f, entry, key));
}

void flight_order_remove(struct flights *f, struct flight_heap *h, uint32_t entry)
{
    struct flight *e = entry_at(f, entry);
    ASSERT(e->place && e->place <= h->count);
    uint32_t at = e->place - 1;
    ASSERT(h->slots[at].entry == entry);
    e->place = 0;
    struct flight_slot last = h->slots[--h->count];
    if (h->count == 0) {
        flight_heap_clear(h);
    } else if (at < h->count) {
        if (at > 0 && is_before(last, h->slots[(at - 1) / HEAP_CHILDREN]))
            move_up(f, h, at, last);
        else
            move_down(f, h, at, last);
    }
}

/* ---- deadlines ---------------------------------------------------------------------------------------------------- */

static bool is_stale(const struct flights *f, struct flight_slot s)
{
    const struct flight *e = entry_at(f, s.entry);
    return e->state == FLIGHT_FREE || (uint32_t)e->seq != s.tie || e->sent_ms + e->due_after != s.key;
}

static void line_push(struct flight_line *l, struct flight_slot s)
{
    if (l->first + l->count == l->capacity) {
        if (l->first > l->capacity / 2) { /* amortised: half of the window left since */
            memmove(l->slots, l->slots + l->first, l->count * sizeof(*l->slots));
            l->first = 0;
        } else {
            l->capacity = l->capacity ? l->capacity * 2 : 4;
            l->slots = memory_resize(l->slots, l->capacity * sizeof(*l->slots));
        }
    }
    l->slots[l->first + l->count++] = s;
}

static void line_pop(struct flight_line *l)
{
    l->first++;
    l->count--;
}

static void line_clear(struct flight_line *l)
{
    memory_free(l->slots);
    *l = (struct flight_line){ 0 };
}

/* Keeps the slots that still say something, one an entry, in their order; returns how many. */
static uint32_t keep_live(struct flights *f, struct flight_slot *slots, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct flight *e = entry_at(f, slots[i].entry);
        if (is_stale(f, slots[i]) || (e->flags & FLIGHT_SEEN))
            continue;
        e->flags |= FLIGHT_SEEN;
        slots[kept++] = slots[i];
    }
    return kept;
}

static void unsee(struct flights *f, const struct flight_slot *slots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        entry_at(f, slots[i].entry)->flags &= (uint8_t)~FLIGHT_SEEN;
}

static void sweep_deadlines(struct flights *f)
{
    struct flight_line *l = &f->line;
    struct flight_heap *h = &f->odd;
    uint32_t line_count = keep_live(f, l->slots + l->first, l->count);
    h->count = keep_live(f, h->slots, h->count);
    unsee(f, l->slots + l->first, line_count);
    unsee(f, h->slots, h->count);
    for (uint32_t i = h->count; i-- > 0;)
        move_down(NULL, h, i, h->slots[i]);
    if (l->first)
        memmove(l->slots, l->slots + l->first, line_count * sizeof(*l->slots));
    l->first = 0;
    l->count = line_count;
    if (l->capacity > SHRINK_MIN && l->count < l->capacity / 4) {
        l->capacity /= 2;
        l->slots = memory_resize(l->slots, l->capacity * sizeof(*l->slots));
    }
    if (h->capacity > SHRINK_MIN && h->count < h->capacity / 4) {
        h->capacity /= 2;
        h->slots = memory_resize(h->slots, h->capacity * sizeof(*h->slots));
    }
}

static void sweep_if_stale(struct flights *f)
{
    if (f->line.count + f->odd.count > 2ull * f->count + DEADLINES_SLACK)
        sweep_deadlines(f);
}

void flight_due(struct flights *f, uint32_t entry, uint64_t due_ms)
{
    struct flight *e = entry_at(f, entry);
    e->due_after = flight_after(e, due_ms);
    struct flight_slot s = slot_of(f, entry, e->sent_ms + e->due_after);
    const struct flight_line *l = &f->line;
    if (l->count == 0 || !is_before(s, l->slots[l->first + l->count - 1]))
        line_push(&f->line, s);
    else
        push(NULL, &f->odd, s);
    sweep_if_stale(f);
}

uint64_t flight_first_due(struct flights *f, uint32_t *ret_entry)
{
    struct flight_line *l = &f->line;
    struct flight_heap *h = &f->odd;
    while (l->count && is_stale(f, l->slots[l->first]))
        line_pop(l);
    while (h->count && is_stale(f, h->slots[0])) {
        struct flight_slot last = h->slots[--h->count];
        if (h->count)
            move_down(NULL, h, 0, last);
    }
    *ret_entry = FLIGHT_NONE;
    if (l->count == 0 && h->count == 0)
        return UINT64_MAX;
    bool is_odd = l->count == 0 || (h->count && is_before(h->slots[0], l->slots[l->first]));
    const struct flight_slot *first = is_odd ? &h->slots[0] : &l->slots[l->first];
    *ret_entry = first->entry;
    return first->key;
}
