/* prng.h: seeded numbers for tests: xorshift128+ behind splitmix64, the same on every machine. Not for secrets. */
#ifndef MILLRACE_TEST_PRNG_H
#define MILLRACE_TEST_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t a, b;
};

static inline uint64_t prng_mix(uint64_t x) /* splitmix64 */
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}
static inline struct prng prng_of(uint64_t seed)
{
    return (struct prng){ prng_mix(seed), prng_mix(seed + 0x5851f42d4c957f2dull) | 1 };
}
static inline uint64_t prng_next(struct prng *p)
{
    uint64_t a = p->a, b = p->b;
    p->a = b;
    a ^= a << 23;
    p->b = a ^ b ^ (a >> 17) ^ (b >> 26);
    return p->b + b;
}
static inline uint64_t prng_below(
    struct prng *p, uint64_t bound) /* 0..bound-1; the bias is far below what a test sees */
{
    return (uint64_t)(((unsigned __int128)prng_next(p) * bound) >> 64);
}
static inline uint64_t prng_between(struct prng *p, uint64_t from, uint64_t to) /* both included */
{
    return from + prng_below(p, to - from + 1);
}
static inline bool prng_one_in(struct prng *p, uint64_t n)
{
    return prng_below(p, n) == 0;
}

#endif
