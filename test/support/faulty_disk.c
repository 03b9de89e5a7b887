#include "support/faulty_disk.h"
#include "support/prng.h"
#include "sys/net.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_BYTES = 4096,
    SECTORS = PAGE_BYTES / FAULTY_SECTOR_BYTES,
    OLDER_MAX = 256, /* sectors written twice between syncs whose first version is remembered, a file */
};
#define UNLIMITED UINT64_MAX
#define FREE_WHEN_UNLIMITED (1ull << 40)

/* Without a bit in `dirty` or `lost` the disk has what the cache has, and `disk` is NULL. */
struct page {
    char *now, *disk;    /* NULL: zeros */
    uint8_t dirty, lost; /* a bit a sector: written since the last sync; dropped by a sync that failed */
};
struct older { /* what a dirty sector held between two writes */
    uint64_t sector;
    char bytes[FAULTY_SECTOR_BYTES];
};
struct node {
    struct node *next; /* of all nodes */
    uint32_t uses;     /* names of both sides, changes of names, handles */
    bool is_directory;
    struct sys_file *locked_by;
    uint64_t size, disk_size;
    struct page *pages;
    size_t page_count;
    size_t *touched; /* pages with a dirty bit */
    size_t touched_count, touched_capacity;
    struct older *older;
    size_t older_count, older_capacity;
};
struct sys_file {
    struct sys_file *next; /* of all handles */
    struct node *node;
    bool may_write, is_direct, is_dead;
};
struct name {
    char *path;
    struct node *node;
};
struct names {
    struct name *items;
    size_t count, capacity;
};
enum change_kind { CHANGE_CREATE, CHANGE_RENAME, CHANGE_REMOVE };
struct change { /* of names, not yet synced */
    enum change_kind kind;
    char *from, *to; /* owned; `from` of a rename, else NULL */
    struct node *node;
};

static struct {
    pthread_mutex_t mutex;
    struct node *nodes;
    struct sys_file *handles;
    struct names now, disk;
    struct change *changes;
    size_t change_count, change_capacity;
    struct prng accidents, entropy;
    uint64_t capacity, used;
    int64_t fail_sync, fail_write; /* others before it; below 0: none */
    char *fail_read_path;
    uint64_t fail_read_offset;
    uint32_t cold_one_in;
    uint64_t sync_us;
    bool ignores_sync_dir;
    uint64_t monotonic_us;
    int64_t wall_ms;
    struct faulty_counts counts;
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER, .capacity = UNLIMITED, .fail_sync = -1, .fail_write = -1 };

struct saved_file {
    char *path;
    bool is_directory;
    uint64_t size;
    char **pages; /* NULL: zeros */
    size_t page_count;
};
static struct {
    struct saved_file *files;
    size_t count;
} saved;

static void *allocate(size_t size)
{
    void *p = calloc(1, size);
    if (!p)
        check_out_of_memory(size);
    return p;
}

/* Room for one more in an array that doubles. */
static void *grown(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 8;
    items = realloc(items, *capacity * size);
    if (!items)
        check_out_of_memory(*capacity * size);
    return items;
}

static char *copy_text(const char *text)
{
    char *copy = allocate(strlen(text) + 1);
    memcpy(copy, text, strlen(text));
    return copy;
}

/* ---- nodes
 * ------------------------------------------------------------------------------------------------------------------ */

static void page_settle(struct page *p) /* the disk has what the cache has */
{
    free(p->disk);
    *p = (struct page){ .now = p->now };
}

static void node_unref(struct node *n)
{
    if (--n->uses)
        return;
    disk.used -= n->size;
    for (size_t i = 0; i < n->page_count; i++) {
        free(n->pages[i].now);
        free(n->pages[i].disk);
    }
    free(n->pages);
    free(n->touched);
    free(n->older);
    struct node **at = &disk.nodes;
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    free(n);
}

static struct node *node_new(bool is_directory)
{
    struct node *n = allocate(sizeof(*n));
    n->is_directory = is_directory;
    n->next = disk.nodes;
    disk.nodes = n;
    return n;
}

static void set_size(struct node *n, uint64_t size)
{
    disk.used = disk.used - n->size + size;
    n->size = size;
}

static struct page *page_at(struct node *n, size_t index)
{
    if (index >= n->page_count) {
        size_t count = index + 1 > 2 * n->page_count ? index + 1 : 2 * n->page_count;
        n->pages = realloc(n->pages, count * sizeof(*n->pages));
        if (!n->pages)
            check_out_of_memory(count * sizeof(*n->pages));
        memset(n->pages + n->page_count, 0, (count - n->page_count) * sizeof(*n->pages));
        n->page_count = count;
    }
    return &n->pages[index];
}

/* ---- names
 * --------------------------------------------------------------------------------------------------------------------
 */

