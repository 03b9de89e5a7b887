/* tools.h: a data directory seen without opening a store; what tools.c and backup.c share. Not for other folders.
 *
 * Lock     tool_open holds the directory's lock, if there is one, until tool_close: ERR_LOCKED while a server uses it.
 * Fails    tool_open: ERR_NOT_FOUND when nothing was ever made there, ERR_CORRUPT when `format` does not say what it should,
 *          ERR_NEWER_FORMAT.
 */
#ifndef MILLRACE_STORE_TOOLS_H
#define MILLRACE_STORE_TOOLS_H

#include "store/internal.h"

enum { TOOL_FORMAT_BYTES = 128 };

struct tool {
    struct store *store; /* only its directory, span and lock are set: enough for segment_path and segment_walk */
    struct buf segments, snapshots; /* numbers, ascending */
};

struct error tool_open(const char *dir, struct tool *ret_tool);
void tool_close(struct tool *t);
struct error tool_read_format(struct tool *t, char text[TOOL_FORMAT_BYTES], size_t *ret_size);
void tool_snapshot_path(const struct tool *t, uint64_t number, char out[PATH_BYTES + 64]);

static inline size_t tool_count(const struct buf *numbers)
{
    return numbers->size / sizeof(uint64_t);
}
static inline uint64_t tool_number(const struct buf *numbers, size_t index)
{
    uint64_t number;
    memcpy(&number, numbers->data + index * sizeof(number), sizeof(number));
    return number;
}

#endif
