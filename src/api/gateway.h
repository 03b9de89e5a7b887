/* gateway.h: from an HTTP request to a bound call, and from a finished call to the reply's bytes.
 *
 * Protocols: AWS JSON 1.0/1.1 (X-Amz-Target) and query (Action, in the query string or a form), answered in XML or, with
 * Accept: application/json, in JSON. Signatures are parsed after the head and verified with the body.
 * Source   contracts/sqs.md 1.1, 1.2; access.md 4.4.
 */
#ifndef MILLRACE_API_GATEWAY_H
#define MILLRACE_API_GATEWAY_H

#include "api/forwarded.h"

enum call_protocol { PROTOCOL_JSON, PROTOCOL_QUERY_XML, PROTOCOL_QUERY_JSON };

/* What is only needed until the input is bound; lives in the call's arena. */
struct gateway_request {
    enum sigv4_result signature_result;
    struct sigv4 signature;
    struct credential credential; /* a copy: the set may be replaced before the body is here */
    struct forwarded client;
};

/* After the head: protocol, signature's form, key and date. A failure is remembered in c->error and the body not read. */
struct error gateway_head(struct call *c, const struct http_request *r, const struct gateway_options *o);
/* With the body: verify, find the operation, bind, check, route. */
struct error gateway_bind(struct call *c, const struct http_request *r, const struct gateway_options *o);
/* The reply of a finished call into `reply`; `body` and `lines` are scratch buffers that live until it is sent. */
void gateway_encode(struct call *c, struct buf *body, struct buf *lines, struct http_reply *reply);

void gateway_register(void); /* the api's error rows; once */

#endif
