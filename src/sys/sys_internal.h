/* sys_internal.h: what the real and the memory table share. Not for other folders. */
#ifndef MILLRACE_SYS_INTERNAL_H
#define MILLRACE_SYS_INTERNAL_H

#include "sys/sys.h"

struct error sys_error(int errno_value); /* the row that errno means */
int64_t sys_wall_ms(void);
uint64_t sys_monotonic_us(void);
void sys_entropy(void *out, size_t size);

#endif
