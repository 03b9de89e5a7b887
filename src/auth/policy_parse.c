/* policy_parse.c: a policy document to a compiled policy; see policy_internal.h for its shape.
 *
 * Strict: unknown and repeated elements, empty lists, operands that are none of their operator's kind are refused with
 * a sentence. Only Version 2012-10-17 has variables; in 2008-10-17, the default, "${x}" is plain text.
 */
#include "auth/policy_internal.h"

#include "base/buf.h"
#include "codec/json.h"
#include <stdlib.h>

enum { VARIABLES_PER_PATTERN_MAX = 4, QUOTED_BYTES_MAX = 64 };

struct parser {
    struct json_reader r;
    struct arena *arena;
    struct slice sentence;
    bool has_variables; /* of this version */
    struct buf statements, conditions, principals, patterns, parts, text;
};

#define REFUSE(p, ...) ((p)->sentence = arena_printf((p)->arena, __VA_ARGS__), ERROR_OF(ERR_BAD))

/* Text of the document for a sentence. It is UTF-8, and is not cut inside of a character. */
static struct slice quoted(struct slice s)
{
    s = slice_head(s, QUOTED_BYTES_MAX);
    return slice_head(s, text_utf8_valid(s));
}

/* ---- the arrays
 * ------------------------------------------------------------------------------------------------------- */

static uint32_t count_of(const struct buf *b, size_t item_bytes)
{
    return (uint32_t)(b->size / item_bytes);
}

static void add(struct buf *b, const void *item, size_t item_bytes)
{
    buf_add(b, slice_of(item, item_bytes));
}

static struct span add_text(struct parser *p, struct slice s)
{
    struct span span = { count_of(&p->text, 1), (uint32_t)s.size };
    buf_add(&p->text, s);
    return span;
}

static void add_part(struct parser *p, enum part_kind kind, struct slice text)
{
    struct policy_part part = { .kind = (uint8_t)kind, .text = add_text(p, text) };
    add(&p->parts, &part, sizeof part);
}

/* ---- patterns
 * --------------------------------------------------------------------------------------------------------- */

struct compiling {
    struct slice rest;
    bool has_wildcards, has_variables;
    uint32_t variables;
};

/* "${name}", "${name, 'default'}", "${*}", "${?}", "${$}"; `rest` begins with "${". */
static struct error compile_variable(struct parser *p, struct compiling *c, struct slice whole)
{
    struct slice shown = quoted(whole);
    size_t end = slice_find(c->rest, '}');
    if (end == c->rest.size)
        return REFUSE(p, "The variable in '%.*s' has no closing brace.", SLICE_ARG(shown));
    struct slice name = slice_from(slice_head(c->rest, end), 2), fallback = SLICE_NONE;
    c->rest = slice_from(c->rest, end + 1);
    if (name.size == 1 && strchr("*?$", name.data[0])) {
        add_part(p, PART_TEXT, name);
        return OK;
    }
    if (slice_find(name, ',') < name.size) {
        fallback = name;
        name = slice_cut(&fallback, ',');
        fallback = slice_trim(fallback);
        if (fallback.size < 2 || fallback.data[0] != '\'' || !slice_ends(fallback, SLICE("'")))
            return REFUSE(
                p, "The default value of the variable in '%.*s' must stand in single quotes.", SLICE_ARG(shown));
        fallback = slice_head(slice_from(fallback, 1), fallback.size - 2);
    }
    name = slice_trim(name);
    if (name.size == 0)
        return REFUSE(p, "The variable in '%.*s' has no name.", SLICE_ARG(shown));
    if (++c->variables > VARIABLES_PER_PATTERN_MAX)
        return REFUSE(p, "'%.*s' holds more than %d variables.", SLICE_ARG(shown), VARIABLES_PER_PATTERN_MAX);
    struct policy_part part = {
        .kind = PART_VARIABLE, .has_fallback = !slice_is_none(fallback), .text = add_text(p, name)
    };
    if (part.has_fallback)
        part.fallback = add_text(p, fallback);
    add(&p->parts, &part, sizeof part);
    return OK;
}

