#include "api/origin.h"
#include "auth/credential.h"
#include "auth/network.h"
#include "base/text.h"
#include <stdatomic.h>

/* Without scheme; none if it is not http or https. */
static struct slice authority_of(struct slice url)
{
    static const struct slice schemes[] = { { "http://", 7 }, { "https://", 8 } };
    for (size_t i = 0; i < ARRAY_COUNT(schemes); i++)
        if (slice_starts(url, schemes[i]))
            return slice_from(url, schemes[i].size);
    return SLICE_NONE;
}

/* ---- Origin ---------------------------------------------------------------------------------------------------------- */

/* "http://localhost:3000" and the like: scheme, a loopback host, any port */
static bool is_local_origin(struct slice origin)
{
    static const struct slice names[] = { { "localhost", 9 }, { "127.0.0.1", 9 }, { "[::1]", 5 } };
    struct slice host = authority_of(origin);
    for (size_t i = 0; i < ARRAY_COUNT(names) && !slice_is_none(host); i++) {
        if (!slice_starts(host, names[i]))
            continue;
        struct slice port = slice_from(host, names[i].size);
        uint64_t number;
        if (port.size == 0 || (port.data[0] == ':' && text_parse_u64(slice_from(port, 1), &number)))
            return true;
    }
    return false;
}

bool origin_is_allowed(const struct http_request *r, const struct gateway_options *o, struct buf *lines)
{
    struct slice origin = http_header_find(r, SLICE("origin"));
    if (LIKELY(slice_is_none(origin)))
        return true;
    bool is_allowed = o->is_any_origin_allowed || is_local_origin(origin);
    for (size_t i = 0; i < o->cors_origin_count; i++)
        is_allowed |= slice_equal(o->cors_origins[i], origin);
    if (!is_allowed)
        return false;
    buf_printf(lines, "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\n", SLICE_ARG(origin));
    buf_add_lit(lines, "Access-Control-Expose-Headers: x-amzn-RequestId, x-amzn-query-error\r\n");
    return true;
}

/* ---- Host ------------------------------------------------------------------------------------------------------------ */

/* Of "name", "name:4566", "[::1]:4566": the name, without brackets and without the dot that may end it. */
static struct slice name_of(struct slice host)
{
    if (slice_starts(host, SLICE("["))) {
        host = slice_from(host, 1);
        return slice_head(host, slice_find(host, ']'));
    }
    host = slice_head(host, slice_find(host, ':'));
    return slice_ends(host, SLICE(".")) ? slice_head(host, host.size - 1) : host;
}

static bool ends_nocase(struct slice s, struct slice end)
{
    return s.size >= end.size && slice_equal_nocase(slice_from(s, s.size - end.size), end);
}

/* No stranger can own such a name. */
static bool is_own_name(struct slice name)
{
    static const struct slice localstack = { ".localhost.localstack.cloud", 27 };
    struct network address;
    bool is_address = network_parse(name, &address) && slice_find(name, '/') == name.size;
    return is_address || slice_find(name, '.') == name.size || ends_nocase(name, SLICE(".localhost")) ||
           ends_nocase(name, localstack) || slice_equal_nocase(name, slice_from(localstack, 1));
}

static bool is_configured(struct slice name, struct slice url)
{
    struct slice authority = authority_of(url);
    return !slice_is_none(authority) &&
           slice_equal_nocase(name_of(slice_head(authority, slice_find(authority, '/'))), name);
}

static bool is_own_host(struct slice host, const struct gateway_options *o)
{
    struct slice name = name_of(host);
    bool is_own = slice_is_none(host) || is_own_name(name) || is_configured(name, o->public_url);
    for (size_t i = 0; i < o->cors_origin_count; i++)
        is_own |= is_configured(name, o->cors_origins[i]);
    return is_own;
}

struct slice origin_foreign_host(const struct http_request *r, struct slice told, const struct gateway_options *o)
{
    bool is_get = r->method == HTTP_GET || r->method == HTTP_HEAD;
    if (LIKELY(!is_get) || o->is_any_origin_allowed)
        return SLICE_NONE;
    if (!credential_set_is_development(atomic_load_explicit(o->credentials, memory_order_acquire)))
        return SLICE_NONE;
    if (!is_own_host(r->host, o))
        return r->host;
    return is_own_host(told, o) ? SLICE_NONE : told;
}
