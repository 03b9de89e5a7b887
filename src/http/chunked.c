/* chunked.c: the chunked transfer coding (RFC 9112 7.1), decoded in place; see http1.h.
 *
 *      SIZE ─;─> EXTENSION ─┐                      ┌─────────────── not zero: DATA, DATA_CR, DATA_LF ──> SIZE
 *       └──────── CR ───────┴─> SIZE_LF ─── size? ─┴── zero: LINE ─CR─> END_LF ──> done
 *                                                       └──> NAME ─:─> VALUE ─CR─> VALUE_LF ──> LINE
 *
 * Strict: CR LF only, no blanks around the size, no control bytes in what is thrown away. Shapes that one reader takes
 * for an end and another does not are how requests are smuggled.
 */
#include "http/http1.h"

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, LINE, NAME, VALUE, VALUE_LF, END_LF, DONE };

enum { SIZE_DIGITS_MAX = 8 };

void http1_chunked_init(struct http1_chunked *d)
{
    *d = (struct http1_chunked){ .state = SIZE };
}

uint64_t http1_chunked_coming(const struct http1_chunked *d)
{
    return d->state == DATA ? d->left + 2 : 0;
}

static enum http1_result refuse(struct http1_chunked *d, int status, const char *sentence)
{
    d->refusal = (struct http1_refusal){ status, sentence };
    return HTTP1_BAD;
}

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static enum http1_result on_size_byte(struct http1_chunked *d, char byte)
{
    int digit = hex_value(byte);
    if (digit >= 0) {
        if (++d->digits > SIZE_DIGITS_MAX)
            return refuse(d, 400, "the size of a chunk has too many digits");
        d->left = d->left << 4 | (uint64_t)digit;
        return HTTP1_MORE;
    }
    if (d->digits == 0 || (byte != '\r' && byte != ';'))
        return refuse(d, 400, "a chunk must begin with its size in hexadecimal digits");
    d->state = byte == '\r' ? SIZE_LF : EXTENSION;
    return HTTP1_MORE;
}

static enum http1_result on_size_end(struct http1_chunked *d)
{
    if (d->left > HTTP_BODY_BYTES_MAX - d->body_bytes)
        return refuse(d, 413, "the body is too large");
    d->state = d->left > 0 ? DATA : LINE;
    return HTTP1_MORE;
}

/* extensions and trailers are thrown away, within bounds */
static enum http1_result on_extra_byte(struct http1_chunked *d, char byte, uint8_t state_after_cr)
{
    if (++d->extra_bytes > HTTP_CHUNK_EXTRA_BYTES_MAX)
        return refuse(d, 400, "too many chunk extensions or trailers");
    if (byte == '\r')
        d->state = state_after_cr;
    else if (((uint8_t)byte < 0x20 && byte != '\t') || byte == 0x7f)
        return refuse(d, 400, "control bytes are not allowed in chunk extensions and trailers");
    return HTTP1_MORE;
}

static enum http1_result on_name_byte(struct http1_chunked *d, char byte)
{
    if (++d->extra_bytes > HTTP_CHUNK_EXTRA_BYTES_MAX)
        return refuse(d, 400, "too many chunk extensions or trailers");
    if (http1_is_token_byte(byte)) {
        d->state = NAME;
        return HTTP1_MORE;
    }
    if (byte != ':' || d->state != NAME)
        return refuse(d, 400, "a trailer line must be a name, a colon and a value");
    d->state = VALUE;
    return HTTP1_MORE;
}

static enum http1_result expect(struct http1_chunked *d, char byte, char wanted, uint8_t next)
{
    if (byte != wanted)
        return refuse(d, 400, "chunks and their lines must end in CR LF");
    d->state = next;
    return HTTP1_MORE;
}

/* every state but DATA takes one byte */
static enum http1_result on_byte(struct http1_chunked *d, char byte)
{
    switch (d->state) {
    case SIZE:
        return on_size_byte(d, byte);
    case EXTENSION:
        return on_extra_byte(d, byte, SIZE_LF);
    case SIZE_LF:
        return byte == '\n' ? on_size_end(d) : expect(d, byte, '\n', SIZE_LF);
    case DATA_CR:
        return expect(d, byte, '\r', DATA_LF);
    case DATA_LF:
        d->digits = 0;
        return expect(d, byte, '\n', SIZE); /* `left` is zero again */
    case LINE:
        return byte == '\r' ? expect(d, byte, '\r', END_LF) : on_name_byte(d, byte);
    case NAME:
        return on_name_byte(d, byte);
    case VALUE:
        return on_extra_byte(d, byte, VALUE_LF);
    case VALUE_LF:
        return expect(d, byte, '\n', LINE);
    default:
        ASSERT(d->state == END_LF);
        return expect(d, byte, '\n', DONE);
    }
}

enum http1_result http1_chunked_decode(
    struct http1_chunked *d, char *bytes, size_t size, size_t *ret_used, size_t *ret_kept)
{
    size_t at = 0, kept = 0;
    enum http1_result result = HTTP1_MORE;
    while (at < size && result == HTTP1_MORE && d->state != DONE) {
        if (d->state != DATA) {
            result = on_byte(d, bytes[at++]);
            continue;
        }
        size_t count = size - at < d->left ? size - at : (size_t)d->left;
        memmove(bytes + kept, bytes + at, count);
        at += count;
        kept += count;
        d->body_bytes += count;
        d->left -= count;
        if (d->left == 0)
            d->state = DATA_CR;
    }
    *ret_used = at;
    *ret_kept = kept;
    return result == HTTP1_MORE && d->state == DONE ? HTTP1_DONE : result;
}
