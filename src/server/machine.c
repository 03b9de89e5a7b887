#include "server/machine.h"
#include "base/check.h"
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { PATH_BYTES = 4096 };

const struct machine_paths machine_paths_real = { "/sys/fs/cgroup", "/proc/self/cgroup" };

static bool read_text(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t got = fread(out, 1, size - 1, f);
    fclose(f);
    out[got] = 0;
    return got > 0;
}

/* The process's place below a hierarchy: "" for version 2 (a line 0::/path), else the controller's name in the list of the
 * second field. False: not there. */
static bool find_place(const struct machine_paths *paths, const char *controller, char out[PATH_BYTES])
{
    char text[PATH_BYTES], *save = NULL;
    if (!read_text(paths->cgroup_self, text, sizeof(text)))
        return false;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *names = strchr(line, ':');
        char *place = names ? strchr(names + 1, ':') : NULL;
        if (!place)
            continue;
        *place++ = 0;
        bool is_ours = !*names;
        char *inner = NULL;
        for (char *name = strtok_r(names + 1, ",", &inner); name; name = strtok_r(NULL, ",", &inner))
            is_ours |= !strcmp(name, controller);
        if (!*controller)
            is_ours = names[1] == 0 && line[0] == '0';
        if (is_ours) {
            snprintf(out, PATH_BYTES, "%s", place);
            return true;
        }
    }
    return false;
}

typedef void limit_fn(const char *directory, uint64_t *least);

/* Calls `look` for every directory from the process's own up to the root of the hierarchy. */
static void walk_up(
    const struct machine_paths *paths, const char *controller, const char *sub, limit_fn *look, uint64_t *least)
{
    char place[PATH_BYTES] = "", directory[3 * PATH_BYTES];
    find_place(paths, controller, place);
    for (;;) {
        snprintf(directory, sizeof(directory), "%s%s%s", paths->cgroup_root, sub, strcmp(place, "/") ? place : "");
        look(directory, least);
        char *slash = strrchr(place, '/');
        if (!slash)
            return;
        *slash = 0;
    }
}

/* ---- cores ----------------------------------------------------------------------------------------------------------- */

static void lower(uint64_t *least, uint64_t value)
{
    if (value < *least)
        *least = value;
}

static void lower_to_cores(uint64_t *least, long long quota, long long period)
{
    if (quota > 0 && period > 0)
        lower(least, (uint64_t)((quota + period - 1) / period));
}

static void look_at_cpu_v2(const char *directory, uint64_t *least)
{
    char path[4 * PATH_BYTES], text[128];
    long long quota, period;
    snprintf(path, sizeof(path), "%s/cpu.max", directory);
    if (read_text(path, text, sizeof(text)) && sscanf(text, "%lld %lld", &quota, &period) == 2) /* or "max 100000" */
        lower_to_cores(least, quota, period);
}

static void look_at_cpu_v1(const char *directory, uint64_t *least)
{
    char path[4 * PATH_BYTES], quota[64], period[64];
    snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", directory);
    if (!read_text(path, quota, sizeof(quota)))
        return;
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", directory);
    if (read_text(path, period, sizeof(period)))
        lower_to_cores(least, atoll(quota), atoll(period)); /* -1: none */
}

int machine_cores(const struct machine_paths *paths)
{
    cpu_set_t set;
    uint64_t cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint64_t)CPU_COUNT(&set) : 1;
    walk_up(paths, "", "", look_at_cpu_v2, &cores);
    walk_up(paths, "cpu", "/cpu", look_at_cpu_v1, &cores);
    return cores ? (int)cores : 1;
}

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

static void look_at_memory(const char *directory, const char *name, uint64_t *least)
{
    char path[4 * PATH_BYTES], text[64];
    unsigned long long bytes;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (read_text(path, text, sizeof(text)) && sscanf(text, "%llu", &bytes) == 1 && bytes > 0) /* or "max" */
        lower(least, bytes);
}

static void look_at_memory_v2(const char *directory, uint64_t *least)
{
    look_at_memory(directory, "memory.max", least);
}

static void look_at_memory_v1(const char *directory, uint64_t *least)
{
    look_at_memory(directory, "memory.limit_in_bytes", least);
}

uint64_t machine_memory_limit(const struct machine_paths *paths)
{
    uint64_t least = UINT64_MAX;
    walk_up(paths, "", "", look_at_memory_v2, &least);
    walk_up(paths, "memory", "/memory", look_at_memory_v1, &least);
    return least < 1ull << 60 ? least : UINT64_MAX; /* version 1 writes "none" as a huge number */
}

/* ---- descriptors ----------------------------------------------------------------------------------------------------- */

void machine_raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
