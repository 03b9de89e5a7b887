/* bind.h: wire bytes <-> the structs of the rows: JSON 1.0 and query/XML from the same tables.
 *
 * Decode   sets absent fields absent (shape_clear), then what is there; unknown JSON members and query parameters are ignored;
 *          a JSON null is absence; a wrong type is API_SERIALIZATION with a sentence naming the member; REQUIRED and bounds
 *          are checked at the end (bind_check) so that both protocols say the same.
 *          JSON numbers for INT must be integers in int64 (1.0 and "5" are refused; as the SDKs send them).
 *          Query values are text: INT and BOOL are parsed, BLOB is base64.
 * Lists in the query protocol: Name.N[.Member...], N from 1, in numeric order, gaps allowed; Name alone is element 1;
 *          Name.member.N is accepted too. Maps: Name.N.<query_key>, Name.N.<query_value>[...].
 *          The number of elements is bounded by the pairs of the form (FORM_PAIRS_MAX).
 */
#ifndef MILLRACE_API_BIND_H
#define MILLRACE_API_BIND_H

#include "api/call.h"
#include "codec/form.h"

struct error bind_json_decode(struct call *c, const struct shape *shape, struct slice body, void *ret_value);
struct error bind_form_decode(struct call *c, const struct shape *shape, const struct form *form, void *ret_value);
/* REQUIRED and min/max of the top level: c->service->error_missing / error_invalid with their sentences:
 * "The request must contain the parameter X." / "Value V for parameter X is invalid. Reason: R" */
struct error bind_check(struct call *c, const struct shape *shape, const void *value, bool is_query);

/* {"A":...}; "{}" when all is absent */
void bind_json_encode(struct buf *b, const struct shape *shape, const void *value);
/* the same for a query reply in JSON: a map is [{"Name":..,"Value":..}], by the names of the query protocol */
void bind_query_json_encode(struct buf *b, const struct shape *shape, const void *value);
/* the members only: <A>..</A>; flattened lists and maps */
void bind_xml_encode(struct buf *b, const struct shape *shape, const void *value);

#endif
