/* sign.c: see sign.h. */
#include "sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define ACCESS_KEY "test"
#define SECRET_KEY "test"
#define REGION "us-east-1"
#define SERVICE "sqs"
#define CONTENT_TYPE "application/x-amz-json-1.0"
#define SIGNED_HEADERS "content-type;host;x-amz-date;x-amz-target"

enum { DIGEST_SIZE = 32, DIGEST_HEX = 64, BLOCK_SIZE = 64 };

struct signer {
    EVP_MD *sha256;
    EVP_MD_CTX *work;
    EVP_MD_CTX *inner; /* after the key xor ipad block */
    EVP_MD_CTX *outer; /* after the key xor opad block */
    time_t second;
    char day[9];     /* 20250131 */
    char moment[17]; /* 20250131T235959Z */
    char host[96];
    struct buf canonical;
};

static void check(int result)
{
    if (result != 1)
        die("libcrypto: a digest failed");
}

static void digest(struct signer *s, struct span data, unsigned char ret_digest[DIGEST_SIZE])
{
    check(EVP_DigestInit_ex2(s->work, NULL, NULL));
    check(EVP_DigestUpdate(s->work, data.data, data.size));
    check(EVP_DigestFinal_ex(s->work, ret_digest, NULL));
}

static void keyed(struct signer *s, const char *text, size_t size, unsigned char ret_digest[DIGEST_SIZE])
{
    check(EVP_MD_CTX_copy_ex(s->work, s->inner));
    check(EVP_DigestUpdate(s->work, text, size));
    check(EVP_DigestFinal_ex(s->work, ret_digest, NULL));
    check(EVP_MD_CTX_copy_ex(s->work, s->outer));
    check(EVP_DigestUpdate(s->work, ret_digest, DIGEST_SIZE));
    check(EVP_DigestFinal_ex(s->work, ret_digest, NULL));
}

static void prepare_key_state(struct signer *s, EVP_MD_CTX *state, const unsigned char *key, unsigned char pad)
{
    unsigned char block[BLOCK_SIZE];
    memset(block, pad, sizeof block);
    for (size_t index = 0; index < DIGEST_SIZE; index++)
        block[index] ^= key[index];
    check(EVP_DigestInit_ex2(state, s->sha256, NULL));
    check(EVP_DigestUpdate(state, block, sizeof block));
}

static void hmac_once(const void *key, size_t key_size, const char *text, unsigned char ret_digest[DIGEST_SIZE])
{
    unsigned size = DIGEST_SIZE;
    if (!HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, strlen(text), ret_digest, &size))
        die("libcrypto: HMAC failed");
}

static void derive_key(struct signer *s)
{
    unsigned char key[DIGEST_SIZE];
    hmac_once("AWS4" SECRET_KEY, strlen("AWS4" SECRET_KEY), s->day, key);
    hmac_once(key, sizeof key, REGION, key);
    hmac_once(key, sizeof key, SERVICE, key);
    hmac_once(key, sizeof key, "aws4_request", key);
    prepare_key_state(s, s->inner, key, 0x36);
    prepare_key_state(s, s->outer, key, 0x5c);
}

static void follow_clock(struct signer *s)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec == s->second)
        return;
    struct tm parts;
    char day[9];
    s->second = now.tv_sec;
    gmtime_r(&s->second, &parts);
    strftime(day, sizeof day, "%Y%m%d", &parts);
    strftime(s->moment, sizeof s->moment, "%Y%m%dT%H%M%SZ", &parts);
    if (memcmp(day, s->day, sizeof day) == 0)
        return;
    memcpy(s->day, day, sizeof day);
    derive_key(s);
}

struct signer *signer_new(const char *host_header)
{
    struct signer *s = must_alloc(sizeof *s);
    if (snprintf(s->host, sizeof s->host, "%s", host_header) >= (int)sizeof s->host)
        die("the host name is too long");
    s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    s->work = EVP_MD_CTX_new();
    s->inner = EVP_MD_CTX_new();
    s->outer = EVP_MD_CTX_new();
    if (!s->sha256 || !s->work || !s->inner || !s->outer)
        die("libcrypto: no SHA256");
    check(EVP_DigestInit_ex2(s->work, s->sha256, NULL));
    return s;
}

void signer_free(struct signer *s)
{
    if (!s)
        return;
    EVP_MD_CTX_free(s->work);
    EVP_MD_CTX_free(s->inner);
    EVP_MD_CTX_free(s->outer);
    EVP_MD_free(s->sha256);
    buf_free(&s->canonical);
    free(s);
}

/* The signature, as DIGEST_HEX digits, of the request whose body has the given digest. */
static void make_signature(struct signer *s, const char *target, const char *body_hex, char *ret_signature)
{
    struct buf *b = &s->canonical;
    unsigned char sum[DIGEST_SIZE];
    b->size = 0;
    buf_text(b, "POST\n/\n\ncontent-type:" CONTENT_TYPE "\nhost:");
    buf_text(b, s->host);
    buf_text(b, "\nx-amz-date:");
    buf_text(b, s->moment);
    buf_text(b, "\nx-amz-target:");
    buf_text(b, target);
    buf_text(b, "\n\n" SIGNED_HEADERS "\n");
    buf_add(b, body_hex, DIGEST_HEX);
    digest(s, (struct span){ b->data, b->size }, sum);

    char sum_hex[DIGEST_HEX];
    hex_encode(sum, sizeof sum, sum_hex);
    b->size = 0;
    buf_text(b, "AWS4-HMAC-SHA256\n");
    buf_text(b, s->moment);
    buf_text(b, "\n");
    buf_text(b, s->day);
    buf_text(b, "/" REGION "/" SERVICE "/aws4_request\n");
    buf_add(b, sum_hex, sizeof sum_hex);
    keyed(s, b->data, b->size, sum);
    hex_encode(sum, sizeof sum, ret_signature);
}

void signer_add_request(struct signer *s, struct buf *out, const char *target, struct span body)
{
    unsigned char sum[DIGEST_SIZE];
    char body_hex[DIGEST_HEX], signature[DIGEST_HEX];
    follow_clock(s);
    digest(s, body, sum);
    hex_encode(sum, sizeof sum, body_hex);
    make_signature(s, target, body_hex, signature);

    buf_text(out, "POST / HTTP/1.1\r\nHost: ");
    buf_text(out, s->host);
    buf_text(out, "\r\nUser-Agent: millrace-bench\r\nContent-Type: " CONTENT_TYPE "\r\nX-Amz-Target: ");
    buf_text(out, target);
    buf_text(out, "\r\nX-Amz-Date: ");
    buf_text(out, s->moment);
    buf_text(out, "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" ACCESS_KEY "/");
    buf_text(out, s->day);
    buf_text(out, "/" REGION "/" SERVICE "/aws4_request, SignedHeaders=" SIGNED_HEADERS ", Signature=");
    buf_add(out, signature, sizeof signature);
    buf_text(out, "\r\nContent-Length: ");
    buf_number(out, body.size);
    buf_text(out, "\r\n\r\n");
    buf_add(out, body.data, body.size);
}
