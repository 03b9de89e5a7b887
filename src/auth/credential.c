/* credential.c: see credential.h. A set is a sorted array; who asks holds no lock because nothing in it ever changes.
 */
#include "auth/credential.h"

#include "base/limits.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "sys/sys.h"
#include <stdlib.h>

enum { CREDENTIAL_FILE_BYTES_MAX = MIB, ARN_SUFFIX_BYTES_MAX = 512 };

struct credential_set {
    bool is_development;
    const struct credential *credentials; /* by access key */
    size_t count;
};

/* ---- the development set ---------------------------------------------------------------------------------------- */

struct credential_set *credential_set_development(void)
{
    static const struct credential test = {
        .access_key = { "test", 4 },
        .secret = { "test", 4 },
        .account = "000000000000",
        .arn = { "arn:aws:iam::000000000000:root", 30 },
        .user_id = { "000000000000", ACCOUNT_BYTES },
    };
    static struct credential_set set = { .is_development = true, .credentials = &test, .count = 1 };
    return &set;
}

bool credential_set_is_development(const struct credential_set *set)
{
    return set->is_development;
}

bool credential_is_account(struct slice s)
{
    for (size_t index = 0; index < s.size; index++) {
        if (!text_is_digit(s.data[index]))
            return false;
    }
    return s.size == ACCOUNT_BYTES;
}

/* The root user of `account`. */
static void fill_root(struct credential *c, struct slice account, struct arena *arena)
{
    memcpy(c->account, account.data, ACCOUNT_BYTES);
    c->account[ACCOUNT_BYTES] = '\0';
    c->arn = arena_printf(arena, "arn:aws:iam::%s:root", c->account);
    c->user_id = arena_copy(arena, account);
}

/* ---- looking up ------------------------------------------------------------------------------------------------- */

static int compare_keys(const void *left, const void *right)
{
    const struct credential *a = left, *b = right;
    return slice_compare(a->access_key, b->access_key);
}

const struct credential *credential_find(
    const struct credential_set *set, struct slice access_key, struct credential *storage, struct arena *arena)
{
    struct credential wanted = { .access_key = access_key };
    const struct credential *found = bsearch(&wanted, set->credentials, set->count, sizeof wanted, compare_keys);
    if (found || !set->is_development || !credential_is_account(access_key))
        return found;
    *storage = (struct credential){ .access_key = access_key, .secret = SLICE("test") };
    fill_root(storage, access_key, arena);
    return storage;
}

void caller_of_credential(const struct credential *c, struct caller *ret_caller)
{
    *ret_caller = (struct caller){ .arn = c->arn, .user_id = c->user_id, .access_key = c->access_key };
    memcpy(ret_caller->account, c->account, sizeof ret_caller->account);
    ret_caller->is_root = slice_ends(c->arn, SLICE(":root"));
}

void caller_anonymous(struct caller *ret_caller)
{
    *ret_caller = (struct caller){ .arn = SLICE("anonymous"), .user_id = SLICE("anonymous"), .access_key = SLICE("") };
    ret_caller->is_anonymous = true;
}

/* ---- a credentials file ----------------------------------------------------------------------------------------- */

struct loader {
    const struct sys_files *files;
    const char *path;
    struct arena *arena;
    struct slice *ret_sentence;
    unsigned line;
};

#define REFUSE(l, ...) (*(l)->ret_sentence = arena_printf((l)->arena, __VA_ARGS__), ERROR_OF(ERR_CONFIG))

static bool is_printable(struct slice s, size_t max)
{
    for (size_t index = 0; index < s.size; index++) {
        if (s.data[index] <= ' ' || s.data[index] > '~')
            return false;
    }
    return s.size > 0 && s.size <= max;
}

/* What a signature's Credential can carry: no slash, no comma. */
static bool is_access_key(struct slice s)
{
    return is_printable(s, ACCESS_KEY_BYTES_MAX) && slice_find(s, '/') == s.size && slice_find(s, ',') == s.size;
}

static bool is_arn_suffix(struct slice s)
{
    static const struct slice prefixes[] = { { "user/", 5 }, { "role/", 5 }, { "assumed-role/", 13 },
        { "federated-user/", 15 } };
    if (!is_printable(s, ARN_SUFFIX_BYTES_MAX) || slice_find(s, '*') != s.size || slice_find(s, ':') != s.size)
        return false;
    for (size_t index = 0; index < ARRAY_COUNT(prefixes); index++) {
        if (slice_starts(s, prefixes[index]) && s.size > prefixes[index].size)
            return !slice_ends(s, SLICE("/"));
    }
    return slice_equal(s, SLICE("root"));
}

/* A unique id as such things look, and the same one after every start: made from the ARN. */
static struct slice user_id_of(struct slice arn, struct arena *arena)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t digest[SHA256_BYTES];
    char id[21] = "AIDA";
    sha256(arn, digest);
    for (size_t index = 4; index < sizeof id; index++)
        id[index] = alphabet[digest[index] & 31];
    return arena_copy(arena, slice_of(id, sizeof id));
}

static struct slice next_field(struct slice *line)
{
    struct slice rest = slice_trim(*line);
    size_t size = 0;
    while (size < rest.size && rest.data[size] != ' ' && rest.data[size] != '\t')
        size++;
    *line = slice_from(rest, size);
    return slice_head(rest, size);
}

