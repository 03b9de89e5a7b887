/* reply.c: see reply.h. */
#define _GNU_SOURCE
#include "reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_MAX = 64 * 1024, STATUS_LINE_MIN = 12 };

static void read_header(struct reply *r, const char *line, size_t size)
{
    static const char length[] = "content-length:", encoding[] = "transfer-encoding:", connection[] = "connection:";
    if (size > sizeof length - 1 && strncasecmp(line, length, sizeof length - 1) == 0) {
        r->length = strtoull(line + sizeof length - 1, NULL, 10);
        r->has_length = true;
    } else if (size > sizeof encoding - 1 && strncasecmp(line, encoding, sizeof encoding - 1) == 0) {
        r->chunked = memmem(line, size, "chunked", 7) != NULL;
    } else if (size > sizeof connection - 1 && strncasecmp(line, connection, sizeof connection - 1) == 0) {
        r->closes = memmem(line, size, "close", 5) != NULL;
    }
}

static bool parse_head(struct reply *r, const struct buf *in)
{
    const char *line = in->data, *end = in->data + r->head_size;
    if (r->head_size < STATUS_LINE_MIN || memcmp(line, "HTTP/1.", 7) != 0)
        return false;
    r->closes = line[7] == '0';
    r->status = atoi(line + 9);
    while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL && ++line < end) {
        const char *line_end = memchr(line, '\r', (size_t)(end - line));
        if (!line_end || line_end == line)
            break;
        read_header(r, line, (size_t)(line_end - line));
    }
    return r->status >= 100 && r->status <= 599;
}

/* Walks the chunks; when `join` moves their bytes together. */
static enum reply_state walk_chunks(struct reply *r, struct buf *in, bool join)
{
    size_t at = r->head_size, joined = r->head_size;
    for (;;) {
        char *line_end = memmem(in->data + at, in->size - at, "\r\n", 2);
        if (!line_end)
            return REPLY_PARTIAL;
        char *digits_end;
        size_t size = strtoull(in->data + at, &digits_end, 16);
        if (digits_end == in->data + at || size > SIZE_MAX / 4)
            return REPLY_BAD;
        at = (size_t)(line_end - in->data) + 2;
        if (in->size - at < size + 2)
            return REPLY_PARTIAL;
        if (join)
            memmove(in->data + joined, in->data + at, size);
        joined += size;
        at += size + 2;
        if (size > 0)
            continue;
        r->body = (struct span){ in->data + r->head_size, joined - r->head_size };
        return REPLY_DONE;
    }
}

enum reply_state reply_parse(struct reply *r, struct buf *in, bool ended)
{
    if (r->head_size == 0) {
        const char *blank = in->size ? memmem(in->data, in->size, "\r\n\r\n", 4) : NULL;
        if (!blank)
            return ended || in->size > HEAD_MAX ? REPLY_BAD : REPLY_PARTIAL;
        r->head_size = (size_t)(blank - in->data) + 4;
        if (!parse_head(r, in))
            return REPLY_BAD;
    }
    if (r->chunked) {
        enum reply_state state = walk_chunks(r, in, false);
        if (state == REPLY_DONE)
            return walk_chunks(r, in, true);
        return state == REPLY_PARTIAL && ended ? REPLY_BAD : state;
    }
    size_t have = in->size - r->head_size;
    if (r->has_length && have < r->length)
        return ended ? REPLY_BAD : REPLY_PARTIAL;
    if (!r->has_length && !ended)
        return REPLY_PARTIAL;
    r->body = (struct span){ in->data + r->head_size, r->has_length ? r->length : have };
    return REPLY_DONE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The position of the first byte of the value behind "key" and its colon; json.size when there is none. */
static size_t find_value(struct span json, const char *key, size_t at)
{
    size_t key_size = strlen(key);
    while (at < json.size) {
        const char *found = memmem(json.data + at, json.size - at, key, key_size);
        if (!found)
            break;
        size_t start = (size_t)(found - json.data);
        at = start + key_size;
        if (start == 0 || json.data[start - 1] != '"' || at >= json.size || json.data[at] != '"')
            continue;
        for (at++; at < json.size && is_blank(json.data[at]);)
            at++;
        if (at >= json.size || json.data[at] != ':')
            continue;
        for (at++; at < json.size && is_blank(json.data[at]);)
            at++;
        return at;
    }
    return json.size;
}

bool json_find_text(struct span json, const char *key, size_t *at, struct span *ret_value)
{
    size_t start = find_value(json, key, *at);
    if (start >= json.size || json.data[start] != '"')
        return false;
    size_t end = ++start;
    for (;;) {
        const char *quote = end < json.size ? memchr(json.data + end, '"', json.size - end) : NULL;
        if (!quote)
            return false;
        const char *escape = memchr(json.data + end, '\\', (size_t)(quote - json.data) - end);
        end = (size_t)((escape ? escape + 2 : quote) - json.data);
        if (!escape)
            break;
    }
    *ret_value = (struct span){ json.data + start, end - start };
    *at = end + 1;
    return true;
}

bool json_next_object(struct span json, size_t *at, struct span *ret_object)
{
    const char *open = *at < json.size ? memchr(json.data + *at, '{', json.size - *at) : NULL;
    if (!open)
        return false;
    const char *from = open + 1, *end = json.data + json.size;
    for (size_t depth = 1; depth > 0;) {
        const char *close = memchr(from, '}', (size_t)(end - from));
        if (!close)
            return false;
        const char *inner = memchr(from, '{', (size_t)(close - from));
        depth = inner ? depth + 1 : depth - 1;
        from = (inner ? inner : close) + 1;
    }
    *ret_object = (struct span){ open, (size_t)(from - open) };
    *at = (size_t)(from - json.data);
    return true;
}

bool json_find_list(struct span json, const char *key, size_t *ret_at, bool *ret_empty)
{
    size_t at = find_value(json, key, 0);
    if (at >= json.size || json.data[at] != '[')
        return false;
    for (at++; at < json.size && is_blank(json.data[at]);)
        at++;
    *ret_empty = at < json.size && json.data[at] == ']';
    *ret_at = at;
    return true;
}

bool span_is(struct span s, const char *data, size_t size)
{
    return s.size == size && memcmp(s.data, data, size) == 0;
}
