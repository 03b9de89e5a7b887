/* blocks.c: pieces of segment files that were read lately.
 *
 * Where messages of many groups lie mixed in the journal, ten of one group are ten places; the next group's lie beside them.
 * A system call for each costs more than all else a receive does for a message.
 *
 * A block is kept only if all of it is durable: then its bytes never change, for a position is written once. So nothing has
 * to be told to this cache, and whoever reads through it checks the record's checksum as ever. Blocks of a segment that was
 * freed are never asked for again (segment_of comes first) and make room in their turn.
 *
 * Sets of BLOCK_WAYS blocks, the one used last first, each with a lock of its own, held for one copy or one read. A read may
 * wait for the disk, for whoever asked for that; all others find the set locked and read the file. The memory is touched as
 * it is first used. */
#include "store/internal.h"
#include "sys/pages.h"
#include <stdlib.h>

enum { BLOCK_WAYS = 4, BLOCK_SETS = 32 };
#define BLOCKS_BYTES ((size_t)BLOCK_SETS * BLOCK_WAYS * BLOCK_BYTES)

struct way {
    uint64_t position; /* where the block begins in the journal; NO_POSITION: it holds nothing */
    char *bytes;
};

struct set {
    _Alignas(64) pthread_mutex_t lock;
    struct way ways[BLOCK_WAYS];
};

struct blocks {
    struct set sets[BLOCK_SETS];
    char *bytes;
};

struct blocks *blocks_new(void)
{
    struct blocks *b = aligned_alloc(_Alignof(struct blocks), sizeof(*b));
    ASSERT(b);
    b->bytes = sys_pages_new(BLOCKS_BYTES);
    char *bytes = b->bytes;
    for (int i = 0; i < BLOCK_SETS; i++) {
        struct set *set = &b->sets[i];
        pthread_mutex_init(&set->lock, NULL);
        for (int k = 0; k < BLOCK_WAYS; k++, bytes += BLOCK_BYTES)
            set->ways[k] = (struct way){ .position = NO_POSITION, .bytes = bytes };
    }
    return b;
}

void blocks_free(struct blocks *b)
{
    for (int i = 0; i < BLOCK_SETS; i++)
        pthread_mutex_destroy(&b->sets[i].lock);
    sys_pages_free(b->bytes, BLOCKS_BYTES);
    free(b);
}

static struct set *set_of(struct blocks *b, uint64_t position)
{
    return &b->sets[(position / PAGE_BYTES * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (BLOCK_SETS - 1)];
}

static void bring_forward(struct set *set, int way)
{
    struct way w = set->ways[way];
    memmove(&set->ways[1], &set->ways[0], (size_t)way * sizeof(w));
    set->ways[0] = w;
}

/* With the set's lock. The block is in ways[0] then. One that cannot be read costs no other its place but the last. */
static bool have_block(
    struct set *set, uint64_t position, const struct segment *g, uint64_t offset, size_t size, bool wait)
{
    int way = 0;
    while (way < BLOCK_WAYS - 1 && set->ways[way].position != position)
        way++;
    struct way *w = &set->ways[way];
    if (w->position != position) {
        size_t got;
        w->position = NO_POSITION;
        struct error e = (wait ? sys->file.read : sys->file.read_nowait)(g->file, offset, w->bytes, size, &got);
        if (failed(e) || got < size)
            return false;
        w->position = position;
    }
    bring_forward(set, way);
    return true;
}

size_t blocks_copy(struct store *s, const struct segment *g, uint64_t offset, void *out, size_t size, bool wait)
{
    uint64_t from = offset / BLOCK_BYTES * BLOCK_BYTES, left = g->file_bytes - from;
    size_t block = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES, at = (size_t)(offset - from);
    uint64_t position = g->number * s->span + from;
    if (position + block > atomic_load(&s->durable) || at >= block)
        return 0;
    struct set *set = set_of(s->blocks, position);
    if (pthread_mutex_trylock(&set->lock) != 0)
        return 0;
    if (size > block - at)
        size = block - at;
    if (have_block(set, position, g, from, block, wait))
        memcpy(out, set->ways[0].bytes + at, size);
    else
        size = 0;
    pthread_mutex_unlock(&set->lock);
    return size;
}
