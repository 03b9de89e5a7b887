/* frame_fuzz.c: any bytes as the frames of a segment, and as the payload of one frame. Whatever is called sound must lie
 * inside the input and read the same by LSN. An odd first byte has the frame's checksum made right.
 */
#include "crypto/digest.h"
#include "store/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SPAN = 4 * MIB, NUMBER = 3, INPUT_BYTES_MAX = 1 << 20 };

static void walk_records(struct slice payload, uint64_t position)
{
    struct record r;
    bool is_bad = false;
    size_t at = 0, before = 0;
    while (frame_next_record(payload, position, &at, &r, &is_bad)) {
        ASSERT(at > before && at <= payload.size + STORE_RECORD_ALIGN);
        ASSERT(r.payload.size <= payload.size - before - RECORD_HEADER_BYTES);
        ASSERT(r.lsn * STORE_RECORD_ALIGN == position + FRAME_HEADER_BYTES + before);
        before = at;
    }
    ASSERT(is_bad || at == payload.size);
}

/* Puts a frame header in front that makes `bytes` its payload; the records' own checksums are left as they are. */
static void check_as_frame(const struct segment *g, char *bytes, size_t size)
{
    uint64_t position = NUMBER * (uint64_t)SPAN + SEGMENT_HEADER_BYTES;
    struct frame_header h = { .magic = FRAME_MAGIC,
        .position = position,
        .generation = g->generation,
        .payload_bytes = (uint32_t)(size & ~(size_t)15) };
    struct slice payload = slice_of(bytes, h.payload_bytes);
    uint32_t crc = frame_seed(NUMBER, h.generation);
    crc = crc32c(crc, &h.position, sizeof(h) - offsetof(struct frame_header, position));
    h.crc = crc32c(crc, payload.data, payload.size);
    ASSERT(frame_header_fits(&h, position, g, SPAN));
    ASSERT(frame_check(&h, payload, NUMBER));
    ASSERT(!frame_check(&h, payload, NUMBER + 1)); /* nowhere else */
    walk_records(payload, position);
}

/* Makes each record's checksum right, as long as the lengths make sense. */
static void seal_records(char *bytes, size_t size, uint64_t position)
{
    struct record_header r;
    for (size_t at = 0; size - at >= sizeof(r);) {
        memcpy(&r, bytes + at, sizeof(r));
        r.payload_bytes %= 96;
        if (record_bytes(r.payload_bytes) > size - at)
            return;
        r.crc = record_crc(position + FRAME_HEADER_BYTES + at, &r, slice_of(bytes + at + sizeof(r), r.payload_bytes));
        memcpy(bytes + at, &r, sizeof(r));
        at += record_bytes(r.payload_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[INPUT_BYTES_MAX];
    const struct segment g = { .number = NUMBER, .generation = 0x1122334455667788ull, .file_bytes = SPAN };
    struct frame_header h;
    struct segment_header s;
    uint64_t position = NUMBER * (uint64_t)SPAN + SEGMENT_HEADER_BYTES;
    if (size < 1 || size > sizeof(bytes))
        return 0;
    size--;
    memcpy(bytes, data + 1, size);
    if (size >= sizeof(s)) {
        memcpy(&s, bytes, sizeof(s));
        (void)segment_header_is_sound(&s);
    }
    if (size >= sizeof(h)) {
        memcpy(&h, bytes, sizeof(h));
        if (frame_header_fits(&h, position, &g, SPAN) && h.payload_bytes <= size - sizeof(h) &&
            frame_check(&h, slice_of(bytes + sizeof(h), h.payload_bytes), NUMBER))
            walk_records(slice_of(bytes + sizeof(h), h.payload_bytes), h.position);
    }
    if (data[0] & 1)
        seal_records(bytes, size & ~(size_t)15, position);
    check_as_frame(&g, bytes, size);
    return 0;
}