/* How much of the text up to the next byte that is not plain. */
static size_t plain_bytes(const struct compiling *c)
{
    for (size_t index = 0; index < c->rest.size; index++) {
        char byte = c->rest.data[index];
        if (c->has_wildcards && (byte == '*' || byte == '?'))
            return index;
        if (c->has_variables && byte == '$' && index + 1 < c->rest.size && c->rest.data[index + 1] == '{')
            return index;
    }
    return c->rest.size;
}

static struct error add_pattern(struct parser *p, struct slice text, bool has_wildcards, bool has_variables)
{
    struct compiling c = {
        .rest = text, .has_wildcards = has_wildcards, .has_variables = has_variables && p->has_variables
    };
    struct policy_pattern pattern = { .parts.first = count_of(&p->parts, sizeof(struct policy_part)) };
    while (c.rest.size) {
        struct slice plain = slice_head(c.rest, plain_bytes(&c));
        c.rest = slice_from(c.rest, plain.size);
        if (plain.size) {
            add_part(p, PART_TEXT, plain);
        } else if (c.rest.data[0] == '$') {
            TRY(compile_variable(p, &c, text));
        } else {
            add_part(p, c.rest.data[0] == '*' ? PART_STAR : PART_ANY, SLICE(""));
            c.rest = slice_from(c.rest, 1);
        }
    }
    pattern.parts.count = count_of(&p->parts, sizeof(struct policy_part)) - pattern.parts.first;
    pattern.has_variable = c.variables > 0;
    if (pattern.parts.count > PATTERN_PARTS_MAX) {
        struct slice shown = quoted(text);
        return REFUSE(p, "'%.*s...' has more than %d wildcards and pieces.", SLICE_ARG(shown), PATTERN_PARTS_MAX);
    }
    add(&p->patterns, &pattern, sizeof pattern);
    return OK;
}

/* Up to the next colon outside of a variable. */
static struct slice cut_arn_field(struct slice *rest)
{
    bool is_inside = false;
    for (size_t index = 0; index < rest->size; index++) {
        char byte = rest->data[index];
        if (byte == '{' && index && rest->data[index - 1] == '$')
            is_inside = true;
        else if (byte == '}')
            is_inside = false;
        else if (byte == ':' && !is_inside) {
            struct slice field = slice_head(*rest, index);
            *rest = slice_from(*rest, index + 1);
            return field;
        }
    }
    struct slice field = *rest;
    *rest = SLICE_NONE;
    return field;
}

static void add_never(struct parser *p)
{
    struct policy_pattern pattern = { .parts = { count_of(&p->parts, sizeof(struct policy_part)), 1 } };
    add_part(p, PART_NEVER, SLICE(""));
    add(&p->patterns, &pattern, sizeof pattern);
}

/* Six patterns. "*" is any ARN; what has fewer fields than an ARN matches none. */
static struct error add_arn_patterns(struct parser *p, struct slice text)
{
    struct slice rest = text;
    bool is_any = slice_equal(text, SLICE("*"));
    for (int field = 0; field < ARN_FIELDS; field++) {
        bool is_last = field == ARN_FIELDS - 1;
        if (slice_is_none(rest)) {
            add_never(p);
            continue;
        }
        struct slice part = is_any || is_last ? rest : cut_arn_field(&rest);
        TRY(add_pattern(p, part, true, true));
    }
    return OK;
}

/* ---- JSON
 * ------------------------------------------------------------------------------------------------------------- */

typedef struct error text_fn(struct parser *p, struct slice text, void *context);

