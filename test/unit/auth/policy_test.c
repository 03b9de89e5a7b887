/* policy_test.c: policies as tables: what is refused, who is named, what matches, every operator, and the decision
 * table. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/policy.h"
#include "base/limits.h"
#include <stdio.h>

static struct arena memory;

static int set_up(void **state)
{
    arena_init(&memory, 64 * MIB);
    return 0;
}

static int tear_down(void **state)
{
    arena_deinit(&memory);
    return 0;
}

static struct policy *parse(const char *json)
{
    struct policy *p = NULL;
    struct slice sentence = SLICE("");
    struct error e = policy_parse(slice_str(json), &p, &sentence, &memory);
    if (failed(e))
        fail_msg("refused: %s: %.*s", json, SLICE_ARG(sentence));
    return p;
}

/* ---- callers --------------------------------------------------------------------------------------------------------
 */

#define A "111111111111"
#define B "222222222222"

enum who { ROOT_A, USER_A, SESSION_A, ROOT_B, USER_B, SESSION_B, FEDERATED_A, ANONYMOUS, SNS, WHO };
static const struct caller callers[WHO] = {
    [ROOT_A] = { .account = A, .arn = { "arn:aws:iam::" A ":root", 30 }, .user_id = { A, 12 }, .is_root = true },
    [USER_A] = { .account = A,
        .arn = { "arn:aws:iam::" A ":user/x/alice", 38 },
        .user_id = { "AIDAAAAAAAAAAAAAAAAAA", 21 } },
    [SESSION_A] = { .account = A,
        .arn = { "arn:aws:sts::" A ":assumed-role/reader/s1", 48 },
        .user_id = { "AROAAAAAAAAAAAAAAAAAA:s1", 24 } },
    [ROOT_B] = { .account = B, .arn = { "arn:aws:iam::" B ":root", 30 }, .user_id = { B, 12 }, .is_root = true },
    [USER_B] = { .account = B,
        .arn = { "arn:aws:iam::" B ":user/bob", 34 },
        .user_id = { "AIDABBBBBBBBBBBBBBBBB", 21 } },
    [SESSION_B] = { .account = B,
        .arn = { "arn:aws:sts::" B ":assumed-role/reader/s1", 48 },
        .user_id = { "AROABBBBBBBBBBBBBBBBB:s1", 24 } },
    [FEDERATED_A] = { .account = A,
        .arn = { "arn:aws:sts::" A ":federated-user/fred", 45 },
        .user_id = { A ":fred", 17 } },
    [ANONYMOUS] = { .arn = { "anonymous", 9 }, .user_id = { "anonymous", 9 }, .is_anonymous = true },
    [SNS] = { .account = A, .arn = { "sns.amazonaws.com", 17 }, .user_id = { "sns", 3 } },
};

static void callers_are_spelled_right(void **state)
{
    for (int who = 0; who < WHO; who++) {
        assert_int_equal(callers[who].arn.size, strlen(callers[who].arn.data));
        assert_int_equal(callers[who].user_id.size, strlen(callers[who].user_id.data));
    }
}

#define QUEUE "arn:aws:sqs:us-east-1:" A ":orders"

/* ---- documents
 * -------------------------------------------------------------------------------------------------------- */

#define STATEMENT(rest) "{\"Version\":\"2012-10-17\",\"Statement\":[{" rest "}]}"
#define ALLOW_ALL "\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\""
#define CONDITION(text) STATEMENT(ALLOW_ALL ",\"Condition\":{" text "}")

