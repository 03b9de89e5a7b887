/* ARNs: what is parsed is written again byte by byte. Input: the ARN. */
#include "api/arn.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct arena arena;
    struct arn arn;
    if (!arn_parse(text, &arn))
        return 0;
    ASSERT(size <= ARN_BYTES_MAX && arn.resource.size > 0);
    arena_init(&arena, 64 * KIB);
    ASSERT(slice_equal(arn_format(&arn, &arena), text));
    arena_deinit(&arena);
    return 0;
}
