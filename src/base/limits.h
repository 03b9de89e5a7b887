/* limits.h: every bound of the server that is not a fact of one service, with its source.
 * Service limits live in the service's own limits.h.
 */
#ifndef MILLRACE_BASE_LIMITS_H
#define MILLRACE_BASE_LIMITS_H

enum {
    KIB = 1024,
    MIB = 1024 * 1024,

    /* arenas */
    ARENA_BLOCK_BYTES = 4 * KIB,
    ARENA_BLOCK_MAX_BYTES = 256 * KIB,

    /* HTTP: RFC 9112 leaves them to the server; the values are those of common proxies */
    HTTP_HEAD_BYTES_MAX = 16 * KIB,
    HTTP_HEADERS_MAX = 64,
    HTTP_TARGET_BYTES_MAX = 8 * KIB,
    /* a 1 MiB message percent-encoded triples (contract 1.2), plus slack for the other fields */
    HTTP_BODY_BYTES_MAX = 4 * MIB,
    HTTP_HEAD_TIMEOUT_MS = 10 * 1000,
    HTTP_BODY_TIMEOUT_MS =
        30 * 1000, /* without progress: a read, of a body with memory of its own HTTP_PROGRESS_BYTES */
    HTTP_IDLE_TIMEOUT_MS = 120 * 1000,
    HTTP_WRITE_TIMEOUT_MS = 30 * 1000,
    HTTP_PROGRESS_BYTES = 16 * KIB,        /* in each of these times, about 546 bytes a second: Apache asks for 500 */
    HTTP_BODY_BUDGET_BYTES = 256 * MIB,    /* all bodies being read or answered at one time, per process */
    HTTP_STRANGER_BUDGET_BYTES = 32 * MIB, /* the same of those who named no key, beside it; and their large heads */
    HTTP_METHOD_BYTES_MAX = 32,
    HTTP_CHUNK_EXTRA_BYTES_MAX = 8 * KIB, /* chunk extensions and trailers of one body: read and thrown away */
    HTTP_PIPELINE_TURN_MAX = 16,          /* requests of one connection before the others get their turn */
    HTTP_LINGER_MS = 2 * 1000,            /* after a refusal: how long and how much of what the client still sends */
    HTTP_LINGER_BYTES_MAX = 1 * MIB,      /* is thrown away, so that a reset does not destroy the reply on its way */

    /* JSON */
    JSON_DEPTH_MAX = 16,

    /* logs */
    LOG_COUNT = 64,                  /* P: fixed in a data directory at its birth */
    LOG_RECORD_BYTES_MAX = 10 * MIB, /* Kinesis records; SQS needs 1 MiB plus attributes */
    LOG_BATCH_BYTES_MAX = 12 * MIB,

    ACCOUNT_DIGITS = 12,
    REGION_BYTES_MAX = 32,
};

#endif
