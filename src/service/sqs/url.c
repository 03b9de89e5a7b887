#include "service/sqs/url.h"
#include "base/limits.h"
#include "base/text.h"

enum { PATH_PARTS_MAX = 4, HOST_LABELS_MAX = 16 };

/* us-east-1, ap-southeast-2, us-gov-west-1, and what people invent in that form. A host label that does not look like
 * one is only a name. */
static bool is_region(struct slice s)
{
    if (s.size < 4 || s.size > REGION_BYTES_MAX || !text_is_alpha(s.data[0]) || !text_is_digit(s.data[s.size - 1]))
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!text_is_alnum(s.data[i]) && s.data[i] != '-')
            return false;
    return slice_find(s, '-') < s.size;
}

static bool is_account(struct slice s)
{
    if (s.size != ACCOUNT_DIGITS)
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!text_is_digit(s.data[i]))
            return false;
    return true;
}

/* ---- hosts ----------------------------------------------------------------------------------------------------- */

static bool is_service_label(struct slice label)
{
    return slice_equal_nocase(label, SLICE("sqs")) || slice_equal_nocase(label, SLICE("sqs-fips"));
}

/* The region in a host name, a view of it; none if there is none. */
static struct slice region_of_host(struct slice host)
{
    struct slice before = SLICE_NONE, rest = host;
    for (int i = 0; i < HOST_LABELS_MAX && !slice_is_none(rest); i++) {
        struct slice label = slice_cut(&rest, '.');
        if (!slice_is_none(before) && is_service_label(before) && is_region(label))
            return label;
        if (slice_equal_nocase(label, SLICE("queue")) && !slice_is_none(before) && is_region(before))
            return before;
        before = label;
    }
    return SLICE_NONE;
}

/* The domain of the oldest endpoint stands for the oldest region; so does the name local tools gave it. */
static bool is_first_region_host(struct slice host)
{
    return slice_equal_nocase(host, SLICE("queue.amazonaws.com")) ||
           slice_equal_nocase(host, SLICE("queue.localhost.localstack.cloud"));
}

static struct slice without_port(struct slice host)
{
    if (host.size && host.data[0] == '[') /* [::1]:4566 */
        return slice_head(host, slice_find(host, ']') + 1);
    return slice_head(host, slice_find(host, ':'));
}

/* "http://host:port/path": what comes after the scheme; the whole text if there is no scheme */
static bool cut_scheme(struct slice *url)
{
    static const struct slice schemes[] = { { "http://", 7 }, { "https://", 8 } };
    for (size_t i = 0; i < 2; i++) {
        if (url->size >= schemes[i].size && slice_equal_nocase(slice_head(*url, schemes[i].size), schemes[i])) {
            *url = slice_from(*url, schemes[i].size);
            return true;
        }
    }
    return false;
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

struct path {
    struct slice parts[PATH_PARTS_MAX];
    size_t count; /* PATH_PARTS_MAX + 1: more than any form has */
};

static struct path split_path(struct slice text)
{
    struct path path = { .count = 0 };
    text = slice_head(text, slice_find(text, '?'));
    text = slice_head(text, slice_find(text, '#'));
    while (!slice_is_none(text)) {
        struct slice part = slice_cut(&text, '/');
        if (part.size == 0)
            continue;
        if (path.count == PATH_PARTS_MAX) {
            path.count++;
            break;
        }
        path.parts[path.count++] = part;
    }
    return path;
}

static bool address_of_path(const struct path *path, struct sqs_address *address)
{
    const struct slice *part = path->parts;
    switch (path->count) {
    case 1:
        address->name = part[0];
        return true;
    case 2:
        if (!slice_equal(part[0], SLICE("queue")))
            address->account = part[0];
        address->name = part[1];
        return true;
    case 3: /* /queue/<account>/<name> */
        if (!slice_equal(part[0], SLICE("queue")))
            return false;
        address->account = part[1];
        address->name = part[2];
        return true;
    case 4:
        if (!slice_equal(part[0], SLICE("queue")) || part[1].size > REGION_BYTES_MAX)
            return false;
        address->region = part[1];
        address->account = part[2];
        address->name = part[3];
        return true;
    default:
        return false;
    }
}

bool sqs_url_parse(struct slice url, struct sqs_address *ret_address)
{
    struct sqs_address address = { SLICE_NONE, SLICE_NONE, SLICE_NONE };
    struct slice text = slice_trim(url), host = SLICE_NONE;
    if (cut_scheme(&text)) {
        size_t end = slice_find(text, '/');
        host = without_port(slice_head(text, end));
        text = slice_from(text, end);
        address.region = region_of_host(host);
        if (slice_is_none(address.region) && is_first_region_host(host))
            address.region = SLICE("us-east-1");
    }
    struct path path = split_path(text);
    if (!address_of_path(&path, &address) || address.name.size == 0)
        return false;
    *ret_address = address;
    return true;
}

bool sqs_path_parse(struct slice text, struct sqs_address *ret_address)
{
    struct sqs_address address = { SLICE_NONE, SLICE_NONE, SLICE_NONE };
    struct path path = split_path(text);
    if (path.count < 2 || !address_of_path(&path, &address))
        return false;
    if (!slice_is_none(address.account) && !is_account(address.account))
        return false;
    *ret_address = address;
    return true;
}

/* ---- formatting ------------------------------------------------------------------------------------------------ */

struct slice sqs_url_format(
    struct arena *arena, struct slice endpoint, struct slice region, struct slice account, struct slice name)
{
    while (endpoint.size && endpoint.data[endpoint.size - 1] == '/')
        endpoint.size--;
    struct slice rest = endpoint;
    cut_scheme(&rest);
    struct slice host = without_port(rest), old = region_of_host(host);
    if (slice_is_none(old) || slice_equal(old, region))
        return arena_printf(arena, "%.*s/%.*s/%.*s", SLICE_ARG(endpoint), SLICE_ARG(account), SLICE_ARG(name));
    struct slice before = slice_head(endpoint, (size_t)(old.data - endpoint.data));
    struct slice after = slice_from(endpoint, before.size + old.size);
    return arena_printf(arena, "%.*s%.*s%.*s/%.*s/%.*s", SLICE_ARG(before), SLICE_ARG(region), SLICE_ARG(after),
        SLICE_ARG(account), SLICE_ARG(name));
}
