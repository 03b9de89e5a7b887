/* policy_condition.c: condition operators: what an operand is, and whether a condition holds. See policy_internal.h.
 *
 * Missing key   true with IfExists and for ForAllValues, false for ForAnyValue, else true for negated operators only.
 * Negated       a value satisfies it when it matches none of the operands; several values of a key without set prefix
 * must all do so (for positive operators one is enough). Unreadable    a value that is no number, date, address, ...
 * matches nothing.
 */
#include "auth/policy_internal.h"

#include "auth/network.h"
#include <stdio.h>
#include <stdlib.h>

enum relation {
    RELATION_MATCH,
    RELATION_EQUAL,
    RELATION_LESS,
    RELATION_LESS_EQUAL,
    RELATION_GREATER,
    RELATION_GREATER_EQUAL
};
enum { NEGATED = 1, NOCASE = 2, WILDCARDS = 4, OPERAND_TEXT_MAX = 64 };

#define OPERATOR(name, operand, relation, flags)                                                                       \
    {                                                                                                                  \
        { name, sizeof(name) - 1 }, operand, relation, ((flags)&NEGATED) != 0, ((flags)&NOCASE) != 0,                  \
            ((flags)&WILDCARDS) != 0                                                                                   \
    }

static const struct operator_row operators[] = {
    OPERATOR("StringEquals", OPERAND_STRING, RELATION_MATCH, 0),
    OPERATOR("StringNotEquals", OPERAND_STRING, RELATION_MATCH, NEGATED),
    OPERATOR("StringEqualsIgnoreCase", OPERAND_STRING, RELATION_MATCH, NOCASE),
    OPERATOR("StringNotEqualsIgnoreCase", OPERAND_STRING, RELATION_MATCH, NEGATED | NOCASE),
    OPERATOR("StringLike", OPERAND_STRING, RELATION_MATCH, WILDCARDS),
    OPERATOR("StringNotLike", OPERAND_STRING, RELATION_MATCH, NEGATED | WILDCARDS),
    OPERATOR("NumericEquals", OPERAND_NUMBER, RELATION_EQUAL, 0),
    OPERATOR("NumericNotEquals", OPERAND_NUMBER, RELATION_EQUAL, NEGATED),
    OPERATOR("NumericLessThan", OPERAND_NUMBER, RELATION_LESS, 0),
    OPERATOR("NumericLessThanEquals", OPERAND_NUMBER, RELATION_LESS_EQUAL, 0),
    OPERATOR("NumericGreaterThan", OPERAND_NUMBER, RELATION_GREATER, 0),
    OPERATOR("NumericGreaterThanEquals", OPERAND_NUMBER, RELATION_GREATER_EQUAL, 0),
    OPERATOR("DateEquals", OPERAND_DATE, RELATION_EQUAL, 0),
    OPERATOR("DateNotEquals", OPERAND_DATE, RELATION_EQUAL, NEGATED),
    OPERATOR("DateLessThan", OPERAND_DATE, RELATION_LESS, 0),
    OPERATOR("DateLessThanEquals", OPERAND_DATE, RELATION_LESS_EQUAL, 0),
    OPERATOR("DateGreaterThan", OPERAND_DATE, RELATION_GREATER, 0),
    OPERATOR("DateGreaterThanEquals", OPERAND_DATE, RELATION_GREATER_EQUAL, 0),
    OPERATOR("Bool", OPERAND_BOOL, RELATION_MATCH, NOCASE),
    OPERATOR("BinaryEquals", OPERAND_BINARY, RELATION_MATCH, 0),
    OPERATOR("IpAddress", OPERAND_IP, RELATION_MATCH, 0),
    OPERATOR("NotIpAddress", OPERAND_IP, RELATION_MATCH, NEGATED),
    OPERATOR("ArnEquals", OPERAND_ARN, RELATION_MATCH, WILDCARDS),
    OPERATOR("ArnNotEquals", OPERAND_ARN, RELATION_MATCH, NEGATED | WILDCARDS),
    OPERATOR("ArnLike", OPERAND_ARN, RELATION_MATCH, WILDCARDS),
    OPERATOR("ArnNotLike", OPERAND_ARN, RELATION_MATCH, NEGATED | WILDCARDS),
    OPERATOR("Null", OPERAND_NULL, RELATION_MATCH, NOCASE),
};

