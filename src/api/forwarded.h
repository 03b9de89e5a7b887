/* forwarded.h: who asks when a proxy stands between: X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-For.
 *
 * Clients sign the Host they wrote, queue URLs must lead back the way they came, and policies judge where a client is; a proxy
 * tells all three. It is believed when its address is one of trusted_proxies; from anybody else these headers say nothing.
 * Fails    with a sentence: two hosts or protocols, a host that is none, an address that is none. Only the addresses of
 *          X-Forwarded-For up to the first that is not trusted are read, from the right: what is left of it a client may
 *          have written.
 */
#ifndef MILLRACE_API_FORWARDED_H
#define MILLRACE_API_FORWARDED_H

#include "api/front.h"

struct forwarded {
    struct slice host;     /* that the client wrote; none if there is none */
    bool is_host_told;     /* by the proxy: the Host header is another */
    bool is_tls;           /* the client's connection */
    struct http_peer peer; /* the client */
};

/* `peer`: who is connected. ret_sentence (static) on failure. */
bool forwarded_read(const struct http_request *r, const struct http_peer *peer, const struct gateway_options *o,
    struct forwarded *ret_forwarded, const char **ret_sentence);

#endif
