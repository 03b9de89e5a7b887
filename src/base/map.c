/* map.c: extendible hashing (Fagin and others, 1979) over parts with linear probing (map.h).
 *
 * High bits of a hash are a place in the directory, which leads to a part; low ones are the home slot there. What lies in a
 * part of depth d agrees in d of the high bits, and every 2^d-th place leads to it.
 *
 * Invariant: in a part, between the home slot of an entry and the slot it lies in, no slot is empty. map_remove keeps it by
 * moving later entries back, so that there are no tombstones.
 */
#include "base/map.h"
#include "base/check.h"
#include <stdlib.h>

enum {
    PART_SLOTS_MIN = 16,
    PART_SLOTS_MAX = 4096,
    MERGED_SHARE = 4,  /* two parts become one that is filled to a fourth, at most */
    RESIZED_SHARE = 8, /* with less than an eighth the only part is made smaller */
    UNEVEN = 8, /* a part has so many times its share: chance makes no such hashes, and splitting would go on and on */
};

/* Until map_set_seed: any constant, the same in every process. */
static uint64_t seed_0 = 0x6d696c6c72616365ull, seed_1 = 0x9e3779b97f4a7c15ull;

void map_set_seed(uint64_t seed0, uint64_t seed1)
{
    seed_0 = seed0;
    seed_1 = seed1;
}

/* ---- SipHash-1-3 (Aumasson, Bernstein): one round a word, three at the end: keyed against flooding ----------------
 */

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

#define SIP_ROUND(v0, v1, v2, v3)                                                                                      \
    do {                                                                                                               \
        v0 += v1, v2 += v3;                                                                                            \
        v1 = rotate(v1, 13) ^ v0, v3 = rotate(v3, 16) ^ v2;                                                            \
        v0 = rotate(v0, 32) + v3, v2 += v1;                                                                            \
        v1 = rotate(v1, 17) ^ v2, v3 = rotate(v3, 21) ^ v0;                                                            \
        v2 = rotate(v2, 32);                                                                                           \
    } while (0)

uint64_t map_hash(struct slice key)
{
    uint64_t v0 = seed_0 ^ 0x736f6d6570736575ull, v1 = seed_1 ^ 0x646f72616e646f6dull;
    uint64_t v2 = seed_0 ^ 0x6c7967656e657261ull, v3 = seed_1 ^ 0x7465646279746573ull;
    const char *at = key.data;
    uint64_t word = 0;
    for (size_t words = key.size / 8; words; words--, at += 8) {
        memcpy(&word, at, 8);
        v3 ^= word;
        SIP_ROUND(v0, v1, v2, v3);
        v0 ^= word;
    }
    word = 0;
    if (key.size & 7)
        memcpy(&word, at, key.size & 7);
    word ^= (uint64_t)key.size << 56;
    v3 ^= word;
    SIP_ROUND(v0, v1, v2, v3);
    v0 ^= word;
    v2 ^= 0xff;
    SIP_ROUND(v0, v1, v2, v3);
    SIP_ROUND(v0, v1, v2, v3);
    SIP_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

/* ---- parts -----------------------------------------------------------------------------------------------------------
 */

static struct map_part *part_new(size_t slots, size_t depth)
{
    size_t bytes = sizeof(struct map_part) + slots * sizeof(struct map_slot);
    struct map_part *part = calloc(1, bytes);
    if (!part)
        check_out_of_memory(bytes);
    part->depth = depth;
    return part;
}

static void part_put(struct map_part *part, size_t mask, struct map_slot slot)
{
    size_t i = (size_t)slot.hash & mask;
    while (part->slots[i].entry)
        i = (i + 1) & mask;
    part->slots[i] = slot;
    part->count++;
}

/* Closes the hole at `hole`: moves back each later entry of the run whose home is not after the hole. */
static void part_close(struct map_part *part, size_t mask, size_t hole)
{
    struct map_slot *slots = part->slots;
    for (size_t i = (hole + 1) & mask; slots[i].entry; i = (i + 1) & mask) {
        size_t home = (size_t)slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            slots[hole] = slots[i];
            hole = i;
        }
    }
    slots[hole] = (struct map_slot){ 0, NULL };
    part->count--;
}

/* Moves all entries of a part, which ends, to another. */
static void part_empty(struct map_part *from, size_t from_mask, struct map_part *to, size_t to_mask)
{
    for (size_t i = 0; i <= from_mask; i++)
        if (from->slots[i].entry)
            part_put(to, to_mask, from->slots[i]);
    free(from);
}

/* ---- the directory --------------------------------------------------------------------------------------------------
 */

static void directory_resize(struct map *m, size_t count)
{
    m->parts = realloc(m->parts, count * sizeof(struct map_part *));
    if (!m->parts)
        check_out_of_memory(count * sizeof(struct map_part *));
    m->part_mask = (uint32_t)(count - 1);
}

static bool is_first(const struct map *m, size_t place) /* of those that lead to its part */
{
    return place >> m->parts[place]->depth == 0;
}

/* From every place that is for this part; `place` is one of them. */
static void lead_to(struct map *m, size_t place, struct map_part *part)
{
    size_t step = (size_t)1 << part->depth;
    for (size_t i = place & (step - 1); i <= m->part_mask; i += step)
        m->parts[i] = part;
}

/* ---- growing and shrinking ------------------------------------------------------------------------------------------
 */

