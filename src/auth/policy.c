/* policy.c: who is allowed what; see policy.h. Compiling is in policy_parse.c. */
#include "auth/policy_internal.h"
#include "base/mutant.h"

#include <stdlib.h>

/* How strongly a statement names the caller. A statement for a whole account trusts that account: a user or session of
 * it needs an own right as well, its root has all of them. */
enum grade { GRADE_NONE, GRADE_ACCOUNT, GRADE_DIRECT };

void policy_free(struct policy *p)
{
    free(p);
}

/* ---- principals
 * ------------------------------------------------------------------------------------------------------- */

static bool is_account_root(const struct caller *caller)
{
    return caller->is_root || slice_ends(caller->arn, SLICE(":root"));
}

/* A role's ARN may hold a path, a session's never does: role names are unique in an account, so the name decides. */
static bool is_session_of(const struct caller *caller, struct slice role_arn)
{
    struct slice role, rest = role_arn, account = SLICE_NONE, service = SLICE_NONE;
    if (!caller_role(caller, &role))
        return false;
    for (int field = 0; field < ARN_FIELDS - 1; field++) {
        struct slice part = slice_cut(&rest, ':');
        service = field == 2 ? part : service;
        account = field == 4 ? part : account;
    }
    if (!slice_equal(service, SLICE("iam")) || !slice_equal(account, slice_str(caller->account)))
        return false;
    return slice_starts(rest, SLICE("role/")) && slice_ends(rest, role) && rest.data[rest.size - role.size - 1] == '/';
}

static enum grade principal_grade(
    const struct policy *p, const struct policy_principal *principal, const struct caller *caller)
{
    struct slice text = policy_text(p, principal->text);
    bool is_match = false;
    if (principal->kind == PRINCIPAL_ANY)
        return GRADE_DIRECT;
    if (caller->is_anonymous)
        return GRADE_NONE;
    if (caller_is_service(caller))
        return principal->kind == PRINCIPAL_ANY_SERVICE ||
                       (principal->kind == PRINCIPAL_SERVICE && slice_equal_nocase(text, caller->arn))
                   ? GRADE_DIRECT
                   : GRADE_NONE;
    switch (principal->kind) {
    case PRINCIPAL_ACCOUNT:
        if (slice_equal(text, slice_str(caller->account)))
            return is_account_root(caller) ? GRADE_DIRECT : GRADE_ACCOUNT;
        return GRADE_NONE;
    case PRINCIPAL_ARN:
        is_match = slice_equal(text, caller->arn) || is_session_of(caller, text);
        break;
    case PRINCIPAL_FEDERATED:
        is_match = slice_equal(text, caller->arn);
        break;
    case PRINCIPAL_ID:
        is_match = slice_equal(text, caller->user_id);
        break;
    default:
        break;
    }
    return is_match ? GRADE_DIRECT : GRADE_NONE;
}

static enum grade best_grade(const struct policy *p, const struct policy_statement *s, const struct caller *caller)
{
    enum grade best = GRADE_NONE;
    for (uint32_t index = 0; index < s->principals.count; index++) {
        enum grade grade = principal_grade(p, &p->principals[s->principals.first + index], caller);
        best = grade > best ? grade : best;
    }
    return best;
}

static bool names_session_itself(const struct policy *p, const struct policy_statement *s, const struct caller *caller)
{
    for (uint32_t index = 0; index < s->principals.count; index++) {
        const struct policy_principal *principal = &p->principals[s->principals.first + index];
        if (principal->kind == PRINCIPAL_ARN && slice_equal(policy_text(p, principal->text), caller->arn))
            return true;
    }
    return false;
}

static bool names_role_of(const struct policy *p, const struct policy_statement *s, const struct caller *caller)
{
    for (uint32_t index = 0; index < s->principals.count; index++) {
        const struct policy_principal *principal = &p->principals[s->principals.first + index];
        if (principal->kind == PRINCIPAL_ARN && is_session_of(caller, policy_text(p, principal->text)))
            return true;
    }
    return false;
}

static bool names_account(const struct policy *p, const struct policy_statement *s, const struct caller *caller)
{
    for (uint32_t index = 0; index < s->principals.count; index++) {
        const struct policy_principal *principal = &p->principals[s->principals.first + index];
        if (principal->kind == PRINCIPAL_ACCOUNT &&
            slice_equal(policy_text(p, principal->text), slice_str(caller->account)))
            return true;
    }
    return false;
}

