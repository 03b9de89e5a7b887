/* Policies: any document is refused with a sentence or compiled; compiled ones judge any request without harm and by
 * the rules that hold for all of them. Input: the document, and behind a line "--" the action, the resource, then
 * "key=value,value" lines for the context.
 */
#include "auth/policy.h"
#include "base/limits.h"
#include "base/text.h"

enum { KEYS_MAX = 8, VALUES_MAX = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ACCOUNT "111111111111"
static const struct caller root = {
    .account = ACCOUNT, .arn = { "arn:aws:iam::" ACCOUNT ":root", 30 }, .user_id = { ACCOUNT, 12 }, .is_root = true
};
static const struct caller user = {
    .account = ACCOUNT, .arn = { "arn:aws:iam::" ACCOUNT ":user/alice", 36 }, .user_id = { "AIDAAAAAAAAAAAAAAAAAA", 21 }
};
static const struct caller stranger = { .account = "222222222222",
    .arn = { "arn:aws:sts::222222222222:assumed-role/reader/s", 47 },
    .user_id = { "AROAAAAAAAAAAAAAAAAAA:s", 23 } };
static const struct caller nobody = { .arn = { "anonymous", 9 }, .user_id = { "anonymous", 9 }, .is_anonymous = true };
static const struct caller service = { .arn = { "sns.amazonaws.com", 17 }, .user_id = { "sns", 3 } };

static void judge(const struct policy *p, struct policy_request *r)
{
    static const struct caller *const callers[] = { &root, &user, &stranger, &nobody, &service };
    for (size_t index = 0; index < ARRAY_COUNT(callers); index++) {
        r->caller = callers[index];
        enum policy_effect effect = policy_evaluate(p, r);
        bool is_allowed = access_is_allowed(p, r, SLICE(ACCOUNT));
        ASSERT(effect == policy_evaluate(p, r));
        ASSERT(effect != POLICY_DENY || !is_allowed);
        if (callers[index] == &root)
            ASSERT(is_allowed == (effect != POLICY_DENY));
        else
            ASSERT(!is_allowed || effect == POLICY_ALLOW);
        if (callers[index] == &stranger)
            ASSERT(!is_allowed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice json = slice_of(data, size), rest = SLICE("");
    struct policy_key keys[KEYS_MAX];
    struct slice values[KEYS_MAX][VALUES_MAX];
    struct policy_context context = { keys, 0 };
    struct slice sentence = SLICE_NONE;
    struct policy *p = NULL;
    struct arena arena;
    if (size > 64 * KIB)
        return 0;
    const char *mark = size ? memmem(json.data, json.size, "\n--\n", 4) : NULL;
    if (mark) {
        rest = slice_from(json, (size_t)(mark - json.data) + 4);
        json = slice_head(json, (size_t)(mark - json.data));
    }
    arena_init(&arena, 4 * MIB);
    struct error e = policy_parse(json, &p, &sentence, &arena);
    if (failed(e)) {
        ASSERT(e.code == ERR_BAD && sentence.size > 0 && text_utf8_valid(sentence) == sentence.size);
        arena_deinit(&arena);
        return 0;
    }
    struct policy_request r = { .context = &context };
    r.action = rest.size ? slice_cut(&rest, '\n') : SLICE("sqs:SendMessage");
    r.resource = rest.size ? slice_cut(&rest, '\n') : SLICE("arn:aws:sqs:us-east-1:" ACCOUNT ":orders");
    while (rest.size && context.count < KEYS_MAX) {
        struct slice list = slice_cut(&rest, '\n');
        struct policy_key *key = &keys[context.count];
        *key = (struct policy_key){ slice_cut(&list, '='), values[context.count], 0 };
        while (!slice_is_none(list) && key->count < VALUES_MAX)
            values[context.count][key->count++] = slice_cut(&list, ',');
        context.count++;
    }
    policy_names_principals(p);
    judge(p, &r);
    policy_free(p);
    arena_deinit(&arena);
    return 0;
}
