/* cores.h: which cores a thread may use, for those who change that for a while (spread.h, crew.h).
 *
 * What a thread of ours may use is what the first thread of the process may use, which nobody ties: so a taskset of the
 * whole process and a cpuset that shrinks or grows are followed, although a tie is a choice of the thread's own.
 *
 * Cost     a system call each, cores_release three.
 * Source   sched_setaffinity(2), cpuset(7)
 */
#ifndef MILLRACE_SYS_CORES_H
#define MILLRACE_SYS_CORES_H

#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

/* `thread`: 0 for the calling one, getpid() for the first one. */
static inline bool cores_of(pid_t thread, cpu_set_t *ret)
{
    return sched_getaffinity(thread, sizeof(*ret), ret) == 0;
}

/* All cores there are, which the kernel cuts down to the cpuset, now and whenever that changes; unless the first thread may
 * use less, `allowed`, because of a taskset. */
static inline void cores_release(pid_t thread, const cpu_set_t *allowed)
{
    cpu_set_t all, own;
    memset(&all, 0xff, sizeof(all));
    sched_setaffinity(thread, sizeof(all), &all);
    if (cores_of(thread, &own) && !CPU_EQUAL(&own, allowed))
        sched_setaffinity(thread, sizeof(*allowed), allowed);
}

#endif
