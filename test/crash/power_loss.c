/* power_loss.c: a preload library that knows what a power cut could undo.
 *
 * The files themselves are the page cache: every process sees its writes at once, also after kill -9. Beside them a log is
 * kept of what was there before each change that no sync has covered; power_cut.py reads it when the process is dead and
 * takes back what a disk might have lost: sectors one by one, file sizes, names.
 *
 *   W inode offset old-size  the sectors under a write, as they were     S inode upto   fdatasync: what was logged up to
 *   T inode old-size         the bytes a truncation cuts off                            record `upto` is durable
 *   C inode name             a file or directory was made                D inode upto   the same for names in a directory
 *   R inode from NUL to      renamed; kept as link `keep` if it replaced one
 *   U inode name             removed; kept as link `keep`
 *
 * A record is written before its operation, a sync's after it: killed in between, both err on the side of losing more.
 * POWER_LOSS_LOG  the log          POWER_LOSS_KEEP  directory of the links, on the file system of the data
 * POWER_LOSS_DIR  only what lies in this directory, and the directory itself, counts
 * POWER_LOSS_SYNC_US  the longest a sync takes; default 3000
 * Limits: pwrite, pwritev, write and ftruncate of regular files, no mmap, one directory without directories in it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR = 512, NAME_BYTES = 1024 };

struct entry {
    char kind[8];
    uint64_t sequence, inode, offset, old_size, upto, keep, bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static const char *dir, *keep_dir;
static unsigned sync_us = 3000;
static uint64_t sequence;
static __thread unsigned chance;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_open)(const char *, int, ...);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_rename)(const char *, const char *);
static int (*real_remove)(const char *);
static int (*real_unlink)(const char *);
static int (*real_mkdir)(const char *, mode_t);

static void *next(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (!f)
        abort();
    return f;
}

__attribute__((constructor)) static void begin(void)
{
    real_pwrite = next("pwrite");
    real_pwritev = next("pwritev");
    real_write = next("write");
    real_open = next("open");
    real_fdatasync = next("fdatasync");
    real_fsync = next("fsync");
    real_ftruncate = next("ftruncate");
    real_rename = next("rename");
    real_remove = next("remove");
    real_unlink = next("unlink");
    real_mkdir = next("mkdir");
    dir = getenv("POWER_LOSS_DIR");
    keep_dir = getenv("POWER_LOSS_KEEP");
    const char *path = getenv("POWER_LOSS_LOG"), *us = getenv("POWER_LOSS_SYNC_US");
    if (us)
        sync_us = (unsigned)atoi(us);
    if (!dir || !keep_dir || !path)
        return;
    log_fd = real_open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        abort();
    struct entry last; /* a process before this one, killed without a cut: its numbers go on */
    for (off_t at = 0; pread(log_fd, &last, sizeof(last), at) == (ssize_t)sizeof(last);
         at += (off_t)(sizeof(last) + last.bytes))
        sequence = last.sequence;
}

/* ---- the log, under the lock ---------------------------------------------------------------------------------------- */

static void put(struct entry *e, const void *bytes, size_t size)
{
    e->sequence = ++sequence;
    e->bytes = size;
    const struct iovec parts[2] = { { e, sizeof(*e) }, { (void *)(uintptr_t)bytes, size } };
    if (writev(log_fd, parts, size ? 2 : 1) != (ssize_t)(sizeof(*e) + size))
        abort();
}

