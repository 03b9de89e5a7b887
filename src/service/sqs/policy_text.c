#include "service/sqs/policy_text.h"
#include "auth/policy.h"
#include "base/text.h"
#include "codec/json.h"
#include "service/sqs/sqs.h"

/* ---- limits ---------------------------------------------------------------------------------------------------- */

struct counts {
    size_t statements, principals, conditions, actions_max;
};

/* A string counts one, an array its elements, an object the sum of its members. No recursion: arrays and members of
 * these places hold strings or arrays of strings; anything else the grammar refused before. */
static struct error count_values(struct json_reader *r, size_t *count)
{
    if (json_peek(r) != JSON_ARRAY) {
        ++*count;
        return json_skip(r);
    }
    TRY(json_enter_array(r));
    for (; json_next_element(r); ++*count)
        TRY(json_skip(r));
    return r->error;
}

static struct error count_members(struct json_reader *r, size_t *count)
{
    struct slice key;
    if (json_peek(r) != JSON_OBJECT)
        return count_values(r, count);
    TRY(json_enter_object(r));
    while (json_next_key(r, &key))
        TRY(count_values(r, count));
    return r->error;
}

/* {"operator": {"key": ..., ...}, ...}: one a key */
static struct error count_conditions(struct json_reader *r, size_t *count)
{
    struct slice key;
    if (json_peek(r) != JSON_OBJECT)
        return json_skip(r);
    TRY(json_enter_object(r));
    while (json_next_key(r, &key)) {
        if (json_peek(r) != JSON_OBJECT) {
            TRY(json_skip(r));
            continue;
        }
        TRY(json_enter_object(r));
        for (; json_next_key(r, &key); ++*count)
            TRY(json_skip(r));
    }
    return r->error;
}

static struct error count_statement(struct json_reader *r, struct counts *counts)
{
    struct slice key;
    size_t actions = 0;
    counts->statements++;
    TRY(json_enter_object(r));
    while (json_next_key(r, &key)) {
        if (slice_equal(key, SLICE("Action")) || slice_equal(key, SLICE("NotAction")))
            TRY(count_values(r, &actions));
        else if (slice_equal(key, SLICE("Principal")) || slice_equal(key, SLICE("NotPrincipal")))
            TRY(count_members(r, &counts->principals));
        else if (slice_equal(key, SLICE("Condition")))
            TRY(count_conditions(r, &counts->conditions));
        else
            TRY(json_skip(r));
    }
    if (actions > counts->actions_max)
        counts->actions_max = actions;
    return r->error;
}

static struct error count_policy(struct slice text, struct counts *counts, struct arena *arena)
{
    struct json_reader r;
    struct slice key;
    json_reader_init(&r, text, arena);
    TRY(json_enter_object(&r));
    while (json_next_key(&r, &key)) {
        if (!slice_equal(key, SLICE("Statement"))) {
            TRY(json_skip(&r));
        } else if (json_peek(&r) == JSON_OBJECT) {
            TRY(count_statement(&r, counts));
        } else {
            TRY(json_enter_array(&r));
            while (json_next_element(&r))
                TRY(count_statement(&r, counts));
        }
    }
    return json_end(&r);
}

static struct error check_limit(const char *what, size_t count, size_t max, struct sqs_fault *f)
{
    if (count > max)
        return sqs_fault(f, SQS_OVER_LIMIT, "%zu %s were found, maximum allowed is %zu.", count, what, max);
    return OK;
}

struct error sqs_policy_text_check(struct slice text, struct sqs_fault *f)
{
    static const char invalid[] = "Invalid value for the parameter Policy. Reason:";
    if (text.size > SQS_POLICY_BYTES_MAX)
        return sqs_fault(f, SQS_INVALID_ATTRIBUTE_VALUE, "%s The policy is %zu bytes long, maximum allowed is %d.",
            invalid, text.size, SQS_POLICY_BYTES_MAX);
    if (!text_is_xml_chars(text)) /* it is shown as it is, in XML too */
        return sqs_fault(f, SQS_INVALID_ATTRIBUTE_VALUE, "%s It holds characters that XML cannot show.", invalid);
    struct policy *policy;
    struct slice sentence = SLICE_NONE;
    struct counts counts = { 0 };
    struct error e = policy_parse(text, &policy, &sentence, f->arena);
    if (failed(e))
        return sqs_fault(f, SQS_INVALID_ATTRIBUTE_VALUE, "%s %.*s", invalid, SLICE_ARG(sentence));
    bool has_principals = policy_names_principals(policy);
    policy_free(policy);
    if (!has_principals)
        return sqs_fault(f, SQS_INVALID_ATTRIBUTE_VALUE, "%s Every statement must have a Principal.", invalid);
    if (failed(count_policy(text, &counts, f->arena)))
        return sqs_fault(f, SQS_INVALID_ATTRIBUTE_VALUE, "%s It is not a policy document.", invalid);
    if (counts.statements > SQS_POLICY_STATEMENTS_MAX)
        return sqs_fault(f, SQS_OVER_LIMIT, "%zu statements were found in the submitted policy, max allowed is %d",
            counts.statements, SQS_POLICY_STATEMENTS_MAX);
    TRY(check_limit("Principals", counts.principals, SQS_POLICY_PRINCIPALS_MAX, f));
    TRY(check_limit("Conditions", counts.conditions, SQS_POLICY_CONDITIONS_MAX, f));
    return check_limit("Actions", counts.actions_max, SQS_POLICY_ACTIONS_MAX, f);
}

/* ---- permissions ----------------------------------------------------------------------------------------------- */

