/* md5.c: RFC 1321 in C. MD5 is one long chain of dependent additions: assembler has little to win over a compiler. */
#include "crypto/md5.h"
#include <assert.h>

#define F(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
/* a sum instead of an or: the two halves share no bit, and the half without the newest value can be added early */
#define G_STEP(a, b, c, d, word, constant, shift)                                                                      \
    (a += (word) + (constant) + (~(d) & (c)), a += (d) & (b), a = (a << (shift) | a >> (32 - (shift))), a += (b))
#define H(x, y, z) (((x) ^ (y)) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))
#define STEP(f, a, b, c, d, word, constant, shift)                                                                     \
    (a += (word) + (constant) + f(b, c, d), a = (a << (shift) | a >> (32 - (shift))), a += (b))

static inline uint32_t load_le32(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

static inline void store_le32(uint8_t *at, uint32_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    memcpy(at, &word, sizeof(word));
}

/* The 64 steps of one block: round, constant floor(2^32 |sin(step)|), and rotation as in RFC 1321 3.4; for words, and for vectors
 * of words of several messages. */
#define STEPS(a, b, c, d, w)                                                                                           \
    STEP(F, a, b, c, d, w[0], 0xd76aa478, 7);                                                                          \
    STEP(F, d, a, b, c, w[1], 0xe8c7b756, 12);                                                                         \
    STEP(F, c, d, a, b, w[2], 0x242070db, 17);                                                                         \
    STEP(F, b, c, d, a, w[3], 0xc1bdceee, 22);                                                                         \
    STEP(F, a, b, c, d, w[4], 0xf57c0faf, 7);                                                                          \
    STEP(F, d, a, b, c, w[5], 0x4787c62a, 12);                                                                         \
    STEP(F, c, d, a, b, w[6], 0xa8304613, 17);                                                                         \
    STEP(F, b, c, d, a, w[7], 0xfd469501, 22);                                                                         \
    STEP(F, a, b, c, d, w[8], 0x698098d8, 7);                                                                          \
    STEP(F, d, a, b, c, w[9], 0x8b44f7af, 12);                                                                         \
    STEP(F, c, d, a, b, w[10], 0xffff5bb1, 17);                                                                        \
    STEP(F, b, c, d, a, w[11], 0x895cd7be, 22);                                                                        \
    STEP(F, a, b, c, d, w[12], 0x6b901122, 7);                                                                         \
    STEP(F, d, a, b, c, w[13], 0xfd987193, 12);                                                                        \
    STEP(F, c, d, a, b, w[14], 0xa679438e, 17);                                                                        \
    STEP(F, b, c, d, a, w[15], 0x49b40821, 22);                                                                        \
    G_STEP(a, b, c, d, w[1], 0xf61e2562, 5);                                                                           \
    G_STEP(d, a, b, c, w[6], 0xc040b340, 9);                                                                           \
    G_STEP(c, d, a, b, w[11], 0x265e5a51, 14);                                                                         \
    G_STEP(b, c, d, a, w[0], 0xe9b6c7aa, 20);                                                                          \
    G_STEP(a, b, c, d, w[5], 0xd62f105d, 5);                                                                           \
    G_STEP(d, a, b, c, w[10], 0x02441453, 9);                                                                          \
    G_STEP(c, d, a, b, w[15], 0xd8a1e681, 14);                                                                         \
    G_STEP(b, c, d, a, w[4], 0xe7d3fbc8, 20);                                                                          \
    G_STEP(a, b, c, d, w[9], 0x21e1cde6, 5);                                                                           \
    G_STEP(d, a, b, c, w[14], 0xc33707d6, 9);                                                                          \
    G_STEP(c, d, a, b, w[3], 0xf4d50d87, 14);                                                                          \
    G_STEP(b, c, d, a, w[8], 0x455a14ed, 20);                                                                          \
    G_STEP(a, b, c, d, w[13], 0xa9e3e905, 5);                                                                          \
    G_STEP(d, a, b, c, w[2], 0xfcefa3f8, 9);                                                                           \
    G_STEP(c, d, a, b, w[7], 0x676f02d9, 14);                                                                          \
    G_STEP(b, c, d, a, w[12], 0x8d2a4c8a, 20);                                                                         \
    STEP(H, a, b, c, d, w[5], 0xfffa3942, 4);                                                                          \
    STEP(H, d, a, b, c, w[8], 0x8771f681, 11);                                                                         \
    STEP(H, c, d, a, b, w[11], 0x6d9d6122, 16);                                                                        \
    STEP(H, b, c, d, a, w[14], 0xfde5380c, 23);                                                                        \
    STEP(H, a, b, c, d, w[1], 0xa4beea44, 4);                                                                          \
    STEP(H, d, a, b, c, w[4], 0x4bdecfa9, 11);                                                                         \
    STEP(H, c, d, a, b, w[7], 0xf6bb4b60, 16);                                                                         \
    STEP(H, b, c, d, a, w[10], 0xbebfbc70, 23);                                                                        \
    STEP(H, a, b, c, d, w[13], 0x289b7ec6, 4);                                                                         \
    STEP(H, d, a, b, c, w[0], 0xeaa127fa, 11);                                                                         \
    STEP(H, c, d, a, b, w[3], 0xd4ef3085, 16);                                                                         \
    STEP(H, b, c, d, a, w[6], 0x04881d05, 23);                                                                         \
    STEP(H, a, b, c, d, w[9], 0xd9d4d039, 4);                                                                          \
    STEP(H, d, a, b, c, w[12], 0xe6db99e5, 11);                                                                        \
    STEP(H, c, d, a, b, w[15], 0x1fa27cf8, 16);                                                                        \
    STEP(H, b, c, d, a, w[2], 0xc4ac5665, 23);                                                                         \
    STEP(I, a, b, c, d, w[0], 0xf4292244, 6);                                                                          \
    STEP(I, d, a, b, c, w[7], 0x432aff97, 10);                                                                         \
    STEP(I, c, d, a, b, w[14], 0xab9423a7, 15);                                                                        \
    STEP(I, b, c, d, a, w[5], 0xfc93a039, 21);                                                                         \
    STEP(I, a, b, c, d, w[12], 0x655b59c3, 6);                                                                         \
    STEP(I, d, a, b, c, w[3], 0x8f0ccc92, 10);                                                                         \
    STEP(I, c, d, a, b, w[10], 0xffeff47d, 15);                                                                        \
    STEP(I, b, c, d, a, w[1], 0x85845dd1, 21);                                                                         \
    STEP(I, a, b, c, d, w[8], 0x6fa87e4f, 6);                                                                          \
    STEP(I, d, a, b, c, w[15], 0xfe2ce6e0, 10);                                                                        \
    STEP(I, c, d, a, b, w[6], 0xa3014314, 15);                                                                         \
    STEP(I, b, c, d, a, w[13], 0x4e0811a1, 21);                                                                        \
    STEP(I, a, b, c, d, w[4], 0xf7537e82, 6);                                                                          \
    STEP(I, d, a, b, c, w[11], 0xbd3af235, 10);                                                                        \
    STEP(I, c, d, a, b, w[2], 0x2ad7d2bb, 15);                                                                         \
    STEP(I, b, c, d, a, w[9], 0xeb86d391, 21)

static void md5_blocks(struct md5_state *s, const uint8_t *at, size_t count)
{
    uint32_t a = s->a, b = s->b, c = s->c, d = s->d;
    for (; count; count--, at += 64) {
        const uint32_t a0 = a, b0 = b, c0 = c, d0 = d;
        uint32_t w[16];
        for (int i = 0; i < 16; i++)
            w[i] = load_le32(at + 4 * i);
        STEPS(a, b, c, d, w);
        a += a0, b += b0, c += c0, d += d0;
    }
    s->a = a, s->b = b, s->c = c, s->d = d;
}

void md5_start(struct md5_state *s)
{
    s->a = 0x67452301, s->b = 0xefcdab89, s->c = 0x98badcfe, s->d = 0x10325476;
    s->bytes = 0;
}

void md5_add(struct md5_state *s, struct slice bytes)
{
    size_t waiting = (size_t)(s->bytes % 64);
    s->bytes += bytes.size;
    if (waiting) {
        struct slice part = slice_head(bytes, 64 - waiting);
        if (part.size)
            memcpy(s->block + waiting, part.data, part.size);
        if (waiting + part.size < 64)
            return;
        md5_blocks(s, s->block, 1);
        bytes = slice_from(bytes, part.size);
    }
    md5_blocks(s, (const uint8_t *)bytes.data, bytes.size / 64);
    bytes = slice_from(bytes, bytes.size / 64 * 64);
    if (bytes.size)
        memcpy(s->block, bytes.data, bytes.size);
}

void md5_finish(struct md5_state *s, uint8_t out[16])
{
    size_t waiting = (size_t)(s->bytes % 64);
    s->block[waiting++] = 0x80;
    if (waiting > 56) {
        memset(s->block + waiting, 0, 64 - waiting);
        md5_blocks(s, s->block, 1);
        waiting = 0;
    }
    memset(s->block + waiting, 0, 56 - waiting);
    store_le32(s->block + 56, (uint32_t)(s->bytes << 3));
    store_le32(s->block + 60, (uint32_t)(s->bytes >> 29));
    md5_blocks(s, s->block, 1);
    store_le32(out, s->a);
    store_le32(out + 4, s->b);
    store_le32(out + 8, s->c);
    store_le32(out + 12, s->d);
}

/* ---- several messages side by side: the chain of one leaves most of a processor idle ------------------------------------------- */

typedef uint32_t lanes __attribute__((vector_size(4 * MD5_LANES)));

struct lane {
    const uint8_t *at;
    size_t whole, blocks; /* blocks of the message itself, and with those of `tail` */
    uint8_t tail[128];
};

static void lane_start(struct lane *l, struct slice s)
{
    size_t rest = s.size % 64, tail = rest < 56 ? 64 : 128;
    *l = (struct lane){ .at = (const uint8_t *)s.data, .whole = s.size / 64, .blocks = s.size / 64 + tail / 64 };
    if (rest)
        memcpy(l->tail, s.data + s.size - rest, rest);
    l->tail[rest] = 0x80;
    store_le32(l->tail + tail - 8, (uint32_t)(s.size << 3));
    store_le32(l->tail + tail - 4, (uint32_t)((uint64_t)s.size >> 29));
}

static const uint8_t *lane_block(const struct lane *l, size_t block)
{
    return block < l->whole ? l->at + 64 * block : l->tail + 64 * (block - l->whole);
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && MD5_LANES == 4,
    "rows are words of a message, and four turn into four");

/* Four words of each of four messages: what was a row becomes a column. */
static void turn(const uint8_t *const at[MD5_LANES], size_t offset, lanes w[4])
{
    lanes row[4];
    for (int i = 0; i < MD5_LANES; i++)
        memcpy(&row[i], at[i] + offset, sizeof(row[i]));
    lanes low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
    lanes low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
    lanes high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
    lanes high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
    w[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    w[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    w[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    w[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

/* As many blocks as the longest has; a lane that ended keeps its state. */
static void run_lanes(struct lane in[MD5_LANES], lanes state[4])
{
    size_t most = 0;
    for (int i = 0; i < MD5_LANES; i++)
        most = in[i].blocks > most ? in[i].blocks : most;
    for (size_t block = 0; block < most; block++) {
        lanes a = state[0], b = state[1], c = state[2], d = state[3], w[16];
        uint32_t runs[MD5_LANES];
        const uint8_t *at[MD5_LANES];
        for (int i = 0; i < MD5_LANES; i++) {
            runs[i] = block < in[i].blocks ? UINT32_MAX : 0;
            at[i] = lane_block(&in[i], runs[i] ? block : 0);
        }
        for (size_t i = 0; i < 16; i += 4)
            turn(at, 4 * i, w + i);
        STEPS(a, b, c, d, w);
        lanes goes_on;
        memcpy(&goes_on, runs, sizeof(goes_on));
        state[0] += a & goes_on, state[1] += b & goes_on, state[2] += c & goes_on, state[3] += d & goes_on;
    }
}

void md5_side_by_side(const struct slice s[MD5_LANES], uint8_t out[MD5_LANES][16])
{
    struct md5_state first;
    md5_start(&first);
    const lanes zero = { 0 };
    lanes state[4] = { zero + first.a, zero + first.b, zero + first.c, zero + first.d };
    struct lane in[MD5_LANES];
    for (int i = 0; i < MD5_LANES; i++)
        lane_start(&in[i], s[i]);
    run_lanes(in, state);
    for (int i = 0; i < MD5_LANES; i++)
        for (int k = 0; k < 4; k++)
            store_le32(out[i] + 4 * k, state[k][i]);
}
