/* digest.h: the digest of a log's state: a sum of keyed hashes of facts, so that their order does not matter. */
#ifndef MILLRACE_SERVICE_SQS_DIGEST_H
#define MILLRACE_SERVICE_SQS_DIGEST_H

#include "base/slice.h"

struct digest {
    uint64_t sum[4];
};
void digest_add(struct digest *d, const uint64_t *facts, size_t count); /* the first fact names the kind */
uint64_t digest_text(struct slice s);

#endif
