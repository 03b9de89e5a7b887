/* machine.h: what this process may use of the machine: cores and memory by affinity and cgroups, descriptors by its limits.
 *
 * A cgroup's limit holds for everything below it, so the least one on the way from the root to the process's own counts:
 * that finds a container's, which sees itself as the root, and a systemd unit's. Version 2 and the old cpu and memory
 * hierarchies of version 1.
 * Thread   any; files are read anew at each call.
 */
#ifndef MILLRACE_SERVER_MACHINE_H
#define MILLRACE_SERVER_MACHINE_H

#include <stdint.h>

enum { MACHINE_MEMORY_MIB_WANTED = 512 }; /* bodies and journal buffers alone may take most of it */

/* Where to look; tests have trees of their own. */
struct machine_paths {
    const char *cgroup_root; /* "/sys/fs/cgroup" */
    const char *cgroup_self; /* "/proc/self/cgroup" */
};
extern const struct machine_paths machine_paths_real;

int machine_cores(const struct machine_paths *paths);             /* 1 .. */
uint64_t machine_memory_limit(const struct machine_paths *paths); /* bytes; UINT64_MAX: none but the machine's */
void machine_raise_file_limit(void);                              /* the soft limit becomes the hard one */

#endif
