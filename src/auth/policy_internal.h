/* policy_internal.h: a compiled policy, and what its parser and its evaluator share.
 *
 * A policy is six arrays in one block. Elements name each other by index, never by pointer: the parser grows the arrays
 * and copies them into the block as they are.
 *
 *   statements ──> principals ──> text
 *        ├───────> actions, resources: patterns ──> parts ──> text
 *        └───────> conditions ──> values: patterns (six a value for ARN operators: one an ARN field)
 *
 * A pattern is compiled with what its place allows: wildcards or none, variables or none. Escapes ("${*}") are literal
 * text.
 */
#ifndef MILLRACE_AUTH_POLICY_INTERNAL_H
#define MILLRACE_AUTH_POLICY_INTERNAL_H

#include "auth/policy.h"
#include "base/text.h"

enum {
    PATTERN_PARTS_MAX = 128, /* per pattern; they are resolved on the stack */
    ARN_FIELDS = 6,
};

struct span {
    uint32_t first, count; /* of another array, or bytes of the text */
};

enum part_kind {
    PART_TEXT,
    PART_STAR,     /* any run of bytes */
    PART_ANY,      /* one character */
    PART_VARIABLE, /* text is the key's name; fallback counts if `has_fallback` */
    PART_NEVER,    /* nothing matches: an ARN pattern without its fields */
};
struct policy_part {
    uint8_t kind;
    bool has_fallback;
    struct span text, fallback;
};
struct policy_pattern {
    struct span parts;
    bool has_variable;
};

enum principal_kind {
    PRINCIPAL_ANY,     /* "*", also anonymous */
    PRINCIPAL_ACCOUNT, /* text: the twelve digits */
    PRINCIPAL_ARN,     /* a user, role or session */
    PRINCIPAL_ID,      /* a unique id, as a deleted user's */
    PRINCIPAL_SERVICE, /* "sns.amazonaws.com" */
    PRINCIPAL_ANY_SERVICE,
    PRINCIPAL_FEDERATED,
    PRINCIPAL_CANONICAL, /* of the object store: nobody here */
};
struct policy_principal {
    uint8_t kind;
    struct span text;
};

enum condition_set { SET_NONE, SET_ALL, SET_ANY };
struct policy_condition {
    uint8_t operator; /* index of operator_at */
    uint8_t set;
    bool if_exists;
    struct span key;    /* text */
    struct span values; /* patterns */
};

struct policy_statement {
    uint8_t effect; /* POLICY_ALLOW or POLICY_DENY */
    bool is_not_principal, is_not_action, is_not_resource;
    struct span principals, actions, resources, conditions; /* count 0: the element is absent */
};

struct policy {
    uint32_t statement_count;
    const struct policy_statement *statements;
    const struct policy_condition *conditions;
    const struct policy_principal *principals;
    const struct policy_pattern *patterns;
    const struct policy_part *parts;
    const char *text;
};

static inline struct slice policy_text(const struct policy *p, struct span s)
{
    return slice_of(p->text + s.first, s.count);
}

/* ---- operators (policy_condition.c) ------------------------------------------------------------------------------ */

enum operand_kind {
    OPERAND_STRING,
    OPERAND_NUMBER,
    OPERAND_DATE,
    OPERAND_BOOL,
    OPERAND_BINARY,
    OPERAND_IP,
    OPERAND_ARN,
    OPERAND_NULL
};
struct operator_row {
    struct slice name;
    uint8_t operand;
    uint8_t relation; /* policy_condition.c */
    bool is_negated;
    bool is_nocase;
    bool has_wildcards;
};
const struct operator_row *operator_at(size_t index);
/* Without set prefix and IfExists. False: there is no such operator. */
bool operator_find(struct slice name, uint8_t *ret_index);
/* Is the text of a policy an operand of that kind? (Strings and ARNs always are.) */
bool operand_is_valid(enum operand_kind kind, struct slice text);
bool condition_holds(const struct policy *p, const struct policy_condition *condition, const struct policy_request *r);

/* ---- keys (policy_key.c) -------------------------------------------------------------------------------------------
 */

struct found_key {
    const struct slice *values;
    size_t count;
    struct slice one; /* values of a key made from the caller or the resource point here */
    char text[1024];
};
/* The request's context, or what the caller and the resource themselves tell. False: absent. */
bool key_find(const struct policy_request *r, struct slice name, struct found_key *ret_found);
/* Callers that are services of ours or of the cloud: their ARN is a name such as "sns.amazonaws.com". */
bool caller_is_service(const struct caller *caller);
/* "arn:aws:iam::123456789012:role/x" of an assumed-role session: true, and the account and the role's name. */
bool caller_role(const struct caller *caller, struct slice *ret_role);

/* ---- patterns (policy_pattern.c) ----------------------------------------------------------------------------------
 */

/* The request gives the variables. An absent one: no match. */
bool pattern_matches(
    const struct policy *p, uint32_t pattern, struct slice text, bool is_nocase, const struct policy_request *r);
/* All parts' literal text; for patterns compiled without wildcards and variables. */
struct slice pattern_literal(const struct policy *p, uint32_t index);

#endif
