/* sys_real.c: files, clocks and entropy of the kernel (sys.h). */
#include "sys/net.h"
#include "sys/sys_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

const struct sys *sys = &sys_real;

struct sys_file {
    int fd;
    int direct_fd; /* -1: reads go through the page cache */
};

struct error sys_error(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return ERROR_SYS(ERR_FULL, errno_value);
    case ENOENT:
        return ERROR_SYS(ERR_NOT_FOUND, errno_value);
    case EEXIST:
        return ERROR_SYS(ERR_EXISTS, errno_value);
    case ENOMEM:
        return ERROR_SYS(ERR_NO_MEMORY, errno_value);
    default:
        return ERROR_SYS(ERR_IO, errno_value);
    }
}

/* ---- open and close
 * --------------------------------------------------------------------------------------------------- */

static int open_retrying(const char *path, int flags)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static struct error real_open(const char *path, int flags, struct sys_file **ret_file)
{
    ASSERT(!(flags & SYS_OPEN_DIRECT) || !(flags & SYS_OPEN_WRITE));
    int open_flags = flags & SYS_OPEN_WRITE ? O_RDWR : O_RDONLY;
    if (flags & SYS_OPEN_CREATE)
        open_flags |= O_CREAT | (flags & SYS_OPEN_EXCLUSIVE ? O_EXCL : 0);
    int fd = open_retrying(path, open_flags);
    if (fd < 0)
        return sys_error(errno);
    struct sys_file *f = malloc(sizeof(*f));
    if (!f)
        check_out_of_memory(sizeof(*f));
    f->fd = fd;
    /* tmpfs and some others have no such thing: then the plain descriptor serves */
    f->direct_fd = flags & SYS_OPEN_DIRECT ? open_retrying(path, O_RDONLY | O_DIRECT) : -1;
    *ret_file = f;
    return OK;
}

static void real_close(struct sys_file *f)
{
    if (!f)
        return;
    /* After EINTR Linux has closed it all the same; what a failing close could tell, sync has told before. */
    close(f->fd);
    if (f->direct_fd >= 0)
        close(f->direct_fd);
    free(f);
}

static struct error real_size(struct sys_file *f, uint64_t *ret_bytes)
{
    struct stat st;
    if (fstat(f->fd, &st) < 0)
        return sys_error(errno);
    *ret_bytes = (uint64_t)st.st_size;
    return OK;
}

static struct error real_mode(struct sys_file *f, uint32_t *ret_mode)
{
    struct stat st;
    if (fstat(f->fd, &st) < 0)
        return sys_error(errno);
    *ret_mode = (uint32_t)st.st_mode & 07777;
    return OK;
}

/* ---- reading
 * ---------------------------------------------------------------------------------------------------------- */