/* One form for each name: no "./" in front, no doubled or last slash. */
static char *tidy(const char *path)
{
    char *out = allocate(strlen(path) + 2);
    size_t size = 0;
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    for (; *path; path++)
        if (*path != '/' || size == 0 || out[size - 1] != '/')
            out[size++] = *path;
    if (size > 1 && out[size - 1] == '/')
        out[--size] = 0;
    if (size == 0)
        out[0] = '.';
    return out;
}

static bool is_in(const char *path, const char *directory) /* directly */
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strcmp(directory, ".") == 0;
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    return strlen(directory) == size && memcmp(path, directory, size) == 0;
}

static bool is_below(const char *path, const char *directory)
{
    size_t size = strlen(directory);
    return strncmp(path, directory, size) == 0 && path[size] == '/';
}

static struct name *names_find(struct names *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].path, path) == 0)
            return &list->items[i];
    return NULL;
}

static void names_remove(struct names *list, struct name *n)
{
    free(n->path);
    node_unref(n->node);
    size_t index = (size_t)(n - list->items);
    memmove(n, n + 1, (--list->count - index) * sizeof(*n));
}

/* Replaces what was there. */
static void names_put(struct names *list, const char *path, struct node *node)
{
    node->uses++;
    struct name *old = names_find(list, path);
    if (old) {
        node_unref(old->node);
        old->node = node;
        return;
    }
    list->items = grown(list->items, list->count, &list->capacity, sizeof(*list->items));
    list->items[list->count++] = (struct name){ copy_text(path), node };
}

static void names_clear(struct names *list)
{
    while (list->count)
        names_remove(list, &list->items[list->count - 1]);
    free(list->items);
    *list = (struct names){ 0 };
}

static void names_apply(struct names *list, const struct change *c)
{
    struct name *n = names_find(list, c->kind == CHANGE_RENAME ? c->from : c->to);
    bool is_ours = n && n->node == c->node;
    if (c->kind == CHANGE_CREATE) {
        names_put(list, c->to, c->node);
    } else if (c->kind == CHANGE_RENAME) {
        if (is_ours)
            names_remove(list, n);
        names_put(list, c->to, c->node);
    } else if (is_ours) {
        names_remove(list, n);
    }
}

/* Happens now, and on the disk when its directory is synced. */
static void change_names(enum change_kind kind, const char *from, const char *to, struct node *node)
{
    node->uses++;
    disk.changes = grown(disk.changes, disk.change_count, &disk.change_capacity, sizeof(*disk.changes));
    struct change *c = &disk.changes[disk.change_count++];
    *c = (struct change){ kind, from ? copy_text(from) : NULL, copy_text(to), node };
    names_apply(&disk.now, c);
}

static void change_forget(struct change *c)
{
    free(c->from);
    free(c->to);
    node_unref(c->node);
}

/* ---- what a power loss or a failed sync leaves
 * -------------------------------------------------------------------------------- */

struct luck { /* in sixteenths */
    unsigned kept, torn;
};

static struct luck draw_luck(void)
{
    static const struct luck kinds[] = { { 0, 0 }, { 16, 0 }, { 8, 2 }, { 14, 1 }, { 2, 1 }, { 8, 8 } };
    return kinds[prng_below(&disk.accidents, ARRAY_COUNT(kinds))];
}

static const char zeros[PAGE_BYTES];

/* What was on its way to the sector: what the cache has, or what it had between two writes. */
static const char *draw_version(const struct node *n, uint64_t sector, const char *newest)
{
    for (size_t i = 0; i < n->older_count; i++)
        if (n->older[i].sector == sector && prng_one_in(&disk.accidents, 2))
            return n->older[i].bytes;
    return newest;
}

/* Lets one dirty sector reach the disk, or not, or in part. */
static void settle_sector(struct node *n, size_t page, unsigned sector, struct luck luck)
{
    struct page *p = &n->pages[page];
    size_t at = sector * FAULTY_SECTOR_BYTES;
    const char *newest = (p->now ? p->now : zeros) + at;
    const char *version = draw_version(n, page * SECTORS + sector, newest);
    unsigned draw = (unsigned)prng_below(&disk.accidents, 16);
    size_t from = 0, to = FAULTY_SECTOR_BYTES;
    if (draw < luck.torn) {
        size_t cut = (size_t)prng_below(&disk.accidents, FAULTY_SECTOR_BYTES + 1);
        if (prng_one_in(&disk.accidents, 2))
            from = cut;
        else
            to = cut;
        disk.counts.torn++;
    } else if (draw < luck.torn + luck.kept) {
        disk.counts.kept++;
    } else {
        to = 0;
        disk.counts.dropped++;
    }
    if (to <= from)
        return;
    if (!p->disk)
        p->disk = allocate(PAGE_BYTES);
    memcpy(p->disk + at + from, version + from, to - from);
}

