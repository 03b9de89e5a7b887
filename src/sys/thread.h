/* thread.h: what a thread tells the kernel about itself, and asks.
 *
 * Limits   a name has at most 15 characters; more are cut off.
 * Fails    never: all of it is advice.
 * Source   Linux 6.12, sched(7) and kernel/sched/fair.c: a task that asks for short slices is due sooner after it was woken.
 */
#ifndef MILLRACE_SYS_THREAD_H
#define MILLRACE_SYS_THREAD_H

#include <stdbool.h>
#include <stdint.h>

/* Called once by a new thread. `name` is what ps -L, top -H and perf show. is_prompt: requests wait for this thread, and it
 * never computes for long, so it should run soon after it is woken; it gets no more of the processor than others do. Policy,
 * nice value and cores stay what the operator chose. Older kernels know no slices and change nothing. */
void sys_thread_begin(const char *name, bool is_prompt);

uint64_t sys_thread_used_us(void); /* processor time of the calling thread; one system call */

#endif
