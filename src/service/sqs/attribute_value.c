#include "service/sqs/attribute_value.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "service/sqs/sqs.h"

static struct sqs_attribute_value *value_of(const struct pair *pair)
{
    return pair->value;
}

static struct pair *pairs_of(const struct values *attributes)
{
    return attributes->items;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* Bytes of the character at `at`; 0: names cannot have it. Beyond ASCII the real service takes the letters of Latin
 * scripts: U+00C0 to U+017F, which begin with C3 to C5. Names are valid UTF-8. */
static size_t name_char_size(struct slice name, size_t at)
{
    unsigned char c = (unsigned char)name.data[at];
    if (text_is_alnum((char)c) || c == '_' || c == '-' || c == '.')
        return 1;
    return c >= 0xc3 && c <= 0xc5 ? 2 : 0;
}

static bool has_prefix_nocase(struct slice s, struct slice prefix)
{
    return s.size >= prefix.size && slice_equal_nocase(slice_head(s, prefix.size), prefix);
}

static struct error check_name(struct slice name, struct sqs_fault *f)
{
    if (name.size == 0)
        return sqs_fault(f, SQS_INVALID_PARAMETER, "Message (user) attribute names must not be empty.");
    if (name.size > SQS_ATTRIBUTE_NAME_BYTES_MAX)
        return sqs_fault(f, SQS_INVALID_PARAMETER, "Message (user) attribute names must be at most %d bytes long.",
            SQS_ATTRIBUTE_NAME_BYTES_MAX);
    for (size_t i = 0, size; i < name.size; i += size) {
        size = name_char_size(name, i);
        if (size == 0)
            return sqs_fault(f, SQS_INVALID_PARAMETER,
                "Message (user) attribute names can only contain upper and lower case letters, digits, periods, "
                "hyphens "
                "and underscores.");
        if (name.data[i] == '.' && i + 1 < name.size && name.data[i + 1] == '.')
            return sqs_fault(
                f, SQS_INVALID_PARAMETER, "Message (user) attribute names must not contain successive periods.");
    }
    if (has_prefix_nocase(name, SLICE("AWS.")) || has_prefix_nocase(name, SLICE("Amazon.")) || name.data[0] == '.' ||
        name.data[name.size - 1] == '.')
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for "
            "internal use. Additionally, they cannot start or end with '.'.");
    return OK;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

struct number {
    size_t digits;    /* from the first to the last that is not 0 */
    int64_t exponent; /* of ten, of the first such digit */
    bool is_power;    /* its only such digit is a 1 */
    bool is_zero;
};

static size_t skip_digits(struct slice s, size_t at)
{
    while (at < s.size && text_is_digit(s.data[at]))
        at++;
    return at;
}

/* [+-] digits [. digits] [eE [+-] digits], at least one digit before the exponent; the whole slice */
static bool split_number(struct slice s, struct slice *whole, struct slice *fraction, int64_t *exponent)
{
    size_t at = s.size && (s.data[0] == '-' || s.data[0] == '+');
    size_t end = skip_digits(s, at);
    *whole = slice_of(s.data + at, end - at);
    *fraction = SLICE("");
    if (end < s.size && s.data[end] == '.') {
        at = end + 1;
        end = skip_digits(s, at);
        *fraction = slice_of(s.data + at, end - at);
    }
    if (whole->size + fraction->size == 0)
        return false;
    *exponent = 0;
    if (end == s.size)
        return true;
    if (s.data[end] != 'e' && s.data[end] != 'E')
        return false;
    struct slice text = slice_from(s, end + 1);
    if (text.size > 1 && text.data[0] == '+' && text_is_digit(text.data[1]))
        text = slice_from(text, 1);
    return text.size <= 9 && text_parse_i64(text, exponent); /* nine digits are far past every limit */
}

static bool parse_number(struct slice s, struct number *ret)
{
    struct slice whole, fraction;
    int64_t exponent;
    if (!split_number(s, &whole, &fraction, &exponent))
        return false;
    size_t count = whole.size + fraction.size, first = count, last = 0, nonzero = 0;
    bool is_one = false;
    for (size_t i = 0; i < count; i++) {
        char digit = i < whole.size ? whole.data[i] : fraction.data[i - whole.size];
        if (digit == '0')
            continue;
        if (first == count) {
            first = i;
            is_one = digit == '1';
        }
        last = i;
        nonzero++;
    }
    *ret = (struct number){ .is_zero = nonzero == 0 };
    if (nonzero) {
        ret->digits = last - first + 1;
        ret->exponent = exponent + (int64_t)whole.size - 1 - (int64_t)first;
        ret->is_power = nonzero == 1 && is_one;
    }
    return true;
}

static struct error check_number(struct slice name, struct slice text, struct sqs_fault *f)
{
    struct number n;
    if (!parse_number(text, &n))
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "Can't cast the value of message (user) attribute '%.*s' to a number.", SLICE_ARG(name));
    if (n.is_zero)
        return OK;
    if (n.digits > SQS_NUMBER_DIGITS_MAX)
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "The number of message (user) attribute '%.*s' has more than %d digits of precision.", SLICE_ARG(name),
            SQS_NUMBER_DIGITS_MAX);
    bool is_above = n.exponent > SQS_NUMBER_EXPONENT_MAX || (n.exponent == SQS_NUMBER_EXPONENT_MAX && !n.is_power);
    if (is_above || n.exponent < SQS_NUMBER_EXPONENT_MIN)
        return sqs_fault(f, SQS_INVALID_PARAMETER, "Number attribute value %.*s should be in range (-10**128..10**126)",
            SLICE_ARG(text));
    return OK;
}