static struct error read_plain(int fd, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sys_error(errno);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_size = done;
    return OK;
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Without MADV_POPULATE_READ (Linux 5.14) a disk that fails would be a SIGBUS later, so it is an error here. */
static struct error real_map(struct sys_file *f, uint64_t offset, size_t size, const char **ret_bytes)
{
    size_t skew = (size_t)(offset % page_size());
    uint64_t file_bytes;
    TRY(real_size(f, &file_bytes));
    if (offset > file_bytes || size > file_bytes - offset)
        return ERROR_SYS(ERR_IO, EINVAL);
    void *base = mmap(NULL, size + skew, PROT_READ, MAP_PRIVATE, f->fd, (off_t)(offset - skew));
    if (base == MAP_FAILED)
        return sys_error(errno);
    if (madvise(base, size + skew, MADV_POPULATE_READ) < 0) {
        struct error e = sys_error(errno);
        munmap(base, size + skew);
        return e;
    }
    *ret_bytes = (const char *)base + skew;
    return OK;
}

static void real_unmap(const char *bytes, size_t size)
{
    size_t skew = (uintptr_t)bytes % page_size();
    ASSERT(munmap((void *)(uintptr_t)(bytes - skew), size + skew) == 0);
}

/* O_DIRECT wants memory, offset and size aligned to the disk's blocks; 4 KiB suits all of them. */
enum { DIRECT_ALIGN = 4096, DIRECT_BYTES = 256 * 1024 };

static struct error read_direct(int fd, char *block, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    size_t done = 0;
    while (done < size) {
        uint64_t from = (offset + done) / DIRECT_ALIGN * DIRECT_ALIGN;
        size_t skip = (size_t)(offset + done - from);
        ssize_t got = pread(fd, block, DIRECT_BYTES, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sys_error(errno);
        if ((size_t)got <= skip)
            break;
        size_t part = (size_t)got - skip;
        if (part > size - done)
            part = size - done;
        memcpy((char *)out + done, block + skip, part);
        done += part;
    }
    *ret_size = done;
    return OK;
}

static struct error real_read(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    if (f->direct_fd >= 0) {
        void *block;
        if (posix_memalign(&block, DIRECT_ALIGN, DIRECT_BYTES) != 0)
            check_out_of_memory(DIRECT_BYTES);
        struct error e = read_direct(f->direct_fd, block, offset, out, size, ret_size);
        free(block);
        if (e.system != EINVAL)
            return e;
    }
    return read_plain(f->fd, offset, out, size, ret_size);
}

static struct error real_read_nowait(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size)
{
    size_t done = 0;
    while (done < size) {
        struct iovec part = { (char *)out + done, size - done };
        ssize_t got = preadv2(f->fd, &part, 1, (off_t)(offset + done), RWF_NOWAIT);
        if (got > 0) {
            done += (size_t)got; /* a part: the next round tells the end of the file from cold bytes */
        } else if (got == 0) {
            break;
        } else if (errno == EAGAIN) {
            return ERROR_SYS(ERR_COLD, EAGAIN);
        } else if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) {
            return read_plain(f->fd, offset, out, size, ret_size);
        } else if (errno != EINTR) {
            return sys_error(errno);
        }
    }
    *ret_size = done;
    return OK;
}

/* ---- writing
 * ---------------------------------------------------------------------------------------------------------- */

enum { WRITE_PARTS_MAX = 64 }; /* in one call of the kernel; a longer list takes several */

/* The part to go on with, and how much of it is written already. */
struct write_position {
    int index;
    size_t inside;
};

static int gather(const struct iovec *parts, int count, struct write_position at, struct iovec out[WRITE_PARTS_MAX])
{
    int used = 0;
    for (int i = at.index; i < count && used < WRITE_PARTS_MAX; i++, at.inside = 0) {
        size_t left = parts[i].iov_len - at.inside;
        if (left)
            out[used++] = (struct iovec){ (char *)parts[i].iov_base + at.inside, left };
    }
    return used;
}

static struct write_position advance(const struct iovec *parts, int count, struct write_position at, size_t bytes)
{
    while (at.index < count && bytes >= parts[at.index].iov_len - at.inside) {
        bytes -= parts[at.index].iov_len - at.inside;
        at = (struct write_position){ at.index + 1, 0 };
    }
    at.inside += bytes;
    return at;
}

static struct error real_write(struct sys_file *f, uint64_t offset, const struct iovec *parts, int count)
{
    struct write_position at = { 0, 0 };
    struct iovec now[WRITE_PARTS_MAX];
    for (;;) {
        int used = gather(parts, count, at, now);
        if (used == 0)
            return OK;
        ssize_t wrote = pwritev(f->fd, now, used, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return sys_error(errno);
        if (wrote == 0)
            return ERROR_SYS(ERR_IO, EIO);
        offset += (uint64_t)wrote;
        at = advance(parts, count, at, (size_t)wrote);
    }
}

static struct error real_sync(struct sys_file *f)
{
    int result;
    do
        result = fdatasync(f->fd);
    while (result < 0 && errno == EINTR);
    return result < 0 ? sys_error(errno) : OK;
}

static struct error real_truncate(struct sys_file *f, uint64_t size)
{
    int result;
    do
        result = ftruncate(f->fd, (off_t)size);
    while (result < 0 && errno == EINTR);
    return result < 0 ? sys_error(errno) : OK;
}

/* flock and not fcntl: it belongs to this open file, so closing another descriptor of the same file does not drop it.
 */
static struct error real_lock(struct sys_file *f)
{
    int result;
    do
        result = flock(f->fd, LOCK_EX | LOCK_NB);
    while (result < 0 && errno == EINTR);
    if (result < 0 && errno == EWOULDBLOCK)
        return ERROR_SYS(ERR_LOCKED, EWOULDBLOCK);
    return result < 0 ? sys_error(errno) : OK;
}

static void real_advise_done(struct sys_file *f, uint64_t offset, uint64_t size)
{
    (void)posix_fadvise(f->fd, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
}

/* ---- names
 * ------------------------------------------------------------------------------------------------------------ */

static struct error real_rename(const char *from, const char *to)
{
    return rename(from, to) < 0 ? sys_error(errno) : OK;
}

static struct error real_remove(const char *path)
{
    return remove(path) < 0 ? sys_error(errno) : OK;
}

static struct error real_make_dir(const char *path)
{
    return mkdir(path, 0700) < 0 ? sys_error(errno) : OK;
}

static struct error real_sync_dir(const char *path)
{
    int fd = open_retrying(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return sys_error(errno);
    int result;
    do
        result = fsync(fd);
    while (result < 0 && errno == EINTR);
    /* EINVAL: a file system whose directories cannot be synced; names are then as safe as it makes them */
    struct error e = result < 0 && errno != EINVAL ? sys_error(errno) : OK;
    close(fd);
    return e;
}

static struct error real_list_dir(const char *path, sys_list_fn *each, void *context)
{
    DIR *dir = opendir(path);
    if (!dir)
        return sys_error(errno);
    struct error e = OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno)
                e = sys_error(errno);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(context, entry->d_name);
    }
    closedir(dir);
    return e;
}

static struct error real_free_bytes(const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    struct statvfs st;
    int result;
    do
        result = statvfs(path, &st);
    while (result < 0 && errno == EINTR);
    if (result < 0)
        return sys_error(errno);
    *ret_free = (uint64_t)st.f_bavail * st.f_frsize;
    *ret_total = (uint64_t)st.f_blocks * st.f_frsize;
    return OK;
}

/* ---- clocks and entropy
 * ----------------------------------------------------------------------------------------------- */

int64_t sys_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t sys_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void sys_entropy(void *out, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = getrandom((char *)out + done, size - done, 0);
        if (got > 0) {
            done += (size_t)got;
        } else if (errno != EINTR) {
            fprintf(stderr, "millrace: the kernel gives no entropy: %s\n", strerror(errno));
            abort();
        }
    }
}

const struct sys sys_real = {
    .file = {
        .open = real_open,
        .close = real_close,
        .size = real_size,
        .read = real_read,
        .read_nowait = real_read_nowait,
        .map = real_map,
        .unmap = real_unmap,
        .write = real_write,
        .sync = real_sync,
        .truncate = real_truncate,
        .lock = real_lock,
        .rename = real_rename,
        .remove = real_remove,
        .make_dir = real_make_dir,
        .sync_dir = real_sync_dir,
        .list_dir = real_list_dir,
        .free_bytes = real_free_bytes,
        .advise_done = real_advise_done,
        .mode = real_mode,
    },
    .clock = { .wall_ms = sys_wall_ms, .monotonic_us = sys_monotonic_us },
    .entropy = sys_entropy,
    .net = &sys_net_real,
};
