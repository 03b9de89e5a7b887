#include "api/forwarded.h"
#include "auth/network.h"
#include "base/text.h"

enum header_count { HEADER_NONE, HEADER_ONE, HEADER_MANY };

static enum header_count find_only(const struct http_request *r, struct slice name, struct slice *ret_value)
{
    enum header_count count = HEADER_NONE;
    for (size_t i = 0; i < r->header_count; i++) {
        if (!header_is(&r->headers[i], name))
            continue;
        *ret_value = r->headers[i].value;
        count = count == HEADER_NONE ? HEADER_ONE : HEADER_MANY;
    }
    return count == HEADER_ONE && slice_find(*ret_value, ',') < ret_value->size ? HEADER_MANY : count;
}

static bool is_trusted(const struct network *n, const struct gateway_options *o)
{
    for (size_t i = 0; i < o->trusted_proxy_count; i++)
        if (network_holds(&o->trusted_proxies[i], n))
            return true;
    return false;
}

static bool is_trusted_peer(const struct http_peer *peer, const struct gateway_options *o)
{
    char text[HTTP_PEER_TEXT_BYTES];
    struct network n;
    return o->trusted_proxy_count && network_parse(http_peer_format(peer, text), &n) && is_trusted(&n, o);
}

/* ---- X-Forwarded-For ------------------------------------------------------------------------------------------------- */

static bool is_port(struct slice s)
{
    uint64_t port;
    return s.size == 0 || (s.data[0] == ':' && text_parse_u64(slice_from(s, 1), &port) && port <= UINT16_MAX);
}

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711" */
static bool parse_address(struct slice s, struct network *ret_address)
{
    size_t colon = slice_find(s, ':');
    struct slice port = SLICE("");
    if (slice_starts(s, SLICE("["))) {
        size_t end = slice_find(s, ']');
        if (end == s.size)
            return false;
        port = slice_from(s, end + 1);
        s = slice_of(s.data + 1, end - 1);
    } else if (colon < s.size && slice_find(slice_from(s, colon + 1), ':') == s.size - colon - 1) {
        port = slice_from(s, colon);
        s = slice_head(s, colon);
    }
    return is_port(port) && slice_find(s, '/') == s.size && network_parse(s, ret_address);
}

/* The part behind the last comma; the list without it, none when that was all. */
static struct slice take_last(struct slice *list)
{
    size_t at = list->size;
    while (at > 0 && list->data[at - 1] != ',')
        at--;
    struct slice last = slice_trim(slice_from(*list, at));
    *list = at ? slice_head(*list, at - 1) : SLICE_NONE;
    return last;
}

/* Several lines are one list. From the right: each address was written by the one before, who must be trusted for it. */
static bool read_addresses(const struct http_request *r, const struct gateway_options *o, struct http_peer *ret_peer)
{
    for (size_t i = r->header_count; i-- > 0;) {
        struct slice list = r->headers[i].value;
        if (!header_is(&r->headers[i], SLICE("x-forwarded-for")))
            continue;
        while (!slice_is_none(list)) {
            struct network address;
            if (!parse_address(take_last(&list), &address))
                return false;
            *ret_peer = http_peer_of(address.is_v6, address.bytes);
            if (!is_trusted(&address, o))
                return true;
        }
    }
    return true;
}

/* ---- all three --------------------------------------------------------------------------------------------------------- */

static const char *read_host(const struct http_request *r, struct forwarded *f)
{
    switch (find_only(r, SLICE("x-forwarded-host"), &f->host)) {
    case HEADER_NONE:
        return NULL;
    case HEADER_MANY:
        return "X-Forwarded-Host names several hosts: expected the one that the client asked for.";
    case HEADER_ONE:
        break;
    }
    f->is_host_told = true;
    return f->host.size && http_is_host(f->host) ? NULL : "X-Forwarded-Host is not a host, such as sqs.example:8443.";
}

static const char *read_protocol(const struct http_request *r, struct forwarded *f)
{
    struct slice protocol = SLICE_NONE;
    enum header_count count = find_only(r, SLICE("x-forwarded-proto"), &protocol);
    if (count == HEADER_NONE)
        return NULL;
    f->is_tls = count == HEADER_ONE && slice_equal_nocase(protocol, SLICE("https"));
    bool is_plain = count == HEADER_ONE && slice_equal_nocase(protocol, SLICE("http"));
    return f->is_tls || is_plain ? NULL : "X-Forwarded-Proto is neither http nor https.";
}

bool forwarded_read(const struct http_request *r, const struct http_peer *peer, const struct gateway_options *o,
    struct forwarded *ret_forwarded, const char **ret_sentence)
{
    struct forwarded f = { .host = r->host, .is_tls = r->is_tls, .peer = *peer };
    const char *sentence = NULL;
    if (UNLIKELY(is_trusted_peer(peer, o))) {
        sentence = read_host(r, &f);
        if (!sentence)
            sentence = read_protocol(r, &f);
        if (!sentence && !read_addresses(r, o, &f.peer))
            sentence = "X-Forwarded-For holds what is not an address: expected addresses, separated by commas.";
    }
    if (sentence)
        *ret_sentence = sentence;
    else
        *ret_forwarded = f;
    return !sentence;
}
