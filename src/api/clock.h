/* clock.h: the server's time: milliseconds since 1970 that follow the monotonic clock and lean toward the wall clock.
 *
 * Starts at max(wall clock, latest record time). Later the wall clock is only a direction: at most CLOCK_SLEW_PERCENT of
 * the elapsed time is added or held back, in steps of a millisecond where anybody looks often. So time never jumps, never
 * goes back on any thread, and never stands still for longer than CLOCK_STEP_MAX_MS.
 * Thread   any, without locks. Cost one monotonic read; the wall is read every CLOCK_SLEW_EVERY_MS.
 */
#ifndef MILLRACE_API_CLOCK_H
#define MILLRACE_API_CLOCK_H

#include <stdint.h>

enum {
    CLOCK_SLEW_PERCENT = 5,
    CLOCK_SLEW_EVERY_MS = 20, /* 5 % of it is one millisecond: the smallest step there is */
    CLOCK_STEP_MAX_MS = 20,   /* after nobody looked for a while */
};

void clock_start(uint64_t latest_record_ms); /* once, before threads */
uint64_t clock_ms(void);
int64_t clock_offset_from_wall_ms(void); /* for doctor and metrics */

#endif
