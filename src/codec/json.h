/* json.h: strict JSON (RFC 8259): a pull reader over one slice and a direct writer into a buf.
 *
 * Reader   no tree, no allocation except strings that hold escapes (decoded into the arena; others are views of the
 *          input). Strict UTF-8, no lone surrogate escapes, depth <= JSON_DEPTH_MAX, whole input must be one value.
 *          Duplicate keys are reported as they come: the caller's rule (binders: the last wins).
 * Fails    ERR_BAD / ERR_TOO_DEEP / ERR_NO_MEMORY (arena full) with .system = offset. After a failure every call fails.
 * Use      json_reader_init(&r, body, arena);
 *          for (TRY(json_enter_object(&r)); json_next_key(&r, &key);) { ... json_read_string(&r, &v) or json_skip(&r) }
 *          TRY(json_end(&r));
 */
#ifndef MILLRACE_CODEC_JSON_H
#define MILLRACE_CODEC_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

enum json_kind { JSON_BAD, JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_reader {
    const char *at, *end, *start;
    struct arena *arena;
    struct error error;
    uint8_t depth;
    bool is_first; /* next member or element is the first of its container */
};

void json_reader_init(struct json_reader *r, struct slice input, struct arena *arena);
enum json_kind json_peek(struct json_reader *r); /* of the next value, without consuming */
struct error json_enter_object(struct json_reader *r);
bool json_next_key(struct json_reader *r, struct slice *ret_key); /* false at the closing brace, or on error */
struct error json_enter_array(struct json_reader *r);
bool json_next_element(struct json_reader *r); /* false at the closing bracket, or on error */
struct error json_read_string(struct json_reader *r, struct slice *ret_text);
/* the literal; text_parse_i64 for exactness */
struct error json_read_number(struct json_reader *r, struct slice *ret_literal);
struct error json_read_bool(struct json_reader *r, bool *ret_value);
struct error json_read_null(struct json_reader *r);
struct error json_skip(struct json_reader *r);                              /* one whole value, checked */
struct error json_read_raw(struct json_reader *r, struct slice *ret_value); /* one whole value, checked, as it stands */
struct error json_end(struct json_reader *r); /* the sticky error, or ERR_BAD if anything but blanks follows */

/* Writer: the caller writes the structure; these do the text. Output is always valid UTF-8 if the input is. */
void json_write_string(struct buf *b, struct slice text); /* with quotes; escapes ", \, controls; the rest as is */
/* "key": with the comma before it when *count > 0; counts up */
void json_write_key(struct buf *b, int *count, struct slice key);

#endif
