/* Message attributes: rules, sizes, MD5, filters. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/sqs/attribute_value.h"
#include "service/sqs/sqs.h"

enum { PAIRS = 16 };

static struct arena arena;
static struct pair pairs[PAIRS];
static struct sqs_attribute_value attribute_values[PAIRS];
static struct values set;

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 1024 * 1024);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static void clear(void)
{
    set = (struct values){ .items = pairs, .is_set = true };
}

static void add(struct slice name, struct slice type, struct slice text, struct slice bytes)
{
    size_t i = set.count++;
    assert_true(i < PAIRS);
    attribute_values[i] =
        (struct sqs_attribute_value){ .data_type = type, .string_value = text, .binary_value = bytes };
    pairs[i] = (struct pair){ .key = name, .value = &attribute_values[i] };
}

static void add_text(const char *name, const char *type, const char *text)
{
    add(slice_str(name), slice_str(type), slice_str(text), SLICE_NONE);
}

static struct slice repeat(const char *unit, size_t count)
{
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < count; i++)
        buf_add(&b, slice_str(unit));
    struct slice copy = arena_copy(&arena, buf_slice(&b));
    buf_deinit(&b);
    return copy;
}

static void assert_checked(bool is_good, const char *text)
{
    struct sqs_fault fault = { .arena = &arena };
    struct error e = sqs_attributes_check(&set, &fault);
    assert_int_equal(e.code, is_good ? 0 : SQS_INVALID_PARAMETER);
    if (!is_good)
        assert_true(fault.text.size > 0);
    if (text)
        assert_true(slice_equal(fault.text, slice_str(text)));
}

static void names(void **state)
{
    static const char *const good[] = { "a", "a.b-c_D9", "awsome", "amazonas", "a.AWS.b", "-", "_",
        "attr.1\xc3\xb8\xc3\x9f\xc3\xa4", "\xc5\xbf" };
    static const char *const bad[] = { "", "a b", ".a", "a.", "a..b", "AWS.a", "aws.a", "Amazon.a", "AMAZON.a",
        "\xc2\xa7", "\xe2\x82\xac", "\xd0\x96", "\xf0\x9f\x98\x80", "\xc3\xbc.", "a/b", "a:b", "a\n" };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        clear();
        add_text(good[i], "String", "v");
        assert_checked(true, NULL);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        clear();
        add_text(bad[i], "String", "v");
        assert_checked(false, NULL);
    }
    for (size_t size = 256; size <= 257; size++) {
        clear();
        add(repeat("a", size), SLICE("String"), SLICE("v"), SLICE_NONE);
        assert_checked(size == 256, NULL);
    }
}

static const struct type_case {
    const char *type, *text, *bytes;
    bool is_good;
    const char *sentence;
} types[] = {
    { "String", "v", NULL, true, NULL },
    { "String.colour", "v", NULL, true, NULL },
    { "String.l l", "v", NULL, true, NULL },
    { "Number.int", "42", NULL, true, NULL },
    { "Binary.png", NULL, "bytes", true, NULL },
    { "Binary", NULL, "bytes", true, NULL },
    { NULL, "v", NULL, false, "Message (user) attribute 'a' must contain a non-empty attribute type." },
    { "", "v", NULL, false, NULL },
    { "Text", "v", NULL, false,
        "The type of message (user) attribute 'a' is invalid. You must use only the following supported type prefixes: "
        "Binary, Number, String." },
    { "string", "v", NULL, false, NULL },
    { "Strings", "v", NULL, false, NULL },
    { "String.", "v", NULL, false, NULL },
    { "Number.x", "y", NULL, false, "Can't cast the value of message (user) attribute 'a' to a number." },
    { "Binary", "text", NULL, false, NULL },
    { "Binary", "text", "bytes", false, "The message attribute 'a' with type 'Binary' must use field 'Binary'." },
    { "String", NULL, "bytes", false, NULL },
    { "String", NULL, NULL, false, "Message (user) attribute 'a' must contain a non-empty value of type 'String'." },
    { "String", "", NULL, false, "Message (user) attribute 'a' must contain a non-empty value of type 'String'." },
    { "Number", "", NULL, false, "Message (user) attribute 'a' must contain a non-empty value of type 'String'." },
    { "Binary", NULL, "", false, "Message (user) attribute 'a' must contain a non-empty value of type 'Binary'." },
    { "String", "a\x01", NULL, false, NULL },
    { "String", "tab\t lf\n \xf0\x9d\x84\x9e", NULL, true, NULL },
};

static void types_and_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        clear();
        add(SLICE("a"), slice_str(types[i].type), slice_str(types[i].text), slice_str(types[i].bytes));
        assert_checked(types[i].is_good, types[i].sentence);
    }
    for (size_t size = 256; size <= 257; size++) {
        clear();
        struct slice type = arena_printf(&arena, "String.%.*s", SLICE_ARG(repeat("l", size - 7)));
        add(SLICE("a"), type, SLICE("v"), SLICE_NONE);
        assert_checked(size == 256, NULL);
    }
}

static void lists_are_not_supported(void **state)
{
    struct slice item = SLICE("v");
    (void)state;
    clear();
    add_text("a", "String", "v");
    attribute_values[0].string_list_values = (struct values){ .items = &item, .count = 1, .is_set = true };
    assert_checked(false, "Message attribute list values in SendMessage operation are not supported.");
}

static void numbers(void **state)
{
    static const char *const good[] = { "0", "-0", "00", "0.0", "0e999", "1", "+1", "-1.5e10", ".5", "5.", "-12.50",
        "1e126", "1E+126", "9.99e125", "1e-128", "0.00001e-123", "12345678901234567890123456789012345678",
        "0.00000000000000000000000000000000000000000000000000012345678901234567890123456789012345678",
        "100000000000000000000000000000000000000000" };
    static const char *const bad[] = { "x", " 1", "1 ", "1,5", "--1", "1e", "1e+", "1e+-5", "e5", ".", "-", "0x1",
        "NaN", "Infinity", "1.2.3", "1e1.5", "1e127", "2e126", "1.1e126", "1e-129", "9e-129",
        "111111111111111111111111111111111111111", "1.00000000000000000000000000000000000001e0001x" };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        clear();
        add_text("n", "Number", good[i]);
        assert_checked(true, NULL);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        clear();
        add_text("n", "Number", bad[i]);
        assert_checked(false, NULL);
    }
}

static void at_most_ten_and_no_name_twice(void **state)
{
    (void)state;
    for (size_t count = 10; count <= 11; count++) {
        clear();
        for (size_t i = 0; i < count; i++)
            add(arena_printf(&arena, "a%zu", i), SLICE("String"), SLICE("v"), SLICE_NONE);
        assert_checked(
            count == 10, count == 10 ? NULL : "Number of message attributes [11] exceeds the allowed maximum [10].");
    }
    clear();
    add_text("b", "String", "1");
    add_text("a", "String", "2");
    add_text("b", "String", "3");
    assert_checked(false, "Message (user) attribute 'b' is given more than once.");
}

static void checking_sorts(void **state)
{
    static const char *const sorted[] = { "A", "B", "_", "a", "a.b", "b" };
    (void)state;
    clear();
    static const char *const mixed[] = { "b", "_", "A", "a.b", "a", "B" };
    for (size_t i = 0; i < ARRAY_COUNT(mixed); i++)
        add_text(mixed[i], "String", "v");
    assert_checked(true, NULL);
    for (size_t i = 0; i < ARRAY_COUNT(sorted); i++)
        assert_true(slice_equal(pairs[i].key, slice_str(sorted[i])));
}

static void the_trace_header_is_the_only_system_attribute(void **state)
{
    struct sqs_fault fault = { .arena = &arena };
    (void)state;
    clear();
    assert_int_equal(sqs_system_attributes_check(&set, &fault).code, 0);
    add_text("AWSTraceHeader", "String", "Root=1-2-3");
    assert_int_equal(sqs_system_attributes_check(&set, &fault).code, 0);
    static const char *const bad[][3] = { { "SenderId", "String", "v" }, { "AWSTraceHeader", "Number", "1" },
        { "AWSTraceHeader", "String", "" }, { "AWSTraceHeader", "String.x", "v" },
        { "awstraceheader", "String", "v" } };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        clear();
        add_text(bad[i][0], bad[i][1], bad[i][2]);
        assert_int_equal(sqs_system_attributes_check(&set, &fault).code, SQS_INVALID_PARAMETER);
    }
}

/* Digests computed by an independent implementation of the published algorithm (the SDKs' check of SendMessage). */
static void digests(void **state)
{
    char md5[33];
    (void)state;
    clear();
    add_text("timestamp", "Number", "1493147359900");
    assert_checked(true, NULL);
    sqs_attributes_md5(&set, md5);
    assert_string_equal(md5, "235c5c510d26fb653d073faed50ae77c");

    clear();
    add_text("text", "String", "value & <more> \xc3\xbc");
    add_text("number", "Number", "-12.50");
    add(SLICE("bytes"), SLICE("Binary"), SLICE_NONE, SLICE("\x00\x01\xff<>&"));
    add_text("labelled.text", "String.colour", "red");
    add_text("labelled-number", "Number.int", "42");
    add(SLICE("labelled_bytes"), SLICE("Binary.png"), SLICE_NONE, SLICE("\x89PNG"));
    assert_checked(true, NULL);
    sqs_attributes_md5(&set, md5);
    assert_string_equal(md5, "30d83d48e206cdb3d40c707991c91803");
}

