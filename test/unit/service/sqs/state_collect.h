/* state_collect.h: a snapshot writer that keeps everything in one buffer, for tests of the parts below the state. The
 * program must use nothing else of store/snapshot.c. */
#ifndef MILLRACE_TEST_STATE_COLLECT_H
#define MILLRACE_TEST_STATE_COLLECT_H

#include "store/store.h"

struct collected_ref {
    size_t at, size;
    const void *bytes;
    void (*release)(void *);
    void *handle;
};
struct snapshot_writer {
    struct buf bytes;
    struct collected_ref refs[4096];
    size_t ref_count;
};

void snapshot_add(struct snapshot_writer *w, const void *bytes, size_t size)
{
    buf_add(&w->bytes, slice_of(bytes, size));
}
/* Reserves the place: like the real writer, the bytes are read only when the state has moved on. */
void snapshot_add_ref(struct snapshot_writer *w, const void *bytes, size_t size, void (*release)(void *), void *handle)
{
    ASSERT(w->ref_count < ARRAY_COUNT(w->refs));
    w->refs[w->ref_count++] = (struct collected_ref){ w->bytes.size, size, bytes, release, handle };
    buf_reserve(&w->bytes, size);
    w->bytes.size += size;
}
static inline void collect_finish(struct snapshot_writer *w)
{
    for (size_t i = 0; i < w->ref_count; i++) {
        const struct collected_ref *r = &w->refs[i];
        memcpy(w->bytes.data + r->at, r->bytes, r->size);
        r->release(r->handle);
    }
    w->ref_count = 0;
}

#endif
