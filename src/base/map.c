/* map.c: open addressing with linear probing (map.h).
 *
 * Invariant: between the home slot of an entry (hash & mask) and the slot it lies in, no slot is empty. map_remove
 * keeps it by moving later entries back, so that there are no tombstones.
 */
#include "base/map.h"
#include "base/check.h"
#include <stdlib.h>

enum { MAP_FIRST_SLOTS = 16 };

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

/* ---- the table ------------------------------------------------------------------------------------------------------
 */

void map_init(struct map *m)
{
    *m = (struct map){ 0 };
}

void map_deinit(struct map *m)
{
    free(m->slots);
    map_init(m);
}

void *map_find(const struct map *m, uint64_t hash, map_equal *equal, const void *key)
{
    if (m->count == 0)
        return NULL;
    size_t mask = m->capacity - 1;
    for (size_t i = (size_t)hash & mask; m->slots[i].entry; i = (i + 1) & mask)
        if (m->slots[i].hash == hash && equal(m->slots[i].entry, key))
            return m->slots[i].entry;
    return NULL;
}

void *map_guess(const struct map *m, uint64_t hash)
{
    if (m->count == 0)
        return NULL;
    size_t mask = m->capacity - 1, i = (size_t)hash & mask;
    while (m->slots[i].entry && m->slots[i].hash != hash)
        i = (i + 1) & mask;
    return m->slots[i].entry;
}

static void put(struct map_slot *slots, size_t mask, struct map_slot slot)
{
    size_t i = (size_t)slot.hash & mask;
    while (slots[i].entry)
        i = (i + 1) & mask;
    slots[i] = slot;
}

static void grow(struct map *m)
{
    size_t capacity = m->capacity ? 2 * m->capacity : MAP_FIRST_SLOTS;
    struct map_slot *slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        check_out_of_memory(capacity * sizeof(*slots));
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].entry)
            put(slots, capacity - 1, m->slots[i]);
    free(m->slots);
    m->slots = slots;
    m->capacity = capacity;
}

void map_insert(struct map *m, uint64_t hash, void *entry)
{
    ASSERT(entry);
    if (m->count >= m->capacity / 4 * 3)
        grow(m);
    put(m->slots, m->capacity - 1, (struct map_slot){ hash, entry });
    m->count++;
}

/* Closes the hole at `hole`: moves back each later entry of the run whose home is not after the hole. */
static void close_hole(struct map *m, size_t hole)
{
    size_t mask = m->capacity - 1;
    for (size_t i = (hole + 1) & mask; m->slots[i].entry; i = (i + 1) & mask) {
        size_t home = (size_t)m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_slot){ 0, NULL };
}

bool map_remove(struct map *m, uint64_t hash, const void *entry)
{
    if (m->count == 0)
        return false;
    size_t mask = m->capacity - 1;
    for (size_t i = (size_t)hash & mask; m->slots[i].entry; i = (i + 1) & mask) {
        if (m->slots[i].entry == entry) {
            close_hole(m, i);
            m->count--;
            return true;
        }
    }
    return false;
}

bool map_next(const struct map *m, size_t *position, void **ret_entry)
{
    while (*position < m->capacity) {
        void *entry = m->slots[(*position)++].entry;
        if (entry) {
            *ret_entry = entry;
            return true;
        }
    }
    return false;
}