/* Strings and, where they stand for text, numbers and booleans. */
static struct error read_text(struct parser *p, bool is_scalar_allowed, const char *what, struct slice *ret_text)
{
    bool value;
    switch (json_peek(&p->r)) {
    case JSON_STRING:
        return json_read_string(&p->r, ret_text);
    case JSON_NUMBER:
        if (is_scalar_allowed)
            return json_read_number(&p->r, ret_text);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        if (!is_scalar_allowed)
            break;
        TRY(json_read_bool(&p->r, &value));
        *ret_text = value ? SLICE("true") : SLICE("false");
        return OK;
    default:
        break;
    }
    return REFUSE(p, "%s must be a string or a list of strings.", what);
}

/* One text or a list of at least one. */
static struct error read_texts(struct parser *p, bool is_scalar_allowed, const char *what, text_fn *each, void *context)
{
    struct slice text;
    uint32_t count = 0;
    if (json_peek(&p->r) != JSON_ARRAY) {
        TRY(read_text(p, is_scalar_allowed, what, &text));
        return each(p, text, context);
    }
    TRY(json_enter_array(&p->r));
    while (json_next_element(&p->r)) {
        TRY(read_text(p, is_scalar_allowed, what, &text));
        TRY(each(p, text, context));
        count++;
    }
    TRY(p->r.error);
    return count ? OK : REFUSE(p, "%s must not be an empty list.", what);
}

/* ---- principals
 * ------------------------------------------------------------------------------------------------------- */

static void add_principal(struct parser *p, enum principal_kind kind, struct slice text)
{
    struct policy_principal principal = { .kind = (uint8_t)kind, .text = add_text(p, text) };
    add(&p->principals, &principal, sizeof principal);
}

/* "arn:aws:iam::123456789012:root": the account; none for any other ARN. */
static struct slice account_of_root(struct slice arn)
{
    struct slice rest = arn, fields[5];
    for (size_t index = 0; index < ARRAY_COUNT(fields); index++)
        fields[index] = slice_is_none(rest) ? SLICE("") : slice_cut(&rest, ':');
    bool is_root = slice_equal(fields[2], SLICE("iam")) && slice_equal(rest, SLICE("root"));
    return is_root && credential_is_account(fields[4]) ? fields[4] : SLICE_NONE;
}

static bool is_unique_id(struct slice s)
{
    for (size_t index = 0; index < s.size; index++) {
        if (!text_is_digit(s.data[index]) && !(s.data[index] >= 'A' && s.data[index] <= 'Z'))
            return false;
    }
    return s.size >= 16 && s.size <= 128;
}

static struct error add_aws_principal(struct parser *p, struct slice text, void *context)
{
    struct slice account = credential_is_account(text) ? text : account_of_root(text);
    bool has_wildcard = slice_find(text, '*') < text.size || slice_find(text, '?') < text.size;
    if (slice_equal(text, SLICE("*")))
        add_principal(p, PRINCIPAL_ANY, text);
    else if (!slice_is_none(account))
        add_principal(p, PRINCIPAL_ACCOUNT, account);
    else if (slice_starts(text, SLICE("arn:")) && !has_wildcard)
        add_principal(p, PRINCIPAL_ARN, text);
    else if (is_unique_id(text))
        add_principal(p, PRINCIPAL_ID, text);
    else {
        struct slice shown = quoted(text);
        return REFUSE(
            p, "Invalid principal '%.*s': expected an account id, the ARN of a principal, or '*'.", SLICE_ARG(shown));
    }
    return OK;
}

static struct error add_service_principal(struct parser *p, struct slice text, void *context)
{
    add_principal(p, slice_equal(text, SLICE("*")) ? PRINCIPAL_ANY_SERVICE : PRINCIPAL_SERVICE, text);
    return OK;
}

static struct error add_federated_principal(struct parser *p, struct slice text, void *context)
{
    add_principal(p, PRINCIPAL_FEDERATED, text);
    return OK;
}

static struct error add_canonical_principal(struct parser *p, struct slice text, void *context)
{
    add_principal(p, PRINCIPAL_CANONICAL, text);
    return OK;
}

static const struct {
    struct slice name;
    text_fn *add;
} principal_rows[] = {
    { { "AWS", 3 }, add_aws_principal },
    { { "Service", 7 }, add_service_principal },
    { { "Federated", 9 }, add_federated_principal },
    { { "CanonicalUser", 13 }, add_canonical_principal },
};