/* ---- types and values ------------------------------------------------------------------------------------------ */

static const struct type_row {
    struct slice prefix;
    uint8_t transport;
    bool is_number;
} types[] = {
    { { "String", 6 }, SQS_TRANSPORT_STRING, false },
    { { "Number", 6 }, SQS_TRANSPORT_STRING, true },
    { { "Binary", 6 }, SQS_TRANSPORT_BINARY, false },
};

/* "String" or "String.label"; NULL if it is neither of the three. */
static const struct type_row *type_of(struct slice data_type)
{
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        if (!slice_starts(data_type, types[i].prefix))
            continue;
        struct slice label = slice_from(data_type, types[i].prefix.size);
        return label.size == 0 || (label.size > 1 && label.data[0] == '.') ? &types[i] : NULL;
    }
    return NULL;
}

static struct error check_type(struct slice name, struct slice data_type, struct sqs_fault *f)
{
    if (data_type.size == 0)
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "Message (user) attribute '%.*s' must contain a non-empty attribute type.", SLICE_ARG(name));
    if (!type_of(data_type) || !text_is_xml_chars(data_type))
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "The type of message (user) attribute '%.*s' is invalid. You must use only the following supported type "
            "prefixes: Binary, Number, String.",
            SLICE_ARG(name));
    if (data_type.size > SQS_ATTRIBUTE_TYPE_BYTES_MAX)
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "The type of message (user) attribute '%.*s' must be at most %d bytes long.", SLICE_ARG(name),
            SQS_ATTRIBUTE_TYPE_BYTES_MAX);
    return OK;
}

static struct error check_value(struct slice name, const struct sqs_attribute_value *v, struct sqs_fault *f)
{
    if (v->string_list_values.count || v->binary_list_values.count)
        return sqs_fault(
            f, SQS_INVALID_PARAMETER, "Message attribute list values in SendMessage operation are not supported.");
    const struct type_row *type = type_of(v->data_type);
    bool is_binary = type->transport == SQS_TRANSPORT_BINARY;
    const char *field = is_binary ? "Binary" : "String";
    struct slice own = is_binary ? v->binary_value : v->string_value;
    struct slice other = is_binary ? v->string_value : v->binary_value;
    if (other.size)
        return sqs_fault(f, SQS_INVALID_PARAMETER, "The message attribute '%.*s' with type '%.*s' must use field '%s'.",
            SLICE_ARG(name), SLICE_ARG(type->prefix), field);
    if (own.size == 0)
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "Message (user) attribute '%.*s' must contain a non-empty value of type '%s'.", SLICE_ARG(name), field);
    if (type->is_number)
        return check_number(name, own, f);
    if (!is_binary && !text_is_xml_chars(own))
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "Invalid characters were found in the value of message (user) attribute '%.*s'.", SLICE_ARG(name));
    return OK;
}

/* ---- the set --------------------------------------------------------------------------------------------------- */

static void sort_by_name(struct values *attributes)
{
    struct pair *pairs = pairs_of(attributes);
    for (size_t i = 1; i < attributes->count; i++) {
        struct pair moved = pairs[i];
        size_t k = i;
        for (; k > 0 && slice_compare(pairs[k - 1].key, moved.key) > 0; k--)
            pairs[k] = pairs[k - 1];
        pairs[k] = moved;
    }
}

struct error sqs_attributes_check(struct values *attributes, struct sqs_fault *f)
{
    if (attributes->count > SQS_ATTRIBUTES_MAX)
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "Number of message attributes [%zu] exceeds the allowed maximum [%d].", attributes->count,
            SQS_ATTRIBUTES_MAX);
    sort_by_name(attributes);
    const struct pair *pairs = pairs_of(attributes);
    for (size_t i = 0; i < attributes->count; i++) {
        static const struct sqs_attribute_value nothing;
        const struct sqs_attribute_value *v = pairs[i].value ? pairs[i].value : &nothing; /* {"name": null} */
        TRY(check_name(pairs[i].key, f));
        if (i > 0 && slice_equal(pairs[i - 1].key, pairs[i].key))
            return sqs_fault(f, SQS_INVALID_PARAMETER, "Message (user) attribute '%.*s' is given more than once.",
                SLICE_ARG(pairs[i].key));
        TRY(check_type(pairs[i].key, v->data_type, f));
        TRY(check_value(pairs[i].key, v, f));
    }
    return OK;
}

