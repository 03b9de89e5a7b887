/* check.h: assertions that stay on in release builds.
 *
 * Use      ASSERT for our own mistakes and for on-disk invariants whose checksum already passed;
 *          DEBUG_ASSERT for O(n) walks; never on data from the network.
 * Fails    prints file, line and expression to stderr and aborts.
 */
#ifndef MILLRACE_BASE_CHECK_H
#define MILLRACE_BASE_CHECK_H

#include <assert.h> /* static_assert */
#include <stddef.h>

_Noreturn void check_failed(const char *file, int line, const char *expression);
/* malloc gave nothing: says how much was wanted and aborts (sizes are bounded: limits.h) */
_Noreturn void check_out_of_memory(size_t bytes);

#define ASSERT(expr) (__builtin_expect(!!(expr), 1) ? (void)0 : check_failed(__FILE__, __LINE__, #expr))
#ifdef NDEBUG
#define DEBUG_ASSERT(expr) ((void)0)
#else
#define DEBUG_ASSERT(expr) ASSERT(expr)
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PRINTF_LIKE(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