static uint64_t draw_size(const struct node *n)
{
    if (n->size == n->disk_size || prng_one_in(&disk.accidents, 3))
        return n->disk_size;
    if (n->size < n->disk_size || prng_one_in(&disk.accidents, 2))
        return n->size;
    uint64_t sectors = (n->size - n->disk_size) / FAULTY_SECTOR_BYTES;
    return n->disk_size + prng_below(&disk.accidents, sectors + 1) * FAULTY_SECTOR_BYTES;
}

static void forget_dirty(struct node *n)
{
    n->touched_count = 0;
    n->older_count = 0;
}

static void settle_sectors(struct node *n)
{
    struct luck luck = draw_luck();
    for (size_t i = 0; i < n->touched_count; i++)
        for (unsigned sector = 0; sector < SECTORS; sector++)
            if (n->pages[n->touched[i]].dirty >> sector & 1)
                settle_sector(n, n->touched[i], sector, luck);
}

static void node_power_loss(struct node *n)
{
    uint64_t size = draw_size(n);
    settle_sectors(n);
    for (size_t i = 0; i < n->page_count; i++) {
        struct page *p = &n->pages[i];
        if (p->dirty | p->lost) {
            free(p->now);
            *p = (struct page){ .now = p->disk };
        }
        if ((i + 1) * PAGE_BYTES > size && p->now) { /* beyond the end there is nothing, also when it grows again */
            size_t keep = i * PAGE_BYTES < size ? (size_t)(size - i * PAGE_BYTES) : 0;
            memset(p->now + keep, 0, PAGE_BYTES - keep);
        }
    }
    forget_dirty(n);
    set_size(n, size);
    n->disk_size = size;
}

/* The cache believes that it was written, and will not write it again. */
static void node_fail_sync(struct node *n)
{
    settle_sectors(n);
    for (size_t i = 0; i < n->touched_count; i++) {
        struct page *p = &n->pages[n->touched[i]];
        p->lost |= p->dirty;
        p->dirty = 0;
    }
    forget_dirty(n);
    n->disk_size = draw_size(n);
}

static void names_power_loss(void)
{
    bool is_prefix = prng_one_in(&disk.accidents, 2);
    size_t upto = (size_t)prng_below(&disk.accidents, disk.change_count + 1);
    for (size_t i = 0; i < disk.change_count; i++) {
        if (is_prefix ? i < upto : prng_one_in(&disk.accidents, 2))
            names_apply(&disk.disk, &disk.changes[i]);
    }
    for (size_t i = 0; i < disk.change_count; i++)
        change_forget(&disk.changes[i]);
    disk.change_count = 0;
    /* what lies in a directory that is not there is gone, too */
    for (size_t i = disk.disk.count; i-- > 0;) {
        const char *slash = strrchr(disk.disk.items[i].path, '/');
        if (!slash || slash == disk.disk.items[i].path)
            continue;
        char *parent = copy_text(disk.disk.items[i].path);
        parent[slash - disk.disk.items[i].path] = 0;
        if (!names_find(&disk.disk, parent))
            names_remove(&disk.disk, &disk.disk.items[i]);
        free(parent);
    }
    names_clear(&disk.now);
    for (size_t i = 0; i < disk.disk.count; i++)
        names_put(&disk.now, disk.disk.items[i].path, disk.disk.items[i].node);
}

void faulty_disk_crash(enum faulty_crash kind)
{
    pthread_mutex_lock(&disk.mutex);
    disk.counts.crashes++;
    for (struct sys_file *f = disk.handles; f; f = f->next) {
        if (f->is_dead)
            continue;
        f->is_dead = true;
        f->node->locked_by = NULL;
        node_unref(f->node);
        f->node = NULL;
    }
    if (kind == CRASH_POWER) {
        names_power_loss();
        for (struct node *n = disk.nodes; n; n = n->next)
            node_power_loss(n);
    }
    disk.fail_sync = disk.fail_write = -1;
    pthread_mutex_unlock(&disk.mutex);
}

/* ---- the table: open and close
 * -------------------------------------------------------------------------------------------------- */

static struct error open_node(const char *path, int flags, struct node **ret_node)
{
    struct name *n = names_find(&disk.now, path);
    if (!n && !(flags & SYS_OPEN_CREATE))
        return ERROR_SYS(ERR_NOT_FOUND, ENOENT);
    if (n && n->node->is_directory)
        return ERROR_SYS(ERR_IO, EISDIR);
    if (n && (flags & SYS_OPEN_CREATE) && (flags & SYS_OPEN_EXCLUSIVE))
        return ERROR_SYS(ERR_EXISTS, EEXIST);
    if (n) {
        *ret_node = n->node;
        return OK;
    }
    *ret_node = node_new(false);
    change_names(CHANGE_CREATE, NULL, path, *ret_node);
    return OK;
}

