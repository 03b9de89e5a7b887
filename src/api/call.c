#include "api/call.h"
#include "api/owner.h"
#include "crypto/digest.h"

struct error call_fail(struct call *c, uint32_t code, const char *format, ...)
{
    c->error_message = SLICE_NONE;
    if (format) {
        va_list args;
        va_start(args, format);
        c->error_message = arena_vprintf(&c->arena, format, args);
        va_end(args);
    }
    return ERROR_OF(code);
}

struct error call_fail_format(struct call *c, uint32_t code, int unused, ...)
{
    va_list args;
    va_start(args, unused);
    c->error_message = arena_vprintf(&c->arena, error_row(code)->text, args);
    va_end(args);
    return ERROR_OF(code);
}

void call_md5_later(struct call *c, struct slice text, uint8_t *out)
{
    c->md5.text = text;
    c->md5.out = out;
}

void call_md5_now(struct call *c)
{
    if (UNLIKELY(c->md5.out))
        md5(c->md5.text, c->md5.out);
    c->md5.out = NULL;
}

struct error call_record(struct call *c, uint16_t type, uint64_t object, struct slice payload)
{
    const struct record_in in = { .type = type, .version = 1, .object = object, .parts = &payload, .part_count = 1 };
    lsn_t lsn;
    TRY(owner_record(c->owner, &in, 1, false, &lsn));
    if (lsn > c->wait_lsn)
        c->wait_lsn = lsn;
    return OK;
}

uint64_t call_now_ms(const struct call *c)
{
    return c->owner->now_ms;
}

struct slice call_source_ip(struct call *c)
{
    char *text = arena_alloc(&c->arena, HTTP_PEER_TEXT_BYTES);
    return http_peer_format(&c->peer, text);
}
