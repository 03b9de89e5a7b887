/* aead.c: AES-256-GCM (digest.h) by EVP: the cipher fetched once, two contexts a thread. */
#include "base/check.h"
#include "base/mutant.h"
#include "crypto/digest.h"
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

/* A context of a thread, which keeps its last key: the schedule of a key costs more than a short text. One for each
 * direction. */
struct context {
    EVP_CIPHER_CTX *c;
    bool has_key;
    uint8_t key[AEAD_KEY_BYTES];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *cipher;
static pthread_key_t contexts_key;               /* only for its destructor at thread exit */
static _Thread_local struct context contexts[2]; /* open, seal */

static void free_contexts(void *of_thread)
{
    struct context *x = of_thread;
    for (int i = 0; i < 2; i++) {
        EVP_CIPHER_CTX_free(x[i].c);
        OPENSSL_cleanse(&x[i], sizeof(x[i]));
    }
}

static void prepare(void)
{
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    ASSERT(cipher);
    ASSERT(pthread_key_create(&contexts_key, free_contexts) == 0);
}

static void make_context(struct context *x, bool seal)
{
    pthread_once(&once, prepare);
    x->c = EVP_CIPHER_CTX_new();
    ASSERT(x->c);
    ASSERT(pthread_setspecific(contexts_key, contexts) == 0);
    ASSERT(EVP_CipherInit_ex2(x->c, cipher, NULL, NULL, seal, NULL) == 1);
    ASSERT(EVP_CIPHER_CTX_get_iv_length(x->c) == AEAD_NONCE_BYTES);
}

/* Ready for that key and nonce. */
static EVP_CIPHER_CTX *start(const uint8_t *key, const uint8_t *nonce, bool seal)
{
    struct context *x = &contexts[seal];
    if (UNLIKELY(!x->c))
        make_context(x, seal);
    bool is_new = !x->has_key || memcmp(x->key, key, AEAD_KEY_BYTES) != 0;
    ASSERT(EVP_CipherInit_ex2(x->c, NULL, is_new ? key : NULL, nonce, seal, NULL) == 1);
    if (is_new) {
        memcpy(x->key, key, AEAD_KEY_BYTES);
        x->has_key = true;
    }
    return x->c;
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
