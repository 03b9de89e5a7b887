/* pages.h: large blocks of memory that go back to the kernel when they are freed.
 *
 * For what comes in large numbers and goes again while other memory stays: malloc keeps the holes for itself.
 *
 * Thread   any. Owner: who made it, until sys_pages_free with the same size.
 * Fails    without memory the process aborts.
 * Limits   the kernel allows about 65,000 mappings in a process (vm.max_map_count); neighbours count as one. So: 256 KiB or more.
 * Cost     a system call each, and a page fault (0.5 us) for every 4 KiB when they are first written.
 */
#ifndef MILLRACE_SYS_PAGES_H
#define MILLRACE_SYS_PAGES_H

#include <stddef.h>

void *sys_pages_new(size_t bytes); /* zeros */
void sys_pages_free(void *pages, size_t bytes);

#endif
