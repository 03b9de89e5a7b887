/* credential.h: access keys and who they stand for.
 *
 * Development set (loopback only): key "test"/"test" is account 000000000000; an access key of 12 digits with the
 * secret "test" is that account. A credentials file replaces it: one key a line, access_key_id  secret_access_key
 * account_id  [arn-suffix, default root]
 * '#' comments; 0600 or the load is refused with a sentence. The suffix is root, user/.., role/.., assumed-role/.. or
 * federated-user/..; a set lives in the arena it was loaded into. The development set is static.
 *
 * Thread   lookups from any thread without locks: a loaded set is immutable, reload swaps a pointer; who finds a credential
 * copies what it keeps, so an old set may go with its arena when every thread has turned to something else.
 */
#ifndef MILLRACE_AUTH_CREDENTIAL_H
#define MILLRACE_AUTH_CREDENTIAL_H

#include "base/arena.h"
#include "base/error.h"

enum { ACCESS_KEY_BYTES_MAX = 128, SECRET_BYTES_MAX = 128, ACCOUNT_BYTES = 12 };

struct caller {
    char account[ACCOUNT_BYTES + 1];
    struct slice arn;     /* "arn:aws:iam::000000000000:root" */
    struct slice user_id; /* GetCallerIdentity's UserId */
    struct slice access_key;
    bool is_root; /* all rights in its account */
    bool is_anonymous;
};

struct credential {
    struct slice access_key, secret;
    char account[ACCOUNT_BYTES + 1];
    struct slice arn, user_id;
};

struct credential_set;
struct credential_set *credential_set_development(void);
/* ret_sentence says file, line and what was expected */
struct error credential_set_load(
    const char *path, struct arena *arena, struct credential_set **ret_set, struct slice *ret_sentence);
/* From other files than sys's: a server whose data directory is in memory has its credentials on disk. */
struct sys_files;
struct error credential_set_load_from(const struct sys_files *files, const char *path, struct arena *arena,
    struct credential_set **ret_set, struct slice *ret_sentence);
/* NULL if unknown. Development 12-digit keys are made on the fly into `storage`. */
const struct credential *credential_find(
    const struct credential_set *set, struct slice access_key, struct credential *storage, struct arena *arena);

bool credential_set_is_development(const struct credential_set *set);

/* Twelve digits. */
bool credential_is_account(struct slice s);
/* Views of the credential; is_root for ...:root. */
void caller_of_credential(const struct credential *c, struct caller *ret_caller);
void caller_anonymous(struct caller *ret_caller);

#endif