static struct error disk_open(const char *path, int flags, struct sys_file **ret_file)
{
    char *name = tidy(path);
    struct node *n = NULL;
    pthread_mutex_lock(&disk.mutex);
    struct error e = open_node(name, flags, &n);
    if (!failed(e)) {
        struct sys_file *f = allocate(sizeof(*f));
        *f = (struct sys_file){ .next = disk.handles,
            .node = n,
            .may_write = (flags & SYS_OPEN_WRITE) != 0,
            .is_direct = (flags & SYS_OPEN_DIRECT) != 0 };
        n->uses++;
        disk.handles = f;
        *ret_file = f;
    }
    pthread_mutex_unlock(&disk.mutex);
    free(name);
    return e;
}

static void close_handle(struct sys_file *f)
{
    struct sys_file **at = &disk.handles;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    if (f->node && f->node->locked_by == f)
        f->node->locked_by = NULL;
    if (f->node)
        node_unref(f->node);
    free(f);
}

static void disk_close(struct sys_file *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&disk.mutex);
    close_handle(f);
    pthread_mutex_unlock(&disk.mutex);
}

static struct error disk_lock(struct sys_file *f)
{
    pthread_mutex_lock(&disk.mutex);
    bool is_free = !f->is_dead && (!f->node->locked_by || f->node->locked_by == f);
    if (is_free)
        f->node->locked_by = f;
    pthread_mutex_unlock(&disk.mutex);
    return is_free ? OK : ERROR_SYS(ERR_LOCKED, EWOULDBLOCK);
}

/* ---- bytes
 * ------------------------------------------------------------------------------------------------------------------------
 */

static struct error disk_size(struct sys_file *f, uint64_t *ret_bytes)
{
    pthread_mutex_lock(&disk.mutex);
    struct error e = f->is_dead ? ERROR_SYS(ERR_IO, EIO) : OK;
    if (!failed(e))
        *ret_bytes = f->node->size;
    pthread_mutex_unlock(&disk.mutex);
    return e;
}

static bool is_unreadable(const struct sys_file *f, uint64_t offset, size_t size)
{
    const struct name *n = disk.fail_read_path ? names_find(&disk.now, disk.fail_read_path) : NULL;
    return n && n->node == f->node && offset + size > disk.fail_read_offset;
}