static void documents_are_accepted(void **state)
{
    static const char *const rows[] = {
        STATEMENT(ALLOW_ALL),
        "{\"Statement\":{" ALLOW_ALL "}}",
        "{\"Statement\":[{" ALLOW_ALL "},{" ALLOW_ALL "}],\"Id\":\"x\",\"Version\":\"2008-10-17\"}",
        " {\n\"Version\" : \"2012-10-17\" , \"Statement\" : [ { \"Sid\":\"\"," ALLOW_ALL " } ] } ",
        STATEMENT("\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":[\"" A
                  "\"]},\"NotAction\":[\"sqs:*\"],\"NotResource\":[\"x\"]"),
        STATEMENT("\"Effect\":\"Allow\",\"Action\":\"SQS:SendMessage\""),
        STATEMENT(
            "\"Effect\":\"Allow\",\"Action\":\"sqs:Send*\",\"Principal\":{\"AWS\":\"*\",\"Service\":[\"a\",\"b\"],"
            "\"Federated\":\"c\",\"CanonicalUser\":\"d\"}"),
        STATEMENT(
            "\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":{\"AWS\":[\"AIDAAAAAAAAAAAAAAAAAA\",\"arn:aws:iam::" A
            ":user/a\",\"arn:aws:iam::" A ":root\"]}"),
        CONDITION(""),
        CONDITION("\"StringEquals\":{}"),
        CONDITION("\"StringEquals\":{\"a\":[\"1\",\"2\"],\"b\":3,\"c\":true}"),
        CONDITION("\"ForAllValues:StringLikeIfExists\":{\"a\":\"*\"}"),
        CONDITION("\"DateLessThan\":{\"a\":[\"2026-01-31\",\"2026-01-31T10:00:00Z\",\"2026-01-31T10:00:00.5+01:00\","
                  "\"2026-01\",1]}"),
        CONDITION("\"IpAddress\":{\"a\":[\"10.0.0.1\",\"10.0.0.0/8\",\"::1\",\"2001:db8::/32\",\"0.0.0.0/0\"]}"),
        CONDITION("\"ArnLike\":{\"a\":[\"*\",\"x\",\"arn:aws:sns:*:*:*\"]}"),
        CONDITION("\"StringEquals\":{\"a\":\"${aws:username}${*}${?}${$}${b, 'd'}$\"}"),
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++)
        policy_free(parse(rows[row]));
    policy_free(NULL);
}

static void documents_are_refused(void **state)
{
    static const struct {
        const char *json, *sentence;
    } rows[] = {
        { "", "must be a JSON object" },
        { "[]", "must be a JSON object" },
        { "\"x\"", "must be a JSON object" },
        { "{", "not valid JSON" },
        { "{\"Statement\":{" ALLOW_ALL "}}x", "not valid JSON" },
        { "{\"Statement\":{" ALLOW_ALL ",\"Action\":\"*\"}}", "'Action' twice" },
        { "{}", "must have a Statement" },
        { "{\"Statement\":[]}", "must have a Statement" },
        { "{\"Statement\":1}", "object or a list" },
        { "{\"Statement\":[1]}", "must be an object" },
        { "{\"Statement\":[],\"Statement\":[]}", "'Statement' twice" },
        { "{\"Version\":\"2012-10-18\",\"Statement\":{" ALLOW_ALL "}}", "Version must be" },
        { "{\"Version\":2012,\"Statement\":{" ALLOW_ALL "}}", "Version must be" },
        { "{\"version\":\"2012-10-17\",\"Statement\":{" ALLOW_ALL "}}", "no element 'version'" },
        { "{\"Id\":1,\"Statement\":{" ALLOW_ALL "}}", "Id must be a string" },
        { STATEMENT(ALLOW_ALL ",\"Sid\":1"), "Sid must be a string" },
        { STATEMENT(ALLOW_ALL ",\"sid\":\"\""), "no element 'sid'" },
        { STATEMENT(ALLOW_ALL ",\"NotAction\":\"*\""), "both Action and NotAction" },
        { STATEMENT(ALLOW_ALL ",\"NotResource\":\"*\""), "both Resource and NotResource" },
        { STATEMENT(ALLOW_ALL ",\"NotPrincipal\":\"*\""), "both Principal and NotPrincipal" },
        { STATEMENT("\"Action\":\"*\""), "must have an Effect" },
        { STATEMENT("\"Effect\":\"Allow\""), "must have an Action" },
        { STATEMENT("\"Effect\":\"allow\",\"Action\":\"*\""), "Effect must be" },
        { STATEMENT("\"Effect\":true,\"Action\":\"*\""), "Effect must be" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":[]"), "empty list" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":{}"), "Action must be a string or a list" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":[1]"), "Action must be a string or a list" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"SendMessage\""), "'SendMessage' is not an action" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"\""), "'' is not an action" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"sqs:\""), "'sqs:' is not an action" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\":x\""), "':x' is not an action" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"sqs:a b\""), "'sqs:a b' is not an action" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"\""), "resource must not be empty" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":\"" A "\""),
            "Principal must be '*' or an object" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":[\"*\"]"),
            "Principal must be '*' or an object" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":{}"), "must name somebody" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":{\"aws\":\"*\"}"), "'aws', which is unknown" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":{\"AWS\":\"*\",\"AWS\":\"*\"}"),
            "there twice" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":{\"AWS\":\"alice\"}"),
            "Invalid principal 'alice'" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":{\"AWS\":\"arn:aws:iam::" A ":user/*\"}"),
            "Invalid" },
        { STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":{\"AWS\":\"11111111111\"}"),
            "Invalid principal" },
        { STATEMENT(ALLOW_ALL ",\"Condition\":[]"), "Condition must be an object" },
        { CONDITION("\"StringEqual\":{\"a\":\"b\"}"), "'StringEqual' is not a condition operator" },
        { CONDITION("\"stringequals\":{\"a\":\"b\"}"), "is not a condition operator" },
        { CONDITION("\"ForSomeValues:StringEquals\":{\"a\":\"b\"}"), "is not a condition operator" },
        { CONDITION("\"IfExists\":{\"a\":\"b\"}"), "is not a condition operator" },
        { CONDITION("\"NullIfExists\":{\"a\":\"true\"}"), "is not a condition operator" },
        { CONDITION("\"ForAnyValue:Null\":{\"a\":\"true\"}"), "is not a condition operator" },
        { CONDITION("\"StringEquals\":\"a\""), "must hold an object" },
        { CONDITION("\"StringEquals\":{\"\":\"b\"}"), "must not be empty" },
        { CONDITION("\"StringEquals\":{\"a\":[]}"), "empty list" },
        { CONDITION("\"StringEquals\":{\"a\":null}"), "must be a string" },
        { CONDITION("\"NumericEquals\":{\"a\":\"x\"}"), "'x' is not a value for the condition operator NumericEquals" },
        { CONDITION("\"NumericEquals\":{\"a\":\"0x10\"}"), "is not a value" },
        { CONDITION("\"NumericEquals\":{\"a\":\"nan\"}"), "is not a value" },
        { CONDITION("\"NumericEquals\":{\"a\":\"\"}"), "is not a value" },
        { CONDITION("\"DateEquals\":{\"a\":\"2026-13-01\"}"), "is not a value" },
        { CONDITION("\"DateEquals\":{\"a\":\"2026-01-01T00:00:00\"}"), "is not a value" },
        { CONDITION("\"DateEquals\":{\"a\":\"2026-01-01T00:00:00Zx\"}"), "is not a value" },
        { CONDITION("\"DateEquals\":{\"a\":\"2026-01-01T00:00:00.Z\"}"), "is not a value" },
        { CONDITION("\"DateEquals\":{\"a\":\"2026-01-01T00:00:00+24:00\"}"), "is not a value" },
        { CONDITION("\"Bool\":{\"a\":\"yes\"}"), "is not a value" },
        { CONDITION("\"Null\":{\"a\":1}"), "is not a value" },
        { CONDITION("\"BinaryEquals\":{\"a\":\"a=b=\"}"), "is not a value" },
        { CONDITION("\"IpAddress\":{\"a\":\"10.0.0.256\"}"), "is not a value" },
        { CONDITION("\"IpAddress\":{\"a\":\"10.0.0.0/33\"}"), "is not a value" },
        { CONDITION("\"IpAddress\":{\"a\":\"::/129\"}"), "is not a value" },
        { CONDITION("\"IpAddress\":{\"a\":\"10.0.0.0/\"}"), "is not a value" },
        { CONDITION("\"IpAddress\":{\"a\":\"\"}"), "is not a value" },
        { CONDITION("\"StringEquals\":{\"a\":\"${b\"}"), "no closing brace" },
        { CONDITION("\"StringEquals\":{\"a\":\"${}\"}"), "has no name" },
        { CONDITION("\"StringEquals\":{\"a\":\"${b, c}\"}"), "single quotes" },
        { CONDITION("\"StringEquals\":{\"a\":\"${b, '}\"}"), "single quotes" },
        { CONDITION("\"StringEquals\":{\"a\":\"${a}${b}${c}${d}${e}\"}"), "more than 4 variables" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct policy *p = NULL;
        struct slice sentence = SLICE("");
        struct error e = policy_parse(slice_str(rows[row].json), &p, &sentence, &memory);
        if (e.code != ERR_BAD || !memmem(sentence.data, sentence.size, rows[row].sentence, strlen(rows[row].sentence)))
            fail_msg("row %zu: %s: %u '%.*s'", row, rows[row].json, e.code, SLICE_ARG(sentence));
        assert_null(p);
    }
}

