/* aead.c: AES-256-GCM (digest.h) by EVP: the cipher fetched once, one context a thread. */
#include "base/check.h"
#include "base/mutant.h"
#include "crypto/digest.h"
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *cipher;
static pthread_key_t context_key; /* only for its destructor at thread exit */
static _Thread_local EVP_CIPHER_CTX *thread_context;

static void free_context(void *context)
{
    EVP_CIPHER_CTX_free(context);
    thread_context = NULL;
}

static void prepare(void)
{
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    ASSERT(cipher);
    ASSERT(pthread_key_create(&context_key, free_context) == 0);
}

/* This thread's context, ready for that key and nonce. Initialising an old context is much cheaper than a new one. */
static EVP_CIPHER_CTX *start(const uint8_t *key, const uint8_t *nonce, bool seal)
{
    if (UNLIKELY(!thread_context)) {
        pthread_once(&once, prepare);
        thread_context = EVP_CIPHER_CTX_new();
        ASSERT(thread_context);
        ASSERT(pthread_setspecific(context_key, thread_context) == 0);
        ASSERT(EVP_CipherInit_ex2(thread_context, cipher, NULL, NULL, seal, NULL) == 1);
        ASSERT(EVP_CIPHER_CTX_get_iv_length(thread_context) == AEAD_NONCE_BYTES);
    }
    ASSERT(EVP_CipherInit_ex2(thread_context, NULL, key, nonce, seal, NULL) == 1);
    return thread_context;
}

/* Associated data if `out` is NULL, else text. */
static void add(EVP_CIPHER_CTX *c, uint8_t *out, struct slice s)
{
    int size = 0;
    if (s.size == 0)
        return;
    ASSERT(s.size <= INT_MAX);
    ASSERT(EVP_CipherUpdate(c, out, &size, (const uint8_t *)s.data, (int)s.size) == 1);
    ASSERT((size_t)size == s.size);
}

void aead_seal(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES], struct slice associated,
    struct slice s, uint8_t *out)
{
    uint8_t nothing[EVP_MAX_BLOCK_LENGTH];
    int size = 0;
    EVP_CIPHER_CTX *c = start(key, nonce, true);
    add(c, NULL, associated);
    add(c, out, s);
    ASSERT(EVP_CipherFinal_ex(c, nothing, &size) == 1 && size == 0);
    ASSERT(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, out + s.size) == 1);
}

bool aead_open(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES], struct slice associated,
    struct slice s, uint8_t *out)
{
    uint8_t nothing[EVP_MAX_BLOCK_LENGTH], tag[AEAD_TAG_BYTES];
    int size = 0;
    if (s.size < AEAD_TAG_BYTES)
        return false;
    struct slice text = slice_head(s, s.size - AEAD_TAG_BYTES);
    memcpy(tag, s.data + text.size, AEAD_TAG_BYTES);
    EVP_CIPHER_CTX *c = start(key, nonce, false);
    add(c, NULL, associated);
    add(c, out, text);
    ASSERT(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) == 1);
    if (EVP_CipherFinal_ex(c, nothing, &size) == 1 || MUTANT(broken_seal))
        return true;
    OPENSSL_cleanse(out, text.size); /* nobody sees what was not authentic */
    return false;
}
