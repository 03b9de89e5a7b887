/* sigv4_names.h: SignedHeaders, the list of names that a signature covers, and the headers of a request that it means.
 *
 * Memory   names are places in the list, an order is places in the request's headers: nothing is copied.
 * Cost     reading goes over the list's bytes; matching compares keys (codec/header.h), names times headers.
 * Source   AWS General Reference "Create a canonical request".
 */
#ifndef MILLRACE_AUTH_SIGV4_NAMES_H
#define MILLRACE_AUTH_SIGV4_NAMES_H

#include "auth/sigv4.h"

struct signed_names {
    size_t count;
    struct {
        uint16_t at, size; /* in the list */
        uint32_t key;
    } names[HTTP_HEADERS_MAX];
};

/* False: the list is not lower-case header names in ascending order, separated by ';', or names more than
 * HTTP_HEADERS_MAX. */
bool signed_names_read(struct slice list, struct signed_names *ret);
bool signed_names_hold(const struct signed_names *n, struct slice list, struct slice name);

/* The headers in the order of the names, those of one name as they came; at most HTTP_HEADERS_MAX. False: *ret_missing is a
 * name that no header has. */
bool signed_names_match(const struct signed_names *n, struct slice list, const struct sigv4_request *r,
    struct signed_order *ret, struct slice *ret_missing);

#endif
