/* network.h: IP addresses and prefixes as text: "10.0.0.0/8", "2001:db8::/32", "192.0.2.1".
 *
 * An IPv4 address written as IPv6 (::ffff:10.0.0.1) is the IPv4 one: a listener of both families reports it so.
 * Source   RFC 4291 2.2, RFC 4632; IPv4 parts have no leading zeros (they would be octal to some readers).
 */
#ifndef MILLRACE_AUTH_NETWORK_H
#define MILLRACE_AUTH_NETWORK_H

#include "base/slice.h"

struct network {
    uint8_t bytes[16]; /* the first four for IPv4 */
    bool is_v6;
    unsigned bits; /* of the prefix; all of them for a single address */
};

bool network_parse(struct slice text, struct network *ret_network);
/* Is all of `inner` within `outer`? Never across families. */
bool network_holds(const struct network *outer, const struct network *inner);

#endif
