/* sigv4_key.c: see sigv4_key.h. */
#include "auth/sigv4_key.h"

#include "auth/credential.h"
#include "base/limits.h"
#include "base/map.h"

enum {
    KEY_SETS = 16,
    KEY_WAYS = 4,
    KEY_PARTS = 4,
    /* a length byte each, a day of eight digits, service names of at most 32 bytes */
    KEY_TEXT_BYTES_MAX = KEY_PARTS + SECRET_BYTES_MAX + 8 + REGION_BYTES_MAX + 32,
};

struct key_entry {
    struct hmac_key key;
    uint64_t hash;
    size_t size; /* 0: never used */
    char text[KEY_TEXT_BYTES_MAX];
};
struct key_set {
    struct key_entry ways[KEY_WAYS];
    unsigned oldest;
};
static _Thread_local struct key_set key_sets[KEY_SETS];

/* All parts with their lengths, so that no two different scopes read alike. 0: they do not fit. */
static size_t key_text(const struct slice parts[KEY_PARTS], char out[KEY_TEXT_BYTES_MAX])
{
    size_t used = 0;
    for (size_t index = 0; index < KEY_PARTS; index++) {
        size_t size = parts[index].size;
        if (size > UINT8_MAX || KEY_TEXT_BYTES_MAX - used < size + 1)
            return 0;
        out[used++] = (char)size;
        if (size)
            memcpy(out + used, parts[index].data, size);
        used += size;
    }
    return used;
}

static void derive(const struct signing_scope *scope, struct slice secret, struct hmac_key *ret_key)
{
    char first[4 + SECRET_BYTES_MAX] = "AWS4";
    uint8_t key[SHA256_BYTES];
    ASSERT(secret.size <= SECRET_BYTES_MAX);
    if (secret.size)
        memcpy(first + 4, secret.data, secret.size);
    hmac_sha256(slice_of(first, 4 + secret.size), scope->day, key);
    hmac_sha256(slice_of(key, sizeof key), scope->region, key);
    hmac_sha256(slice_of(key, sizeof key), scope->service, key);
    hmac_sha256(slice_of(key, sizeof key), SLICE("aws4_request"), key);
    hmac_key_init(ret_key, slice_of(key, sizeof key));
    explicit_bzero(first, sizeof first);
    explicit_bzero(key, sizeof key);
}

void signing_key(const struct signing_scope *scope, struct slice secret, struct hmac_key *ret_key)
{
    char text[KEY_TEXT_BYTES_MAX];
    struct slice parts[KEY_PARTS] = { secret, scope->day, scope->region, scope->service };
    size_t size = key_text(parts, text);
    if (size == 0) {
        derive(scope, secret, ret_key);
        return;
    }
    uint64_t hash = map_hash(slice_of(text, size));
    struct key_set *set = &key_sets[hash % KEY_SETS];
    for (size_t way = 0; way < KEY_WAYS; way++) {
        const struct key_entry *e = &set->ways[way];
        if (e->hash == hash && e->size == size && memcmp(e->text, text, size) == 0) {
            *ret_key = e->key;
            return;
        }
    }
    struct key_entry *e = &set->ways[set->oldest++ % KEY_WAYS];
    derive(scope, secret, &e->key);
    e->hash = hash;
    e->size = size;
    memcpy(e->text, text, size);
    *ret_key = e->key;
}