/* "x" or ["x","y"], each with a prefix and a suffix */
static void write_list(struct buf *b, const struct slice *items, size_t count, struct slice prefix, struct slice suffix)
{
    if (count > 1)
        buf_add_byte(b, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_byte(b, ',');
        buf_add_byte(b, '"');
        buf_add(b, prefix);
        buf_add(b, items[i]); /* digits, letters or a star: nothing to escape */
        buf_add(b, suffix);
        buf_add_byte(b, '"');
    }
    if (count > 1)
        buf_add_byte(b, ']');
}

static void write_statement(struct buf *b, const struct sqs_permission *p)
{
    buf_add_lit(b, "{\"Sid\":");
    json_write_string(b, p->label);
    buf_add_lit(b, ",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":");
    write_list(b, p->accounts, p->account_count, SLICE("arn:aws:iam::"), SLICE(":root"));
    buf_add_lit(b, "},\"Action\":");
    write_list(b, p->actions, p->action_count, SLICE("SQS:"), SLICE(""));
    buf_add_lit(b, ",\"Resource\":");
    json_write_string(b, p->queue_arn);
    buf_add_byte(b, '}');
}

static void write_new_policy(struct buf *b, const struct sqs_permission *p)
{
    buf_add_lit(b, "{\"Version\":\"2008-10-17\",\"Id\":");
    size_t at = b->size;
    json_write_string(b, p->queue_arn);
    ASSERT(b->size > at + 1);
    b->size--; /* the closing quote comes after the rest of the id */
    buf_add_lit(b, "/SQSDefaultPolicy\",\"Statement\":[");
    write_statement(b, p);
    buf_add_lit(b, "]}");
}

static struct error sid_of(struct slice statement, struct slice *ret_sid, struct arena *arena)
{
    struct json_reader r;
    struct slice key;
    *ret_sid = SLICE_NONE;
    json_reader_init(&r, statement, arena);
    TRY(json_enter_object(&r));
    while (json_next_key(&r, &key)) {
        if (slice_equal(key, SLICE("Sid")) && json_peek(&r) == JSON_STRING)
            TRY(json_read_string(&r, ret_sid));
        else
            TRY(json_skip(&r));
    }
    return json_end(&r);
}

struct edit {
    struct slice label;
    const struct sqs_permission *add; /* NULL: the statement of that label goes */
    size_t kept;
    bool is_found;
};

static struct error edit_statement(struct json_reader *r, struct buf *b, struct edit *edit, struct arena *arena)
{
    struct slice statement, sid;
    TRY(json_read_raw(r, &statement));
    TRY(sid_of(statement, &sid, arena));
    bool is_it = slice_equal(sid, edit->label);
    edit->is_found |= is_it;
    if (is_it && !edit->add)
        return OK;
    if (edit->kept++ > 0)
        buf_add_byte(b, ',');
    buf_add(b, statement);
    return OK;
}

static struct error edit_statements(struct json_reader *r, struct buf *b, struct edit *edit, struct arena *arena)
{
    buf_add_byte(b, '[');
    if (json_peek(r) == JSON_OBJECT) {
        TRY(edit_statement(r, b, edit, arena));
    } else {
        TRY(json_enter_array(r));
        while (json_next_element(r))
            TRY(edit_statement(r, b, edit, arena));
    }
    if (edit->add) {
        if (edit->kept++ > 0)
            buf_add_byte(b, ',');
        write_statement(b, edit->add);
    }
    buf_add_byte(b, ']');
    return r->error;
}

/* The document again, member by member as it stands, with its statements edited. */
static struct error edit_policy(struct slice text, struct buf *b, struct edit *edit, struct arena *arena)
{
    struct json_reader r;
    struct slice key, raw;
    int count = 0;
    json_reader_init(&r, text, arena);
    buf_add_byte(b, '{');
    TRY(json_enter_object(&r));
    while (json_next_key(&r, &key)) {
        json_write_key(b, &count, key);
        if (slice_equal(key, SLICE("Statement"))) {
            TRY(edit_statements(&r, b, edit, arena));
        } else {
            TRY(json_read_raw(&r, &raw));
            buf_add(b, raw);
        }
    }
    buf_add_byte(b, '}');
    return json_end(&r);
}

struct error sqs_policy_text_add(
    struct slice text, const struct sqs_permission *permission, struct slice *ret_text, struct sqs_fault *f)
{
    struct edit edit = { .label = permission->label, .add = permission };
    struct error e = OK;
    struct buf b;
    buf_init(&b);
    if (slice_is_none(text))
        write_new_policy(&b, permission);
    else
        e = edit_policy(text, &b, &edit, f->arena);
    if (!failed(e) && edit.is_found)
        e = sqs_fault_value(f, permission->label, "Label", "Already exists.");
    if (!failed(e))
        *ret_text = arena_copy(f->arena, buf_slice(&b));
    buf_deinit(&b);
    return e;
}

struct error sqs_policy_text_remove(struct slice text, struct slice label, struct slice *ret_text, struct sqs_fault *f)
{
    if (slice_is_none(text))
        return sqs_fault_value(f, label, "Label", "can't find label.");
    struct edit edit = { .label = label };
    struct buf b;
    buf_init(&b);
    struct error e = edit_policy(text, &b, &edit, f->arena);
    if (!failed(e) && !edit.is_found)
        e = sqs_fault_value(f, label, "Label", "can't find label on existing policy.");
    if (!failed(e))
        *ret_text = edit.kept ? arena_copy(f->arena, buf_slice(&b)) : SLICE_NONE;
    buf_deinit(&b);
    return e;
}
