/* What a proxy says about its client: read or refused with a sentence; what is read is a host and an address, and nothing
 * that a client wrote itself changes it. Input: header lines, after a byte that chooses whose connection it is. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/forwarded.h"
#include "auth/network.h"
#include "http/http1.h"

enum { LINES_BYTES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct network proxies[2];
static const struct gateway_options options = { .trusted_proxies = proxies, .trusted_proxy_count = 2 };

struct outcome {
    bool is_request, is_good;
    struct forwarded read;
    const char *sentence;
};

/* `first`: lines before those of the input */
static struct outcome ask(const char *first, struct slice lines, const struct http_peer *peer, char *bytes)
{
    static struct header headers[HTTP_HEADERS_MAX];
    static struct http_request request;
    struct http1_head head;
    struct outcome o = { 0 };
    size_t size = (size_t)sprintf(bytes, "GET / HTTP/1.1\r\nHost: inner\r\n%s", first);
    memcpy(bytes + size, lines.data, lines.size);
    memcpy(bytes + size + lines.size, "\r\n\r\n", 4);
    memset(&request, 0, sizeof(request));
    http1_head_init(&head, &request, headers);
    o.is_request = http1_head_parse(&head, slice_of(bytes, size + lines.size + 4)) == HTTP1_DONE;
    if (o.is_request)
        o.is_good = forwarded_read(&request, peer, &options, &o.read, &o.sentence);
    return o;
}

static bool is_same_peer(const struct http_peer *a, const struct http_peer *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool is_trusted(const struct http_peer *peer)
{
    char text[HTTP_PEER_TEXT_BYTES];
    struct network n;
    ASSERT(network_parse(http_peer_format(peer, text), &n));
    return network_holds(&proxies[0], &n) || network_holds(&proxies[1], &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[LINES_BYTES_MAX + 256], again[LINES_BYTES_MAX + 256];
    if (size < 1 || size > LINES_BYTES_MAX)
        return 0;
    ASSERT(network_parse(SLICE("10.0.0.0/8"), &proxies[0]) && network_parse(SLICE("2001:db8::/32"), &proxies[1]));
    const uint8_t addresses[2][16] = { { data[0] & 1 ? 10 : 11, 1, 1, 1 }, { 0x20, 1, 0xd, 0xb8 + (data[0] & 1) } };
    bool is_v6 = data[0] & 2;
    const struct http_peer peer = http_peer_of(is_v6, addresses[is_v6]);
    struct slice lines = slice_of(data + 1, size - 1);
    struct outcome o = ask("", lines, &peer, bytes);
    if (!o.is_request)
        return 0;
    ASSERT(o.is_good == !o.sentence);
    if (!o.is_good) {
        ASSERT(is_trusted(&peer));
        return 0;
    }
    ASSERT(http_is_host(o.read.host) && (o.read.host.size || !o.read.is_host_told));
    if (!is_trusted(&peer))
        ASSERT(is_same_peer(&peer, &o.read.peer) && !o.read.is_host_told && !o.read.is_tls);
    if (is_trusted(&o.read.peer))
        return 0;
    struct outcome more = ask("X-Forwarded-For: 192.0.2.1, rubbish\r\n", lines, &peer, again);
    ASSERT(!more.is_request || (more.is_good && is_same_peer(&o.read.peer, &more.read.peer)));
    return 0;
}