/* Sentences name the field, never what it held: it may be a secret in the wrong place. */
static struct error read_line(struct loader *l, struct slice line, struct credential *ret_credential)
{
    struct slice access_key = next_field(&line), secret = next_field(&line), account = next_field(&line);
    struct slice suffix = next_field(&line);
    if (!is_access_key(access_key))
        return REFUSE(l, "%s:%u: the access key id must be 1 to %d printable characters without ',' and '/'.", l->path,
            l->line, ACCESS_KEY_BYTES_MAX);
    if (!is_printable(secret, SECRET_BYTES_MAX))
        return REFUSE(l, "%s:%u: expected a secret access key of 1 to %d printable characters after the access key id.",
            l->path, l->line, SECRET_BYTES_MAX);
    if (!credential_is_account(account))
        return REFUSE(l, "%s:%u: expected an account id of 12 digits after the secret.", l->path, l->line);
    if (suffix.size && !is_arn_suffix(suffix))
        return REFUSE(
            l, "%s:%u: expected 'root' or the end of an ARN, such as user/alice or role/reader.", l->path, l->line);
    if (slice_trim(line).size)
        return REFUSE(
            l, "%s:%u: expected at most four fields: key id, secret, account, end of the ARN.", l->path, l->line);
    *ret_credential = (struct credential){ .access_key = access_key, .secret = secret };
    fill_root(ret_credential, account, l->arena);
    if (suffix.size == 0 || slice_equal(suffix, SLICE("root")))
        return OK;
    bool is_session = slice_starts(suffix, SLICE("assumed-role/")) || slice_starts(suffix, SLICE("federated-user/"));
    ret_credential->arn = arena_printf(
        l->arena, "arn:aws:%s::%s:%.*s", is_session ? "sts" : "iam", ret_credential->account, SLICE_ARG(suffix));
    ret_credential->user_id = user_id_of(ret_credential->arn, l->arena);
    return OK;
}

static struct error read_lines(struct loader *l, struct slice text, struct credential_set *set)
{
    size_t lines = 1;
    for (size_t index = 0; index < text.size; index++)
        lines += text.data[index] == '\n';
    if (!arena_room(l->arena, lines * (sizeof(struct credential) + 128)))
        return REFUSE(l, "%s: %zu lines are more than the memory for credentials holds.", l->path, lines);
    struct credential *credentials = ARENA_ARRAY(l->arena, struct credential, lines);
    for (struct slice rest = text; rest.size;) {
        struct slice line = slice_cut(&rest, '\n');
        l->line++;
        if (slice_ends(line, SLICE("\r")))
            line.size--;
        line = slice_trim(line);
        if (line.size && line.data[0] != '#')
            TRY(read_line(l, line, &credentials[set->count++]));
    }
    if (set->count == 0)
        return REFUSE(l,
            "%s: there is no credential in it; expected lines of 'access_key_id secret_access_key account_id'.",
            l->path);
    qsort(credentials, set->count, sizeof *credentials, compare_keys);
    for (size_t index = 1; index < set->count; index++) {
        if (compare_keys(&credentials[index - 1], &credentials[index]) == 0)
            return REFUSE(
                l, "%s: the access key id %.*s stands there twice.", l->path, SLICE_ARG(credentials[index].access_key));
    }
    set->credentials = credentials;
    return OK;
}

static struct error read_open_file(struct loader *l, struct sys_file *f, struct slice *ret_text)
{
    uint32_t mode;
    uint64_t size;
    size_t got;
    TRY(l->files->mode(f, &mode));
    if (mode & 077)
        return REFUSE(l, "%s: holds secrets but others may use it (mode %04o); expected mode 0600.", l->path, mode);
    TRY(l->files->size(f, &size));
    if (size > CREDENTIAL_FILE_BYTES_MAX)
        return REFUSE(l, "%s: larger than %d bytes.", l->path, CREDENTIAL_FILE_BYTES_MAX);
    if (!arena_room(l->arena, (size_t)size))
        return REFUSE(l, "%s: does not fit in the memory for credentials.", l->path);
    char *text = arena_alloc(l->arena, (size_t)size);
    TRY(l->files->read(f, 0, text, (size_t)size, &got));
    *ret_text = slice_of(text, got);
    return OK;
}

struct error credential_set_load_from(const struct sys_files *files, const char *path, struct arena *arena,
    struct credential_set **ret_set, struct slice *ret_sentence)
{
    struct loader l = { .files = files, .path = path, .arena = arena, .ret_sentence = ret_sentence };
    struct sys_file *f;
    struct slice text;
    *ret_sentence = SLICE_NONE;
    struct error e = files->open(path, SYS_OPEN_READ, &f);
    if (!failed(e)) {
        e = read_open_file(&l, f, &text);
        files->close(f);
    }
    if (failed(e)) {
        if (slice_is_none(*ret_sentence))
            *ret_sentence = arena_printf(arena, "%s: cannot be read: %s.", path, error_text(e));
        return e;
    }
    struct credential_set *set = ARENA_NEW(arena, struct credential_set);
    TRY(read_lines(&l, text, set));
    *ret_set = set;
    return OK;
}

struct error credential_set_load(
    const char *path, struct arena *arena, struct credential_set **ret_set, struct slice *ret_sentence)
{
    return credential_set_load_from(&sys->file, path, arena, ret_set, ret_sentence);
}
