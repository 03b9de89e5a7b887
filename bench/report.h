/* report.h: the one JSON line a run prints.
 *
 * Owner    main, after the workers have ended.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "load.h"
#include "proc.h"

struct window {
    double seconds;
    double client_user_s, client_sys_s;
    bool has_server;
    struct proc_sample server_idle; /* before the first connection */
    struct proc_sample server_start, server_end;
};

void report_print(const struct load *l, const struct worker *workers, const struct window *window);

#endif