static void sizes(void **state)
{
    (void)state;
    clear();
    assert_int_equal(sqs_attributes_size(&set), 0);
    add_text("name", "String", "12345678");
    add(SLICE("b"), SLICE("Binary.x"), SLICE_NONE, SLICE("\0\0\0"));
    assert_int_equal(sqs_attributes_size(&set), 4 + 6 + 8 + 1 + 8 + 3);
}

/* A batch is weighed before its entries are checked. */
static void sizes_of_what_is_not_legal(void **state)
{
    (void)state;
    clear();
    add_text("name", "Text", "12345678");
    add_text("none", "", "1");
    ((struct pair *)set.items)[set.count++] = (struct pair){ .key = SLICE("null") };
    assert_int_equal(sqs_attributes_size(&set), 4 + 4 + 8 + 4 + 0 + 1 + 4);
}

static const struct filter_case {
    const char *names[4];
    const char *expected; /* joined with blanks */
} filters[] = {
    { { NULL }, "" },
    { { "text" }, "text" },
    { { "text", "number", "absent" }, "number text" },
    { { "labelled.*" }, "labelled-number labelled.text" }, /* a prefix of any name, not of one up to a dot */
    { { "label.*" }, "labelled-number labelled.text" },
    { { "labelled..*" }, "labelled.text" },
    { { "other.*" }, "" },
    { { "All" }, "labelled-number labelled.text number text" },
    { { ".*" }, "labelled-number labelled.text number text" },
    { { "*" }, "labelled-number labelled.text number text" },
    { { "absent", "All" }, "labelled-number labelled.text number text" },
    { { "all" }, "" },
    { { "not a legal name!", "number" }, "number" },
    { { "", "" }, "" },
};

