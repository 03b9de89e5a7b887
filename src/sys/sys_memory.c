/* sys_memory.c: files in memory (sys.h), gone at exit. Clocks, entropy and sockets are the kernel's.
 *
 *   names (one list, one mutex) ──> node: a directory, or bytes in chunks of 64 KiB (each file its own mutex)
 *                                    ^
 *   sys_file (one open) ─────────────┘   counted: a removed or replaced file lives until its last close
 *
 * Names    as written, without doubled or trailing slashes and without "./" in front. A directory exists if it was made
 *          or if a name goes on below it; a file may be made anywhere.
 * Memory   a chunk that only ever got zeros is not allocated: segments filled with zeros ahead cost nothing.
 * Lock     names_mutex before a node's mutex.
 */
#include "sys/net.h"
#include "sys/sys_internal.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

enum { CHUNK_BYTES = 64 * 1024 };

struct node {
    struct node *next; /* of the names */
    char *path;        /* owned; NULL: removed, or replaced by a rename */
    bool is_directory;
    uint32_t uses; /* opens, and one of the name; under names_mutex */
    struct sys_file *locked_by;
    pthread_mutex_t mutex; /* of what follows */
    uint64_t size;
    char **chunks; /* NULL: zeros */
    size_t chunk_count;
};

struct sys_file {
    struct node *node;
    bool may_write;
};

static pthread_mutex_t names_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct node *names;
static uint64_t chunks_in_use; /* atomic */

static void *allocate(size_t size)
{
    void *p = calloc(1, size);
    if (!p)
        check_out_of_memory(size);
    return p;
}

/* ---- names, all under names_mutex
 * ------------------------------------------------------------------------------------- */

/* A copy of `path` in the one form names have here. */
static char *tidy_path(const char *path)
{
    char *out = allocate(strlen(path) + 2);
    size_t size = 0;
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    for (; *path; path++)
        if (*path != '/' || size == 0 || out[size - 1] != '/')
            out[size++] = *path;
    if (size > 1 && out[size - 1] == '/')
        size--;
    if (size == 0)
        out[size++] = '.';
    out[size] = '\0';
    return out;
}

static struct node *find_node(const char *path)
{
    for (struct node *n = names; n; n = n->next)
        if (strcmp(n->path, path) == 0)
            return n;
    return NULL;
}

/* What follows "directory/" in `path`; NULL if it lies elsewhere. */
static const char *below(const char *path, const char *directory)
{
    size_t size = strlen(directory);
    if (strcmp(directory, ".") == 0)
        return path[0] == '/' || strcmp(path, ".") == 0 ? NULL : path;
    if (strncmp(path, directory, size) != 0)
        return NULL;
    if (size && directory[size - 1] == '/')
        return path[size] ? path + size : NULL;
    return path[size] == '/' ? path + size + 1 : NULL;
}

static bool has_below(const char *directory)
{
    for (struct node *n = names; n; n = n->next)
        if (below(n->path, directory))
            return true;
    return false;
}

static struct node *add_node(const char *path, bool is_directory)
{
    struct node *n = allocate(sizeof(*n));
    n->path = tidy_path(path);
    n->is_directory = is_directory;
    n->uses = 1;
    pthread_mutex_init(&n->mutex, NULL);
    n->next = names;
    names = n;
    return n;
}

static void free_chunks(struct node *n, size_t from)
{
    for (size_t i = from; i < n->chunk_count; i++) {
        if (!n->chunks[i])
            continue;
        free(n->chunks[i]);
        n->chunks[i] = NULL;
        __atomic_sub_fetch(&chunks_in_use, 1, __ATOMIC_RELAXED);
    }
}

static void drop_use(struct node *n)
{
    if (--n->uses)
        return;
    free_chunks(n, 0);
    free(n->chunks);
    pthread_mutex_destroy(&n->mutex);
    free(n);
}

static void remove_name(struct node *n)
{
    struct node **at = &names;
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    free(n->path);
    n->path = NULL;
    drop_use(n);
}

/* ---- open and close
 * --------------------------------------------------------------------------------------------------- */

