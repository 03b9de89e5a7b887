/* sys_thread.c: see thread.h. */
#include "sys/thread.h"
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The first version of struct sched_attr: linux/sched/types.h defines a struct that sched.h defines, too. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};
_Static_assert(sizeof(struct scheduling) == 48, "SCHED_ATTR_SIZE_VER0");

enum { PROMPT_SLICE_NS = 100 * 1000 }; /* the least the kernel grants */

void sys_thread_begin(const char *name, bool is_prompt)
{
    char cut[16];
    snprintf(cut, sizeof(cut), "%s", name);
    pthread_setname_np(pthread_self(), cut);
    struct scheduling now = { .size = sizeof(now) };
    if (!is_prompt || syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) != 0)
        return;
    if (now.policy != SCHED_OTHER && now.policy != SCHED_BATCH)
        return;
    now.runtime_ns = PROMPT_SLICE_NS;
    syscall(SYS_sched_setattr, 0, &now, 0);
}

uint64_t sys_thread_used_us(void)
{
    struct timespec used = { 0 };
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}
