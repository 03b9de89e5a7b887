/* request_fuzz.c: whole requests against the whole server but for its sockets and its disk (no_network.h). Each has an answer
 * that is never a server fault and whose bytes are a sound head and JSON or XML. Then the server starts again, from its journal
 * or a snapshot, and has the same state.
 *
 * Input: requests as they go over the wire, parted by lines of "====".
 */
#include "no_network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS_MAX = 16, INPUT_BYTES_MAX = 32 * KIB };

static void check_restart(bool has_snapshot)
{
    uint8_t before[32], after[32];
    digest(before);
    owners_close(has_snapshot);
    open_store();
    digest(after);
    ASSERT(memcmp(before, after, sizeof(before)) == 0);
    owners_close(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    if (size > INPUT_BYTES_MAX)
        return 0;
    open_server();
    begin_asking();
    for (int i = 0; i < REQUESTS_MAX && rest.size; i++) {
        const char *mark = memmem(rest.data, rest.size, "\n====\n", 6);
        struct slice one = mark ? slice_head(rest, (size_t)(mark - rest.data)) : rest;
        rest = mark ? slice_from(rest, one.size + 6) : SLICE("");
        ask(one);
    }
    end_asking();
    check_restart(size % 2);
    return 0;
}
