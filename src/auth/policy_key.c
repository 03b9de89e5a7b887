/* policy_key.c: values of condition keys: what the request's context says, else what caller and resource tell by
 * themselves. */
#include "auth/policy_internal.h"

#include <stdio.h>

/* ---- the caller ---------------------------------------------------------------------------------------------------
 */

bool caller_is_service(const struct caller *caller)
{
    return !caller->is_anonymous && !slice_starts(caller->arn, SLICE("arn:")) &&
           slice_ends(caller->arn, SLICE(".amazonaws.com"));
}

/* What follows the fifth colon: "user/alice", "root", "assumed-role/reader/session". */
static struct slice arn_resource(struct slice arn)
{
    for (int field = 1; field < ARN_FIELDS; field++)
        arn = slice_from(arn, slice_find(arn, ':') + 1);
    return arn;
}

static struct slice last_component(struct slice path)
{
    for (size_t at = path.size; at > 0; at--) {
        if (path.data[at - 1] == '/')
            return slice_from(path, at);
    }
    return path;
}

bool caller_role(const struct caller *caller, struct slice *ret_role)
{
    struct slice resource = arn_resource(caller->arn);
    if (!slice_starts(resource, SLICE("assumed-role/")))
        return false;
    resource = slice_from(resource, sizeof("assumed-role/") - 1);
    *ret_role = slice_head(resource, slice_find(resource, '/'));
    return ret_role->size > 0;
}

/* ---- keys it tells ------------------------------------------------------------------------------------------------
 */

static bool principal_arn(const struct policy_request *r, struct found_key *found)
{
    struct slice role;
    found->one = r->caller->arn;
    if (caller_is_service(r->caller))
        return false;
    if (!caller_role(r->caller, &role))
        return true;
    int size =
        snprintf(found->text, sizeof found->text, "arn:aws:iam::%s:role/%.*s", r->caller->account, SLICE_ARG(role));
    found->one = slice_of(found->text, (size_t)size);
    return (size_t)size < sizeof found->text;
}

static bool principal_account(const struct policy_request *r, struct found_key *found)
{
    found->one = slice_str(r->caller->account);
    return !caller_is_service(r->caller) && found->one.size > 0;
}

static bool user_id(const struct policy_request *r, struct found_key *found)
{
    found->one = r->caller->user_id;
    return !caller_is_service(r->caller) && found->one.size > 0;
}

static bool username(const struct policy_request *r, struct found_key *found)
{
    struct slice resource = arn_resource(r->caller->arn);
    found->one = last_component(resource);
    return slice_starts(resource, SLICE("user/")) && found->one.size > 0;
}

static bool principal_type(const struct policy_request *r, struct found_key *found)
{
    static const struct {
        struct slice prefix, type;
    } rows[] = {
        { { "root", 4 }, { "Account", 7 } },
        { { "user/", 5 }, { "User", 4 } },
        { { "assumed-role/", 13 }, { "AssumedRole", 11 } },
        { { "federated-user/", 15 }, { "FederatedUser", 13 } },
    };
    struct slice resource = arn_resource(r->caller->arn);
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        if (slice_starts(resource, rows[row].prefix)) {
            found->one = rows[row].type;
            return true;
        }
    }
    return false;
}

static bool is_service(const struct policy_request *r, struct found_key *found)
{
    found->one = caller_is_service(r->caller) ? SLICE("true") : SLICE("false");
    return !r->caller->is_anonymous;
}

static bool service_name(const struct policy_request *r, struct found_key *found)
{
    found->one = r->caller->arn;
    return caller_is_service(r->caller);
}

static bool resource_account(const struct policy_request *r, struct found_key *found)
{
    struct slice rest = r->resource;
    for (int field = 0; field < 4; field++)
        rest = slice_from(rest, slice_find(rest, ':') + 1);
    found->one = slice_head(rest, slice_find(rest, ':'));
    return found->one.size > 0;
}

static const struct {
    struct slice name;
    bool (*tell)(const struct policy_request *r, struct found_key *found);
    bool is_of_anonymous; /* has a value for anonymous callers too */
} key_rows[] = {
    { { "aws:PrincipalArn", 16 }, principal_arn, false },
    { { "aws:PrincipalAccount", 20 }, principal_account, false },
    { { "aws:PrincipalType", 17 }, principal_type, false },
    { { "aws:PrincipalIsAWSService", 25 }, is_service, false },
    { { "aws:PrincipalServiceName", 24 }, service_name, false },
    { { "aws:userid", 10 }, user_id, false },
    { { "aws:username", 12 }, username, false },
    { { "aws:ResourceAccount", 19 }, resource_account, true },
};

bool key_find(const struct policy_request *r, struct slice name, struct found_key *ret_found)
{
    for (size_t index = 0; r->context && index < r->context->count; index++) {
        const struct policy_key *key = &r->context->keys[index];
        if (!slice_equal_nocase(key->name, name))
            continue;
        ret_found->values = key->values;
        ret_found->count = key->count;
        return key->count > 0;
    }
    for (size_t row = 0; row < ARRAY_COUNT(key_rows); row++) {
        if (!slice_equal_nocase(key_rows[row].name, name))
            continue;
        if (r->caller->is_anonymous && !key_rows[row].is_of_anonymous)
            return false;
        ret_found->values = &ret_found->one;
        ret_found->count = 1;
        return key_rows[row].tell(r, ret_found);
    }
    return false;
}