const struct operator_row *operator_at(size_t index)
{
    ASSERT(index < ARRAY_COUNT(operators));
    return &operators[index];
}

bool operator_find(struct slice name, uint8_t *ret_index)
{
    for (size_t index = 0; index < ARRAY_COUNT(operators); index++) {
        if (slice_equal(operators[index].name, name)) {
            *ret_index = (uint8_t)index;
            return true;
        }
    }
    return false;
}

/* ---- numbers and dates ----------------------------------------------------------------------------------------------
 */

static bool parse_number(struct slice s, double *ret_value)
{
    char text[OPERAND_TEXT_MAX], *end;
    if (s.size == 0 || s.size >= sizeof text)
        return false;
    for (size_t index = 0; index < s.size; index++) {
        if (!text_is_digit(s.data[index]) && !strchr("+-.eE", s.data[index])) /* no "inf", "nan", "0x" or blanks */
            return false;
    }
    memcpy(text, s.data, s.size);
    text[s.size] = '\0';
    *ret_value = strtod(text, &end);
    return *end == '\0' && end > text;
}

static bool take_digits(struct slice *s, size_t count, int *ret_value)
{
    uint64_t value;
    if (s->size < count || !text_parse_u64(slice_head(*s, count), &value))
        return false;
    *ret_value = (int)value;
    *s = slice_from(*s, count);
    return true;
}

