/* form.h: application/x-www-form-urlencoded and query strings: key=value pairs in order of arrival.
 * Empty pieces (&&) are skipped; a key without '=' has the empty value.
 * Fails    ERR_BAD on a broken escape or bytes that are not UTF-8 (.system = offset of the key or value);
 *          ERR_TOO_LARGE past FORM_PAIRS_MAX; ERR_NO_MEMORY when the arena has no room.
 */
#ifndef MILLRACE_CODEC_FORM_H
#define MILLRACE_CODEC_FORM_H

#include "base/arena.h"
#include "base/error.h"

enum { FORM_PAIRS_MAX = 2000 }; /* ten batch entries with ten attributes of four parameters, and slack */

struct form_pair {
    struct slice key, value; /* decoded; live in the input or the arena */
};
struct form {
    struct form_pair *pairs;
    size_t count;
};

struct error form_parse(struct arena *a, struct slice text, struct form *ret_form); /* '+' is a blank */
/* the last value of that key; none if absent */
struct slice form_get(const struct form *f, struct slice key);

#endif
