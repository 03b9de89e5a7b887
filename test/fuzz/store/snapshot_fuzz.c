/* snapshot_fuzz.c: any bytes as a snapshot file: refused or read, never more. An odd first byte has its checksums made right,
 * so that what lies behind them is reached.
 */
#include "crypto/digest.h"
#include "store/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 1 << 20 };

static void ignore(void *context, struct slice line)
{
    (void)context;
    (void)line;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    struct sys_file *f;
    const struct iovec part = { (void *)(uintptr_t)bytes, size };
    ASSERT(!failed(sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f)));
    ASSERT(!failed(sys->file.truncate(f, 0)));
    ASSERT(!failed(sys->file.write(f, 0, &part, 1)));
    sys->file.close(f);
}

static void set_crc(char *bytes, size_t crc_offset)
{
    uint32_t crc = crc32c(0, bytes, crc_offset);
    memcpy(bytes + crc_offset, &crc, sizeof(crc));
}

/* Walks the sections as far as their lengths make sense, and seals what it passes. */
static void make_right(char *bytes, size_t size)
{
    struct snapshot_header h;
    struct snapshot_section section;
    struct snapshot_footer footer;
    if (size < sizeof(h))
        return;
    memcpy(&h, bytes, sizeof(h));
    h.magic = SNAPSHOT_MAGIC;
    h.version = FORMAT_VERSION;
    h.log_count = LOG_COUNT;
    h.segment_count %= 8;
    memcpy(bytes, &h, sizeof(h));
    set_crc(bytes, offsetof(struct snapshot_header, crc));
    size_t at = sizeof(h) + (size_t)h.segment_count * 16;
    for (uint32_t i = 0; i < h.log_count && at <= size && size - at >= sizeof(section); i++) {
        memcpy(&section, bytes + at, sizeof(section));
        section.log = i;
        section.bytes %= 64;
        if (size - at - sizeof(section) < section.bytes)
            return;
        section.data_crc = crc32c(0, bytes + at + sizeof(section), (size_t)section.bytes);
        memcpy(bytes + at, &section, sizeof(section));
        set_crc(bytes + at, offsetof(struct snapshot_section, crc));
        at += sizeof(section) + (size_t)section.bytes;
    }
    if (at > size || size - at < sizeof(footer))
        return;
    memcpy(&footer, bytes + at, sizeof(footer));
    footer.total_crc = crc32c(0, bytes, at);
    memcpy(bytes + at, &footer, sizeof(footer));
    set_crc(bytes + at, offsetof(struct snapshot_footer, crc));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[INPUT_BYTES_MAX];
    uint64_t replay_from = 0;
    if (size < 1 || size > sizeof(bytes))
        return 0;
    sys = &sys_memory;
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & 1)
        make_right(bytes, size - 1);
    write_file("/fuzz/snapshot", bytes, size - 1);
    struct error e = snapshot_check_file("/fuzz/snapshot", ignore, NULL, &replay_from);
    ASSERT(!failed(e) || e.code == ERR_CORRUPT || e.code == ERR_NEWER_FORMAT);
    return 0;
}
