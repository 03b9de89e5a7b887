/* pages.h: what is not an API call: /health, /metrics, CORS preflight. No signature; same rules for web pages (origin.h),
 * but /health is for any host.
 * Thread   the front's. /metrics visits every owner in turn, in slices, and never holds more than METRICS_BYTES_MAX; a few
 *          at a time, else 503.
 */
#ifndef MILLRACE_API_PAGES_H
#define MILLRACE_API_PAGES_H

#include "api/gateway.h"

bool pages_is_page(const struct http_request *r);
void pages_serve(struct stream *s, const struct gateway_options *o);
void pages_gone(struct stream *s);
void pages_end(void); /* when neither reactors nor owners run any more: what was under way */

#endif
