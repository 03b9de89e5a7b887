/* recovery_fuzz.c: a data directory that was changed, and the real start of it, over files in memory: it succeeds, or is refused
 * with a sentence and changes nothing; it never crashes, hangs or reads past what is there.
 *
 *   image (made here by the real server) ──edits of the input──> directory ──start──┬─ refused: again the second time
 *                                                                                   └─ goes on: takes a message, is killed or
 *                                                                                      closed, starts with the same state
 * Input    image, how; then edits: kind, file, place (2), count, bytes. `how` odd: afterwards all checksums and chains are made
 *          right, so that what lies behind them is reached.
 * Oracle   Of a directory in which only bits flipped, three at most (CRC-32C misses none of them): a start has the whole
 *          state, or all but the last group; and it is refused when the snapshot changed, or a frame that it walks and that an
 *          undamaged last one says was durable.
 */
#include "no_network.h"
#include "crypto/digest.h"
#include "store/internal.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FILES_MAX = 16,
    NAME_BYTES = 40,
    USED_BYTES_MAX = 48 * KIB,
    SIZE_MAX_BYTES = 4 * MIB,
    FRAMES_MAX = 128,
    EDITS_MAX = 12,
    FLIPS_MAX = 3, /* CRC-32C finds every one of so many in a block */
    HEADER_BYTES_USED = 96,
    NUMBERS = 1 << 16,
};

struct file {
    char name[NAME_BYTES];
    uint64_t size;
    size_t used; /* behind it there are zeros only */
    uint8_t bytes[USED_BYTES_MAX];
};

struct frame_place {
    size_t file, from, to;
    bool is_walked; /* by a start */
};

struct image {
    struct file files[FILES_MAX];
    size_t count;
    struct frame_place frames[FRAMES_MAX];
    size_t frame_count;
    uint64_t end_ms;
    uint8_t whole[32], shorter[32]; /* digests: as it is, and without the last group */
};

/* ---- a directory and its image ---------------------------------------------------------------------------------------- */

static void path_of(const char *name, char out[64])
{
    snprintf(out, 64, "/fuzz/%s", name);
}

static void add_file(void *context, const char *name)
{
    struct image *m = context;
    struct file *f = &m->files[m->count];
    struct sys_file *from;
    char path[64];
    size_t got;
    if (strcmp(name, "lock") == 0)
        return;
    ASSERT(m->count < FILES_MAX && strlen(name) < NAME_BYTES);
    m->count++;
    snprintf(f->name, NAME_BYTES, "%s", name);
    path_of(name, path);
    ASSERT(!failed(sys->file.open(path, SYS_OPEN_READ, &from)));
    ASSERT(!failed(sys->file.size(from, &f->size)));
    ASSERT(!failed(sys->file.read(from, 0, f->bytes, USED_BYTES_MAX, &got)));
    ASSERT(got < USED_BYTES_MAX || f->bytes[got - 1] == 0);
    while (got && f->bytes[got - 1] == 0)
        got--;
    f->used = strncmp(name, "journal-", 8) && strncmp(name, "spare-", 6) ? (size_t)f->size : got;
    sys->file.close(from);
}

static void take_image(struct image *m)
{
    m->count = 0;
    ASSERT(!failed(sys->file.list_dir("/fuzz", add_file, m)));
}

static void put_image(const struct image *m)
{
    remove_files();
    for (size_t i = 0; i < m->count; i++) {
        const struct file *f = &m->files[i];
        const struct iovec part = { (void *)(uintptr_t)f->bytes, f->used };
        struct sys_file *to;
        char path[64];
        path_of(f->name, path);
        if (!f->name[0] || failed(sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &to)))
            continue; /* it was removed */
        ASSERT(!failed(sys->file.write(to, 0, &part, 1)) && !failed(sys->file.truncate(to, f->size)));
        sys->file.close(to);
    }
}

static bool is_segment(const struct file *f, uint64_t *ret_number)
{
    return segment_parse_name(f->name, ret_number);
}

static bool is_snapshot(const struct file *f)
{
    uint64_t number;
    return snapshot_parse_name(f->name, &number);
}

static struct frame_header frame_at(const struct file *f, size_t at)
{
    struct frame_header h = { 0 };
    if (at + sizeof(h) <= f->used)
        memcpy(&h, f->bytes + at, sizeof(h));
    return h;
}

/* Its bytes past the used ones are zeros: a frame may end in some. */
static bool is_frame(const struct file *f, size_t at, const struct frame_header *h)
{
    return h->magic == FRAME_MAGIC && h->payload_bytes % STORE_RECORD_ALIGN == 0 &&
           h->payload_bytes <= USED_BYTES_MAX - sizeof(*h) - at;
}

