/* faults.c: a preload library that makes the disk fail on command. The command is a struct in a file that the test maps, too.
 *
 *   write, sync, read   the call after `skip` others on a file whose name begins with `name` fails with `error`, `times` times
 *                       (negative: always); done counts the failures
 *   budget              bytes that files may still grow by, and what statvfs says is free; negative: as the disk has it
 *
 * FAULTS_CONTROL  the file          FAULTS_DIR  only files in this directory fail
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

struct fault {
    _Atomic int32_t error, skip, times, done;
    char name[32];
};

struct control {
    struct fault write, sync, read;
    _Atomic int64_t budget;
};

static struct control *control;
static const char *dir;
static size_t dir_size;

static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_preadv2)(int, const struct iovec *, int, off_t, int);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_statvfs)(const char *, struct statvfs *);

static void *next(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (!f)
        abort();
    return f;
}

__attribute__((constructor)) static void begin(void)
{
    real_pwritev = next("pwritev");
    real_pread = next("pread");
    real_preadv2 = next("preadv2");
    real_fdatasync = next("fdatasync");
    real_fsync = next("fsync");
    real_statvfs = next("statvfs");
    const char *path = getenv("FAULTS_CONTROL");
    dir = getenv("FAULTS_DIR");
    if (!path || !dir)
        return;
    dir_size = strlen(dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        abort();
    close(fd);
    control = map;
}

/* The name inside the directory; NULL for any other file. */
static const char *name_of(int fd, char path[1024])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = control ? readlink(link, path, 1023) : -1;
    if (size < 0)
        return NULL;
    path[size] = 0;
    if (strncmp(path, dir, dir_size) != 0 || (path[dir_size] != '/' && path[dir_size] != 0))
        return NULL;
    return path[dir_size] ? path + dir_size + 1 : path + dir_size;
}

static int fails(struct fault *f, int fd)
{
    char path[1024];
    if (!control || !f->error)
        return 0;
    const char *name = name_of(fd, path);
    if (!name || strncmp(name, f->name, strlen(f->name)) != 0)
        return 0;
    if (f->skip > 0 && f->skip-- > 0)
        return 0;
    if (f->times == 0)
        return 0;
    if (f->times > 0)
        f->times--;
    f->done++;
    errno = f->error;
    return 1;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    char path[1024];
    struct stat st;
    if (control && fails(&control->write, fd))
        return -1;
    if (control && control->budget >= 0 && name_of(fd, path) && fstat(fd, &st) == 0) {
        int64_t size = 0;
        for (int i = 0; i < count; i++)
            size += (int64_t)parts[i].iov_len;
        int64_t growth = offset + size - st.st_size;
        if (growth > 0 && growth > control->budget) {
            errno = ENOSPC;
            return -1;
        }
        if (growth > 0)
            control->budget -= growth;
    }
    return real_pwritev(fd, parts, count, offset);
}

ssize_t pread(int fd, void *out, size_t size, off_t offset)
{
    return control && fails(&control->read, fd) ? -1 : real_pread(fd, out, size, offset);
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return control && fails(&control->read, fd) ? -1 : real_preadv2(fd, parts, count, offset, flags);
}

int fdatasync(int fd)
{
    return control && fails(&control->sync, fd) ? -1 : real_fdatasync(fd);
}

int fsync(int fd)
{
    return control && fails(&control->sync, fd) ? -1 : real_fsync(fd);
}

int statvfs(const char *path, struct statvfs *out)
{
    int result = real_statvfs(path, out);
    if (result == 0 && control && control->budget >= 0 && strncmp(path, dir, dir_size) == 0)
        out->f_bavail = (fsblkcnt_t)control->budget / out->f_frsize;
    return result;
}