static void too_many_wildcards_are_refused(void **state)
{
    char json[1024];
    for (int stars = 120; stars <= 140; stars++) {
        char many[256] = "";
        for (int index = 0; index < stars; index++)
            many[index] = index % 2 ? '?' : '*';
        snprintf(
            json, sizeof json, "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"%s\"}}", many);
        struct policy *p = NULL;
        struct slice sentence;
        assert_int_equal(policy_parse(slice_str(json), &p, &sentence, &memory).code, stars > 128 ? ERR_BAD : 0);
        policy_free(p);
    }
}

static void named_principals_are_known(void **state)
{
    struct policy *p = parse("{\"Statement\":[{" ALLOW_ALL "}]}");
    assert_true(policy_names_principals(p));
    policy_free(p);
    p = parse("{\"Statement\":[{" ALLOW_ALL "},{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}");
    assert_false(policy_names_principals(p));
    policy_free(p);
}

/* ---- evaluating one statement
 * ------------------------------------------------------------------------------------------- */

enum { KEYS_MAX = 4, VALUES_MAX = 4 };

/* "aws:SourceIp=10.0.0.1;TagKeys=a,b" */
struct test_context {
    struct policy_context context;
    struct policy_key keys[KEYS_MAX];
    struct slice values[KEYS_MAX][VALUES_MAX];
};

static void read_context(const char *text, struct test_context *c)
{
    struct slice rest = slice_str(text);
    size_t count = 0;
    while (rest.size) {
        struct slice values = slice_cut(&rest, ';');
        struct policy_key key = { .name = slice_cut(&values, '='), .values = c->values[count] };
        while (!slice_is_none(values))
            c->values[count][key.count++] = slice_cut(&values, ',');
        c->keys[count++] = key;
    }
    c->context = (struct policy_context){ c->keys, count };
}

static enum policy_effect evaluate(
    const char *json, enum who who, const char *action, const char *resource, const char *context)
{
    struct test_context c;
    struct policy *p = parse(json);
    read_context(context, &c);
    struct policy_request r = { &callers[who], slice_str(action), slice_str(resource), &c.context };
    enum policy_effect effect = policy_evaluate(p, &r);
    policy_free(p);
    return effect;
}

