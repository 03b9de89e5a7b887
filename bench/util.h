/* util.h: what every program of this folder needs: a clock, a growing buffer, and a way to give up.
 *
 * Owner    one thread per buffer.
 * Memory   buf_free returns what the buffer holds; buf_free of a zeroed buffer is fine.
 * Fails    allocation and usage errors end the process with one sentence on stderr: these are tools, not servers.
 */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000ull

struct buf {
    char *data;
    size_t size; /* bytes used */
    size_t room; /* bytes allocated */
};

/* Bytes of somebody else. */
struct span {
    const char *data;
    size_t size;
};

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void *must_alloc(size_t size); /* zeroed */

uint64_t now_ns(void); /* monotonic */

void buf_reserve(struct buf *b, size_t extra);
void buf_add(struct buf *b, const void *data, size_t size);
void buf_text(struct buf *b, const char *text);
void buf_number(struct buf *b, uint64_t number); /* decimal */
void buf_format(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *b);

/* Writes 2 * size lower-case digits, no terminator. */
void hex_encode(const unsigned char *bytes, size_t size, char *ret_digits);

/* A whole number in [low, high], or the end of the process naming the option. */
uint64_t parse_number(const char *option, const char *text, uint64_t low, uint64_t high);

/* "127.0.0.1:9324" into its halves. The address must be a numeric IPv4 address. */
void parse_address(const char *text, char ret_host[64], uint16_t *ret_port);

#endif
