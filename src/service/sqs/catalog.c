#include "service/sqs/catalog.h"
#include "service/sqs/memory.h"
#include <pthread.h>
#include <stdatomic.h>

struct entry {
    struct sqs_catalog_key key;     /* views of bytes[] */
    struct slice arn;               /* of the queue itself; a view of bytes[] */
    struct slice target_arn;        /* its dead-letter target; none */
    struct sqs_redrive_allow allow; /* `text` is left out */
    uint64_t uid;
    uint16_t log;
    bool is_fifo, is_moving;
    _Alignas(struct slice) char bytes[];
};

/* ---- a sorted list in blocks: inserts move a few hundred pointers, never all of them --------------------------- */

enum { BLOCK_ENTRIES_MAX = 256 };
typedef int compare_fn(const struct entry *a, const struct entry *b);

struct block {
    size_t count;
    struct entry *entries[BLOCK_ENTRIES_MAX];
};
struct sorted {
    compare_fn *compare;
    struct block **blocks; /* none is empty */
    size_t block_count, block_capacity;
};
struct place {
    size_t block, index;
};

/* The first entry that is not below `e`; one past the last block if all are. */
static struct place sorted_find(const struct sorted *s, const struct entry *e)
{
    size_t low = 0, high = s->block_count;
    while (low < high) { /* the first block whose last entry is not below */
        size_t middle = low + (high - low) / 2;
        const struct block *b = s->blocks[middle];
        if (s->compare(b->entries[b->count - 1], e) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == s->block_count)
        return (struct place){ low, 0 };
    size_t first = 0, last = s->blocks[low]->count;
    while (first < last) {
        size_t middle = first + (last - first) / 2;
        if (s->compare(s->blocks[low]->entries[middle], e) < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return (struct place){ low, first };
}

static struct entry *sorted_at(const struct sorted *s, struct place p)
{
    return p.block < s->block_count ? s->blocks[p.block]->entries[p.index] : NULL;
}

static struct place sorted_next(const struct sorted *s, struct place p)
{
    if (p.index + 1 < s->blocks[p.block]->count)
        return (struct place){ p.block, p.index + 1 };
    return (struct place){ p.block + 1, 0 };
}

static struct block *add_block(struct sorted *s, size_t at)
{
    if (s->block_count == s->block_capacity) {
        s->block_capacity = s->block_capacity ? 2 * s->block_capacity : 16;
        s->blocks = memory_resize(s->blocks, s->block_capacity * sizeof(struct block *));
    }
    struct block *b = memory_new(sizeof(*b));
    b->count = 0;
    memmove(s->blocks + at + 1, s->blocks + at, (s->block_count - at) * sizeof(struct block *));
    s->blocks[at] = b;
    s->block_count++;
    return b;
}

static void split_block(struct sorted *s, size_t at)
{
    struct block *upper = add_block(s, at + 1), *lower = s->blocks[at];
    size_t keep = lower->count / 2;
    upper->count = lower->count - keep;
    memcpy(upper->entries, lower->entries + keep, upper->count * sizeof(struct entry *));
    lower->count = keep;
}

static void sorted_insert(struct sorted *s, struct entry *e)
{
    struct place p = sorted_find(s, e);
    if (p.block == s->block_count) { /* after everything: at the end of the last block */
        if (s->block_count == 0)
            add_block(s, 0);
        p.block = s->block_count - 1;
        p.index = s->blocks[p.block]->count;
    }
    if (s->blocks[p.block]->count == BLOCK_ENTRIES_MAX) {
        split_block(s, p.block);
        size_t kept = s->blocks[p.block]->count;
        if (p.index > kept) {
            p.block++;
            p.index -= kept;
        }
    }
    struct block *b = s->blocks[p.block];
    memmove(b->entries + p.index + 1, b->entries + p.index, (b->count - p.index) * sizeof(struct entry *));
    b->entries[p.index] = e;
    b->count++;
}

static void sorted_remove(struct sorted *s, struct entry *e)
{
    struct place p = sorted_find(s, e);
    ASSERT(sorted_at(s, p) == e);
    struct block *b = s->blocks[p.block];
    b->count--;
    memmove(b->entries + p.index, b->entries + p.index + 1, (b->count - p.index) * sizeof(struct entry *));
    if (b->count == 0) {
        memory_free(b);
        s->block_count--;
        memmove(s->blocks + p.block, s->blocks + p.block + 1, (s->block_count - p.block) * sizeof(struct block *));
    }
    if (s->block_count == 0) {
        memory_free(s->blocks);
        s->blocks = NULL;
        s->block_capacity = 0;
    }
}

/* ---- the catalogue --------------------------------------------------------------------------------------------- */

static int compare_key(const struct sqs_catalog_key *a, const struct sqs_catalog_key *b)
{
    int order = slice_compare(a->account, b->account);
    if (order == 0)
        order = slice_compare(a->region, b->region);
    return order ? order : slice_compare(a->name, b->name);
}

static int compare_by_key(const struct entry *a, const struct entry *b)
{
    return compare_key(&a->key, &b->key);
}

static int compare_by_target(const struct entry *a, const struct entry *b)
{
    int order = slice_compare(a->target_arn, b->target_arn);
    return order ? order : compare_key(&a->key, &b->key);
}

static struct {
    pthread_rwlock_t lock;
    struct sorted by_key, by_target, by_task; /* by_target: only those that have one; by_task: those that are moving */
    size_t count;
    _Atomic lsn_t lsn;
} catalog = {
    .lock = PTHREAD_RWLOCK_INITIALIZER,
    .by_key = { .compare = compare_by_key },
    .by_target = { .compare = compare_by_target },
    .by_task = { .compare = compare_by_key },
};

static struct entry *find(const struct sqs_catalog_key *key)
{
    const struct entry probe = { .key = *key };
    struct entry *e = sorted_at(&catalog.by_key, sorted_find(&catalog.by_key, &probe));
    return e && compare_key(&e->key, key) == 0 ? e : NULL;
}

static struct slice put_bytes(char **at, struct slice s)
{
    struct slice copy = slice_of(*at, s.size);
    if (s.size)
        memcpy(*at, s.data, s.size);
    *at += s.size;
    return copy;
}

static const struct slice arn_prefix = { "arn:aws:sqs:", 12 };

static size_t arn_bytes(const struct sqs_catalog_key *key)
{
    return arn_prefix.size + key->region.size + key->account.size + key->name.size + 2;
}

/* The ARN holds all parts of the key: they are views of it. */
static void put_arn(struct entry *e, char **at, const struct sqs_catalog_key *key)
{
    char *start = *at;
    put_bytes(at, arn_prefix);
    e->key.region = put_bytes(at, key->region);
    *(*at)++ = ':';
    e->key.account = put_bytes(at, key->account);
    *(*at)++ = ':';
    e->key.name = put_bytes(at, key->name);
    e->arn = slice_of(start, (size_t)(*at - start));
}

static struct entry *entry_new(
    const struct sqs_catalog_key *key, uint64_t uid, uint16_t log, const struct sqs_config *config)
{
    const struct sqs_redrive_allow *allow = &config->redrive_allow;
    size_t size = allow->source_count * sizeof(struct slice) + arn_bytes(key);
    size += config->redrive.is_set ? config->redrive.target_arn.size : 0;
    for (size_t i = 0; i < allow->source_count; i++)
        size += allow->source_arns[i].size;
    struct entry *e = memory_zero(sizeof(*e) + size);
    static_assert(offsetof(struct entry, bytes) % _Alignof(struct slice) == 0, "the array comes first");
    e->uid = uid;
    e->log = log;
    e->is_fifo = config->is_fifo;
    e->allow = (struct sqs_redrive_allow){ .is_set = allow->is_set,
        .permission = allow->permission,
        .source_count = allow->source_count,
        .source_arns = (struct slice *)e->bytes };
    char *at = e->bytes + allow->source_count * sizeof(struct slice);
    for (size_t i = 0; i < allow->source_count; i++)
        e->allow.source_arns[i] = put_bytes(&at, allow->source_arns[i]);
    put_arn(e, &at, key);
    if (config->redrive.is_set)
        e->target_arn = put_bytes(&at, config->redrive.target_arn);
    return e;
}

static void link_entry(struct entry *e)
{
    sorted_insert(&catalog.by_key, e);
    if (!slice_is_none(e->target_arn))
        sorted_insert(&catalog.by_target, e);
    if (e->is_moving)
        sorted_insert(&catalog.by_task, e);
    catalog.count++;
}

static void unlink_entry(struct entry *e)
{
    sorted_remove(&catalog.by_key, e);
    if (!slice_is_none(e->target_arn))
        sorted_remove(&catalog.by_target, e);
    if (e->is_moving)
        sorted_remove(&catalog.by_task, e);
    catalog.count--;
    memory_free(e);
}

static void raise_lsn(lsn_t lsn) /* under the write lock */
{
    if (lsn > atomic_load_explicit(&catalog.lsn, memory_order_relaxed))
        atomic_store_explicit(&catalog.lsn, lsn, memory_order_release);
}

void sqs_catalog_put(
    const struct sqs_catalog_key *key, uint64_t uid, uint16_t log, const struct sqs_config *config, lsn_t lsn)
{
    struct entry *e = entry_new(key, uid, log, config);
    pthread_rwlock_wrlock(&catalog.lock);
    struct entry *old = find(key);
    if (old) {
        e->is_moving = old->is_moving;
        unlink_entry(old);
    }
    link_entry(e);
    raise_lsn(lsn);
    pthread_rwlock_unlock(&catalog.lock);
}

void sqs_catalog_set_moving(const struct sqs_catalog_key *key, bool is_moving, lsn_t lsn)
{
    pthread_rwlock_wrlock(&catalog.lock);
    struct entry *e = find(key);
    if (e && e->is_moving != is_moving) {
        e->is_moving = is_moving;
        (is_moving ? sorted_insert : sorted_remove)(&catalog.by_task, e);
    }
    raise_lsn(lsn);
    pthread_rwlock_unlock(&catalog.lock);
}

void sqs_catalog_remove(const struct sqs_catalog_key *key, lsn_t lsn)
{
    pthread_rwlock_wrlock(&catalog.lock);
    struct entry *e = find(key);
    if (e)
        unlink_entry(e);
    raise_lsn(lsn);
    pthread_rwlock_unlock(&catalog.lock);
}

void sqs_catalog_remove_log(uint16_t log)
{
    pthread_rwlock_wrlock(&catalog.lock);
    for (struct place p = { 0, 0 }; sorted_at(&catalog.by_key, p);) {
        struct entry *e = sorted_at(&catalog.by_key, p);
        if (log != UINT16_MAX && e->log != log) {
            p = sorted_next(&catalog.by_key, p);
            continue;
        }
        unlink_entry(e); /* what followed is at p now, or at the start of the next block */
        if (p.block < catalog.by_key.block_count && p.index >= catalog.by_key.blocks[p.block]->count)
            p = (struct place){ p.block + 1, 0 };
    }
    if (catalog.count == 0)
        atomic_store(&catalog.lsn, 0);
    pthread_rwlock_unlock(&catalog.lock);
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

/* Is it the target of any queue? Under the lock. */
static bool has_sources(struct slice arn)
{
    const struct entry probe = { .target_arn = arn, .key = { SLICE(""), SLICE(""), SLICE("") } };
    const struct entry *e = sorted_at(&catalog.by_target, sorted_find(&catalog.by_target, &probe));
    return e && slice_equal(e->target_arn, arn);
}

bool sqs_catalog_find(const struct sqs_catalog_key *key, struct slice source_arn, struct sqs_catalog_facts *ret_facts)
{
    pthread_rwlock_rdlock(&catalog.lock);
    const struct entry *e = find(key);
    if (e) {
        *ret_facts = (struct sqs_catalog_facts){ .uid = e->uid,
            .log = e->log,
            .is_fifo = e->is_fifo,
            .is_allowed = !slice_is_none(source_arn) && sqs_redrive_is_allowed(&e->allow, source_arn),
            .is_dead_letter = has_sources(e->arn) };
    }
    pthread_rwlock_unlock(&catalog.lock);
    return e != NULL;
}

lsn_t sqs_catalog_lsn(void)
{
    return atomic_load_explicit(&catalog.lsn, memory_order_acquire);
}

size_t sqs_catalog_count(void)
{
    pthread_rwlock_rdlock(&catalog.lock);
    size_t count = catalog.count;
    pthread_rwlock_unlock(&catalog.lock);
    return count;
}

uint32_t sqs_catalog_moving(struct slice account, uint32_t max)
{
    const struct entry probe = { .key = { account, SLICE(""), SLICE("") } };
    uint32_t count = 0;
    pthread_rwlock_rdlock(&catalog.lock);
    const struct sorted *s = &catalog.by_task;
    struct place p = sorted_find(s, &probe);
    for (const struct entry *e; count < max && (e = sorted_at(s, p)); p = sorted_next(s, p), count++)
        if (!slice_equal(e->key.account, account))
            break;
    pthread_rwlock_unlock(&catalog.lock);
    return count;
}

static void page_add(struct sqs_catalog_page *page, const struct sqs_catalog_key *key, struct arena *arena)
{
    page->keys[page->count++] = (struct sqs_catalog_key){
        .account = arena_copy(arena, key->account),
        .region = arena_copy(arena, key->region),
        .name = arena_copy(arena, key->name),
    };
}

void sqs_catalog_list(struct slice account, struct slice region, struct slice prefix, struct slice after, size_t max,
    struct arena *arena, struct sqs_catalog_page *ret_page)
{
    struct sqs_catalog_page page = { .keys = ARENA_ARRAY(arena, struct sqs_catalog_key, max) };
    bool is_after = !slice_is_none(after) && slice_compare(after, prefix) >= 0;
    const struct entry probe = { .key = { account, region, is_after ? after : prefix } };
    pthread_rwlock_rdlock(&catalog.lock);
    const struct sorted *s = &catalog.by_key;
    struct place p = sorted_find(s, &probe);
    for (const struct entry *e; (e = sorted_at(s, p)); p = sorted_next(s, p)) {
        if (!slice_equal(e->key.account, account) || !slice_equal(e->key.region, region) ||
            !slice_starts(e->key.name, prefix))
            break;
        if (is_after && slice_equal(e->key.name, after))
            continue;
        if (page.count == max) {
            page.has_more = true;
            break;
        }
        page_add(&page, &e->key, arena);
    }
    pthread_rwlock_unlock(&catalog.lock);
    *ret_page = page;
}

void sqs_catalog_sources(struct slice target_arn, const struct sqs_catalog_key *after, size_t max, struct arena *arena,
    struct sqs_catalog_page *ret_page)
{
    static const struct sqs_catalog_key first = { { "", 0 }, { "", 0 }, { "", 0 } };
    struct sqs_catalog_page page = { .keys = ARENA_ARRAY(arena, struct sqs_catalog_key, max) };
    const struct entry probe = { .target_arn = target_arn, .key = after ? *after : first };
    pthread_rwlock_rdlock(&catalog.lock);
    const struct sorted *s = &catalog.by_target;
    struct place p = sorted_find(s, &probe);
    for (const struct entry *e; (e = sorted_at(s, p)); p = sorted_next(s, p)) {
        if (!slice_equal(e->target_arn, target_arn))
            break;
        if (after && compare_key(&e->key, after) == 0)
            continue;
        if (page.count == max) {
            page.has_more = true;
            break;
        }
        page_add(&page, &e->key, arena);
    }
    pthread_rwlock_unlock(&catalog.lock);
    *ret_page = page;
}
