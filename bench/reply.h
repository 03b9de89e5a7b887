/* reply.h: reads one HTTP/1.x reply, and the few fields of its JSON that are checked.
 *
 * The JSON helpers are not a parser: they look for a quoted key and a quoted value behind it, and count braces. That is
 * sound here because the bodies this tool sends hold no quote, brace or backslash, so none can appear in a value.
 *
 * Owner    one reply per connection; spans point into the connection's buffer.
 * Fails    REPLY_BAD for bytes that are not an HTTP reply.
 */
#ifndef BENCH_REPLY_H
#define BENCH_REPLY_H

#include <stdbool.h>

#include "util.h"

enum reply_state { REPLY_PARTIAL, REPLY_DONE, REPLY_BAD };

struct reply {
    int status;
    size_t head_size; /* 0 until the blank line arrived */
    size_t length;    /* Content-Length */
    bool has_length;
    bool chunked;
    bool closes; /* the server will close behind it */
    struct span body;
};

/* Call with a zeroed reply, then again with the same one whenever more bytes arrived; `ended` says that the server closed.
 * A chunked body is joined in place once it is whole. */
enum reply_state reply_parse(struct reply *r, struct buf *in, bool ended);

/* The text behind "key": from *at on; moves *at past it. False when there is none. */
bool json_find_text(struct span json, const char *key, size_t *at, struct span *ret_value);

/* The next {...} inside `json` from *at on; moves *at past it. */
bool json_next_object(struct span json, size_t *at, struct span *ret_object);

/* Moves *ret_at behind the '[' of "key": [. False when the key is absent. `ret_empty`: nothing in the list. */
bool json_find_list(struct span json, const char *key, size_t *ret_at, bool *ret_empty);

bool span_is(struct span s, const char *data, size_t size);

#endif
