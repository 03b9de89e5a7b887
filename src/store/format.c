#include "store/internal.h"
#include "base/mutant.h"
#include "base/text.h"
#include "crypto/digest.h"
#include <stdio.h>

/* The last line is a check of the secret and of what stands above it: so neither file can change by itself. */
int format_text(const struct store *s, char out[FORMAT_TEXT_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    char check[17];
    int size = snprintf(out, FORMAT_TEXT_BYTES, "millrace %d\nlogs %d\nspan %llu\n", FORMAT_VERSION, LOG_COUNT,
        (unsigned long long)s->span);
    const struct slice parts[] = { SLICE("millrace format check"), slice_of(out, (size_t)size),
        slice_of(s->secret, sizeof(s->secret)) };
    sha256_parts(parts, ARRAY_COUNT(parts), digest);
    text_format_hex(digest, 8, check);
    check[16] = '\0';
    return size + snprintf(out + size, (size_t)(FORMAT_TEXT_BYTES - size), "check %s\n", check);
}

bool is_format_text(const struct store *s, const char *text)
{
    char whole[FORMAT_TEXT_BYTES];
    format_text(s, whole);
    if (strcmp(whole, text) == 0)
        return true;
    *strstr(whole, "check ") = '\0';
    return strcmp(whole, text) == 0;
}

uint32_t frame_seed(uint64_t segment, uint64_t generation)
{
    const uint64_t words[2] = { segment, generation };
    return crc32c(0, words, sizeof(words));
}

uint64_t chain_next(uint64_t chain, uint32_t crc, uint32_t bytes)
{
    uint64_t x = chain ^ ((uint64_t)crc << 32 | bytes);
    x *= 0x9e3779b97f4a7c15ull;
    return x ^ (x >> 29);
}

uint32_t record_crc(uint64_t position, const struct record_header *h, struct slice payload)
{
    uint32_t crc = crc32c(0, &position, sizeof(position));
    crc = crc32c(crc, (const char *)h + sizeof(h->crc), sizeof(*h) - sizeof(h->crc));
    return crc32c(crc, payload.data, payload.size);
}

void segment_header_seal(struct segment_header *h, char block[SEGMENT_HEADER_BYTES])
{
    h->crc = crc32c(0, h, offsetof(struct segment_header, crc));
    memset(block, 0, SEGMENT_HEADER_BYTES);
    memcpy(block, h, sizeof(*h));
    memcpy(block + SEGMENT_HEADER_AGAIN, h, sizeof(*h));
}

bool segment_header_is_sound(const struct segment_header *h)
{
    return h->magic == SEGMENT_MAGIC && h->crc == crc32c(0, h, offsetof(struct segment_header, crc));
}

bool segment_header_find(const char *block, size_t size, uint64_t number, struct segment_header *ret)
{
    for (size_t at = 0; at + sizeof(*ret) <= size && !(at && MUTANT(header_once)); at += SEGMENT_HEADER_AGAIN) {
        memcpy(ret, block + at, sizeof(*ret));
        if (segment_header_is_sound(ret) && ret->number == number)
            return true;
    }
    return false;
}

bool segment_header_voids(const struct segment_header *h, uint64_t number)
{
    bool is_of_a_start = h->file_bytes == SEGMENT_FIRST_BYTES;
    return is_of_a_start && number < h->number && (h->sealed_segment == NO_POSITION || h->sealed_segment < number);
}

bool frame_header_fits(const struct frame_header *h, uint64_t position, const struct segment *g, uint64_t span)
{
    uint64_t offset = position - g->number * span;
    return h->magic == FRAME_MAGIC && h->position == position && h->generation == g->generation &&
           h->payload_bytes <= g->file_bytes && offset + FRAME_HEADER_BYTES + h->payload_bytes <= g->file_bytes &&
           h->payload_bytes % STORE_RECORD_ALIGN == 0 && h->durable <= position;
}

bool frame_check(const struct frame_header *h, struct slice payload, uint64_t segment)
{
    uint32_t crc = frame_seed(segment, h->generation);
    crc = crc32c(crc, &h->position, sizeof(*h) - offsetof(struct frame_header, position));
    return crc32c(crc, payload.data, payload.size) == h->crc || MUTANT(ignore_checksum);
}

bool frame_next_record(struct slice payload, uint64_t position, size_t *at, struct record *ret_record, bool *ret_bad)
{
    *ret_bad = false;
    if (*at == payload.size)
        return false;
    struct record_header h;
    *ret_bad = true;
    if (payload.size - *at < sizeof(h))
        return false;
    memcpy(&h, payload.data + *at, sizeof(h));
    if (h.payload_bytes > payload.size - *at - sizeof(h))
        return false;
    uint64_t place = position + FRAME_HEADER_BYTES + *at;
    struct slice body = slice_of(payload.data + *at + sizeof(h), h.payload_bytes);
    if (record_crc(place, &h, body) != h.crc && !MUTANT(ignore_checksum))
        return false;
    *ret_bad = false;
    *ret_record = (struct record){ .lsn = place / STORE_RECORD_ALIGN,
        .time_ms = h.time_ms,
        .log = h.log,
        .type = h.type,
        .version = h.version,
        .flags = h.flags,
        .object = h.object,
        .payload = body };
    *at += record_bytes(h.payload_bytes);
    return true;
}
