/* disk.c: what one durable write costs here: pwrite of 4 KiB + fdatasync on a file already filled with zeros.
 *
 * The file is written and synced once, then overwritten in order, as a recycled log segment is; so neither block
 * allocation nor a change of the file's size is in the figure.
 *
 * Use      disk --dir DIRECTORY [--seconds S] [--size BYTES]; prints one JSON line; the file is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hist.h"
#include "util.h"

enum { FILE_SIZE = 16 * 1024 * 1024, FILL_STEP = 1024 * 1024, WARM_WRITES = 16 };

static int open_filled(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        die("%s: %s", path, strerror(errno));
    char *zeros = must_alloc(FILL_STEP);
    for (off_t at = 0; at < FILE_SIZE; at += FILL_STEP)
        if (pwrite(fd, zeros, FILL_STEP, at) != FILL_STEP)
            die("%s: cannot fill: %s", path, strerror(errno));
    free(zeros);
    if (fsync(fd) < 0)
        die("%s: fsync: %s", path, strerror(errno));
    return fd;
}

static void measure(int fd, size_t size, double seconds, struct hist *h)
{
    char *block = must_alloc(size);
    memset(block, 'd', size);
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    uint64_t count = 0;
    for (off_t at = 0;; at = (at + 2 * (off_t)size <= FILE_SIZE) ? at + (off_t)size : 0) {
        uint64_t start = now_ns();
        if (start >= end)
            break;
        if (pwrite(fd, block, size, at) != (ssize_t)size || fdatasync(fd) < 0)
            die("write: %s", strerror(errno));
        if (count++ >= WARM_WRITES)
            hist_add(h, now_ns() - start);
    }
    free(block);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "dir", required_argument, NULL, 'd' },
        { "seconds", required_argument, NULL, 's' },
        { "size", required_argument, NULL, 'z' },
        { NULL, 0, NULL, 0 },
    };
    const char *directory = NULL;
    double seconds = 1;
    size_t size = 4096;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'd')
            directory = optarg;
        else if (option == 's')
            seconds = atof(optarg);
        else if (option == 'z')
            size = parse_number("size", optarg, 1, FILE_SIZE / 2);
        else
            return 2;
    }
    if (!directory || seconds <= 0 || seconds > 600)
        die("usage: disk --dir DIRECTORY [--seconds S] [--size BYTES]");
    char path[4096];
    if (snprintf(path, sizeof path, "%s/disk-%ld.bin", directory, (long)getpid()) >= (int)sizeof path)
        die("the path of the directory is too long");
    static struct hist h;
    int fd = open_filled(path);
    unlink(path); /* gone even when interrupted */
    uint64_t start = now_ns();
    measure(fd, size, seconds, &h);
    double elapsed_s = (double)(now_ns() - start) / 1e9;
    close(fd);
    printf("{\"size\":%zu,\"writes\":%llu,\"writes_per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
        size, (unsigned long long)h.count, (double)h.count / elapsed_s, (double)hist_quantile(&h, 0.50) / 1e3,
        (double)hist_quantile(&h, 0.99) / 1e3, (double)h.max_ns / 1e3);
    return 0;
}
