/* arn.h: Amazon Resource Names: arn:partition:service:region:account:resource
 *
 * Memory   a parsed ARN is views of the text.
 * Limits   ARN_BYTES_MAX; partition and service are names of [a-z0-9-], region too or empty; the account is 12 digits,
 * "aws" or empty; the resource is what is left, not empty, printable ASCII without blanks. No wildcards: policies have
 *          their own patterns (auth/policy.h).
 */
#ifndef MILLRACE_API_ARN_H
#define MILLRACE_API_ARN_H

#include "base/arena.h"

enum { ARN_BYTES_MAX = 2048 };

struct arn {
    struct slice partition, service, region, account, resource; /* empty, never none */
};

bool arn_parse(struct slice text, struct arn *ret_arn);
struct slice arn_format(const struct arn *arn, struct arena *arena);
/* "arn:aws:<service>:<region>:<account>:<resource>" */
struct slice arn_make(
    struct slice service, struct slice region, struct slice account, struct slice resource, struct arena *arena);

#endif
