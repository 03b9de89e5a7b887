/* spread.h: keeps threads of one kind on different cores while several of them are busy.
 *
 * Why      The kernel looks for an idle core when it wakes a thread. If there is none at that moment the thread stays where
 *          it last ran or goes where its waker runs, and a core that falls idle a moment later does not fetch a thread that
 *          ran within the last half millisecond. So two reactors share one core for milliseconds while another core idles:
 *          15 to 22 % of the time at 64 connections on two cores. Tying each to a core for good would cost more when there
 *          is little to do (a client and the thread that serves it do best on one core) or when somebody else needs the core.
 *          And with less to do the kernel finds idle cores by itself, while a tied thread waits for whatever took its core.
 * Does     Looks once in 10 ms. A thread that lately used three tenths of a core is busy. If another one is busy, too,
 *          it ties itself to the core it is on, or, if that is another's, to the next allowed one that is nobody's. After
 *          100 ms it is free until the next look, so that the kernel can take it off a core that is wanted elsewhere. One that
 *          is busy alone, and threads that outnumbered the allowed cores at the start, are left to the kernel.
 * Limits   A core is a logical processor. Which may be used is what the process's first thread may use (so that one must not
 *          call spread_turn): a taskset of the whole process or a change of its cpuset is followed at the end of a tie. A
 *          thread that was given cores of its own is left alone, unless they are the very one it is tied to at that moment.
 *          A thread that falls asleep tied stays so until its next turn.
 * Thread   spread_turn(index) on thread `index` only.
 * Fails    never: where the kernel refuses, threads stay free.
 * Cost     a turn: the number of the core (with glibc 2.35 from thread-local memory); a look one system call, a tie and its end nine.
 * Source   Linux kernel/sched/fair.c: wake_affine, select_idle_sibling, task_hot; sched_setaffinity(2).
 */
#ifndef MILLRACE_SYS_SPREAD_H
#define MILLRACE_SYS_SPREAD_H

#include <stdint.h>

/* NULL: there is nothing to spread (one thread, or more threads than cores). `used_us`: the processor time that the calling
 * thread has used so far. */
struct spread *spread_new(int threads, uint64_t (*used_us)(void));
void spread_free(struct spread *s);
/* `now_ms` of any clock that all of them share and that does not go back. */
void spread_turn(struct spread *s, int index, uint64_t now_ms);

#endif