static void actions_and_resources_match(void **state)
{
    static const struct {
        const char *elements; /* of an Allow statement for everybody */
        const char *action, *resource;
        bool is_match;
    } rows[] = {
        { "\"Action\":\"sqs:SendMessage\"", "sqs:SendMessage", QUEUE, true },
        { "\"Action\":\"SQS:sendmessage\"", "sqs:SendMessage", QUEUE, true },
        { "\"Action\":\"sqs:SendMessage\"", "sqs:SendMessageBatch", QUEUE, false },
        { "\"Action\":\"sqs:Send\"", "sqs:SendMessage", QUEUE, false },
        { "\"Action\":\"sqs:*\"", "sqs:SendMessage", QUEUE, true },
        { "\"Action\":\"sns:*\"", "sqs:SendMessage", QUEUE, false },
        { "\"Action\":\"*\"", "sqs:SendMessage", QUEUE, true },
        { "\"Action\":\"sqs:S*Message\"", "sqs:SendMessage", QUEUE, true },
        { "\"Action\":\"sqs:S*Massage\"", "sqs:SendMessage", QUEUE, false },
        { "\"Action\":\"sqs:Send?essage\"", "sqs:SendMessage", QUEUE, true },
        { "\"Action\":\"sqs:Send??ssage\"", "sqs:SendMessage", QUEUE, true },
        { "\"Action\":\"sqs:SendMessage?\"", "sqs:SendMessage", QUEUE, false },
        { "\"Action\":[\"sqs:a\",\"sqs:b\",\"sqs:c\"]", "sqs:B", QUEUE, true },
        { "\"NotAction\":\"sqs:Send*\"", "sqs:SendMessage", QUEUE, false },
        { "\"NotAction\":\"sqs:Send*\"", "sqs:ReceiveMessage", QUEUE, true },
        { "\"NotAction\":[\"sqs:a\",\"sqs:b\"]", "sqs:b", QUEUE, false },
        { "\"Action\":\"*\",\"Resource\":\"" QUEUE "\"", "sqs:a", QUEUE, true },
        { "\"Action\":\"*\",\"Resource\":\"" QUEUE "2\"", "sqs:a", QUEUE, false },
        { "\"Action\":\"*\",\"Resource\":\"arn:aws:sqs:us-east-1:" A ":Orders\"", "sqs:a", QUEUE, false },
        { "\"Action\":\"*\",\"Resource\":\"arn:aws:sqs:*:*:ord*\"", "sqs:a", QUEUE, true },
        { "\"Action\":\"*\",\"Resource\":\"arn:*:orders\"", "sqs:a", QUEUE, true }, /* a star spans everything here */
        { "\"Action\":\"*\",\"Resource\":\"arn:aws:sqs:*:order?\"", "sqs:a", QUEUE, true },
        { "\"Action\":\"*\",\"Resource\":\"arn:aws:sqs:*:order??\"", "sqs:a", QUEUE, false },
        { "\"Action\":\"*\",\"Resource\":\"*or*or*\"", "sqs:a", QUEUE, false },
        { "\"Action\":\"*\",\"Resource\":\"*o*r*d*e*r*s\"", "sqs:a", QUEUE, true },
        { "\"Action\":\"*\",\"Resource\":[\"x\",\"" QUEUE "\"]", "sqs:a", QUEUE, true },
        { "\"Action\":\"*\",\"NotResource\":\"arn:aws:sqs:*:*:ord*\"", "sqs:a", QUEUE, false },
        { "\"Action\":\"*\",\"NotResource\":\"arn:aws:sqs:*:*:inv*\"", "sqs:a", QUEUE, true },
        { "\"Action\":\"*\",\"Resource\":\"*/${aws:username}\"", "sqs:a", "home/alice", true },
        { "\"Action\":\"*\",\"Resource\":\"*/${aws:username}\"", "sqs:a", "home/bob", false },
        { "\"Action\":\"*\",\"Resource\":\"${aws:username}*\"", "sqs:a", "alice-queue", true },
        { "\"Action\":\"*\",\"Resource\":\"${no:such}*\"", "sqs:a", "alice-queue", false },
        { "\"Action\":\"*\",\"Resource\":\"${no:such, 'ali'}*\"", "sqs:a", "alice-queue", true },
        { "\"Action\":\"*\",\"Resource\":\"a${*}b\"", "sqs:a", "a*b", true },
        { "\"Action\":\"*\",\"Resource\":\"a${*}b\"", "sqs:a", "axb", false },
        { "\"Action\":\"*\",\"Resource\":\"a${?}b${$}{c}\"", "sqs:a", "a?b${c}", true },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        char json[512];
        snprintf(json, sizeof json,
            "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",%s}}",
            rows[row].elements);
        enum policy_effect effect = evaluate(json, USER_A, rows[row].action, rows[row].resource, "");
        if (effect != (rows[row].is_match ? POLICY_ALLOW : POLICY_NO_MATCH))
            fail_msg("row %zu: %s: %d", row, json, effect);
    }
}