/* All parts have one size. Of hashes that chance could make there is only one part when it changes. */
static void resize(struct map *m, size_t slots)
{
    for (size_t i = 0; i <= m->part_mask; i++) {
        if (!is_first(m, i))
            continue;
        struct map_part *old = m->parts[i], *part = part_new(slots, old->depth);
        lead_to(m, i, part);
        part_empty(old, m->slot_mask, part, slots - 1);
    }
    m->slot_mask = (uint32_t)(slots - 1);
}

/* About half of the entries go to a new part. Each of the others is put again, from the start of its run on: so it moves
 * back, if at all. */
static void split(struct map *m, struct map_part *part, size_t place)
{
    size_t bit = (size_t)1 << part->depth, mask = m->slot_mask, empty = 0;
    if (bit > m->part_mask) {
        directory_resize(m, 2 * bit);
        memcpy(m->parts + bit, m->parts, bit * sizeof(struct map_part *));
    }
    part->depth++;
    lead_to(m, place | bit, part_new(mask + 1, part->depth));
    while (part->slots[empty].entry)
        empty++;
    for (size_t i = (empty + 1) & mask; i != empty; i = (i + 1) & mask) {
        struct map_slot slot = part->slots[i];
        if (!slot.entry)
            continue;
        part->slots[i] = (struct map_slot){ 0, NULL };
        part->count--;
        part_put(map_part(m, slot.hash), mask, slot);
    }
}

/* The two that were one before a split are one again, if both are nearly empty. */
static void merge(struct map *m, struct map_part *part, size_t place)
{
    struct map_part *other = m->parts[place ^ (size_t)1 << (part->depth - 1)];
    if (other->depth != part->depth || part->count + other->count > m->slot_mask / MERGED_SHARE)
        return;
    part->depth--;
    lead_to(m, place, part);
    part_empty(other, m->slot_mask, part, m->slot_mask);
    if (part->depth == 0)
        directory_resize(m, 1);
}

/* The part for one more with this hash. */
static struct map_part *part_with_room(struct map *m, uint64_t hash)
{
    if (!m->parts) {
        directory_resize(m, 1);
        m->parts[0] = part_new(PART_SLOTS_MIN, 0);
        m->slot_mask = PART_SLOTS_MIN - 1;
    }
    for (;;) {
        struct map_part *part = map_part(m, hash);
        size_t slots = (size_t)m->slot_mask + 1;
        if (LIKELY(part->count < slots / 4 * 3))
            return part;
        if (slots < PART_SLOTS_MAX || part->count / UNEVEN > m->count >> part->depth)
            resize(m, 2 * slots);
        else
            split(m, part, map_place(m, hash));
    }
}

static void shrink(struct map *m, struct map_part *part, uint64_t hash)
{
    size_t slots = (size_t)m->slot_mask + 1;
    if (part->depth)
        merge(m, part, map_place(m, hash));
    else if (slots > 4 * PART_SLOTS_MIN && part->count < slots / RESIZED_SHARE)
        resize(m, slots / 2);
}

/* ---- use ------------------------------------------------------------------------------------------------------------
 */

void map_init(struct map *m)
{
    *m = (struct map){ 0 };
}

void map_deinit(struct map *m)
{
    for (size_t i = m->parts ? (size_t)m->part_mask + 1 : 0; i-- > 0;) /* a part's first place is looked at last */
        if (is_first(m, i))
            free(m->parts[i]);
    free(m->parts);
    map_init(m);
}

void *map_find(const struct map *m, uint64_t hash, map_equal *equal, const void *key)
{
    if (m->count == 0)
        return NULL;
    const struct map_slot *slots = map_part(m, hash)->slots;
    size_t mask = m->slot_mask;
    for (size_t i = (size_t)hash & mask; slots[i].entry; i = (i + 1) & mask)
        if (slots[i].hash == hash && equal(slots[i].entry, key))
            return slots[i].entry;
    return NULL;
}

void *map_guess(const struct map *m, uint64_t hash)
{
    if (m->count == 0)
        return NULL;
    const struct map_slot *slots = map_part(m, hash)->slots;
    size_t mask = m->slot_mask, i = (size_t)hash & mask;
    while (slots[i].entry && slots[i].hash != hash)
        i = (i + 1) & mask;
    return slots[i].entry;
}

void map_insert(struct map *m, uint64_t hash, void *entry)
{
    ASSERT(entry);
    struct map_part *part = part_with_room(m, hash);
    part_put(part, m->slot_mask, (struct map_slot){ hash, entry });
    m->count++;
}

bool map_remove(struct map *m, uint64_t hash, const void *entry)
{
    if (m->count == 0)
        return false;
    struct map_part *part = map_part(m, hash);
    size_t mask = m->slot_mask;
    for (size_t i = (size_t)hash & mask; part->slots[i].entry; i = (i + 1) & mask) {
        if (part->slots[i].entry == entry) {
            part_close(part, mask, i);
            m->count--;
            shrink(m, part, hash);
            return true;
        }
    }
    return false;
}

bool map_next(const struct map *m, size_t *position, void **ret_entry)
{
    if (m->count == 0)
        return false;
    size_t mask = m->slot_mask, end = ((size_t)m->part_mask + 1) * (mask + 1);
    for (; *position < end; *position = (*position | mask) + 1) {
        size_t place = *position / (mask + 1);
        const struct map_slot *slots = m->parts[place]->slots;
        for (size_t i = is_first(m, place) ? *position & mask : mask + 1; i <= mask; i++) {
            if (!slots[i].entry)
                continue;
            *position = (*position & ~mask) + i + 1;
            *ret_entry = slots[i].entry;
            return true;
        }
    }
    return false;
}
