/* md5.h: MD5 (RFC 1321) of our own. For crypto/ only; others call md5 and md5_parts of digest.h. */
#ifndef MILLRACE_CRYPTO_MD5_H
#define MILLRACE_CRYPTO_MD5_H

#include "base/slice.h"

struct md5_state {
    uint32_t a, b, c, d;
    uint64_t bytes;
    uint8_t block[64]; /* the bytes % 64 that wait for the rest of their block */
};

void md5_start(struct md5_state *s);
void md5_add(struct md5_state *s, struct slice bytes);
void md5_finish(struct md5_state *s, uint8_t out[16]);

enum { MD5_LANES = 4 };

/* Of several messages at once, in about the time of the longest alone. */
void md5_side_by_side(const struct slice s[MD5_LANES], uint8_t out[MD5_LANES][16]);

#endif