static void old_version_has_no_variables(void **state)
{
    const char *json = "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"${aws:username}${\"}}";
    assert_int_equal(evaluate(json, USER_A, "a:b", "alice", ""), POLICY_NO_MATCH);
    assert_int_equal(evaluate(json, USER_A, "a:b", "${aws:username}${", ""), POLICY_ALLOW);
}

/* A version behind the statements counts for them. */
static void version_may_come_last(void **state)
{
    const char *json = "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"${aws:username}\"},"
                       "\"Version\":\"2012-10-17\"}";
    assert_int_equal(evaluate(json, USER_A, "a:b", "alice", ""), POLICY_ALLOW);
}

static void wildcards_in_values_are_literal(void **state)
{
    const char *json = CONDITION("\"StringLike\":{\"a\":\"${b}\"}");
    assert_int_equal(evaluate(json, USER_A, "a:b", "r", "a=xyz;b=x*"), POLICY_NO_MATCH);
    assert_int_equal(evaluate(json, USER_A, "a:b", "r", "a=x*;b=x*"), POLICY_ALLOW);
}

/* ---- conditions
 * --------------------------------------------------------------------------------------------------------- */

static const struct condition_row {
    const char *condition, *context;
    bool holds;
} condition_rows[] = {
    { "\"StringEquals\":{\"a\":\"x\"}", "a=x", true },
    { "\"StringEquals\":{\"a\":\"x\"}", "A=x", true }, /* names of keys have no case */
    { "\"StringEquals\":{\"a\":\"x\"}", "a=X", false }, { "\"StringEquals\":{\"a\":\"x\"}", "", false },
    { "\"StringEquals\":{\"a\":\"x*\"}", "a=xy", false }, { "\"StringEquals\":{\"a\":\"x*\"}", "a=x*", true },
    { "\"StringEquals\":{\"a\":[\"x\",\"y\"]}", "a=y", true },
    { "\"StringEquals\":{\"a\":[\"x\",\"y\"]}", "a=z", false },
    { "\"StringEquals\":{\"a\":\"x\",\"b\":\"y\"}", "a=x;b=y", true },
    { "\"StringEquals\":{\"a\":\"x\",\"b\":\"y\"}", "a=x;b=z", false },
    { "\"StringEquals\":{\"a\":\"x\"},\"StringLike\":{\"b\":\"y\"}", "a=x;b=z", false },
    { "\"StringEquals\":{\"a\":\"${b}\"}", "a=x;b=x", true }, { "\"StringEquals\":{\"a\":\"${b}\"}", "a=x", false },
    { "\"StringEquals\":{\"a\":\"${b}\"}", "a=x;b=x,y", false }, /* of several values none stands for the variable */
    { "\"StringNotEquals\":{\"a\":\"${b}\"}", "a=x", true }, { "\"StringEquals\":{\"a\":5}", "a=5", true },
    { "\"StringEquals\":{\"a\":true}", "a=true", true }, { "\"StringNotEquals\":{\"a\":\"x\"}", "a=y", true },
    { "\"StringNotEquals\":{\"a\":\"x\"}", "a=x", false },
    { "\"StringNotEquals\":{\"a\":[\"x\",\"y\"]}", "a=y", false },
    { "\"StringNotEquals\":{\"a\":[\"x\",\"y\"]}", "a=z", true }, { "\"StringNotEquals\":{\"a\":\"x\"}", "", true },
    { "\"StringNotEquals\":{\"a\":\"x\"}", "a=x,y", false },
    { "\"StringEqualsIgnoreCase\":{\"a\":\"xY\"}", "a=Xy", true },
    { "\"StringEqualsIgnoreCase\":{\"a\":\"xY\"}", "a=Xz", false },
    { "\"StringNotEqualsIgnoreCase\":{\"a\":\"xY\"}", "a=Xy", false },
    { "\"StringNotEqualsIgnoreCase\":{\"a\":\"xY\"}", "a=Xz", true },
    { "\"StringLike\":{\"a\":\"x*\"}", "a=xyz", true }, { "\"StringLike\":{\"a\":\"x?z\"}", "a=x\xc3\xa9z", true },
    { "\"StringLike\":{\"a\":\"x?z\"}", "a=xz", false }, { "\"StringLike\":{\"a\":\"*\"}", "a=", true },
    { "\"StringLike\":{\"a\":\"\"}", "a=", true }, { "\"StringLike\":{\"a\":\"?\"}", "a=", false },
    { "\"StringNotLike\":{\"a\":\"x*\"}", "a=xyz", false }, { "\"StringNotLike\":{\"a\":\"x*\"}", "a=yz", true },
    { "\"StringNotLike\":{\"a\":\"x*\"}", "", true }, { "\"NumericEquals\":{\"a\":10}", "a=10.0", true },
    { "\"NumericEquals\":{\"a\":\"10\"}", "a=11", false }, { "\"NumericEquals\":{\"a\":\"10\"}", "a=ten", false },
    { "\"NumericNotEquals\":{\"a\":\"10\"}", "a=11", true }, { "\"NumericNotEquals\":{\"a\":\"10\"}", "a=10", false },
    { "\"NumericNotEquals\":{\"a\":\"10\"}", "a=ten", true }, { "\"NumericLessThan\":{\"a\":\"10\"}", "a=9.5", true },
    { "\"NumericLessThan\":{\"a\":\"10\"}", "a=10", false },
    { "\"NumericLessThanEquals\":{\"a\":\"10\"}", "a=10", true },
    { "\"NumericLessThanEquals\":{\"a\":\"10\"}", "a=10.1", false },
    { "\"NumericGreaterThan\":{\"a\":\"-1\"}", "a=0", true },
    { "\"NumericGreaterThan\":{\"a\":\"-1\"}", "a=-1", false },
    { "\"NumericGreaterThanEquals\":{\"a\":\"1e2\"}", "a=100", true },
    { "\"NumericGreaterThanEquals\":{\"a\":\"1e2\"}", "a=99", false },
    { "\"DateEquals\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T11:00:00+01:00", true },
    { "\"DateEquals\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=1769853600", true },
    { "\"DateEquals\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T10:00:01Z", false },
    { "\"DateEquals\":{\"a\":\"2026-01-31\"}", "a=2026-01-31T00:00:00Z", true },
    { "\"DateNotEquals\":{\"a\":\"2026-01-31\"}", "a=2026-01-31T00:00:00Z", false },
    { "\"DateNotEquals\":{\"a\":\"2026-01-31\"}", "a=2026-02-01", true },
    { "\"DateLessThan\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T09:59:59.9Z", true },
    { "\"DateLessThan\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T10:00:00Z", false },
    { "\"DateLessThanEquals\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T10:00:00Z", true },
    { "\"DateLessThanEquals\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T09:00:01-01:00", false },
    { "\"DateGreaterThan\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T10:00:00.1Z", true },
    { "\"DateGreaterThan\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T10:00:00Z", false },
    { "\"DateGreaterThanEquals\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T10:00:00Z", true },
    { "\"DateGreaterThanEquals\":{\"a\":\"2026-01-31T10:00:00Z\"}", "a=2026-01-31T09:59:59Z", false },
    { "\"Bool\":{\"a\":\"true\"}", "a=True", true }, { "\"Bool\":{\"a\":true}", "a=false", false },
    { "\"Bool\":{\"a\":\"false\"}", "", false }, { "\"BinaryEquals\":{\"a\":\"QUI=\"}", "a=QUI=", true },
    { "\"BinaryEquals\":{\"a\":\"QUI=\"}", "a=QUJD", false },
    { "\"IpAddress\":{\"a\":\"10.1.0.0/16\"}", "a=10.1.255.255", true },
    { "\"IpAddress\":{\"a\":\"10.1.0.0/16\"}", "a=10.2.0.0", false },
    { "\"IpAddress\":{\"a\":\"10.1.2.3\"}", "a=10.1.2.3", true },
    { "\"IpAddress\":{\"a\":\"10.1.2.3\"}", "a=10.1.2.2", false },
    { "\"IpAddress\":{\"a\":\"10.1.2.128/25\"}", "a=10.1.2.129", true },
    { "\"IpAddress\":{\"a\":\"10.1.2.128/25\"}", "a=10.1.2.127", false },
    { "\"IpAddress\":{\"a\":\"0.0.0.0/0\"}", "a=203.0.113.9", true },
    { "\"IpAddress\":{\"a\":\"0.0.0.0/0\"}", "a=2001:db8::1", false },
    { "\"IpAddress\":{\"a\":\"10.1.0.0/16\"}", "a=::ffff:10.1.2.3", true },
    { "\"IpAddress\":{\"a\":\"2001:db8::/33\"}", "a=2001:db8:7fff::1", true },
    { "\"IpAddress\":{\"a\":\"2001:db8::/33\"}", "a=2001:db8:8000::1", false },
    { "\"IpAddress\":{\"a\":[\"10.0.0.0/8\",\"::1\"]}", "a=::1", true },
    { "\"IpAddress\":{\"a\":\"10.0.0.0/8\"}", "a=10.x", false },
    { "\"IpAddress\":{\"a\":\"10.0.0.0/16\"}", "a=10.0.0.0/8", false },
    { "\"NotIpAddress\":{\"a\":\"10.0.0.0/8\"}", "a=10.1.2.3", false },
    { "\"NotIpAddress\":{\"a\":\"10.0.0.0/8\"}", "a=11.1.2.3", true },
    { "\"NotIpAddress\":{\"a\":\"10.0.0.0/8\"}", "", true },
    { "\"ArnEquals\":{\"a\":\"arn:aws:sns:us-east-1:" A ":t\"}", "a=arn:aws:sns:us-east-1:" A ":t", true },
    { "\"ArnEquals\":{\"a\":\"arn:aws:sns:us-east-1:" A ":t\"}", "a=arn:aws:sns:us-east-1:" A ":u", false },
    { "\"ArnEquals\":{\"a\":\"arn:aws:sns:*:*:t*\"}", "a=arn:aws:sns:us-east-1:" A ":topic", true },
    { "\"ArnLike\":{\"a\":\"arn:aws:sns:*:" A ":*\"}", "a=arn:aws:sns:us-east-1:" A ":x:y", true },
    { "\"ArnLike\":{\"a\":\"arn:aws:sns:*:topic\"}", "a=arn:aws:sns:us-east-1:" A ":topic", false },
    { "\"ArnLike\":{\"a\":\"arn:aws:s*:b:c:d\"}", "a=arn:aws:sns:x:b:c:d", false }, /* a star does not span fields */
    { "\"ArnLike\":{\"a\":\"arn:aws:*:b:c:d\"}", "a=arn:aws:sns:b:c:d", true },
    { "\"ArnLike\":{\"a\":\"*\"}", "a=arn:aws:sns:b:c:d", true },
    { "\"ArnLike\":{\"a\":\"*\"}", "a=arn:aws:sns", false },
    { "\"ArnLike\":{\"a\":\"arn:aws:sns:${b}:c:d\"}", "a=arn:aws:sns:x:c:d;b=x", true },
    { "\"ArnLike\":{\"a\":\"arn:aws:sns:${b:b, 'x:y'}:c:d\"}", "a=arn:aws:sns:x:c:d", false },
    { "\"ArnLike\":{\"a\":\"arn:aws:sns:${b:b}:c:d\"}", "a=arn:aws:sns:x:c:d;b:b=x", true },
    { "\"ArnNotEquals\":{\"a\":\"arn:aws:sns:*:*:t\"}", "a=arn:aws:sns:x:y:t", false },
    { "\"ArnNotLike\":{\"a\":\"arn:aws:sns:*:*:t\"}", "a=arn:aws:sns:x:y:u", true },
    { "\"ArnNotLike\":{\"a\":\"arn:aws:sns\"}", "a=arn:aws:sns:x:y:u", true },
    { "\"Null\":{\"a\":\"true\"}", "", true }, { "\"Null\":{\"a\":\"true\"}", "a=x", false },
    { "\"Null\":{\"a\":false}", "a=x", true }, { "\"Null\":{\"a\":\"False\"}", "", false },
    { "\"Null\":{\"aws:PrincipalArn\":\"false\"}", "", true },
    /* IfExists */
    { "\"StringEqualsIfExists\":{\"a\":\"x\"}", "", true }, { "\"StringEqualsIfExists\":{\"a\":\"x\"}", "a=x", true },
    { "\"StringEqualsIfExists\":{\"a\":\"x\"}", "a=y", false },
    { "\"NumericLessThanIfExists\":{\"a\":\"1\"}", "", true },
    { "\"BoolIfExists\":{\"a\":\"true\"}", "a=false", false },
    { "\"ForAnyValue:StringEqualsIfExists\":{\"a\":\"x\"}", "", true },
    /* sets of values */
    { "\"ForAllValues:StringEquals\":{\"a\":[\"x\",\"y\"]}", "a=x,y", true },
    { "\"ForAllValues:StringEquals\":{\"a\":[\"x\",\"y\"]}", "a=x,z", false },
    { "\"ForAllValues:StringEquals\":{\"a\":\"x\"}", "", true }, /* true of nothing */
    { "\"ForAllValues:StringNotEquals\":{\"a\":\"x\"}", "a=y,z", true },
    { "\"ForAllValues:StringNotEquals\":{\"a\":\"x\"}", "a=x,z", false },
    { "\"ForAllValues:StringLike\":{\"a\":\"x*\"}", "a=x1,x2", true },
    { "\"ForAnyValue:StringEquals\":{\"a\":[\"x\",\"y\"]}", "a=z,y", true },
    { "\"ForAnyValue:StringEquals\":{\"a\":[\"x\",\"y\"]}", "a=z,w", false },
    { "\"ForAnyValue:StringEquals\":{\"a\":\"x\"}", "", false },
    { "\"ForAnyValue:StringNotEquals\":{\"a\":\"x\"}", "a=x,y", true },
    { "\"ForAnyValue:StringNotEquals\":{\"a\":\"x\"}", "a=x,x", false },
    { "\"ForAnyValue:StringNotEquals\":{\"a\":\"x\"}", "", false },
    /* keys the caller and the resource tell: user alice of A, a queue of A */
    { "\"ArnEquals\":{\"aws:PrincipalArn\":\"arn:aws:iam::" A ":user/x/alice\"}", "", true },
    { "\"StringEquals\":{\"aws:principalaccount\":\"" A "\"}", "", true },
    { "\"StringEquals\":{\"aws:PrincipalAccount\":\"" B "\"}", "", false },
    { "\"StringEquals\":{\"aws:PrincipalType\":\"User\"}", "", true },
    { "\"StringEquals\":{\"aws:username\":\"alice\"}", "", true },
    { "\"StringEquals\":{\"aws:userid\":\"AIDAAAAAAAAAAAAAAAAAA\"}", "", true },
    { "\"StringEquals\":{\"aws:ResourceAccount\":\"" A "\"}", "", true },
    { "\"Bool\":{\"aws:PrincipalIsAWSService\":\"false\"}", "", true },
    { "\"Null\":{\"aws:PrincipalServiceName\":\"true\"}", "", true },
    { "\"StringEquals\":{\"aws:username\":\"other\"}", "aws:UserName=other", true }, /* the context wins */
};

static void conditions_hold(void **state)
{
    for (size_t index = 0; index < ARRAY_COUNT(condition_rows); index++) {
        const struct condition_row *row = &condition_rows[index];
        char json[512];
        snprintf(json, sizeof json, CONDITION("%s"), row->condition);
        enum policy_effect effect = evaluate(json, USER_A, "sqs:SendMessage", QUEUE, row->context);
        if (effect != (row->holds ? POLICY_ALLOW : POLICY_NO_MATCH))
            fail_msg("row %zu: %s with %s: %d", index, row->condition, row->context, effect);
    }
}

static void keys_of_other_callers(void **state)
{
    static const struct {
        enum who who;
        const char *condition;
        bool holds;
    } rows[] = {
        { ROOT_A, "\"StringEquals\":{\"aws:PrincipalType\":\"Account\"}", true },
        { ROOT_A, "\"Null\":{\"aws:username\":\"true\"}", true },
        { SESSION_A, "\"ArnEquals\":{\"aws:PrincipalArn\":\"arn:aws:iam::" A ":role/reader\"}", true },
        { SESSION_A, "\"StringEquals\":{\"aws:PrincipalType\":\"AssumedRole\"}", true },
        { FEDERATED_A, "\"StringEquals\":{\"aws:PrincipalType\":\"FederatedUser\"}", true },
        { ANONYMOUS,
            "\"Null\":{\"aws:PrincipalArn\":\"true\",\"aws:userid\":\"true\",\"aws:PrincipalAccount\":\"true\","
            "\"aws:PrincipalType\":\"true\",\"aws:PrincipalIsAWSService\":\"true\"}",
            true },
        { ANONYMOUS, "\"StringEquals\":{\"aws:ResourceAccount\":\"" A "\"}", true },
        { SNS, "\"Bool\":{\"aws:PrincipalIsAWSService\":\"true\"}", true },
        { SNS, "\"StringEquals\":{\"aws:PrincipalServiceName\":\"sns.amazonaws.com\"}", true },
        { SNS, "\"Null\":{\"aws:PrincipalArn\":\"true\",\"aws:PrincipalAccount\":\"true\"}", true },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        char json[512];
        snprintf(json, sizeof json, CONDITION("%s"), rows[row].condition);
        if (evaluate(json, rows[row].who, "a:b", QUEUE, "") != (rows[row].holds ? POLICY_ALLOW : POLICY_NO_MATCH))
            fail_msg("row %zu: %s", row, rows[row].condition);
    }
}

/* ---- who is let in
 * ------------------------------------------------------------------------------------------------------ */

#define BIT(who) (1u << (who))
#define EVERYBODY (BIT(WHO) - 1)
#define OWNERS BIT(ROOT_A)
#define POLICY(effect, principal)                                                                                      \
    "{\"Statement\":{\"Effect\":\"" effect "\"," principal ",\"Action\":\"*\",\"Resource\":\"*\"}}"

/* Who may use a queue of account A under one policy? Contract 4.2, without identity policies. */
static const struct decision_row {
    const char *policy; /* NULL: none */
    unsigned allowed;   /* of enum who */
} decision_rows[] = {
    { NULL, OWNERS },
    { POLICY("Allow", "\"Principal\":\"*\""), EVERYBODY & ~(BIT(USER_B) | BIT(SESSION_B)) },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"*\"}"), EVERYBODY & ~(BIT(USER_B) | BIT(SESSION_B)) },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"" A "\"}"), OWNERS }, /* gives nothing by itself to users of A */
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:iam::" A ":root\"}"), OWNERS },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:iam::" A ":user/x/alice\"}"), OWNERS | BIT(USER_A) },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:iam::" A ":user/alice\"}"), OWNERS },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"AIDAAAAAAAAAAAAAAAAAA\"}"), OWNERS | BIT(USER_A) },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:sts::" A ":assumed-role/reader/s1\"}"),
        OWNERS | BIT(SESSION_A) },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:sts::" A ":assumed-role/reader/s2\"}"), OWNERS },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:iam::" A ":role/reader\"}"), OWNERS | BIT(SESSION_A) },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:iam::" A ":role/path/reader\"}"), OWNERS | BIT(SESSION_A) },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:iam::" A ":role/bookreader\"}"), OWNERS },
    { POLICY("Allow", "\"Principal\":{\"Federated\":\"arn:aws:sts::" A ":federated-user/fred\"}"),
        OWNERS | BIT(FEDERATED_A) },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"" B "\"}"), OWNERS | BIT(ROOT_B) },
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:iam::" B ":user/bob\"}"),
        OWNERS }, /* no identity side across accounts */
    { POLICY("Allow", "\"Principal\":{\"AWS\":\"arn:aws:iam::" B ":role/reader\"}"), OWNERS },
    { POLICY("Allow", "\"Principal\":{\"AWS\":[\"" B "\",\"arn:aws:iam::" A ":user/x/alice\"]}"),
        OWNERS | BIT(ROOT_B) | BIT(USER_A) },
    { POLICY("Allow", "\"Principal\":{\"Service\":\"sns.amazonaws.com\"}"), OWNERS | BIT(SNS) },
    { POLICY("Allow", "\"Principal\":{\"Service\":\"s3.amazonaws.com\"}"), OWNERS },
    { POLICY("Allow", "\"Principal\":{\"Service\":\"*\"}"), OWNERS | BIT(SNS) },
    { POLICY("Allow", "\"Principal\":{\"CanonicalUser\":\"x\"}"), OWNERS },
    { "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}", OWNERS }, /* names nobody */
    { POLICY("Deny", "\"Principal\":\"*\""), 0 },
    { "{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}}", 0 },
    { POLICY("Deny", "\"Principal\":{\"AWS\":\"" A "\"}"), 0 },
    { POLICY("Deny", "\"Principal\":{\"AWS\":\"" B "\"}"), OWNERS },
    { "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"},{\"Effect\":\"Deny\",\"Principal\":{"
      "\"AWS\":\"" A "\"},\"Action\":\"*\"}]}",
        BIT(ROOT_B) | BIT(ANONYMOUS) | BIT(SNS) }, /* denying an account denies its users and sessions */
    { "{\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"arn:aws:iam::" A
      ":user/x/alice\"},\"Action\":\"*\"},"
      "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"}]}",
        EVERYBODY & ~(BIT(USER_A) | BIT(USER_B) | BIT(SESSION_B)) },
    /* NotPrincipal with Deny spares whom it names with the account (and the role of a session) */
    { POLICY("Deny", "\"NotPrincipal\":{\"AWS\":\"" A "\"}"), OWNERS },
    { POLICY("Deny", "\"NotPrincipal\":{\"AWS\":\"" B "\"}"), 0 },
    { "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"},{\"Effect\":\"Deny\","
      "\"NotPrincipal\":"
      "{\"AWS\":[\"arn:aws:iam::" A ":user/x/alice\"]},\"Action\":\"*\"}]}",
        0 },
    { "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"},{\"Effect\":\"Deny\","
      "\"NotPrincipal\":"
      "{\"AWS\":[\"arn:aws:iam::" A ":user/x/alice\",\"" A "\"]},\"Action\":\"*\"}]}",
        OWNERS | BIT(USER_A) },
    { "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"},{\"Effect\":\"Deny\","
      "\"NotPrincipal\":"
      "{\"AWS\":[\"arn:aws:iam::" A ":role/reader\",\"" A "\"]},\"Action\":\"*\"}]}",
        OWNERS },
    { "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"},{\"Effect\":\"Deny\","
      "\"NotPrincipal\":"
      "{\"AWS\":[\"arn:aws:iam::" A ":role/reader\",\"arn:aws:sts::" A ":assumed-role/reader/s1\",\"" A
      "\"]},\"Action\":\"*\"}]}",
        OWNERS | BIT(SESSION_A) },
    { "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"},{\"Effect\":\"Deny\","
      "\"NotPrincipal\":"
      "{\"Service\":\"sns.amazonaws.com\"},\"Action\":\"*\"}]}",
        BIT(SNS) },
    /* NotPrincipal with Allow: everybody it does not name at all */
    { POLICY("Allow", "\"NotPrincipal\":{\"AWS\":\"" A "\"}"), OWNERS | BIT(ROOT_B) | BIT(ANONYMOUS) | BIT(SNS) },
};

