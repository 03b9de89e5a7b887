/* spread.h: keeps threads of one kind on different cores while several of them are busy.
 *
 * Why      The kernel looks for an idle core when it wakes a thread. If there is none at that moment the thread stays where
 *          it last ran or goes where its waker runs, and a core that falls idle a moment later does not fetch a thread that
 *          ran within the last half millisecond. So two reactors share one core for milliseconds while another core idles:
 *          15 to 22 % of the time at 64 connections on two cores. Tying each to a core for good would cost more when there
 *          is little to do (a client and the thread that serves it do best on one core) or when somebody else needs the core.
 * Does     A thread that finds, once in LOOK_MS, that another one is busy too ties itself to the core it is on, or, if one
 *          with a smaller number is there, to an allowed core where none is. After TIE_MS it is free until the next look,
 *          so that the kernel can take it away from a core that is wanted elsewhere. A thread that is busy alone, and threads
 *          that outnumber the allowed cores, are left to the kernel.
 * Limits   which cores may be used stays what the operator chose, before and meanwhile.
 * Thread   spread_turn(index) on thread `index` only.
 * Fails    never: where the kernel refuses, threads stay free.
 * Cost     a turn: the number of the core from thread-local memory; four system calls in TIE_MS and thread.
 * Source   Linux kernel/sched/fair.c: wake_affine, select_idle_sibling, task_hot; sched_setaffinity(2).
 */
#ifndef MILLRACE_SYS_SPREAD_H
#define MILLRACE_SYS_SPREAD_H

#include <stdint.h>

/* NULL: there is nothing to spread (one thread, or more threads than cores). */
struct spread *spread_new(int threads);
void spread_free(struct spread *s);
/* `now_ms` of any clock that all of them share and that does not go back. */
void spread_turn(struct spread *s, int index, uint64_t now_ms);

#endif