static bool take_byte(struct slice *s, char byte)
{
    if (s->size == 0 || s->data[0] != byte)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

/* "Z", "+01:00" or "-01:00" */
static bool take_zone(struct slice *s, int *ret_seconds)
{
    int hours, minutes;
    *ret_seconds = 0;
    if (take_byte(s, 'Z'))
        return true;
    bool is_west = take_byte(s, '-');
    if (!is_west && !take_byte(s, '+'))
        return false;
    if (!take_digits(s, 2, &hours) || !take_byte(s, ':') || !take_digits(s, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
    return true;
}

/* The W3C profile of ISO 8601 (a date, or a date and a time with its zone), or seconds since 1970. In seconds. */
static bool parse_date(struct slice s, double *ret_value)
{
    int year, month = 1, day = 1, hour = 0, minute = 0, second = 0, zone_s = 0;
    char text[32];
    double fraction = 0;
    int64_t epoch_s;
    if (slice_find(s, '-') == s.size || slice_find(s, '-') == 0)
        return parse_number(s, ret_value);
    if (!take_digits(&s, 4, &year) || !take_byte(&s, '-') || !take_digits(&s, 2, &month))
        return false;
    if (take_byte(&s, '-') && !take_digits(&s, 2, &day))
        return false;
    if (take_byte(&s, 'T')) {
        if (!take_digits(&s, 2, &hour) || !take_byte(&s, ':') || !take_digits(&s, 2, &minute))
            return false;
        if (take_byte(&s, ':') && !take_digits(&s, 2, &second))
            return false;
        size_t digits = s.size && s.data[0] == '.' ? 1 : 0;
        while (digits && digits < s.size && text_is_digit(s.data[digits]))
            digits++;
        if (digits == 1 || (digits && !parse_number(slice_head(s, digits), &fraction)))
            return false;
        s = slice_from(s, digits);
        if (!take_zone(&s, &zone_s))
            return false;
    }
    int size = snprintf(text, sizeof text, "%04d%02d%02dT%02d%02d%02dZ", year, month, day, hour, minute, second);
    if (s.size || !text_parse_amz_date(slice_of(text, (size_t)size), &epoch_s))
        return false;
    *ret_value = (double)(epoch_s - zone_s) + fraction;
    return true;
}

static bool relation_holds(enum relation relation, double value, double operand)
{
    switch (relation) {
    case RELATION_LESS:
        return value < operand;
    case RELATION_LESS_EQUAL:
        return value <= operand;
    case RELATION_GREATER:
        return value > operand;
    case RELATION_GREATER_EQUAL:
        return value >= operand;
    default:
        return value == operand;
    }
}

/* ---- operands
 * --------------------------------------------------------------------------------------------------------- */

static bool is_bool(struct slice text)
{
    return slice_equal_nocase(text, SLICE("true")) || slice_equal_nocase(text, SLICE("false"));
}

static bool is_base64(struct slice text)
{
    for (size_t index = 0; index < text.size; index++) {
        char c = text.data[index];
        bool is_padding = c == '=' && index + 2 >= text.size;
        if (!text_is_alnum(c) && c != '+' && c != '/' && !is_padding)
            return false;
    }
    return text.size % 4 == 0;
}

bool operand_is_valid(enum operand_kind kind, struct slice text)
{
    double number;
    struct network net;
    switch (kind) {
    case OPERAND_NUMBER:
        return parse_number(text, &number);
    case OPERAND_DATE:
        return parse_date(text, &number);
    case OPERAND_BOOL:
    case OPERAND_NULL:
        return is_bool(text);
    case OPERAND_BINARY:
        return is_base64(text);
    case OPERAND_IP:
        return network_parse(text, &net);
    default:
        return true;
    }
}

static bool arn_matches(
    const struct policy *p, uint32_t first_pattern, struct slice value, const struct policy_request *r)
{
    struct slice rest = value;
    for (uint32_t field = 0; field < ARN_FIELDS; field++) {
        bool is_last = field == ARN_FIELDS - 1;
        if (slice_is_none(rest))
            return false;
        struct slice part = is_last ? rest : slice_cut(&rest, ':');
        if (!pattern_matches(p, first_pattern + field, part, false, r))
            return false;
    }
    return true;
}

static bool operand_matches(const struct policy *p, const struct operator_row *row, uint32_t pattern,
    struct slice value, const struct policy_request *r)
{
    double number, operand;
    struct network address, net;
    switch (row->operand) {
    case OPERAND_NUMBER:
        return parse_number(value, &number) && parse_number(pattern_literal(p, pattern), &operand) &&
               relation_holds(row->relation, number, operand);
    case OPERAND_DATE:
        return parse_date(value, &number) && parse_date(pattern_literal(p, pattern), &operand) &&
               relation_holds(row->relation, number, operand);
    case OPERAND_IP:
        return network_parse(value, &address) && network_parse(pattern_literal(p, pattern), &net) &&
               network_holds(&net, &address);
    case OPERAND_ARN:
        return arn_matches(p, pattern, value, r);
    default:
        return pattern_matches(p, pattern, value, row->is_nocase, r);
    }
}

/* ---- a condition
 * ------------------------------------------------------------------------------------------------------ */

/* Does one value of the key satisfy the operator? */
static bool is_satisfied(const struct policy *p, const struct policy_condition *condition, struct slice value,
    const struct policy_request *r)
{
    const struct operator_row *row = operator_at(condition->operator);
    uint32_t step = row->operand == OPERAND_ARN ? ARN_FIELDS : 1;
    for (uint32_t index = 0; index < condition->values.count; index += step) {
        if (operand_matches(p, row, condition->values.first + index, value, r))
            return !row->is_negated;
    }
    return row->is_negated;
}

static bool null_holds(const struct policy *p, const struct policy_condition *condition, bool is_present)
{
    for (uint32_t index = 0; index < condition->values.count; index++) {
        struct slice wanted = pattern_literal(p, condition->values.first + index);
        if (slice_equal_nocase(wanted, SLICE("false")) == is_present)
            return true;
    }
    return false;
}

bool condition_holds(const struct policy *p, const struct policy_condition *condition, const struct policy_request *r)
{
    const struct operator_row *row = operator_at(condition->operator);
    struct found_key found;
    bool is_present = key_find(r, policy_text(p, condition->key), &found);
    if (row->operand == OPERAND_NULL)
        return null_holds(p, condition, is_present);
    if (!is_present)
        return condition->if_exists || condition->set == SET_ALL || (condition->set == SET_NONE && row->is_negated);
    bool wants_all = condition->set == SET_ALL || (condition->set == SET_NONE && row->is_negated);
    for (size_t index = 0; index < found.count; index++) {
        if (is_satisfied(p, condition, found.values[index], r) != wants_all)
            return !wants_all;
    }
    return wants_all;
}