static struct error read_principal_object(struct parser *p)
{
    struct slice key;
    uint32_t before = count_of(&p->principals, sizeof(struct policy_principal));
    unsigned seen = 0;
    TRY(json_enter_object(&p->r));
    while (json_next_key(&p->r, &key)) {
        size_t row = 0;
        while (row < ARRAY_COUNT(principal_rows) && !slice_equal(principal_rows[row].name, key))
            row++;
        if (row == ARRAY_COUNT(principal_rows) || seen >> row & 1) {
            struct slice shown = quoted(key);
            return REFUSE(p, "Principal holds '%.*s', which is unknown or there twice.", SLICE_ARG(shown));
        }
        seen |= 1u << row;
        TRY(read_texts(p, false, "A principal", principal_rows[row].add, NULL));
    }
    TRY(p->r.error);
    if (count_of(&p->principals, sizeof(struct policy_principal)) == before)
        return REFUSE(p, "Principal must name somebody.");
    return OK;
}

static struct error read_principals(struct parser *p, struct span *ret_principals)
{
    struct slice text;
    uint32_t first = count_of(&p->principals, sizeof(struct policy_principal));
    if (json_peek(&p->r) == JSON_STRING) {
        TRY(json_read_string(&p->r, &text));
        if (!slice_equal(text, SLICE("*")))
            return REFUSE(p, "Principal must be '*' or an object such as {\"AWS\": ...}.");
        add_principal(p, PRINCIPAL_ANY, text);
    } else if (json_peek(&p->r) == JSON_OBJECT) {
        TRY(read_principal_object(p));
    } else {
        return REFUSE(p, "Principal must be '*' or an object such as {\"AWS\": ...}.");
    }
    *ret_principals = (struct span){ first, count_of(&p->principals, sizeof(struct policy_principal)) - first };
    return OK;
}

/* ---- conditions
 * ------------------------------------------------------------------------------------------------------- */

static struct error add_operand(struct parser *p, struct slice text, void *context)
{
    const struct policy_condition *condition = context;
    const struct operator_row *row = operator_at(condition->operator);
    if (row->operand == OPERAND_ARN)
        return add_arn_patterns(p, text);
    if (!operand_is_valid(row->operand, text)) {
        struct slice shown = quoted(text);
        return REFUSE(
            p, "'%.*s' is not a value for the condition operator %.*s.", SLICE_ARG(shown), SLICE_ARG(row->name));
    }
    return add_pattern(p, text, row->has_wildcards, row->operand == OPERAND_STRING);
}

/* "ForAllValues:StringEqualsIfExists" */
static struct error read_operator(struct parser *p, struct slice name, struct policy_condition *ret_condition)
{
    struct slice plain = name;
    struct policy_condition c = { 0 };
    if (slice_starts(plain, SLICE("ForAllValues:")))
        c.set = SET_ALL;
    else if (slice_starts(plain, SLICE("ForAnyValue:")))
        c.set = SET_ANY;
    if (c.set != SET_NONE)
        slice_cut(&plain, ':');
    c.if_exists = slice_ends(plain, SLICE("IfExists"));
    if (c.if_exists)
        plain.size -= sizeof("IfExists") - 1;
    bool is_known = operator_find(plain, &c.operator);
    bool is_null = is_known && operator_at(c.operator)->operand == OPERAND_NULL;
    if (!is_known || (is_null && (c.if_exists || c.set != SET_NONE))) {
        struct slice shown = quoted(name);
        return REFUSE(p, "'%.*s' is not a condition operator.", SLICE_ARG(shown));
    }
    *ret_condition = c;
    return OK;
}

