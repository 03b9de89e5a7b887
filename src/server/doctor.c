#include "api/clock.h"
#include "server/machine.h"
#include "server/server.h"
#include "store/store.h"
#include "base/text.h"
#include "sys/sys.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SYNC_ROUNDS = 50, FILES_WANTED = 4096, CLOCK_FLOOR_S = 1767225600 /* 2026-01-01 */ };

static int findings;

static void say(bool is_fine, const char *what, const char *format, ...) PRINTF_LIKE(3, 4);
static void say(bool is_fine, const char *what, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%-4s %-16s ", is_fine ? "ok" : "BAD", what);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    findings += !is_fine;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* What one durable reply costs here: 4 KiB written and synced. */
static void check_disk(const char *dir)
{
    uint64_t free_bytes = 0, total = 0;
    if (failed(sys->file.free_bytes(dir, &free_bytes, &total))) {
        say(false, "data directory", "%s cannot be examined", dir);
        return;
    }
    say(free_bytes > 1024ull * MIB, "disk space", "%llu MiB free of %llu MiB", (unsigned long long)(free_bytes / MIB),
        (unsigned long long)(total / MIB));
    char path[4096];
    snprintf(path, sizeof(path), "%s/millrace-doctor.tmp", dir);
    struct sys_file *f;
    if (failed(sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f))) {
        say(false, "disk writes", "%s cannot be written", path);
        return;
    }
    static char block[4096];
    uint64_t took_us[SYNC_ROUNDS];
    bool is_fine = true;
    for (int i = 0; i < SYNC_ROUNDS; i++) {
        const struct iovec part = { block, sizeof(block) };
        uint64_t from = sys->clock.monotonic_us();
        is_fine &= !failed(sys->file.write(f, 0, &part, 1)) && !failed(sys->file.sync(f));
        took_us[i] = sys->clock.monotonic_us() - from;
    }
    sys->file.close(f);
    sys->file.remove(path);
    qsort(took_us, SYNC_ROUNDS, sizeof(took_us[0]), compare_u64);
    say(is_fine, "disk syncs", "4 KiB write and sync: median %llu us, slowest %llu us",
        (unsigned long long)took_us[SYNC_ROUNDS / 2], (unsigned long long)took_us[SYNC_ROUNDS - 1]);
}

static void check_limits(void)
{
    struct rlimit limit = { 0 };
    getrlimit(RLIMIT_NOFILE, &limit);
    say(limit.rlim_max >= FILES_WANTED, "open files", "hard limit %llu (connections: that less 500)",
        (unsigned long long)limit.rlim_max);
}

static void check_memory(void)
{
    uint64_t limit = machine_memory_limit(&machine_paths_real);
    int cores = machine_cores(&machine_paths_real);
    if (limit == UINT64_MAX)
        say(true, "cores, memory", "%d cores; no limit of memory but the machine's", cores);
    else
        say(limit / MIB >= MACHINE_MEMORY_MIB_WANTED, "cores, memory",
            "%d cores; limited to %llu MiB of memory (%d wanted)", cores, (unsigned long long)(limit / MIB),
            MACHINE_MEMORY_MIB_WANTED);
}

static void check_clock(void)
{
    int64_t now_s = sys->clock.wall_ms() / 1000;
    say(now_s > CLOCK_FLOOR_S, "clock", "%lld seconds since 1970; signatures are refused when it is off by 15 minutes",
        (long long)now_s);
}

static void print_finding(void *context, struct slice line)
{
    (void)context;
    printf("     %.*s\n", SLICE_ARG(line));
}

static void check_data(const char *dir)
{
    struct error e = store_verify(dir, print_finding, NULL);
    if (e.code == ERR_NOT_FOUND)
        say(true, "data", "%s is new", dir);
    else if (e.code == ERR_LOCKED)
        say(true, "data", "%s: a server uses it; its checksums can be verified when it is stopped, or in a backup",
            dir);
    else
        say(!failed(e), "data", "%s: %s", dir,
            failed(e) ? error_text(e) : "every frame and snapshot matches its checksum");
}

static bool is_absent(const char *path)
{
    uint64_t free_bytes, total;
    return sys->file.free_bytes(path, &free_bytes, &total).code == ERR_NOT_FOUND;
}

/* Whoever asks may not be who will serve: nothing is made that a start would then find to be somebody else's. */
static void check_absent(const char *dir)
{
    char parent[4096];
    snprintf(parent, sizeof(parent), "%.*s", SLICE_ARG(text_parent_dir(dir)));
    if (is_absent(parent)) {
        say(false, "data directory", "%s does not exist yet, and a start cannot make it: neither does %s", dir, parent);
        return;
    }
    say(true, "data directory", "%s does not exist yet: a start makes it in %s, which is checked here", dir, parent);
    check_disk(parent);
}

int server_doctor(const struct config *config)
{
    const char *dir = config->data_dir;
    bool is_new = is_absent(dir);
    findings = 0;
    if (is_new)
        check_absent(dir);
    else
        check_disk(dir);
    check_limits();
    check_memory();
    check_clock();
    if (!is_new)
        check_data(dir);
    printf("%s\n", findings ? "Something above needs attention." : "All is well.");
    return findings ? 1 : 0;
}