static struct error open_node(const char *path, int flags, struct node **ret_node)
{
    struct node *n = find_node(path);
    if (!n && has_below(path))
        return ERROR_SYS(ERR_IO, EISDIR);
    if (!n && !(flags & SYS_OPEN_CREATE))
        return sys_error(ENOENT);
    if (n && (flags & SYS_OPEN_CREATE) && (flags & SYS_OPEN_EXCLUSIVE))
        return sys_error(EEXIST);
    if (n && n->is_directory)
        return ERROR_SYS(ERR_IO, EISDIR);
    *ret_node = n ? n : add_node(path, false);
    (*ret_node)->uses++;
    return OK;
}

static struct error memory_open(const char *path, int flags, struct sys_file **ret_file)
{
    char *tidy = tidy_path(path);
    struct node *n = NULL;
    pthread_mutex_lock(&names_mutex);
    struct error e = open_node(tidy, flags, &n);
    pthread_mutex_unlock(&names_mutex);
    free(tidy);
    TRY(e);
    struct sys_file *f = allocate(sizeof(*f));
    *f = (struct sys_file){ .node = n, .may_write = (flags & SYS_OPEN_WRITE) != 0 };
    *ret_file = f;
    return OK;
}

static void memory_close(struct sys_file *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&names_mutex);
    if (f->node->locked_by == f)
        f->node->locked_by = NULL;
    drop_use(f->node);
    pthread_mutex_unlock(&names_mutex);
    free(f);
}

static struct error memory_lock(struct sys_file *f)
{
    pthread_mutex_lock(&names_mutex);
    bool is_free = !f->node->locked_by || f->node->locked_by == f;
    if (is_free)
        f->node->locked_by = f;
    pthread_mutex_unlock(&names_mutex);
    return is_free ? OK : ERROR_SYS(ERR_LOCKED, EWOULDBLOCK);
}

/* ---- bytes
 * ------------------------------------------------------------------------------------------------------------ */

static struct error memory_size(struct sys_file *f, uint64_t *ret_bytes)
{
    pthread_mutex_lock(&f->node->mutex);
    *ret_bytes = f->node->size;
    pthread_mutex_unlock(&f->node->mutex);
    return OK;
}

static size_t part_in_chunk(uint64_t offset, size_t left)
{
    size_t room = CHUNK_BYTES - (size_t)(offset % CHUNK_BYTES);
    return left < room ? left : room;
}

static struct error memory_read(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    struct node *n = f->node;
    pthread_mutex_lock(&n->mutex);
    if (offset >= n->size)
        size = 0;
    else if (size > n->size - offset)
        size = (size_t)(n->size - offset);
    for (size_t done = 0, part; done < size; done += part) {
        size_t index = (size_t)((offset + done) / CHUNK_BYTES);
        const char *chunk = index < n->chunk_count ? n->chunks[index] : NULL;
        part = part_in_chunk(offset + done, size - done);
        if (chunk)
            memcpy((char *)out + done, chunk + (offset + done) % CHUNK_BYTES, part);
        else
            memset((char *)out + done, 0, part);
    }
    pthread_mutex_unlock(&n->mutex);
    *ret_size = size;
    return OK;
}