static struct error read_condition_keys(struct parser *p, struct policy_condition *condition)
{
    struct slice key;
    TRY(json_enter_object(&p->r));
    while (json_next_key(&p->r, &key)) {
        if (key.size == 0)
            return REFUSE(p, "A condition key must not be empty.");
        condition->key = add_text(p, key);
        condition->values.first = count_of(&p->patterns, sizeof(struct policy_pattern));
        TRY(read_texts(p, true, "The value of a condition key", add_operand, condition));
        condition->values.count = count_of(&p->patterns, sizeof(struct policy_pattern)) - condition->values.first;
        add(&p->conditions, condition, sizeof *condition);
    }
    return p->r.error;
}

static struct error read_conditions(struct parser *p, struct span *ret_conditions)
{
    struct slice name;
    struct policy_condition condition;
    uint32_t first = count_of(&p->conditions, sizeof condition);
    if (json_peek(&p->r) != JSON_OBJECT)
        return REFUSE(p, "Condition must be an object.");
    TRY(json_enter_object(&p->r));
    while (json_next_key(&p->r, &name)) {
        TRY(read_operator(p, name, &condition));
        if (json_peek(&p->r) != JSON_OBJECT)
            return REFUSE(p, "The condition operator %.*s must hold an object of keys.", SLICE_ARG(name));
        TRY(read_condition_keys(p, &condition));
    }
    TRY(p->r.error);
    *ret_conditions = (struct span){ first, count_of(&p->conditions, sizeof condition) - first };
    return OK;
}

/* ---- statements
 * ------------------------------------------------------------------------------------------------------- */

static struct error add_action(struct parser *p, struct slice text, void *context)
{
    bool is_valid = slice_equal(text, SLICE("*")) || (slice_find(text, ':') > 0 && slice_find(text, ':') < text.size);
    for (size_t index = 0; index < text.size; index++)
        is_valid &= text_is_alnum(text.data[index]) || strchr(":*?-", text.data[index]) != NULL;
    if (!is_valid || slice_ends(text, SLICE(":"))) {
        struct slice shown = quoted(text);
        return REFUSE(
            p, "'%.*s' is not an action: expected service:Operation, wildcards allowed, or '*'.", SLICE_ARG(shown));
    }
    return add_pattern(p, text, true, false);
}

static struct error add_resource(struct parser *p, struct slice text, void *context)
{
    if (text.size == 0)
        return REFUSE(p, "A resource must not be empty.");
    return add_pattern(p, text, true, true);
}

static struct error read_patterns(struct parser *p, const char *what, text_fn *each, struct span *ret_patterns)
{
    uint32_t first = count_of(&p->patterns, sizeof(struct policy_pattern));
    TRY(read_texts(p, false, what, each, NULL));
    *ret_patterns = (struct span){ first, count_of(&p->patterns, sizeof(struct policy_pattern)) - first };
    return OK;
}

static struct error read_effect(struct parser *p, struct policy_statement *s)
{
    struct slice text = SLICE("");
    if (json_peek(&p->r) == JSON_STRING)
        TRY(json_read_string(&p->r, &text));
    if (!slice_equal(text, SLICE("Allow")) && !slice_equal(text, SLICE("Deny")))
        return REFUSE(p, "Effect must be Allow or Deny.");
    s->effect = text.size == 5 ? POLICY_ALLOW : POLICY_DENY;
    return OK;
}

static struct error read_name(struct parser *p, const char *what)
{
    struct slice ignored;
    if (json_peek(&p->r) != JSON_STRING)
        return REFUSE(p, "%s must be a string.", what);
    return json_read_string(&p->r, &ignored);
}

enum element { SID, EFFECT, PRINCIPAL, NOT_PRINCIPAL, ACTION, NOT_ACTION, RESOURCE, NOT_RESOURCE, CONDITION, ELEMENTS };
static const struct slice element_names[ELEMENTS] = {
    [SID] = { "Sid", 3 },
    [EFFECT] = { "Effect", 6 },
    [PRINCIPAL] = { "Principal", 9 },
    [NOT_PRINCIPAL] = { "NotPrincipal", 12 },
    [ACTION] = { "Action", 6 },
    [NOT_ACTION] = { "NotAction", 9 },
    [RESOURCE] = { "Resource", 8 },
    [NOT_RESOURCE] = { "NotResource", 11 },
    [CONDITION] = { "Condition", 9 },
};