static void filters_choose_and_keep_order(void **state)
{
    (void)state;
    clear();
    static const char *const all[] = { "labelled-number", "labelled.text", "number", "text" };
    for (size_t i = 0; i < ARRAY_COUNT(all); i++)
        add_text(all[i], "String", "v");
    for (size_t i = 0; i < ARRAY_COUNT(filters); i++) {
        struct slice asked[4];
        size_t count = 0;
        for (; count < 4 && filters[i].names[count]; count++)
            asked[count] = slice_str(filters[i].names[count]);
        const struct values names = { .items = asked, .count = count, .is_set = count > 0 };
        struct sqs_name_filter filter = sqs_name_filter_of(&names);
        struct values chosen = sqs_attributes_select(&set, &filter, &arena);
        struct buf b;
        buf_init(&b);
        for (size_t k = 0; k < chosen.count; k++) {
            if (k)
                buf_add_byte(&b, ' ');
            buf_add(&b, ((struct pair *)chosen.items)[k].key);
        }
        assert_true(slice_equal(buf_slice(&b), slice_str(filters[i].expected)));
        buf_deinit(&b);
    }
    struct sqs_name_filter nothing = sqs_name_filter_of(NULL);
    assert_int_equal(sqs_attributes_select(&set, &nothing, &arena).count, 0);
}

static void a_subset_has_its_own_digest(void **state)
{
    struct slice asked = SLICE("timestamp");
    const struct values names = { .items = &asked, .count = 1, .is_set = true };
    struct sqs_name_filter filter = sqs_name_filter_of(&names);
    char md5[33];
    (void)state;
    clear();
    add_text("timestamp", "Number", "1493147359900");
    add_text("other", "String", "v");
    assert_checked(true, NULL);
    struct values chosen = sqs_attributes_select(&set, &filter, &arena);
    assert_int_equal(chosen.count, 1);
    sqs_attributes_md5(&chosen, md5);
    assert_string_equal(md5, "235c5c510d26fb653d073faed50ae77c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(types_and_values),
        cmocka_unit_test(lists_are_not_supported),
        cmocka_unit_test(numbers),
        cmocka_unit_test(at_most_ten_and_no_name_twice),
        cmocka_unit_test(checking_sorts),
        cmocka_unit_test(the_trace_header_is_the_only_system_attribute),
        cmocka_unit_test(digests),
        cmocka_unit_test(sizes),
        cmocka_unit_test(sizes_of_what_is_not_legal),
        cmocka_unit_test(filters_choose_and_keep_order),
        cmocka_unit_test(a_subset_has_its_own_digest),
    };
    return cmocka_run_group_tests(tests, start, end);
}
