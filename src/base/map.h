/* map.h: open-addressing hash table from a 64-bit hash to a pointer the caller owns.
 *
 *   directory [ a b a c ]     parts a (for half of all hashes), b and c (for a fourth each) of 4096 slots; fewer while there
 *                             is one part. When a is full it is split; when b or c is, the directory doubles first
 *
 * The caller compares keys: map_find walks the entries of equal hash and asks `equal(entry, key)`.
 * Owner    one thread.
 * Memory   16 bytes a slot, load at most 3/4: a full part is split in two. As entries leave, two parts that are filled to an
 *          eighth become one. The directory has 8 bytes a part, as many as there were, until it is one part again.
 * Cost     O(1) expected, in nanoseconds. Now and then an insert or a removal moves the entries of one part, at most 3072
 *          (about 0.05 ms), however many there are. The hash must be keyed (map_hash) where keys come from the network: others
 *          may be slow.
 * Order    iteration order depends on the hash seed: never let it reach a record, a snapshot hash or a reply.
 */
#ifndef MILLRACE_BASE_MAP_H
#define MILLRACE_BASE_MAP_H

#include "base/slice.h"

struct map_slot {
    uint64_t hash;
    void *entry; /* NULL: never used */
};
struct map_part {
    size_t count;
    size_t depth; /* it takes one in 2^depth of all hashes */
    struct map_slot slots[];
};
struct map {
    struct map_part **parts; /* the directory; NULL: no entry yet */
    size_t count;
    uint32_t part_mask; /* places in the directory - 1 */
    uint32_t slot_mask; /* slots of each part - 1 */
};

typedef bool map_equal(const void *entry, const void *key);

uint64_t map_hash(struct slice key);               /* keyed per process (hash_seed) */
void map_set_seed(uint64_t seed0, uint64_t seed1); /* once at start; until then a known constant */
static inline uint64_t map_hash_u64(uint64_t x)    /* for keys made by ourselves */
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    return x ^ (x >> 32);
}
static inline size_t map_place(const struct map *m, uint64_t hash)
{
    return (size_t)(hash >> 32) & m->part_mask;
}
static inline struct map_part *map_part(const struct map *m, uint64_t hash)
{
    return m->parts[map_place(m, hash)];
}
void map_init(struct map *m);
void map_deinit(struct map *m); /* entries are the caller's */
void *map_find(const struct map *m, uint64_t hash, map_equal *equal, const void *key);
void map_insert(struct map *m, uint64_t hash, void *entry); /* the key must be absent */
bool map_remove(struct map *m, uint64_t hash, const void *entry);
/* Looking ahead, where many keys are known before the first is used: the slot is asked for from memory; then the first entry of
 * that hash, likely the one, is told without a look at it. */
static inline void map_fetch(const struct map *m, uint64_t hash)
{
    if (m->count)
        __builtin_prefetch(&map_part(m, hash)->slots[(size_t)hash & m->slot_mask]);
}
void *map_guess(const struct map *m, uint64_t hash); /* NULL: none */
/* for (size_t i = 0; map_next(m, &i, &entry);) ... ; the map must not change meanwhile */
bool map_next(const struct map *m, size_t *position, void **ret_entry);

#endif