static struct error read_element(struct parser *p, enum element element, struct policy_statement *s)
{
    switch (element) {
    case SID:
        return read_name(p, "Sid");
    case EFFECT:
        return read_effect(p, s);
    case PRINCIPAL:
    case NOT_PRINCIPAL:
        s->is_not_principal = element == NOT_PRINCIPAL;
        return read_principals(p, &s->principals);
    case ACTION:
    case NOT_ACTION:
        s->is_not_action = element == NOT_ACTION;
        return read_patterns(p, "Action", add_action, &s->actions);
    case RESOURCE:
    case NOT_RESOURCE:
        s->is_not_resource = element == NOT_RESOURCE;
        return read_patterns(p, "Resource", add_resource, &s->resources);
    default:
        return read_conditions(p, &s->conditions);
    }
}

static struct error check_statement(struct parser *p, unsigned seen)
{
    static const enum element pairs[] = { PRINCIPAL, ACTION, RESOURCE };
    for (size_t index = 0; index < ARRAY_COUNT(pairs); index++) {
        enum element element = pairs[index];
        if ((seen >> element & 3) == 3)
            return REFUSE(p, "A statement must not hold both %.*s and Not%.*s.", SLICE_ARG(element_names[element]),
                SLICE_ARG(element_names[element]));
    }
    if (!(seen >> EFFECT & 1))
        return REFUSE(p, "A statement must have an Effect.");
    if (!(seen >> ACTION & 3))
        return REFUSE(p, "A statement must have an Action or NotAction.");
    return OK;
}

static struct error read_statement(struct parser *p)
{
    struct policy_statement s = { 0 };
    struct slice key;
    unsigned seen = 0;
    static_assert(NOT_PRINCIPAL == PRINCIPAL + 1 && NOT_ACTION == ACTION + 1 && NOT_RESOURCE == RESOURCE + 1, "pairs");
    if (json_peek(&p->r) != JSON_OBJECT)
        return REFUSE(p, "A statement must be an object.");
    TRY(json_enter_object(&p->r));
    while (json_next_key(&p->r, &key)) {
        struct slice shown = quoted(key);
        unsigned element = 0;
        while (element < ELEMENTS && !slice_equal(element_names[element], key))
            element++;
        if (element == ELEMENTS)
            return REFUSE(p, "A statement has no element '%.*s'.", SLICE_ARG(shown));
        if (seen >> element & 1)
            return REFUSE(p, "A statement holds '%.*s' twice.", SLICE_ARG(shown));
        seen |= 1u << element;
        TRY(read_element(p, element, &s));
    }
    TRY(p->r.error);
    TRY(check_statement(p, seen));
    add(&p->statements, &s, sizeof s);
    return OK;
}

static struct error read_statements(struct parser *p)
{
    if (json_peek(&p->r) == JSON_OBJECT)
        return read_statement(p);
    if (json_peek(&p->r) != JSON_ARRAY)
        return REFUSE(p, "Statement must be an object or a list of objects.");
    TRY(json_enter_array(&p->r));
    while (json_next_element(&p->r))
        TRY(read_statement(p));
    return p->r.error;
}

/* ---- the document
 * ----------------------------------------------------------------------------------------------------- */

static struct error read_version(struct parser *p)
{
    struct slice text = SLICE("");
    if (json_peek(&p->r) == JSON_STRING)
        TRY(json_read_string(&p->r, &text));
    p->has_variables = slice_equal(text, SLICE("2012-10-17"));
    if (!p->has_variables && !slice_equal(text, SLICE("2008-10-17")))
        return REFUSE(p, "Version must be 2012-10-17 or 2008-10-17.");
    return OK;
}

