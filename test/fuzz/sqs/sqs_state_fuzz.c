/* Any bytes as a log's snapshot, then as records on top of it: restore and apply take them or say ERR_CORRUPT (or
 * ERR_NEWER_FORMAT), never read outside them, and the state that came of it can be walked and freed. The first two bytes
 * (little endian) say how long the snapshot is. Records: type, size (two bytes, little endian), payload; the time grows by the type. */
#include "base/limits.h"
#include "service/sqs/state.h"
#include "sys/sys.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *open_store(void)
{
    static struct store *store;
    static const struct store_state_ops ops = { 0 };
    if (store)
        return store;
    struct arena arena;
    struct slice sentence;
    sys = &sys_memory;
    arena_init(&arena, 16 * MIB);
    const struct store_options options = { .dir = "/fuzz", .durability = DURABILITY_MEMORY };
    ASSERT(!failed(store_open(&options, &ops, &arena, &store, &sentence)));
    arena_deinit(&arena);
    return store;
}

static uint64_t any_uid(struct sqs_state *s)
{
    return list_is_empty(&s->queues) ? 0 : LIST_ENTRY(s->queues.prev, struct queue, in_state)->uid;
}

static void check_error(struct error e)
{
    ASSERT(!failed(e) || e.code == ERR_CORRUPT || e.code == ERR_NEWER_FORMAT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct owner o = { .store = open_store(), .is_replaying = true, .now_ms = 1000000 };
    struct sqs_state *s = sqs_state_new(&o);
    uint8_t digest[32];
    o.state[SQS_INDEX] = s;
    size_t bytes_of_snapshot = size < 2 ? 0 : data[0] | (size_t)data[1] << 8;
    size_t at = size < 2 ? size : 2 + (bytes_of_snapshot < size - 2 ? bytes_of_snapshot : size - 2);
    struct error e = at > 2 ? sqs_state_restore(s, slice_of(data + 2, at - 2)) : OK;
    check_error(e);
    lsn_t lsn = 1000;
    o.last_time_ms = 1000000;
    while (!failed(e) && size - at >= 3) {
        size_t bytes = data[at + 1] | (size_t)data[at + 2] << 8;
        bytes = bytes < size - at - 3 ? bytes : size - at - 3;
        o.last_time_ms += data[at];
        const struct record r = { .lsn = lsn++,
            .time_ms = o.last_time_ms,
            .type = (uint16_t)(SQS_INDEX << 8 | (data[at] & 15)),
            .version = 1,
            .flags = RECORD_MUST_UNDERSTAND,
            .object = any_uid(s),
            .payload = slice_of(data + at + 3, bytes) };
        e = sqs_state_apply(s, &r);
        check_error(e);
        at += 3 + bytes;
    }
    sqs_state_digest(s, digest);
    sqs_state_free(s);
    return 0;
}
