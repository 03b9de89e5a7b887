/* siphash.c: SipHash-2-4 with 128 bits of result (digest.h). */
#include "crypto/digest.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_rounds(struct sip *s, int count)
{
    for (; count; count--) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 = rotate(s->v0, 32) + s->v3;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 = rotate(s->v2, 32);
    }
}

static inline uint64_t load_le64(const void *at, size_t size)
{
    uint64_t word = 0;
    if (size)
        memcpy(&word, at, size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_rounds(s, 2);
    s->v0 ^= word;
}

void siphash128(const uint8_t key[16], struct slice s, uint64_t out[2])
{
    uint64_t k0 = load_le64(key, 8), k1 = load_le64(key + 8, 8);
    struct sip v = { k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull ^ 0xee, k0 ^ 0x6c7967656e657261ull,
        k1 ^ 0x7465646279746573ull };
    const char *at = s.data;
    for (size_t words = s.size / 8; words; words--, at += 8)
        sip_word(&v, load_le64(at, 8));
    sip_word(&v, load_le64(at, s.size & 7) | (uint64_t)s.size << 56);
    v.v2 ^= 0xee;
    sip_rounds(&v, 4);
    out[0] = v.v0 ^ v.v1 ^ v.v2 ^ v.v3;
    v.v1 ^= 0xdd;
    sip_rounds(&v, 4);
    out[1] = v.v0 ^ v.v1 ^ v.v2 ^ v.v3;
}