/* The version decides how statements are read, and may stand behind them: a first pass looks for it. */
static struct error find_version(struct parser *p, struct slice json)
{
    struct slice key;
    json_reader_init(&p->r, json, p->arena);
    if (json_peek(&p->r) != JSON_OBJECT)
        return REFUSE(p, "A policy must be a JSON object.");
    TRY(json_enter_object(&p->r));
    while (json_next_key(&p->r, &key))
        TRY(slice_equal(key, SLICE("Version")) ? read_version(p) : json_skip(&p->r));
    return json_end(&p->r);
}

static struct error read_document(struct parser *p, struct slice json)
{
    struct slice key;
    bool has_version = false, has_id = false, has_statement = false;
    TRY(find_version(p, json));
    json_reader_init(&p->r, json, p->arena);
    TRY(json_enter_object(&p->r));
    while (json_next_key(&p->r, &key)) {
        struct slice shown = quoted(key);
        bool is_version = slice_equal(key, SLICE("Version")), is_id = slice_equal(key, SLICE("Id"));
        bool is_statement = slice_equal(key, SLICE("Statement"));
        if (!is_version && !is_id && !is_statement)
            return REFUSE(p, "A policy has no element '%.*s'.", SLICE_ARG(shown));
        if ((is_version && has_version) || (is_id && has_id) || (is_statement && has_statement))
            return REFUSE(p, "The policy holds '%.*s' twice.", SLICE_ARG(shown));
        has_version |= is_version;
        has_id |= is_id;
        has_statement |= is_statement;
        TRY(is_statement ? read_statements(p) : read_name(p, is_id ? "Id" : "Version"));
    }
    TRY(json_end(&p->r));
    if (count_of(&p->statements, sizeof(struct policy_statement)) == 0)
        return REFUSE(p, "A policy must have a Statement.");
    return OK;
}

static const void *pack(char **at, const struct buf *b)
{
    char *start = *at;
    if (b->size)
        memcpy(start, b->data, b->size);
    *at += b->size;
    return start;
}

static struct policy *make_policy(const struct parser *p)
{
    static_assert(_Alignof(struct policy_statement) <= 4 && _Alignof(struct policy_condition) <= 4 &&
                      _Alignof(struct policy_part) <= 4 && sizeof(struct policy) % 4 == 0,
        "the arrays follow each other");
    size_t size = sizeof(struct policy) + p->statements.size + p->conditions.size + p->principals.size +
                  p->patterns.size + p->parts.size + p->text.size;
    struct policy *policy = malloc(size);
    if (!policy)
        check_out_of_memory(size);
    policy->statement_count = count_of(&p->statements, sizeof(struct policy_statement));
    char *at = (char *)(policy + 1);
    policy->statements = pack(&at, &p->statements);
    policy->conditions = pack(&at, &p->conditions);
    policy->principals = pack(&at, &p->principals);
    policy->patterns = pack(&at, &p->patterns);
    policy->parts = pack(&at, &p->parts);
    policy->text = pack(&at, &p->text);
    ASSERT(at == (char *)policy + size);
    return policy;
}

struct error policy_parse(
    struct slice json, struct policy **ret_policy, struct slice *ret_sentence, struct arena *arena)
{
    struct parser p = { .arena = arena };
    struct buf *bufs[] = { &p.statements, &p.conditions, &p.principals, &p.patterns, &p.parts, &p.text };
    for (size_t index = 0; index < ARRAY_COUNT(bufs); index++)
        buf_init(bufs[index]);
    struct error e = read_document(&p, json);
    if (!failed(e))
        *ret_policy = make_policy(&p);
    for (size_t index = 0; index < ARRAY_COUNT(bufs); index++)
        buf_deinit(bufs[index]);
    if (!failed(e))
        return OK;
    if (failed(p.r.error))
        p.sentence = arena_printf(
            arena, "The policy is not valid JSON: %s, at byte %d.", error_text(p.r.error), (int)p.r.error.system);
    *ret_sentence = p.sentence;
    return ERROR_OF(ERR_BAD);
}
