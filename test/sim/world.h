/* world.h: the store's life in one history: opened, crashed, compared with itself. */
#ifndef MILLRACE_TEST_WORLD_H
#define MILLRACE_TEST_WORLD_H

#include "model.h"
#include "support/faulty_disk.h"

void world_open(void);                      /* must succeed; checks what the model says survived */
void world_crash(enum faulty_crash kind);   /* and opens again */
void world_stop_cleanly(void);              /* and opens again, after a power loss for good measure */
void world_compare(void);                   /* live = snapshot + tail = full replay */
void world_weigh(void);                     /* memory follows live data */
void world_flip(void);                      /* a flipped bit is refused or has no effect */
void world_work(void);                      /* one background step of the store */
void world_press(void);                     /* a purge, a snapshot, and all the cleaning that may be done */
void world_flush_all(void);                 /* until nothing is pending any more */
void world_flush(void);                     /* and delivers */
void world_net(void);                       /* clients and the server's reactor go on a bit */
void world_tick(void);                      /* timers that are due, and the check of sleepers */
void world_sleep_us(uint64_t us);           /* both clocks, then the timers */
void world_after_fatal(void);               /* the store called `fatal` */
void world_abandon(enum faulty_crash kind); /* without opening again */

/* drain.c: at the end everything acknowledged and not deleted is found, and the files shrink. */
void drain(void);

#endif