static int is_ours(int fd, struct stat *st)
{
    char link[64], path[NAME_BYTES];
    if (log_fd < 0 || fd == log_fd || fstat(fd, st) != 0 || !(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    return size > 0 && (size_t)size >= strlen(dir) && memcmp(path, dir, strlen(dir)) == 0;
}

static int is_inside(const char *path)
{
    size_t size = dir ? strlen(dir) : 0;
    return log_fd >= 0 && strncmp(path, dir, size) == 0 && (path[size] == '/' || path[size] == 0);
}

static void log_old(char kind, int fd, const struct stat *st, uint64_t from, uint64_t to)
{
    uint64_t start = from / SECTOR * SECTOR, end = (to + SECTOR - 1) / SECTOR * SECTOR;
    if (end > (uint64_t)st->st_size)
        end = (uint64_t)st->st_size;
    char *old = NULL;
    size_t size = 0;
    if (start < end) {
        old = malloc((size_t)(end - start));
        ssize_t got = old ? pread(fd, old, (size_t)(end - start), (off_t)start) : -1;
        if (got < 0)
            abort(); /* the descriptor must be readable */
        size = (size_t)got;
    }
    struct entry e = {
        .kind = { kind }, .inode = st->st_ino, .offset = start, .old_size = (uint64_t)st->st_size, .upto = to
    };
    put(&e, old, size);
    free(old);
}

static void before_write(int fd, uint64_t from, uint64_t size)
{
    struct stat st;
    pthread_mutex_lock(&lock);
    if (is_ours(fd, &st) && S_ISREG(st.st_mode))
        log_old('W', fd, &st, from, from + size);
    pthread_mutex_unlock(&lock);
}

/* A link to what is about to lose its name; its number. */
static uint64_t keep(const char *path)
{
    char to[NAME_BYTES];
    uint64_t number = sequence + 1;
    snprintf(to, sizeof(to), "%s/%llu", keep_dir, (unsigned long long)number);
    return link(path, to) == 0 ? number : 0;
}

static void log_names(char kind, const char *from, const char *to, uint64_t kept)
{
    char names[2 * NAME_BYTES];
    struct stat st = { 0 };
    (void)stat(from, &st);
    int size = snprintf(names, sizeof(names), "%s%c%s", from, 0, to ? to : "");
    struct entry e = { .kind = { kind }, .inode = st.st_ino, .keep = kept };
    put(&e, names, (size_t)size);
}

/* ---- what is stood in for ------------------------------------------------------------------------------------------------ */

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    before_write(fd, (uint64_t)offset, size);
    return real_pwrite(fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
    return pwrite(fd, bytes, size, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    uint64_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    before_write(fd, (uint64_t)offset, size);
    return real_pwritev(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    return pwritev(fd, parts, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    off_t at = log_fd >= 0 && fd > 2 && fd != log_fd ? lseek(fd, 0, SEEK_CUR) : -1;
    if (at >= 0)
        before_write(fd, (uint64_t)at, size);
    return real_write(fd, bytes, size);
}

int ftruncate(int fd, off_t size)
{
    struct stat st;
    pthread_mutex_lock(&lock);
    if (is_ours(fd, &st))
        log_old('T', fd, &st, (uint64_t)size, size < st.st_size ? (uint64_t)st.st_size : (uint64_t)size);
    pthread_mutex_unlock(&lock);
    return real_ftruncate(fd, size);
}

static int sync_with(int fd, int (*call)(int))
{
    struct stat st;
    pthread_mutex_lock(&lock);
    uint64_t upto = sequence;
    int is_logged = is_ours(fd, &st) || (log_fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode));
    pthread_mutex_unlock(&lock);
    int result = call(fd);
    if (!is_logged || result != 0)
        return result;
    if (!chance)
        chance = (unsigned)getpid() ^ (unsigned)upto;
    if (sync_us)
        usleep((unsigned)rand_r(&chance) % sync_us);
    pthread_mutex_lock(&lock);
    struct entry e = { .kind = { S_ISDIR(st.st_mode) ? 'D' : 'S' }, .inode = st.st_ino, .upto = upto };
    put(&e, NULL, 0);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fdatasync(int fd)
{
    return sync_with(fd, real_fdatasync);
}

int fsync(int fd)
{
    return sync_with(fd, real_fsync);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    unsigned mode = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    if (!(flags & O_CREAT) || !is_inside(path))
        return real_open(path, flags, mode);
    pthread_mutex_lock(&lock);
    int is_new = access(path, F_OK) != 0;
    int fd = real_open(path, flags, mode);
    int why = errno;
    if (fd >= 0 && is_new)
        log_names('C', path, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return fd;
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    unsigned mode = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    return open(path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
    pthread_mutex_lock(&lock);
    int result = real_mkdir(path, mode), why = errno;
    if (result == 0 && is_inside(path))
        log_names('C', path, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int rename(const char *from, const char *to)
{
    pthread_mutex_lock(&lock);
    if (is_inside(from))
        log_names('R', from, to, access(to, F_OK) == 0 ? keep(to) : 0);
    int result = real_rename(from, to), why = errno;
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

static int remove_with(const char *path, int (*call)(const char *))
{
    pthread_mutex_lock(&lock);
    if (is_inside(path) && access(path, F_OK) == 0)
        log_names('U', path, NULL, keep(path));
    int result = call(path), why = errno;
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int remove(const char *path)
{
    return remove_with(path, real_remove);
}

int unlink(const char *path)
{
    return remove_with(path, real_unlink);
}
