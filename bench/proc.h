/* proc.h: what the kernel says a process has used, read from /proc.
 *
 * Fails    proc_read returns false when the process is gone or may not be read; nothing is written then.
 */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_sample {
    double user_s;
    double sys_s;
    uint64_t rss_bytes;
    uint64_t rss_anon_bytes; /* without the page cache mapped into it */
    uint64_t write_bytes;    /* sent to the block layer; 0 when /proc/PID/io may not be read */
};

bool proc_read(pid_t pid, struct proc_sample *ret_sample);

#endif