static uint64_t replay_from(const struct image *m)
{
    struct snapshot_header h = { 0 };
    for (size_t i = 0; i < m->count; i++)
        if (is_snapshot(&m->files[i]))
            memcpy(&h, m->files[i].bytes, sizeof(h));
    return h.replay_from;
}

static void find_frames(struct image *m)
{
    m->frame_count = 0;
    for (size_t i = 0; i < m->count; i++) {
        uint64_t number;
        if (!is_segment(&m->files[i], &number))
            continue;
        for (size_t at = SEGMENT_HEADER_BYTES;;) {
            struct frame_header h = frame_at(&m->files[i], at);
            if (!is_frame(&m->files[i], at, &h))
                break;
            ASSERT(m->frame_count < FRAMES_MAX);
            size_t to = at + sizeof(h) + h.payload_bytes;
            m->frames[m->frame_count++] =
                (struct frame_place){ i, at, to, number * SIZE_MAX_BYTES + to > replay_from(m) };
            at = to;
        }
    }
    ASSERT(m->frame_count > 2);
}

/* ---- images: lives of the real server --------------------------------------------------------------------------------- */

static void ask_json(const char *operation, const char *body)
{
    char text[1024];
    int size = snprintf(text, sizeof(text),
        "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.%s\r\nContent-Type: "
        "application/x-amz-json-1.0\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        operation, strlen(body), body);
    ask(slice_of(text, (size_t)size));
}

#define URL "\"QueueUrl\":\"http://localhost/000000000000/"

static void work(void)
{
    ask_json("CreateQueue", "{\"QueueName\":\"d\"}");
    ask_json("CreateQueue", "{\"QueueName\":\"s\",\"Attributes\":{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":"
                            "\\\"arn:aws:sqs:us-east-1:000000000000:d\\\",\\\"maxReceiveCount\\\":1}\"}}");
    ask_json("CreateQueue", "{\"QueueName\":\"f.fifo\",\"Attributes\":{\"FifoQueue\":\"true\"}}");
    for (int i = 0; i < 3; i++) {
        ask_json("SendMessage", "{" URL "s\",\"MessageBody\":\"one\",\"DelaySeconds\":1}");
        ask_json("SendMessage", "{" URL "s\",\"MessageBody\":\"two\",\"MessageGroupId\":\"t\"}");
        ask_json("SendMessage",
            "{" URL "f.fifo\",\"MessageBody\":\"three\",\"MessageGroupId\":\"g\",\"MessageDeduplicationId\":\"i\"}");
        ask_json("ReceiveMessage", "{" URL "s\",\"VisibilityTimeout\":1,\"MaxNumberOfMessages\":2}");
        ask_json("DeleteMessage", "{" URL "s\",\"ReceiptHandle\":\"$H\"}");
        ask_json("ReceiveMessage", "{" URL "f.fifo\",\"ReceiveRequestAttemptId\":\"a\"}");
    }
}

static void start_again(void)
{
    owners_abandon();
    open_store();
    owners_resume();
}

enum image_kind { ONE_LIFE, SNAPSHOT_AND_LIVES, STOPPED, IMAGE_KINDS };

static void live(enum image_kind kind)
{
    work();
    if (kind == ONE_LIFE)
        return;
    start_again();
    ASSERT(!failed(store_snapshot_now(store)));
    if (kind == STOPPED) {
        while (store_step(store))
            ;
        work();
        owners_close(true);
        open_store();
        ask_json("SendMessage", "{" URL "d\",\"MessageBody\":\"last\"}");
        ask_json("SendMessage", "{" URL "d\",\"MessageBody\":\"of all\"}");
        return;
    }
    work();
    start_again();
    start_again(); /* the one between wrote nothing */
    work();
    ask_json("PurgeQueue", "{" URL "s\"}");
    ask_json("SendMessage", "{" URL "s\",\"MessageBody\":\"last\"}");
}

static void digest_of(const struct image *m, uint8_t out[32])
{
    put_image(m);
    open_store();
    digest(out);
    owners_abandon();
}

static struct image *image_of(enum image_kind kind)
{
    static struct image *images[IMAGE_KINDS];
    if (images[kind])
        return images[kind];
    struct image *m = calloc(1, sizeof(*m));
    ASSERT(m);
    durability = DURABILITY_FSYNC; /* frames say how much was durable */
    open_server();
    begin_asking();
    live(kind);
    end_asking();
    owners_abandon();
    take_image(m);
    find_frames(m);
    m->end_ms = now_ms;
    digest_of(m, m->whole);
    struct frame_place *last = &m->frames[m->frame_count - 1];
    m->files[last->file].bytes[last->from] ^= 1;
    digest_of(m, m->shorter);
    m->files[last->file].bytes[last->from] ^= 1;
    ASSERT(memcmp(m->whole, m->shorter, sizeof(m->whole)) != 0);
    return images[kind] = m;
}

/* ---- edits -------------------------------------------------------------------------------------------------------------- */

enum edit_kind { EDIT_FLIP, EDIT_WRITE, EDIT_CUT, EDIT_REMOVE, EDIT_COPY, EDIT_RENAME, EDIT_GROW, EDIT_KINDS };

struct edited {
    struct image m;
    size_t flips;
    struct {
        size_t file, at;
    } flip[FLIPS_MAX];
    bool has_others; /* edits that are not flips */
};

/* The zeros behind a segment's header are left out. */
static size_t place_in(const struct file *f, size_t place)
{
    uint64_t number;
    if (is_segment(f, &number) && place >= HEADER_BYTES_USED)
        place += SEGMENT_HEADER_BYTES - HEADER_BYTES_USED;
    return place < USED_BYTES_MAX ? place : USED_BYTES_MAX - 1;
}

static void use(struct file *f, size_t used)
{
    if (f->used < used)
        f->used = used;
    if (f->size < used)
        f->size = used;
}

static void write_bytes(struct file *f, size_t at, const void *bytes, size_t count)
{
    if (count > USED_BYTES_MAX - at)
        count = USED_BYTES_MAX - at;
    memmove(f->bytes + at, bytes, count);
    use(f, at + count);
}

/* Bit 3 of `bit`: in the second copy of a header. */
static void flip(struct edited *d, size_t index, size_t at, uint8_t bit)
{
    struct file *f = &d->m.files[index];
    uint64_t number;
    if (is_segment(f, &number) && at < HEADER_BYTES_USED && bit & 8)
        at += SEGMENT_HEADER_AGAIN;
    d->has_others |= d->flips == FLIPS_MAX || at >= f->size;
    if (d->has_others)
        return;
    f->bytes[at] ^= (uint8_t)(1 << bit % 8);
    use(f, at + 1);
    d->flip[d->flips].file = index;
    d->flip[d->flips++].at = at;
}

static void rename_to(struct file *f, uint8_t kind, struct slice number_bytes)
{
    static const char *const names[] = { "journal-%016llx.seg", "snapshot-%016llx", "spare-%016llx.seg", "x-%llx" };
    uint64_t number = 0;
    memcpy(&number, number_bytes.data, number_bytes.size < sizeof(number) ? number_bytes.size : sizeof(number));
    if (number < SEGMENT_NUMBERS)
        number %= NUMBERS; /* a sanitizer needs seconds to walk over more */
    snprintf(f->name, NAME_BYTES, names[kind % ARRAY_COUNT(names)], (unsigned long long)number);
}

static void edit(struct edited *d, enum edit_kind kind, size_t index, size_t place, struct slice bytes, uint8_t count)
{
    struct file *f = &d->m.files[index];
    size_t at = place_in(f, place);
    d->has_others |= kind != EDIT_FLIP;
    switch (kind) {
    case EDIT_FLIP:
        flip(d, index, at, count);
        break;
    case EDIT_WRITE:
        write_bytes(f, at, bytes.data, bytes.size);
        break;
    case EDIT_CUT:
        memset(f->bytes + at, 0, USED_BYTES_MAX - at);
        f->used = f->used < at ? f->used : at;
        f->size = at;
        break;
    case EDIT_REMOVE:
        f->name[0] = 0;
        break;
    case EDIT_COPY: /* over the start of the next file's bytes, or into its frames */
        write_bytes(&d->m.files[(index + 1) % d->m.count], count % 2 ? 0 : at, f->bytes + at, 16 * (size_t)count);
        break;
    case EDIT_RENAME:
        rename_to(f, count >> 4, bytes);
        break;
    case EDIT_GROW:
        f->size = (uint64_t)place << 8 > f->used ? (uint64_t)place << 8 : f->used;
        break;
    case EDIT_KINDS:
        break;
    }
}

static void edit_all(struct edited *d, struct slice in)
{
    for (int i = 0; i < EDITS_MAX && in.size >= 5; i++) {
        const uint8_t *b = (const uint8_t *)in.data;
        enum edit_kind kind = b[0] % EDIT_KINDS;
        size_t index = b[1] % d->m.count, place = b[2] | (size_t)b[3] << 8;
        uint8_t count = b[4];
        in = slice_from(in, 5);
        bool has_bytes = kind == EDIT_WRITE || kind == EDIT_RENAME;
        size_t wanted = has_bytes ? count % 16 : 0;
        struct slice bytes = slice_head(in, wanted < in.size ? wanted : in.size);
        in = slice_from(in, bytes.size);
        edit(d, kind, index, place, bytes, count);
    }
}

/* ---- checksums and chains made right ---------------------------------------------------------------------------------- */

static void seal(void *bytes, size_t crc_offset)
{
    uint32_t crc = crc32c(0, bytes, crc_offset);
    memcpy((char *)bytes + crc_offset, &crc, sizeof(crc));
}

static void seal_records(uint8_t *payload, size_t size, uint64_t position)
{
    struct record_header r;
    for (size_t at = 0; size - at >= sizeof(r); at += record_bytes(r.payload_bytes)) {
        memcpy(&r, payload + at, sizeof(r));
        if (r.payload_bytes > size - at - sizeof(r) || record_bytes(r.payload_bytes) > size - at)
            return;
        r.crc = record_crc(position + at, &r, slice_of(payload + at + sizeof(r), r.payload_bytes));
        memcpy(payload + at, &r, sizeof(r));
    }
}

struct chain {
    uint64_t number, end, value, before;
};

static void seal_segment(struct file *f, uint64_t number, struct chain *c)
{
    struct segment_header s;
    memcpy(&s, f->bytes, sizeof(s));
    if (s.sealed_segment == c->number) {
        s.sealed_at = c->end;
        s.sealed_crc = c->value;
    }
    memcpy(f->bytes, &s, sizeof(s));
    seal(f->bytes, offsetof(struct segment_header, crc));
    *c = (struct chain){ number, number * s.span + SEGMENT_HEADER_BYTES, c->value, c->before };
    for (size_t at = SEGMENT_HEADER_BYTES;;) {
        struct frame_header h = frame_at(f, at);
        if (!is_frame(f, at, &h))
            return;
        if (c->before) {
            h.before = c->before;
            h.chain = c->value;
        }
        seal_records(f->bytes + at + sizeof(h), h.payload_bytes, h.position + sizeof(h));
        uint32_t crc = frame_seed(number, h.generation);
        crc = crc32c(crc, &h.position, sizeof(h) - offsetof(struct frame_header, position));
        h.crc = crc32c(crc, f->bytes + at + sizeof(h), h.payload_bytes);
        memcpy(f->bytes + at, &h, sizeof(h));
        at += sizeof(h) + h.payload_bytes;
        c->value = chain_next(h.chain, h.crc, (uint32_t)sizeof(h) + h.payload_bytes);
        c->before = c->end = number * s.span + at;
    }
}

static void seal_snapshot(struct file *f)
{
    struct snapshot_header h;
    struct snapshot_section section;
    if (f->used < sizeof(h))
        return;
    seal(f->bytes, offsetof(struct snapshot_header, crc));
    memcpy(&h, f->bytes, sizeof(h));
    if (h.segment_count > f->used / 16)
        return;
    size_t at = sizeof(h) + (size_t)h.segment_count * 16;
    for (uint32_t i = 0; i < h.log_count; i++) {
        if (at > f->used || f->used - at < sizeof(section))
            return;
        memcpy(&section, f->bytes + at, sizeof(section));
        if (section.bytes > f->used - at - sizeof(section))
            return;
        section.data_crc = crc32c(0, f->bytes + at + sizeof(section), (size_t)section.bytes);
        memcpy(f->bytes + at, &section, sizeof(section));
        seal(f->bytes + at, offsetof(struct snapshot_section, crc));
        at += sizeof(section) + (size_t)section.bytes;
    }
    if (f->used - at < sizeof(struct snapshot_footer))
        return;
    uint32_t total = crc32c(0, f->bytes, at);
    memcpy(f->bytes + at + offsetof(struct snapshot_footer, total_crc), &total, sizeof(total));
    seal(f->bytes + at, offsetof(struct snapshot_footer, crc));
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void make_right(struct image *m)
{
    struct chain chain = { .number = NO_POSITION };
    qsort(m->files, m->count, sizeof(m->files[0]), compare_files); /* segments in their order */
    for (size_t i = 0; i < m->count; i++) {
        uint64_t number;
        if (is_segment(&m->files[i], &number))
            seal_segment(&m->files[i], number, &chain);
        else if (is_snapshot(&m->files[i]))
            seal_snapshot(&m->files[i]);
    }
}

/* ---- what a start did ---------------------------------------------------------------------------------------------------- */

/* Of what a refused start must leave alone. */
static void add_to_digest(void *context, const char *name)
{
    static uint8_t bytes[USED_BYTES_MAX];
    uint32_t *crc = context;
    struct sys_file *f;
    uint64_t size;
    size_t got;
    char path[64];
    path_of(name, path);
    if (strcmp(name, "lock") == 0 || strncmp(name, "spare-", 6) == 0)
        return;
    ASSERT(!failed(sys->file.open(path, SYS_OPEN_READ, &f)));
    ASSERT(!failed(sys->file.size(f, &size)) && !failed(sys->file.read(f, 0, bytes, sizeof(bytes), &got)));
    sys->file.close(f);
    *crc = crc32c(*crc, name, strlen(name));
    *crc = crc32c(*crc, &size, sizeof(size));
    *crc = crc32c(*crc, bytes, got);
}

static uint32_t files_digest(void)
{
    uint32_t crc = 0;
    ASSERT(!failed(sys->file.list_dir("/fuzz", add_to_digest, &crc)));
    return crc;
}

static bool try_start(uint32_t *ret_code)
{
    struct arena arena;
    struct slice sentence;
    arena_init(&arena, 64 * MIB);
    struct error e = try_store(&arena, &sentence);
    ASSERT(!failed(e) || e.code == ERR_CORRUPT || e.code == ERR_NEWER_FORMAT);
    ASSERT(!failed(e) || (sentence.size && text_utf8_valid(sentence) == sentence.size));
    arena_deinit(&arena);
    *ret_code = e.code;
    return !failed(e);
}

/* Of one file, the only change being flips. */
static bool must_be_refused(const struct edited *d)
{
    const struct image *m = &d->m;
    const struct frame_place *last = &m->frames[m->frame_count - 1];
    bool is_damaged = false;
    for (size_t i = 0; i < d->flips; i++) {
        size_t file = d->flip[i].file, at = d->flip[i].at;
        is_damaged |= is_snapshot(&m->files[file]);
        for (size_t k = 0; k < m->frame_count; k++) {
            const struct frame_place *p = &m->frames[k];
            bool is_hit = p->file == file && p->from <= at && at < p->to;
            if (is_hit && p == last)
                return false;
            is_damaged |= is_hit && p->is_walked;
        }
    }
    return is_damaged;
}

static bool has_twin(const struct edited *d)
{
    for (size_t i = 0; i < d->flips; i++)
        for (size_t k = 0; k < i; k++)
            if (d->flip[i].file == d->flip[k].file && d->flip[i].at == d->flip[k].at)
                return true;
    return false;
}

static void judge_flips(const struct image *original, const struct edited *d, bool is_up)
{
    uint8_t now[32];
    if (d->has_others || has_twin(d))
        return;
    ASSERT(!is_up || !must_be_refused(d));
    if (!is_up) {
        ASSERT(d->flips > 0);
        return;
    }
    digest(now);
    ASSERT(memcmp(now, original->whole, sizeof(now)) == 0 ||
           (d->flips > 0 && memcmp(now, original->shorter, sizeof(now)) == 0));
}

static void check_refusal(uint32_t code, uint32_t files)
{
    uint32_t again;
    ASSERT(files_digest() == files);
    ASSERT(!try_start(&again) && again == code);
}

/* What goes on from such a start is kept like anything else. */
static void check_life(uint8_t how)
{
    uint8_t before[32], after[32];
    owners_resume();
    begin_asking();
    ask_json("CreateQueue", "{\"QueueName\":\"n\"}");
    ask_json("SendMessage", "{" URL "n\",\"MessageBody\":\"new\"}");
    end_asking();
    digest(before);
    if (how & 2)
        owners_close((how & 4) != 0);
    else
        owners_abandon();
    open_store();
    digest(after);
    ASSERT(memcmp(before, after, sizeof(before)) == 0);
    owners_abandon();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct edited d;
    uint32_t code;
    if (size < 2)
        return 0;
    const struct image *original = image_of(data[0] % IMAGE_KINDS);
    d.m = *original;
    d.flips = 0;
    d.has_others = (data[1] & 1) != 0;
    edit_all(&d, slice_of(data + 2, size - 2));
    if (data[1] & 1)
        make_right(&d.m);
    put_image(&d.m);
    now_ms = original->end_ms;
    clock_start(now_ms);
    uint32_t files = files_digest();
    bool is_up = try_start(&code);
    judge_flips(original, &d, is_up);
    if (is_up)
        check_life(data[1]);
    else
        check_refusal(code, files);
    return 0;
}