static bool is_zeros(const char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* The chunk's place, made if `index` is past the list; the chunk itself may be NULL. */
static char **chunk_at(struct node *n, size_t index)
{
    if (index >= n->chunk_count) {
        size_t count = index + 1 > 2 * n->chunk_count ? index + 1 : 2 * n->chunk_count;
        char **chunks = realloc(n->chunks, count * sizeof(*chunks));
        if (!chunks)
            check_out_of_memory(count * sizeof(*chunks));
        memset(chunks + n->chunk_count, 0, (count - n->chunk_count) * sizeof(*chunks));
        n->chunks = chunks;
        n->chunk_count = count;
    }
    return &n->chunks[index];
}

static void write_part(struct node *n, uint64_t offset, const char *bytes, size_t size)
{
    for (size_t part; size; offset += part, bytes += part, size -= part) {
        part = part_in_chunk(offset, size);
        char **chunk = chunk_at(n, (size_t)(offset / CHUNK_BYTES));
        if (!*chunk && is_zeros(bytes, part))
            continue;
        if (!*chunk) {
            *chunk = allocate(CHUNK_BYTES);
            __atomic_add_fetch(&chunks_in_use, 1, __ATOMIC_RELAXED);
        }
        memcpy(*chunk + offset % CHUNK_BYTES, bytes, part);
    }
}

static struct error memory_write(struct sys_file *f, uint64_t offset, const struct iovec *parts, int count)
{
    struct node *n = f->node;
    if (!f->may_write)
        return ERROR_SYS(ERR_IO, EBADF);
    pthread_mutex_lock(&n->mutex);
    for (int i = 0; i < count; i++) {
        write_part(n, offset, parts[i].iov_base, parts[i].iov_len);
        offset += parts[i].iov_len;
        if (parts[i].iov_len && offset > n->size)
            n->size = offset;
    }
    pthread_mutex_unlock(&n->mutex);
    return OK;
}

static struct error memory_sync(struct sys_file *f)
{
    return OK;
}

static struct error memory_truncate(struct sys_file *f, uint64_t size)
{
    struct node *n = f->node;
    if (!f->may_write)
        return ERROR_SYS(ERR_IO, EINVAL);
    pthread_mutex_lock(&n->mutex);
    if (size < n->size) {
        /* What was cut off must read as zeros if the file grows again. */
        size_t whole = (size_t)((size + CHUNK_BYTES - 1) / CHUNK_BYTES);
        size_t inside = (size_t)(size % CHUNK_BYTES), last = (size_t)(size / CHUNK_BYTES);
        free_chunks(n, whole);
        if (inside && last < n->chunk_count && n->chunks[last])
            memset(n->chunks[last] + inside, 0, CHUNK_BYTES - inside);
    }
    n->size = size;
    pthread_mutex_unlock(&n->mutex);
    return OK;
}

/* memory has one user */
static struct error memory_mode(struct sys_file *f, uint32_t *ret_mode)
{
    (void)f;
    *ret_mode = 0600;
    return OK;
}

static void memory_advise_done(struct sys_file *f, uint64_t offset, uint64_t size)
{
}

/* ---- directories
 * ------------------------------------------------------------------------------------------------------ */

static void rename_node(struct node *n, const char *to)
{
    free(n->path);
    n->path = tidy_path(to);
}

/* "from/x" becomes "to/x" for all x. */
static void rename_below(const char *from, const char *to)
{
    for (struct node *n = names; n; n = n->next) {
        const char *rest = below(n->path, from);
        if (!rest)
            continue;
        size_t size = strlen(to) + strlen(rest) + 2;
        char *path = allocate(size);
        snprintf(path, size, "%s/%s", to, rest);
        free(n->path);
        n->path = path;
    }
}

static struct error rename_tidy(const char *from, const char *to)
{
    struct node *n = find_node(from), *target = find_node(to);
    bool is_directory = n ? n->is_directory : has_below(from);
    if (!n && !is_directory)
        return sys_error(ENOENT);
    if (strcmp(from, to) == 0)
        return OK;
    if (is_directory && below(to, from))
        return ERROR_SYS(ERR_IO, EINVAL);
    if (has_below(to))
        return ERROR_SYS(ERR_IO, is_directory ? ENOTEMPTY : EISDIR);
    if (target && target->is_directory != is_directory)
        return ERROR_SYS(ERR_IO, is_directory ? ENOTDIR : EISDIR);
    if (target)
        remove_name(target);
    if (is_directory)
        rename_below(from, to);
    if (n)
        rename_node(n, to);
    return OK;
}

static struct error memory_rename(const char *from, const char *to)
{
    char *tidy_from = tidy_path(from), *tidy_to = tidy_path(to);
    pthread_mutex_lock(&names_mutex);
    struct error e = rename_tidy(tidy_from, tidy_to);
    pthread_mutex_unlock(&names_mutex);
    free(tidy_from);
    free(tidy_to);
    return e;
}

static struct error memory_remove(const char *path)
{
    char *tidy = tidy_path(path);
    struct error e = OK;
    pthread_mutex_lock(&names_mutex);
    struct node *n = find_node(tidy);
    if (has_below(tidy))
        e = ERROR_SYS(ERR_IO, ENOTEMPTY);
    else if (!n)
        e = sys_error(ENOENT);
    else
        remove_name(n);
    pthread_mutex_unlock(&names_mutex);
    free(tidy);
    return e;
}

static struct error memory_make_dir(const char *path)
{
    char *tidy = tidy_path(path);
    struct error e = OK;
    pthread_mutex_lock(&names_mutex);
    if (find_node(tidy) || has_below(tidy))
        e = sys_error(EEXIST);
    else
        add_node(tidy, true);
    pthread_mutex_unlock(&names_mutex);
    free(tidy);
    return e;
}

/* Under names_mutex: is there such a directory? */
static struct error check_directory(const char *path)
{
    const struct node *n = find_node(path);
    if (n && !n->is_directory)
        return ERROR_SYS(ERR_IO, ENOTDIR);
    return n || has_below(path) ? OK : sys_error(ENOENT);
}

static struct error memory_sync_dir(const char *path)
{
    char *tidy = tidy_path(path);
    pthread_mutex_lock(&names_mutex);
    struct error e = check_directory(tidy);
    pthread_mutex_unlock(&names_mutex);
    free(tidy);
    return e;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Copies of the first path components below a directory, sorted, each once; *ret_count of them. */
static char **copy_children(const char *directory, size_t *ret_count)
{
    size_t count = 0, distinct = 0;
    for (struct node *n = names; n; n = n->next)
        count += below(n->path, directory) != NULL;
    char **children = allocate((count + 1) * sizeof(*children));
    count = 0;
    for (struct node *n = names; n; n = n->next) {
        const char *rest = below(n->path, directory);
        if (!rest)
            continue;
        size_t size = strcspn(rest, "/");
        children[count] = allocate(size + 1);
        memcpy(children[count++], rest, size);
    }
    qsort(children, count, sizeof(*children), compare_names);
    for (size_t i = 0; i < count; i++) {
        if (distinct && strcmp(children[distinct - 1], children[i]) == 0)
            free(children[i]);
        else
            children[distinct++] = children[i];
    }
    *ret_count = distinct;
    return children;
}

/* The callback may open, rename and remove: it runs on a copy, without the mutex. */
static struct error memory_list_dir(const char *path, sys_list_fn *each, void *context)
{
    char *tidy = tidy_path(path);
    char **children = NULL;
    size_t count = 0;
    pthread_mutex_lock(&names_mutex);
    struct error e = check_directory(tidy);
    if (!failed(e))
        children = copy_children(tidy, &count);
    pthread_mutex_unlock(&names_mutex);
    for (size_t i = 0; i < count; i++) {
        each(context, children[i]);
        free(children[i]);
    }
    free(children);
    free(tidy);
    return e;
}

/* The disk here is the machine's memory, and what is free of it is what these files do not hold. */
static struct error memory_free_bytes(const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    struct sysinfo info;
    if (sysinfo(&info) < 0)
        return sys_error(errno);
    uint64_t total = (uint64_t)info.totalram * info.mem_unit;
    uint64_t used = __atomic_load_n(&chunks_in_use, __ATOMIC_RELAXED) * CHUNK_BYTES;
    *ret_free = used < total ? total - used : 0;
    *ret_total = total;
    return OK;
}

const struct sys sys_memory = {
    .file = {
        .open = memory_open,
        .close = memory_close,
        .size = memory_size,
        .read = memory_read,
        .read_nowait = memory_read,
        .write = memory_write,
        .sync = memory_sync,
        .truncate = memory_truncate,
        .lock = memory_lock,
        .rename = memory_rename,
        .remove = memory_remove,
        .make_dir = memory_make_dir,
        .sync_dir = memory_sync_dir,
        .list_dir = memory_list_dir,
        .free_bytes = memory_free_bytes,
        .advise_done = memory_advise_done,
        .mode = memory_mode,
    },
    .clock = { .wall_ms = sys_wall_ms, .monotonic_us = sys_monotonic_us },
    .entropy = sys_entropy,
    .net = &sys_net_real,
};
