/* policy.h: IAM policy documents: parse once, evaluate often.
 *
 * Callers  users, roots and sessions have ARNs; a service acting by itself has its name as ARN ("sns.amazonaws.com").
 * Keys     the context gives what only the front knows (aws:SourceIp, aws:SecureTransport, aws:CurrentTime, ...); the
 *          evaluator itself tells aws:PrincipalArn, PrincipalAccount, PrincipalType, PrincipalIsAWSService,
 *          PrincipalServiceName, userid, username and ResourceAccount, unless the context does.
 * Thread   any; a policy never changes. Cost about 0.25 us for two statements, one condition; no allocation.
 * Source   contracts/access.md 4.2 and 4.3 (decision table, operators, variables).
 */
#ifndef MILLRACE_AUTH_POLICY_H
#define MILLRACE_AUTH_POLICY_H

#include "auth/credential.h"

struct policy; /* immutable after parse; one malloc'ed block */

/* ERR_BAD with a sentence; size <= limit_bytes is the caller's check */
struct error policy_parse(
    struct slice json, struct policy **ret_policy, struct slice *ret_sentence, struct arena *arena);
void policy_free(struct policy *p);
/* Has every statement a Principal or NotPrincipal? Policies of resources must; those of identities have none. */
bool policy_names_principals(const struct policy *p);

struct policy_context { /* condition keys; names compared without case */
    const struct policy_key {
        struct slice name;
        const struct slice *values;
        size_t count;
    } * keys;
    size_t count;
};
struct policy_request {
    const struct caller *caller;
    struct slice action;   /* "sqs:SendMessage" */
    struct slice resource; /* ARN */
    const struct policy_context *context;
};
enum policy_effect { POLICY_NO_MATCH, POLICY_ALLOW, POLICY_DENY };
/* A statement without Principal applies to every caller: it is an identity's own. */
enum policy_effect policy_evaluate(const struct policy *p, const struct policy_request *r);

/* Resource policy and account rules together, for a caller without identity policies (root or anonymous):
 * deny wins; same account root is allowed; across accounts the resource policy must allow. A user or session that is no
 * root is let in by a policy of its own account that names it (or "*"), never across accounts: it has no own side to
 * agree. NULL policy: none. Allow statements without Principal let nobody in. */
bool access_is_allowed(
    const struct policy *resource_policy, const struct policy_request *r, struct slice resource_account);

#endif
