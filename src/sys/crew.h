/* crew.h: threads that wait for one another fetch each other from a core that something else has taken.
 *
 * Why      A thread that was woken, or interrupted, on a core that then runs something else (another process, a thread of
 *          the kernel that is not preempted) stays in that core's queue. The kernel looks for an idle core when it wakes a
 *          thread; a core that falls idle a moment later does not fetch one that ran within the last half millisecond, and
 *          the next look is up to a tick (4 ms) away. Where every request passes three threads, each such moment holds up
 *          all of them while another core has nothing to do.
 * Does     A member says when it works and when it rests, and a member that calls another one says so. Before a member
 *          sleeps, its core is about to be free: if another one was called a while ago and has not begun, or has begun and
 *          uses no processor time, it is brought to this core, and is free again at once to go where the kernel likes.
 *          A thread that waits for the disk or a lock looks the same; there the change has no effect.
 * Limits   CREW_MAX members in a process, whoever joins later is not looked after; a look is at CREW_LOOKS of them, in turn.
 *          A thread that may use other cores than the process's first thread (spread.h, taskset) is left alone.
 * Thread   crew_call: any; the others: the member itself. The seat is good until crew_leave; crew_call may come after it.
 * Fails    never: where the kernel refuses, threads stay where they are. Every function takes NULL: nobody's seat.
 * Clock    `now_us` is the monotonic one, in microseconds; all members share it.
 * Cost     a call, a begin and a rest write one word; a look reads a cache line for each of at most CREW_LOOKS others; a fetch is six system calls.
 * Source   Linux kernel/sched/fair.c: select_idle_sibling, sched_balance_newidle, task_hot; sched_setaffinity(2).
 */
#ifndef MILLRACE_SYS_CREW_H
#define MILLRACE_SYS_CREW_H

#include <stdint.h>

enum {
    CREW_MAX = 128,
    CREW_LOOKS = 4,
    CREW_CALLED_US = 60, /* longer than that after a call, a member should have begun */
    CREW_TURN_US =
        150, /* what a member does before it rests seldom takes longer; then its processor time is asked for */
    CREW_CHECK_US = 50, /* between two questions */
};

struct crew_seat;

struct crew_seat *crew_join(uint64_t now_us); /* it works; NULL: there is one core only, or no seat */
void crew_leave(struct crew_seat *seat);
void crew_call(struct crew_seat *seat, uint64_t now_us); /* before it is woken */
/* It works. A time to come: it will sleep, and nobody needs to look after it before that. */
void crew_begin(struct crew_seat *seat, uint64_t now_us);
void crew_rest(struct crew_seat *seat);                  /* before others may see that it has to be woken */
void crew_look(struct crew_seat *seat, uint64_t now_us); /* before it sleeps */

uint64_t crew_fetched(void); /* times a member was fetched, in this process */

#endif