static void decision_table(void **state)
{
    for (size_t index = 0; index < ARRAY_COUNT(decision_rows); index++) {
        const struct decision_row *row = &decision_rows[index];
        struct policy *p = row->policy ? parse(row->policy) : NULL;
        for (int who = 0; who < WHO; who++) {
            struct policy_request r = { &callers[who], SLICE("sqs:SendMessage"), SLICE(QUEUE), NULL };
            bool is_allowed = access_is_allowed(p, &r, SLICE(A));
            if (is_allowed != (row->allowed >> who & 1))
                fail_msg("row %zu, caller %d: %s", index, who, is_allowed ? "let in" : "kept out");
        }
        policy_free(p);
    }
}

static void conditions_guard_services(void **state)
{
    const char *json = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
                       "\"sns.amazonaws.com\"},\"Action\":\"sqs:SendMessage\",\"Resource\":\"" QUEUE
                       "\",\"Condition\":{\"ArnEquals\":{\"aws:SourceArn\":\"arn:aws:sns:us-east-1:" B ":t\"}}}}";
    struct policy *p = parse(json);
    struct test_context right, wrong;
    read_context("aws:SourceArn=arn:aws:sns:us-east-1:" B ":t", &right);
    read_context("aws:SourceArn=arn:aws:sns:us-east-1:" B ":u", &wrong);
    struct policy_request r = { &callers[SNS], SLICE("sqs:SendMessage"), SLICE(QUEUE), &right.context };
    assert_true(access_is_allowed(p, &r, SLICE(A)));
    r.context = &wrong.context;
    assert_false(access_is_allowed(p, &r, SLICE(A)));
    r.context = NULL;
    assert_false(access_is_allowed(p, &r, SLICE(A)));
    r.context = &right.context;
    r.action = SLICE("sqs:DeleteQueue");
    assert_false(access_is_allowed(p, &r, SLICE(A)));
    policy_free(p);
}

static void deny_wins_in_any_order(void **state)
{
    const char *rows[] = {
        "{\"Statement\":[{" ALLOW_ALL "},{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\"}]}",
        "{\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\"},{" ALLOW_ALL "}]}",
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++)
        assert_int_equal(evaluate(rows[row], USER_A, "a:b", "r", ""), POLICY_DENY);
    assert_int_equal(
        evaluate("{\"Statement\":[{" ALLOW_ALL "},{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"a:c\"}]}",
            USER_A, "a:b", "r", ""),
        POLICY_ALLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_are_spelled_right),
        cmocka_unit_test(documents_are_accepted),
        cmocka_unit_test(documents_are_refused),
        cmocka_unit_test(too_many_wildcards_are_refused),
        cmocka_unit_test(named_principals_are_known),
        cmocka_unit_test(actions_and_resources_match),
        cmocka_unit_test(old_version_has_no_variables),
        cmocka_unit_test(version_may_come_last),
        cmocka_unit_test(wildcards_in_values_are_literal),
        cmocka_unit_test(conditions_hold),
        cmocka_unit_test(keys_of_other_callers),
        cmocka_unit_test(decision_table),
        cmocka_unit_test(conditions_guard_services),
        cmocka_unit_test(deny_wins_in_any_order),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
