/* proc.c: see proc.h. */
#include "proc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 1024 };

/* "name:  123 kB" lines. False when the name is not there. */
static bool read_field(const char *path, const char *name, uint64_t *ret_value)
{
    char line[LINE_MAX_SIZE];
    bool found = false;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof line, file)) {
        unsigned long long value;
        size_t size = strlen(name);
        if (strncmp(line, name, size) == 0 && line[size] == ':' && sscanf(line + size + 1, "%llu", &value) == 1) {
            *ret_value = value;
            found = true;
        }
    }
    fclose(file);
    return found;
}

static bool read_times(pid_t pid, struct proc_sample *ret_sample)
{
    char path[64], line[LINE_MAX_SIZE];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    char *name_end = read ? strrchr(line, ')') : NULL; /* the name may hold anything, blanks and brackets too */
    unsigned long long user, system;
    if (!name_end || sscanf(name_end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
        return false;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    ret_sample->user_s = (double)user / ticks;
    ret_sample->sys_s = (double)system / ticks;
    return true;
}

bool proc_read(pid_t pid, struct proc_sample *ret_sample)
{
    struct proc_sample sample = { 0 };
    char path[64];
    uint64_t kibibytes;
    if (!read_times(pid, &sample))
        return false;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    if (!read_field(path, "VmRSS", &kibibytes))
        return false;
    sample.rss_bytes = kibibytes * 1024;
    if (read_field(path, "RssAnon", &kibibytes))
        sample.rss_anon_bytes = kibibytes * 1024;
    snprintf(path, sizeof path, "/proc/%ld/io", (long)pid);
    read_field(path, "write_bytes", &sample.write_bytes);
    *ret_sample = sample;
    return true;
}
