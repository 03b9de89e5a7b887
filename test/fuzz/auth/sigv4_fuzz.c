/* Signatures: any request is parsed without harm and never verifies by chance; the same request signed by us verifies
 * with its secret and with no other. Input: "METHOD path query" on the first line, "name: value" lines, an empty line,
 * the body.
 */
#include "auth/sigv4.h"
#include "base/limits.h"
#include <stdlib.h>

enum { HEADERS_MAX = 16, NOW_S = 1440938160 /* 20150830T123600Z */ };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice cut_blank(struct slice *rest)
{
    return slice_is_none(*rest) ? SLICE_NONE : slice_cut(rest, ' ');
}

/* What the client sent is quoted in sentences: they must stay printable. */
static void check_sentence(const struct sigv4 *s)
{
    for (size_t index = 0; index < s->sentence.size; index++)
        ASSERT(s->sentence.data[index] >= ' ' && s->sentence.data[index] <= '~');
}

static void check_parsed(const struct sigv4 *s)
{
    ASSERT(s->signature.size == 64 && s->date.size == 16 && s->day.size == 8);
    ASSERT(s->access_key.size > 0 && s->region.size > 0 && s->service.size > 0);
    ASSERT(s->date_s >= NOW_S - 604800 && s->date_s <= NOW_S + 900);
}

static bool is_of_signature(struct slice name)
{
    return slice_equal_nocase(name, SLICE("authorization")) || slice_equal_nocase(name, SLICE("host")) ||
           slice_equal_nocase(name, SLICE("x-amz-date")) || slice_equal_nocase(name, SLICE("x-amz-content-sha256"));
}

static void sign_and_verify(const struct sigv4_request *given, struct slice body, struct arena *arena)
{
    struct header headers[HEADERS_MAX + 3];
    struct sigv4_request r = *given;
    struct sigv4 s;
    r.headers = headers;
    r.header_count = 0;
    for (size_t index = 0; index < given->header_count; index++) {
        if (!is_of_signature(given->headers[index].name))
            headers[r.header_count++] = given->headers[index];
    }
    headers[r.header_count++] = header_of(SLICE("Host"), SLICE("localhost"));
    headers[r.header_count++] = header_of(SLICE("X-Amz-Date"), SLICE("20150830T123600Z"));
    struct slice value = sigv4_sign(&r, body, SLICE("AKID"), SLICE("secret"), SLICE("us-east-1"), SLICE("sqs"),
        SLICE("20150830T123600Z"), SLICE("host;x-amz-date"), arena);
    headers[r.header_count++] = header_of(SLICE("Authorization"), value);
    if (sigv4_parse(&r, NOW_S, 900, arena, &s) != SIGV4_OK)
        return; /* it also brings parameters of a presigned URL, or unsigned x-amz- headers */
    check_parsed(&s);
    ASSERT(sigv4_verify(&s, &r, body, SLICE("secret"), arena) == SIGV4_OK);
    ASSERT(sigv4_verify(&s, &r, body, SLICE("secreT"), arena) == SIGV4_MISMATCH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size), line = slice_cut(&rest, '\n');
    struct header headers[HEADERS_MAX];
    struct sigv4_request r = { .headers = headers };
    struct arena arena;
    struct sigv4 s;
    if (size > HTTP_HEAD_BYTES_MAX)
        return 0;
    arena_init(&arena, 4 * MIB);
    r.method = cut_blank(&line);
    r.path = cut_blank(&line);
    r.query = line;
    while (rest.size && r.header_count < HEADERS_MAX) {
        line = slice_cut(&rest, '\n');
        if (line.size == 0)
            break;
        struct slice name = slice_cut(&line, ':');
        headers[r.header_count++] = header_of(name, slice_is_none(line) ? SLICE("") : line);
    }
    enum sigv4_result result = sigv4_parse(&r, NOW_S, 900, &arena, &s);
    check_sentence(&s);
    if (result == SIGV4_OK) {
        check_parsed(&s);
        ASSERT(sigv4_verify(&s, &r, rest, SLICE("nobody's secret"), &arena) == SIGV4_MISMATCH);
    }
    sign_and_verify(&r, rest, &arena);
    arena_deinit(&arena);
    return 0;
}