static void read_page(const struct page *p, bool is_direct, size_t from, char *out, size_t size)
{
    if (LIKELY(!is_direct || !p->lost)) {
        memcpy(out, (p->now ? p->now : zeros) + from, size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        const char *side = p->lost >> ((from + i) / FAULTY_SECTOR_BYTES) & 1 ? p->disk : p->now;
        out[i] = side ? side[from + i] : 0;
    }
}

static size_t part_in_page(uint64_t offset, size_t left)
{
    size_t room = PAGE_BYTES - (size_t)(offset % PAGE_BYTES);
    return left < room ? left : room;
}

static struct error read_locked(struct sys_file *f, uint64_t offset, char *out, size_t size, size_t *ret_size)
{
    struct node *n = f->node;
    if (f->is_dead)
        return ERROR_SYS(ERR_IO, EIO);
    if (offset >= n->size)
        size = 0;
    else if (size > n->size - offset)
        size = (size_t)(n->size - offset);
    if (size && is_unreadable(f, offset, size))
        return ERROR_SYS(ERR_IO, EIO);
    for (size_t done = 0, part; done < size; done += part) {
        size_t index = (size_t)((offset + done) / PAGE_BYTES);
        part = part_in_page(offset + done, size - done);
        if (index < n->page_count)
            read_page(&n->pages[index], f->is_direct, (size_t)((offset + done) % PAGE_BYTES), out + done, part);
        else
            memset(out + done, 0, part);
    }
    *ret_size = size;
    return OK;
}

static struct error disk_read(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    pthread_mutex_lock(&disk.mutex);
    struct error e = read_locked(f, offset, out, size, ret_size);
    pthread_mutex_unlock(&disk.mutex);
    return e;
}

static struct error disk_read_nowait(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    pthread_mutex_lock(&disk.mutex);
    bool is_cold = disk.cold_one_in && prng_one_in(&disk.accidents, disk.cold_one_in);
    struct error e = is_cold ? ERROR_OF(ERR_COLD) : read_locked(f, offset, out, size, ret_size);
    pthread_mutex_unlock(&disk.mutex);
    return e;
}

static bool is_zeros(const char *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static void remember_older(struct node *n, uint64_t sector, const char *bytes)
{
    if (n->older_count >= OLDER_MAX)
        return;
    n->older = grown(n->older, n->older_count, &n->older_capacity, sizeof(*n->older));
    n->older[n->older_count].sector = sector;
    memcpy(n->older[n->older_count++].bytes, bytes, FAULTY_SECTOR_BYTES);
}

static void write_page(struct node *n, size_t index, size_t from, const char *bytes, size_t size)
{
    struct page *p = page_at(n, index);
    bool is_settled = !(p->dirty | p->lost);
    if (!p->now && is_settled && is_zeros(bytes, size))
        return; /* zeros over zeros: the same whether they reach the disk or not */
    if (is_settled && p->now) {
        p->disk = allocate(PAGE_BYTES);
        memcpy(p->disk, p->now, PAGE_BYTES);
    }
    if (!p->now)
        p->now = allocate(PAGE_BYTES);
    if (!p->dirty) {
        n->touched = grown(n->touched, n->touched_count, &n->touched_capacity, sizeof(*n->touched));
        n->touched[n->touched_count++] = index;
    }
    for (size_t sector = from / FAULTY_SECTOR_BYTES; sector * FAULTY_SECTOR_BYTES < from + size; sector++) {
        if (p->dirty >> sector & 1)
            remember_older(n, index * SECTORS + sector, p->now + sector * FAULTY_SECTOR_BYTES);
        p->dirty |= (uint8_t)(1u << sector);
        p->lost &= (uint8_t) ~(1u << sector);
    }
    memcpy(p->now + from, bytes, size);
}

static void write_bytes(struct node *n, uint64_t offset, const char *bytes, size_t size)
{
    if (size && offset + size > n->size)
        set_size(n, offset + size);
    for (size_t part; size; offset += part, bytes += part, size -= part) {
        part = part_in_page(offset, size);
        write_page(n, (size_t)(offset / PAGE_BYTES), (size_t)(offset % PAGE_BYTES), bytes, part);
    }
}

/* True for the one that is to fail. */
static bool is_due(int64_t *countdown)
{
    if (*countdown < 0)
        return false;
    return (*countdown)-- == 0;
}

static struct error write_locked(struct sys_file *f, uint64_t offset, const struct iovec *parts, int count)
{
    uint64_t end = offset;
    for (int i = 0; i < count; i++)
        end += parts[i].iov_len;
    if (f->is_dead || !f->may_write)
        return ERROR_SYS(ERR_IO, f->is_dead ? EIO : EBADF);
    if (end > f->node->size &&
        end - f->node->size > disk.capacity - (disk.used < disk.capacity ? disk.used : disk.capacity))
        return ERROR_SYS(ERR_FULL, ENOSPC);
    bool is_failing = is_due(&disk.fail_write);
    uint64_t left = is_failing ? prng_below(&disk.accidents, end - offset + 1) : end - offset;
    disk.counts.writes++;
    disk.counts.written_bytes += left;
    for (int i = 0; i < count; i++) {
        size_t size = parts[i].iov_len < left ? parts[i].iov_len : (size_t)left;
        write_bytes(f->node, offset, parts[i].iov_base, size);
        offset += size;
        left -= size;
    }
    return is_failing ? ERROR_SYS(ERR_IO, EIO) : OK;
}

static struct error disk_write(struct sys_file *f, uint64_t offset, const struct iovec *parts, int count)
{
    pthread_mutex_lock(&disk.mutex);
    struct error e = write_locked(f, offset, parts, count);
    pthread_mutex_unlock(&disk.mutex);
    return e;
}

static struct error sync_locked(struct sys_file *f)
{
    struct node *n = f->node;
    if (f->is_dead)
        return ERROR_SYS(ERR_IO, EIO);
    disk.counts.syncs++;
    if (is_due(&disk.fail_sync)) {
        node_fail_sync(n);
        return ERROR_SYS(ERR_IO, EIO);
    }
    for (size_t i = 0; i < n->touched_count; i++) {
        struct page *p = &n->pages[n->touched[i]];
        if (p->lost) { /* only what is dirty is written */
            if (!p->disk)
                p->disk = allocate(PAGE_BYTES);
            for (unsigned s = 0; s < SECTORS; s++)
                if (p->dirty >> s & 1)
                    memcpy(p->disk + s * FAULTY_SECTOR_BYTES, p->now + s * FAULTY_SECTOR_BYTES, FAULTY_SECTOR_BYTES);
            p->dirty = 0;
        } else {
            page_settle(p);
        }
    }
    forget_dirty(n);
    n->disk_size = n->size;
    return OK;
}

static struct error disk_sync(struct sys_file *f)
{
    pthread_mutex_lock(&disk.mutex);
    struct error e = sync_locked(f);
    disk.monotonic_us += disk.sync_us;
    pthread_mutex_unlock(&disk.mutex);
    return e;
}

/* Durable at once: nothing that is tested relies on a truncation that is not. */
static struct error disk_truncate(struct sys_file *f, uint64_t size)
{
    pthread_mutex_lock(&disk.mutex);
    struct node *n = f->node;
    bool may = f->may_write && !f->is_dead;
    for (size_t i = 0; may && i < n->page_count; i++) {
        size_t keep = i * PAGE_BYTES < size ? (size_t)(size - i * PAGE_BYTES) : 0;
        if (keep >= PAGE_BYTES)
            continue;
        if (n->pages[i].now)
            memset(n->pages[i].now + keep, 0, PAGE_BYTES - keep);
        if (n->pages[i].disk)
            memset(n->pages[i].disk + keep, 0, PAGE_BYTES - keep);
    }
    if (may) {
        set_size(n, size);
        n->disk_size = size;
    }
    pthread_mutex_unlock(&disk.mutex);
    return may ? OK : ERROR_SYS(ERR_IO, EINVAL);
}

static struct error disk_mode(struct sys_file *f, uint32_t *ret_mode)
{
    (void)f;
    *ret_mode = 0600;
    return OK;
}

static void disk_advise_done(struct sys_file *f, uint64_t offset, uint64_t size)
{
    (void)f;
    (void)offset;
    (void)size;
}

/* ---- directories
 * ----------------------------------------------------------------------------------------------------------------------
 */

static struct error disk_rename(const char *from, const char *to)
{
    char *old = tidy(from), *new = tidy(to);
    pthread_mutex_lock(&disk.mutex);
    struct name *n = names_find(&disk.now, old);
    if (n && strcmp(old, new) != 0)
        change_names(CHANGE_RENAME, old, new, n->node);
    pthread_mutex_unlock(&disk.mutex);
    free(old);
    free(new);
    return n ? OK : ERROR_SYS(ERR_NOT_FOUND, ENOENT);
}

static struct error remove_locked(const char *path)
{
    struct name *n = names_find(&disk.now, path);
    if (!n)
        return ERROR_SYS(ERR_NOT_FOUND, ENOENT);
    for (size_t i = 0; n->node->is_directory && i < disk.now.count; i++)
        if (is_below(disk.now.items[i].path, path))
            return ERROR_SYS(ERR_IO, ENOTEMPTY);
    change_names(CHANGE_REMOVE, NULL, path, n->node);
    return OK;
}

static struct error disk_remove(const char *path)
{
    char *name = tidy(path);
    pthread_mutex_lock(&disk.mutex);
    struct error e = remove_locked(name);
    pthread_mutex_unlock(&disk.mutex);
    free(name);
    return e;
}

static struct error disk_make_dir(const char *path)
{
    char *name = tidy(path);
    pthread_mutex_lock(&disk.mutex);
    bool is_there = names_find(&disk.now, name) != NULL;
    if (!is_there)
        change_names(CHANGE_CREATE, NULL, name, node_new(true));
    pthread_mutex_unlock(&disk.mutex);
    free(name);
    return is_there ? ERROR_SYS(ERR_EXISTS, EEXIST) : OK;
}

static struct error disk_sync_dir(const char *path)
{
    char *name = tidy(path);
    size_t kept = 0;
    pthread_mutex_lock(&disk.mutex);
    disk.counts.dir_syncs++;
    for (size_t i = 0; i < disk.change_count && !disk.ignores_sync_dir; i++) {
        struct change *c = &disk.changes[i];
        if (is_in(c->to, name)) {
            names_apply(&disk.disk, c);
            change_forget(c);
        } else {
            disk.changes[kept++] = *c;
        }
    }
    if (!disk.ignores_sync_dir)
        disk.change_count = kept;
    pthread_mutex_unlock(&disk.mutex);
    free(name);
    return OK;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct error disk_list_dir(const char *path, sys_list_fn *each, void *context)
{
    char *name = tidy(path);
    pthread_mutex_lock(&disk.mutex);
    char **list = allocate((disk.now.count + 1) * sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < disk.now.count; i++) {
        const char *slash = strrchr(disk.now.items[i].path, '/');
        if (is_in(disk.now.items[i].path, name))
            list[count++] = copy_text(slash ? slash + 1 : disk.now.items[i].path);
    }
    bool is_there = strcmp(name, ".") == 0 || names_find(&disk.now, name);
    pthread_mutex_unlock(&disk.mutex);
    qsort(list, count, sizeof(*list), compare_texts);
    for (size_t i = 0; i < count; i++) { /* without the lock: the callee may open and remove */
        each(context, list[i]);
        free(list[i]);
    }
    free(list);
    free(name);
    return is_there ? OK : ERROR_SYS(ERR_NOT_FOUND, ENOENT);
}

static struct error disk_free_bytes(const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    (void)path;
    pthread_mutex_lock(&disk.mutex);
    bool is_limited = disk.capacity != UNLIMITED;
    *ret_total = is_limited ? disk.capacity : 2 * FREE_WHEN_UNLIMITED;
    *ret_free = !is_limited ? FREE_WHEN_UNLIMITED : disk.used < disk.capacity ? disk.capacity - disk.used : 0;
    pthread_mutex_unlock(&disk.mutex);
    return OK;
}

/* ---- clocks and entropy
 * ------------------------------------------------------------------------------------------------------------------ */

static int64_t clock_wall_ms(void)
{
    return disk.wall_ms + (int64_t)(disk.monotonic_us / 1000);
}

static uint64_t clock_monotonic_us(void)
{
    return disk.monotonic_us;
}

void faulty_clock_advance(uint64_t us)
{
    disk.monotonic_us += us;
}

void faulty_clock_jump_wall(int64_t ms)
{
    disk.wall_ms += ms;
}

uint64_t faulty_clock_us(void)
{
    return disk.monotonic_us;
}

static void seeded_entropy(void *out, size_t size)
{
    pthread_mutex_lock(&disk.mutex);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)(prng_next(&disk.entropy) >> 24);
    pthread_mutex_unlock(&disk.mutex);
}

/* ---- the test's side
 * ----------------------------------------------------------------------------------------------------------------------
 */

void faulty_disk_reset(uint64_t seed)
{
    pthread_mutex_lock(&disk.mutex);
    while (disk.handles)
        close_handle(disk.handles);
    for (size_t i = 0; i < disk.change_count; i++)
        change_forget(&disk.changes[i]);
    names_clear(&disk.now);
    names_clear(&disk.disk);
    free(disk.changes);
    free(disk.fail_read_path);
    disk.changes = NULL;
    disk.change_count = disk.change_capacity = 0;
    disk.fail_read_path = NULL;
    ASSERT(!disk.nodes && disk.used == 0);
    for (size_t i = 0; i < saved.count && saved.files; i++) {
        for (size_t k = 0; k < saved.files[i].page_count; k++)
            free(saved.files[i].pages[k]);
        free(saved.files[i].pages);
        free(saved.files[i].path);
    }
    free(saved.files);
    saved.files = NULL;
    disk.accidents = prng_of(seed ^ 0xacc1de27);
    disk.entropy = prng_of(seed ^ 0xe27209);
    disk.capacity = UNLIMITED;
    disk.fail_sync = disk.fail_write = -1;
    disk.ignores_sync_dir = false;
    disk.cold_one_in = 0;
    disk.monotonic_us = 1000000;
    disk.wall_ms = FAULTY_WALL_START_S * 1000ll;
    disk.counts = (struct faulty_counts){ 0 };
    pthread_mutex_unlock(&disk.mutex);
}

void faulty_disk_fail_sync(uint32_t skip)
{
    disk.fail_sync = skip == UINT32_MAX ? -1 : (int64_t)skip;
}

void faulty_disk_fail_write(uint32_t skip)
{
    disk.fail_write = skip == UINT32_MAX ? -1 : (int64_t)skip;
}

void faulty_disk_set_sync_us(uint64_t us)
{
    disk.sync_us = us;
}

void faulty_disk_set_cold(uint32_t one_in)
{
    disk.cold_one_in = one_in;
}

size_t faulty_disk_open_handles(void)
{
    size_t count = 0;
    for (const struct sys_file *f = disk.handles; f; f = f->next)
        count += !f->is_dead;
    return count;
}

const char *faulty_disk_open_name(void)
{
    for (const struct sys_file *f = disk.handles; f; f = f->next)
        for (size_t i = 0; !f->is_dead && i < disk.now.count; i++)
            if (disk.now.items[i].node == f->node)
                return disk.now.items[i].path;
    return faulty_disk_open_handles() ? "(removed)" : NULL;
}

void faulty_disk_fail_read(const char *path, uint64_t offset)
{
    pthread_mutex_lock(&disk.mutex);
    free(disk.fail_read_path);
    disk.fail_read_path = path ? tidy(path) : NULL;
    disk.fail_read_offset = offset;
    pthread_mutex_unlock(&disk.mutex);
}

void faulty_disk_set_capacity(uint64_t bytes)
{
    disk.capacity = bytes;
}

uint64_t faulty_disk_used_bytes(void)
{
    return disk.used;
}

void faulty_disk_ignore_sync_dir(bool on)
{
    disk.ignores_sync_dir = on;
}

bool faulty_disk_flip_bit(const char *path, uint64_t offset, unsigned bit)
{
    char *name = tidy(path);
    pthread_mutex_lock(&disk.mutex);
    struct name *n = names_find(&disk.now, name);
    bool is_there = n && offset < n->node->size;
    if (is_there) {
        struct page *p = page_at(n->node, (size_t)(offset / PAGE_BYTES));
        size_t at = (size_t)(offset % PAGE_BYTES);
        if (!p->now)
            p->now = allocate(PAGE_BYTES);
        p->now[at] ^= (char)(1u << bit);
        if (p->dirty | p->lost) {
            if (!p->disk)
                p->disk = allocate(PAGE_BYTES);
            p->disk[at] ^= (char)(1u << bit);
        }
    }
    pthread_mutex_unlock(&disk.mutex);
    free(name);
    return is_there;
}

/* ---- save and restore -------------------------------------------------------------------------------------------------------------- */

static void save_file(struct saved_file *to, const struct name *from)
{
    const struct node *n = from->node;
    *to = (struct saved_file){ .path = copy_text(from->path), .is_directory = n->is_directory, .size = n->size };
    to->pages = allocate((n->page_count + 1) * sizeof(*to->pages));
    to->page_count = n->page_count;
    for (size_t i = 0; i < n->page_count; i++) {
        if (!n->pages[i].now)
            continue;
        to->pages[i] = allocate(PAGE_BYTES);
        memcpy(to->pages[i], n->pages[i].now, PAGE_BYTES);
    }
}

void faulty_disk_save(void)
{
    pthread_mutex_lock(&disk.mutex);
    ASSERT(!saved.files);
    saved.files = allocate((disk.now.count + 1) * sizeof(*saved.files));
    saved.count = disk.now.count;
    for (size_t i = 0; i < saved.count; i++)
        save_file(&saved.files[i], &disk.now.items[i]);
    pthread_mutex_unlock(&disk.mutex);
}

static void restore_file(struct saved_file *from) /* takes its pages */
{
    struct node *n = node_new(from->is_directory);
    names_put(&disk.now, from->path, n);
    names_put(&disk.disk, from->path, n);
    for (size_t i = 0; i < from->page_count; i++)
        if (from->pages[i])
            page_at(n, i)->now = from->pages[i];
    set_size(n, from->size);
    n->disk_size = from->size;
    free(from->pages);
    free(from->path);
}

void faulty_disk_restore(void)
{
    pthread_mutex_lock(&disk.mutex);
    ASSERT(saved.files);
    for (const struct sys_file *f = disk.handles; f; f = f->next)
        ASSERT(f->is_dead);
    for (size_t i = 0; i < disk.change_count; i++)
        change_forget(&disk.changes[i]);
    disk.change_count = 0;
    names_clear(&disk.now);
    names_clear(&disk.disk);
    for (size_t i = 0; i < saved.count; i++)
        restore_file(&saved.files[i]);
    free(saved.files);
    saved.files = NULL;
    pthread_mutex_unlock(&disk.mutex);
}

const struct faulty_counts *faulty_disk_counts(void)
{
    return &disk.counts;
}

static uint64_t digest_bytes(uint64_t h, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        h = prng_mix(h ^ word);
    }
    for (; size; size--, at++)
        h = prng_mix(h ^ *at);
    return h;
}

static uint64_t digest_names(uint64_t h, const struct names *list, bool is_disk)
{
    uint64_t sum = 0; /* names are a set */
    for (size_t i = 0; i < list->count; i++) {
        const struct node *n = list->items[i].node;
        uint64_t own = digest_bytes(h, list->items[i].path, strlen(list->items[i].path));
        own = digest_bytes(own, is_disk ? &n->disk_size : &n->size, 8);
        for (size_t k = 0; k < n->page_count; k++) {
            const struct page *p = &n->pages[k];
            const char *bytes = is_disk && (p->dirty | p->lost) ? p->disk : p->now;
            if (bytes && !is_zeros(bytes, PAGE_BYTES))
                own = digest_bytes(own + k, bytes, PAGE_BYTES);
        }
        sum += own;
    }
    return prng_mix(h ^ sum);
}

uint64_t faulty_disk_digest(void)
{
    pthread_mutex_lock(&disk.mutex);
    uint64_t h = digest_names(digest_names(1, &disk.now, false), &disk.disk, true);
    pthread_mutex_unlock(&disk.mutex);
    return h;
}

const struct sys sys_faulty = {
    .file = { .open = disk_open,
        .close = disk_close,
        .size = disk_size,
        .read = disk_read,
        .read_nowait = disk_read_nowait,
        .write = disk_write,
        .sync = disk_sync,
        .truncate = disk_truncate,
        .lock = disk_lock,
        .rename = disk_rename,
        .remove = disk_remove,
        .make_dir = disk_make_dir,
        .sync_dir = disk_sync_dir,
        .list_dir = disk_list_dir,
        .free_bytes = disk_free_bytes,
        .advise_done = disk_advise_done,
        .mode = disk_mode },
    .clock = { .wall_ms = clock_wall_ms, .monotonic_us = clock_monotonic_us },
    .entropy = seeded_entropy,
    .net = &sys_net_real, /* faulty_net.h has a worse one */
};
