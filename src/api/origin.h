/* origin.h: which web pages may ask. Signatures do not tell: everybody knows the development key, and a browser asks for any
 * page it shows.
 *
 * Origin   a page of another origin says so in Origin, or in Sec-Fetch-Site: local ones and those of cors_origins may.
 * Host     a page can point its own name at 127.0.0.1 (DNS rebinding); it is of this origin then, and its GETs carry no Origin.
 *          What gives it away is its name: with development credentials a GET must be for a name that is this machine's.
 */
#ifndef MILLRACE_API_ORIGIN_H
#define MILLRACE_API_ORIGIN_H

#include "api/front.h"

/* True when the request may go on. Adds the CORS lines for it to `lines`. */
bool origin_is_allowed(const struct http_request *r, const struct gateway_options *o, struct buf *lines);

/* The host that a request may not be for; none: it may. With a GET or HEAD and the development credentials that is one which is
 * neither an IP address, a name without dots, localhost, *.localhost, *.localhost.localstack.cloud, nor a host of public_url
 * or cors_origins. `told`: the host that a proxy tells, which is judged beside the one that the request has: a page may tell,
 * too. */
struct slice origin_foreign_host(const struct http_request *r, struct slice told, const struct gateway_options *o);
/* What to say then: a format for the host, twice. */
#define ORIGIN_HOST_SENTENCE                                                                                           \
    "GET requests for the host '%.*s' are refused: with development credentials they must be for an IP address, "      \
    "localhost, "                                                                                                      \
    "*.localhost, *.localhost.localstack.cloud or a name without dots. Use one of these or POST, or start with "       \
    "--cors-origins http://%.*s, if that is you."

#endif