/* NotPrincipal with Deny spares only whom it names in every way: a user with its account, a session with role and
 * account. */
static bool is_spared(const struct policy *p, const struct policy_statement *s, const struct caller *caller)
{
    struct slice role;
    if (best_grade(p, s, caller) < GRADE_DIRECT)
        return false;
    for (uint32_t index = 0; index < s->principals.count; index++) {
        if (p->principals[s->principals.first + index].kind == PRINCIPAL_ANY)
            return true;
    }
    if (caller_is_service(caller) || is_account_root(caller))
        return true;
    if (!names_account(p, s, caller))
        return false;
    return !caller_role(caller, &role) || (names_session_itself(p, s, caller) && names_role_of(p, s, caller));
}

static enum grade statement_grade(const struct policy *p, const struct policy_statement *s, const struct caller *caller)
{
    if (s->principals.count == 0)
        return GRADE_DIRECT; /* identity policies name nobody: they are the caller's own */
    if (!s->is_not_principal)
        return best_grade(p, s, caller);
    if (s->effect == POLICY_DENY)
        return is_spared(p, s, caller) ? GRADE_NONE : GRADE_DIRECT;
    return best_grade(p, s, caller) == GRADE_NONE ? GRADE_DIRECT : GRADE_NONE;
}

/* ---- statements
 * ------------------------------------------------------------------------------------------------------- */

static bool any_matches(
    const struct policy *p, struct span patterns, struct slice text, bool is_nocase, const struct policy_request *r)
{
    for (uint32_t index = 0; index < patterns.count; index++) {
        if (pattern_matches(p, patterns.first + index, text, is_nocase, r))
            return true;
    }
    return false;
}

/* How strongly the statement applies to the request. */
static enum grade applies(const struct policy *p, const struct policy_statement *s, const struct policy_request *r)
{
    enum grade grade = statement_grade(p, s, r->caller);
    if (grade == GRADE_NONE || any_matches(p, s->actions, r->action, true, r) == s->is_not_action)
        return GRADE_NONE;
    if (s->resources.count && any_matches(p, s->resources, r->resource, false, r) == s->is_not_resource)
        return GRADE_NONE;
    for (uint32_t index = 0; index < s->conditions.count; index++) {
        if (!condition_holds(p, &p->conditions[s->conditions.first + index], r))
            return GRADE_NONE;
    }
    return grade;
}

struct verdict {
    bool is_denied;
    enum grade allowed;
};

static struct verdict judge(const struct policy *p, const struct policy_request *r, bool needs_principal)
{
    struct verdict v = { 0 };
    for (uint32_t index = 0; p && index < p->statement_count; index++) {
        const struct policy_statement *s = &p->statements[index];
        bool is_allow = s->effect == POLICY_ALLOW;
        if (is_allow && needs_principal && s->principals.count == 0)
            continue;
        enum grade grade = applies(p, s, r);
        if (!is_allow && grade != GRADE_NONE && !MUTANT(deny_loses))
            return (struct verdict){ .is_denied = true };
        if (is_allow && grade > v.allowed)
            v.allowed = grade;
    }
    return v;
}

enum policy_effect policy_evaluate(const struct policy *p, const struct policy_request *r)
{
    struct verdict v = judge(p, r, false);
    if (v.is_denied)
        return POLICY_DENY;
    return v.allowed == GRADE_NONE ? POLICY_NO_MATCH : POLICY_ALLOW;
}

bool policy_names_principals(const struct policy *p)
{
    for (uint32_t index = 0; index < p->statement_count; index++) {
        if (p->statements[index].principals.count == 0)
            return false;
    }
    return true;
}

bool access_is_allowed(
    const struct policy *resource_policy, const struct policy_request *r, struct slice resource_account)
{
    const struct caller *caller = r->caller;
    bool is_somebody = !caller->is_anonymous && !caller_is_service(caller);
    struct verdict v = judge(resource_policy, r, true);
    if (v.is_denied)
        return false;
    if (!is_somebody)
        return v.allowed == GRADE_DIRECT;
    if (slice_equal(slice_str(caller->account), resource_account))
        return caller->is_root || v.allowed == GRADE_DIRECT;
    /* Across accounts both sides must agree, and only a root has its own side's agreement without identity policies. */
    return caller->is_root && v.allowed != GRADE_NONE;
}