struct error sqs_system_attributes_check(struct values *attributes, struct sqs_fault *f)
{
    const struct pair *pairs = pairs_of(attributes);
    for (size_t i = 0; i < attributes->count; i++) {
        if (!slice_equal(pairs[i].key, SLICE("AWSTraceHeader")))
            return sqs_fault(
                f, SQS_INVALID_PARAMETER, "Message system attribute name '%.*s' is invalid.", SLICE_ARG(pairs[i].key));
        const struct sqs_attribute_value *v = pairs[i].value;
        if (i > 0 || !v || !slice_equal(v->data_type, SLICE("String")) || v->binary_value.size ||
            v->string_value.size == 0 || v->string_list_values.count || v->binary_list_values.count)
            return sqs_fault(f, SQS_INVALID_PARAMETER,
                "Message system attribute 'AWSTraceHeader' must contain one non-empty value of type 'String'.");
        if (!text_is_xml_chars(v->string_value))
            return sqs_fault(f, SQS_INVALID_PARAMETER,
                "Invalid characters were found in the value of message system attribute 'AWSTraceHeader'.");
    }
    return OK;
}

enum sqs_transport sqs_attribute_transport(const struct sqs_attribute_value *v)
{
    const struct type_row *type = type_of(v->data_type);
    ASSERT(type);
    return type->transport;
}

struct slice sqs_attribute_bytes(const struct sqs_attribute_value *v)
{
    return sqs_attribute_transport(v) == SQS_TRANSPORT_BINARY ? v->binary_value : v->string_value;
}

size_t sqs_attributes_size(const struct values *attributes)
{
    const struct pair *pairs = pairs_of(attributes);
    size_t size = 0;
    for (size_t i = 0; i < attributes->count; i++) {
        const struct sqs_attribute_value *v = value_of(&pairs[i]);
        size += pairs[i].key.size;
        if (v) /* both kinds of value: a good one has only one of them */
            size += v->data_type.size + v->string_value.size + v->binary_value.size;
    }
    return size;
}

/* Per attribute: length and name, length and type, one byte of transport, length and value. */
enum { MD5_PARTS = 7, MD5_LENGTHS = 3 };

static void put_u32(uint8_t out[4], size_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

void sqs_attributes_md5(const struct values *attributes, char out[33])
{
    ASSERT(attributes->count > 0 && attributes->count <= SQS_ATTRIBUTES_MAX);
    static const uint8_t transports[] = { SQS_TRANSPORT_STRING, SQS_TRANSPORT_BINARY };
    uint8_t lengths[SQS_ATTRIBUTES_MAX * MD5_LENGTHS][4];
    struct slice parts[SQS_ATTRIBUTES_MAX * MD5_PARTS];
    size_t count = 0, length_count = 0;
    const struct pair *pairs = pairs_of(attributes);
    for (size_t i = 0; i < attributes->count; i++) {
        const struct sqs_attribute_value *v = value_of(&pairs[i]);
        enum sqs_transport transport = sqs_attribute_transport(v);
        const struct slice fields[MD5_LENGTHS] = { pairs[i].key, v->data_type, sqs_attribute_bytes(v) };
        for (size_t k = 0; k < MD5_LENGTHS; k++) {
            if (k == 2)
                parts[count++] = slice_of(&transports[transport - 1], 1);
            put_u32(lengths[length_count], fields[k].size);
            parts[count++] = slice_of(lengths[length_count++], 4);
            parts[count++] = fields[k];
        }
    }
    uint8_t digest[MD5_BYTES];
    md5_parts(parts, count, digest);
    text_format_hex(digest, MD5_BYTES, out);
    out[32] = 0;
}

/* ---- what a receive asks for ----------------------------------------------------------------------------------- */

struct sqs_name_filter sqs_name_filter_of(const struct values *names)
{
    struct sqs_name_filter filter = { .names = names };
    const struct slice *asked = names ? names->items : NULL;
    for (size_t i = 0; names && i < names->count; i++)
        filter.is_all |= slice_equal(asked[i], SLICE("All")) || slice_equal(asked[i], SLICE(".*")) ||
                         slice_equal(asked[i], SLICE("*"));
    return filter;
}

bool sqs_name_filter_has(const struct sqs_name_filter *filter, struct slice name)
{
    if (filter->is_all)
        return true;
    const struct slice *asked = filter->names ? filter->names->items : NULL;
    for (size_t i = 0; filter->names && i < filter->names->count; i++) {
        if (slice_equal(asked[i], name))
            return true;
        if (slice_ends(asked[i], SLICE(".*")) && slice_starts(name, slice_head(asked[i], asked[i].size - 2)))
            return true; /* the dot belongs to the star: "Hel.*" has "Hello" */
    }
    return false;
}

struct values sqs_attributes_select(
    const struct values *attributes, const struct sqs_name_filter *filter, struct arena *arena)
{
    struct values selected = { 0 };
    if (attributes->count == 0)
        return selected;
    const struct pair *pairs = pairs_of(attributes);
    struct pair *out = ARENA_ARRAY(arena, struct pair, attributes->count);
    for (size_t i = 0; i < attributes->count; i++)
        if (sqs_name_filter_has(filter, pairs[i].key))
            out[selected.count++] = pairs[i];
    selected.items = out;
    selected.is_set = selected.count > 0;
    return selected;
}
