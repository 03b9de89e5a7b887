/* bind_test.c: JSON and forms into structs, structs into JSON and XML, copies, required fields and bounds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "unit/api/test_shapes.h"
#include <stdio.h>

static struct call call;

static int set_up(void **state)
{
    test_call_init(&call, 64 * MIB);
    return 0;
}

static int tear_down(void **state)
{
    arena_deinit(&call.arena);
    return 0;
}

static void expect_slice(struct slice s, const char *expected)
{
    if (expected ? !slice_equal(s, slice_str(expected)) : !slice_is_none(s))
        fail_msg("'%.*s' instead of '%s'", SLICE_ARG(s), expected ? expected : "(none)");
}

static void decode_json(const char *json, struct test_all *v)
{
    struct error e = bind_json_decode(&call, &test_all_shape, slice_str(json), v);
    if (failed(e))
        fail_msg("%s: %u '%.*s'", json, e.code, SLICE_ARG(call.error_message));
}

static struct error decode_form(const char *text, struct test_all *v)
{
    struct form form;
    assert_int_equal(form_parse(&call.arena, slice_str(text), &form).code, 0);
    return bind_form_decode(&call, &test_all_shape, &form, v);
}

/* What was decoded, as JSON: rows of the tables below compare this. */
static struct slice shown(const struct test_all *v)
{
    struct buf b;
    buf_init(&b);
    bind_json_encode(&b, &test_all_shape, v);
    struct slice text = arena_copy(&call.arena, buf_slice(&b));
    buf_deinit(&b);
    return text;
}

/* ---- shapes
 * ----------------------------------------------------------------------------------------------------------- */

static void tables_describe_structs(void **state)
{
    const struct field *f = test_all_shape.fields();
    assert_string_equal(test_all_shape.name, "test_all");
    assert_int_equal(test_all_shape.size, sizeof(struct test_all));
    expect_slice(f[0].wire, "QueueUrl");
    assert_int_equal(f[0].kind, KIND_STR);
    assert_int_equal(f[0].flags, REQUIRED);
    assert_int_equal(f[3].offset, offsetof(struct test_all, count));
    assert_int_equal(f[3].max, 10);
    assert_ptr_equal(f[6].of, &test_inner_shape);
    assert_string_equal(f[8].query_key, "Key");
    assert_int_equal(f[11].kind, KIND_END);
    assert_int_equal(test_nothing_shape.fields()[0].kind, KIND_END);
}

static void clear_is_absent(void **state)
{
    struct test_all v;
    memset(&v, 0xff, sizeof v);
    shape_clear(&test_all_shape, &v);
    assert_true(slice_is_none(v.url) && slice_is_none(v.blob) && !v.inner && !v.names.is_set && !v.tags.is_set);
    assert_true(v.count == INT_ABSENT && v.delay == INT_ABSENT && v.flag == INT_ABSENT);
    expect_slice(shown(&v), "{}");
}

/* ---- JSON in
 * ------------------------------------------------------------------------------------------------------------ */

static void json_fills_fields(void **state)
{
    struct test_all v;
    decode_json(
        "{\"QueueUrl\":\"u\",\"Body\":\"\\u00e9\\n\",\"Blob\":\"AAH/\",\"Count\":3,\"Delay\":-9223372036854775807,"
        "\"Flag\":true,\"Inner\":{\"Name\":\"n\",\"Number\":0},\"Names\":[\"a\",\"\"],\"Tags\":{\"k\":\"v\",\"\":\"\"},"
        "\"Entries\":[{\"Id\":\"1\",\"Attributes\":{\"x\":{\"Blob\":\"\"}}},{}],\"Plain\":{\"p\":\"q\"}}",
        &v);
    expect_slice(v.url, "u");
    expect_slice(v.body, "\xc3\xa9\n");
    assert_int_equal(v.blob.size, 3);
    assert_memory_equal(v.blob.data, "\x00\x01\xff", 3);
    assert_int_equal(v.count, 3);
    assert_true(v.delay == -INT64_MAX);
    assert_int_equal(v.flag, 1);
    const struct test_inner *inner = v.inner;
    expect_slice(inner->name, "n");
    expect_slice(inner->blob, NULL);
    assert_int_equal(inner->number, 0);
    const struct slice *names = v.names.items;
    assert_int_equal(v.names.count, 2);
    expect_slice(names[0], "a");
    expect_slice(names[1], "");
    const struct pair *tags = v.tags.items;
    assert_int_equal(v.tags.count, 2);
    expect_slice(tags[0].key, "k");
    expect_slice(tags[0].text, "v");
    expect_slice(tags[1].key, "");
    expect_slice(tags[1].text, "");
    const struct test_entry *entries = v.entries.items;
    assert_int_equal(v.entries.count, 2);
    expect_slice(entries[0].id, "1");
    const struct pair *attributes = entries[0].attributes.items;
    expect_slice(attributes[0].key, "x");
    expect_slice(((const struct test_inner *)attributes[0].value)->blob, "");
    expect_slice(entries[1].id, NULL);
    assert_int_equal(v.plain.count, 1);
}

static void json_forms_are_equal(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "{}", "{}" },
        { "", "{}" },
        { " { } ", "{}" },
        { "{\"Unknown\":{\"QueueUrl\":[1,{}]},\"QueueUrl\":\"u\"}", "{\"QueueUrl\":\"u\"}" },
        { "{\"queueurl\":\"u\",\"QueueUr\":\"v\",\"QueueUrll\":1}", "{}" },
        { "{\"QueueUrl\":\"a\",\"QueueUrl\":\"b\"}", "{\"QueueUrl\":\"b\"}" },
        { "{\"QueueUrl\":null,\"Count\":null,\"Flag\":null,\"Inner\":null,\"Names\":null,\"Tags\":null,\"Blob\":null}",
            "{}" },
        { "{\"QueueUrl\":\"a\",\"QueueUrl\":null,\"Count\":1,\"Count\":null,\"Names\":[\"a\"],\"Names\":null}", "{}" },
        { "{\"Names\":[null,\"a\",null]}", "{\"Names\":[\"a\"]}" },
        { "{\"Tags\":{\"a\":null,\"b\":\"c\"}}", "{\"Tags\":{\"b\":\"c\"}}" },
        { "{\"Tags\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}}", "{\"Tags\":{\"a\":\"3\",\"b\":\"2\"}}" },
        { "{\"Names\":[\"a\"],\"Names\":[\"b\",\"c\"]}", "{\"Names\":[\"b\",\"c\"]}" },
        { "{\"Names\":[],\"Tags\":{}}", "{}" },
        { "{\"Inner\":{}}", "{\"Inner\":{}}" },
        { "{\"Count\":-0}", "{\"Count\":0}" },
        { "{\"Flag\":false}", "{\"Flag\":false}" },
        { "{\"Blob\":\"\"}", "{\"Blob\":\"\"}" },
        { "{\"Plain\":{\"a\":\"b\"},\"Flag\":true,\"Delay\":5,\"Count\":4,\"Body\":\"x\",\"QueueUrl\":\"u\"}",
            "{\"QueueUrl\":\"u\",\"Body\":\"x\",\"Count\":4,\"Delay\":5,\"Flag\":true,\"Plain\":{\"a\":\"b\"}}" },
        { "{\"Body\":\"\\\"\\\\\\u0001\\u20ac\\ud83d\\ude00\"}",
            "{\"Body\":\"\\\"\\\\\\u0001\xe2\x82\xac\xf0\x9f\x98\x80\"}" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct test_all v;
        decode_json(rows[row].in, &v);
        expect_slice(shown(&v), rows[row].out);
    }
}

static void empty_list_is_not_absent(void **state)
{
    struct test_all v;
    decode_json("{\"Names\":[],\"Tags\":{},\"Entries\":null}", &v);
    assert_true(v.names.is_set && v.names.count == 0);
    assert_true(v.tags.is_set && v.tags.count == 0);
    assert_false(v.entries.is_set);
}

static void bad_json_is_refused(void **state)
{
    static const struct {
        const char *json, *sentence;
    } rows[] = {
        { "[]", "not a JSON object" },
        { "\"x\"", "not a JSON object" },
        { "null", "not a JSON object" },
        { "{", "not a JSON object" },
        { "{}x", "not a JSON object" },
        { "{} {}", "not a JSON object" },
        { "{\"QueueUrl\":\"a\",}", "not a JSON object" },
        { "{\"QueueUrl\":\"\xff\"}", "not a JSON object" },
        { "{\"QueueUrl\":x}", "must be a string" },
        { "{\"Unknown\":x}", "not a JSON object" },
        { "{\"Names\":[\"a\"", "not a JSON object" },
        { "{\"Tags\":{\"a\":\"b\"", "not a JSON object" },
        { "{\"Entries\":[{\"Id\":\"a\"", "not a JSON object" },
        { "{\"U\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}", "not a JSON object" },
        { "{\"QueueUrl\":1}", "QueueUrl must be a string" },
        { "{\"QueueUrl\":{}}", "QueueUrl must be a string" },
        { "{\"Count\":\"5\"}", "Count must be an integer" },
        { "{\"Count\":1.0}", "Count must be an integer" },
        { "{\"Count\":1e2}", "Count must be an integer" },
        { "{\"Count\":9223372036854775808}", "Count must be an integer of 64 bits" },
        { "{\"Count\":-9223372036854775808}", "Count must be an integer of 64 bits" },
        { "{\"Count\":true}", "Count must be an integer" },
        { "{\"Flag\":1}", "Flag must be true or false" },
        { "{\"Flag\":\"true\"}", "Flag must be true or false" },
        { "{\"Blob\":\"A\"}", "Blob must be base64" },
        { "{\"Blob\":\"AAA\"}", "Blob must be base64" },
        { "{\"Blob\":[]}", "Blob must be a string" },
        { "{\"Inner\":[]}", "Inner must be an object" },
        { "{\"Inner\":{\"Name\":1}}", "Name must be a string" },
        { "{\"Names\":\"a\"}", "Names must be a list" },
        { "{\"Names\":{}}", "Names must be a list" },
        { "{\"Names\":[1]}", "Names must be a list of strings" },
        { "{\"Names\":[[]]}", "Names must be a list of strings" },
        { "{\"Entries\":[\"a\"]}", "Entries must be a list of objects" },
        { "{\"Tags\":[]}", "Tags must be an object" },
        { "{\"Tags\":{\"a\":1}}", "Tags must be an object of strings" },
        { "{\"Entries\":[{\"Attributes\":{\"a\":\"b\"}}]}", "Attributes must be an object of objects" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct test_all v;
        struct error e = bind_json_decode(&call, &test_all_shape, slice_str(rows[row].json), &v);
        struct slice s = call.error_message;
        if (e.code != API_SERIALIZATION || !memmem(s.data, s.size, rows[row].sentence, strlen(rows[row].sentence)))
            fail_msg("%s: %u '%.*s'", rows[row].json, e.code, SLICE_ARG(s));
    }
}

static struct slice repeated(const char *head, const char *item, size_t count, const char *tail)
{
    struct buf b;
    buf_init(&b);
    buf_add(&b, slice_str(head));
    for (size_t index = 0; index < count; index++) {
        if (index)
            buf_add_lit(&b, ",");
        buf_printf(&b, item, (int)index % 700);
    }
    buf_add(&b, slice_str(tail));
    struct slice text = arena_copy(&call.arena, buf_slice(&b));
    buf_deinit(&b);
    return text;
}

static void long_lists_are_bounded(void **state)
{
    struct test_all v;
    assert_int_equal(
        bind_json_decode(&call, &test_all_shape, repeated("{\"Entries\":[", "{}", 2000, "]}"), &v).code, 0);
    assert_int_equal(v.entries.count, 2000);
    assert_int_equal(bind_json_decode(&call, &test_all_shape, repeated("{\"Entries\":[", "{}", 2001, "]}"), &v).code,
        API_SERIALIZATION);
    assert_int_equal(
        bind_json_decode(&call, &test_all_shape, repeated("{\"Tags\":{", "\"k%d\":\"v\"", 2000, "}}"), &v).code, 0);
    assert_int_equal(v.tags.count, 700); /* the keys repeat */
    assert_int_equal(
        bind_json_decode(&call, &test_all_shape, repeated("{\"Tags\":{", "\"k%d\":\"v\"", 2001, "}}"), &v).code,
        API_SERIALIZATION);
}

static void many_equal_keys_keep_the_last(void **state)
{
    struct test_all v;
    struct slice json =
        repeated("{\"Tags\":{\"b\":\"1\",\"a\":\"1\",", "\"k%d\":\"v\"", 30, ",\"a\":\"2\",\"b\":\"2\",\"a\":\"3\"}}");
    assert_int_equal(bind_json_decode(&call, &test_all_shape, json, &v).code, 0);
    const struct pair *tags = v.tags.items;
    assert_int_equal(v.tags.count, 32);
    expect_slice(tags[0].key, "b");
    expect_slice(tags[0].text, "2");
    expect_slice(tags[1].key, "a");
    expect_slice(tags[1].text, "3");
    expect_slice(tags[2].key, "k0");
    expect_slice(tags[31].key, "k29");
}

static void memory_is_bounded(void **state)
{
    struct call small;
    struct test_all v;
    struct slice rows[] = {
        repeated("{\"Entries\":[", "{}", 1000, "]}"),
        repeated("{\"Names\":[", "\"%d\"", 2000, "]}"),
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        test_call_init(&small, 8 * KIB);
        assert_int_equal(bind_json_decode(&small, &test_all_shape, rows[row], &v).code, API_BODY_TOO_LARGE);
        arena_deinit(&small.arena);
    }
    struct form form = { .pairs = ARENA_ARRAY(&call.arena, struct form_pair, 500), .count = 500 };
    for (size_t index = 0; index < form.count; index++)
        form.pairs[index] = (struct form_pair){ SLICE("Name.1"), SLICE("x") };
    test_call_init(&small, 8 * KIB);
    assert_int_equal(bind_form_decode(&small, &test_all_shape, &form, &v).code, API_BODY_TOO_LARGE);
    arena_deinit(&small.arena);
}

/* ---- JSON out
 * ----------------------------------------------------------------------------------------------------------- */

static void always_fields_are_written(void **state)
{
    struct test_always v;
    struct buf b;
    buf_init(&b);
    shape_clear(&test_always_shape, &v);
    bind_json_encode(&b, &test_always_shape, &v);
    expect_slice(
        buf_slice(&b), "{\"text\":\"\",\"blob\":\"\",\"number\":0,\"flag\":false,\"inner\":{},\"list\":[],\"map\":{}}");
    buf_reset(&b);
    bind_xml_encode(&b, &test_always_shape, &v);
    expect_slice(buf_slice(&b), "<text></text><blob></blob><number>0</number><flag>false</flag><inner></inner>");
    buf_reset(&b);
    bind_json_encode(&b, &test_nothing_shape, &v);
    expect_slice(buf_slice(&b), "{}");
    buf_reset(&b);
    bind_xml_encode(&b, &test_nothing_shape, &v);
    expect_slice(buf_slice(&b), "");
    buf_deinit(&b);
}

static void query_replies_in_json_list_the_entries_of_maps(void **state)
{
    struct test_all v;
    struct buf b;
    decode_json("{\"QueueUrl\":\"u\",\"Tags\":{\"k\":\"v\",\"l\":\"\"},\"Plain\":{\"p\":\"q\"},\"Entries\":[{\"Id\":"
                "\"a\",\"Attributes\":{"
                "\"n\":{\"Name\":\"x\"},\"m\":{}}}]}",
        &v);
    buf_init(&b);
    bind_query_json_encode(&b, &test_all_shape, &v);
    expect_slice(buf_slice(&b), "{\"QueueUrl\":\"u\",\"Tags\":[{\"Key\":\"k\",\"Value\":\"v\"},{\"Key\":\"l\","
                                "\"Value\":\"\"}],\"Entries\":[{\"Id\":\"a\","
                                "\"Attributes\":[{\"Name\":\"n\",\"Value\":{\"Name\":\"x\"}},{\"Name\":\"m\",\"Value\":"
                                "{}}]}],\"Plain\":[{\"Name\":\"p\","
                                "\"Value\":\"q\"}]}");
    buf_deinit(&b);
}

/* ---- forms in
 * ----------------------------------------------------------------------------------------------------------- */

static void forms_fill_fields(void **state)
{
    static const struct {
        const char *form, *json;
    } rows[] = {
        { "", "{}" },
        { "Action=X&Version=2012-11-05&Unknown.1=a", "{}" },
        { "QueueUrl=u&Body=a+b%26c&Count=3&Delay=-1&Flag=true&Blob=AAH%2F",
            "{\"QueueUrl\":\"u\",\"Body\":\"a b&c\",\"Blob\":\"AAH/\",\"Count\":3,\"Delay\":-1,\"Flag\":true}" },
        { "Body=&Flag=FALSE", "{\"Body\":\"\",\"Flag\":false}" },
        { "Body=a&Body=b", "{\"Body\":\"b\"}" },
        { "Body.1=a&Bodyy=b&body=c", "{}" },
        { "Inner.Name=n&Inner.Number=5", "{\"Inner\":{\"Name\":\"n\",\"Number\":5}}" },
        { "Inner=x", "{\"Inner\":{}}" },
        { "InnerName=x&Inner.=y", "{}" },
        /* lists */
        { "Name.1=a&Name.2=b", "{\"Names\":[\"a\",\"b\"]}" },
        { "Name.2=b&Name.1=a", "{\"Names\":[\"a\",\"b\"]}" },
        { "Name.10=c&Name.9=b&Name.2=a", "{\"Names\":[\"a\",\"b\",\"c\"]}" },
        { "Name.7=x&Name.100=y", "{\"Names\":[\"x\",\"y\"]}" },
        { "Name=a", "{\"Names\":[\"a\"]}" },
        { "Name=a&Name.2=b", "{\"Names\":[\"a\",\"b\"]}" },
        { "Name.1=a&Name.1=b", "{\"Names\":[\"b\"]}" },
        { "Name.member.1=a&Name.member.2=b", "{\"Names\":[\"a\",\"b\"]}" },
        { "Name.1=", "{\"Names\":[\"\"]}" },
        { "Name.0=a&Name.-1=b&Name.x=c&Name.=d&Name.1x=e&Name.99999999999999999999=f&Name.1.2=g", "{}" },
        { "Names.1=a", "{}" }, /* the JSON name is not a query name */
        /* maps */
        { "Tag.1.Key=k&Tag.1.Value=v&Tag.2.Key=&Tag.2.Value=", "{\"Tags\":{\"k\":\"v\",\"\":\"\"}}" },
        { "Tag.2.Value=v2&Tag.1.Value=v1&Tag.2.Key=k2&Tag.1.Key=k1", "{\"Tags\":{\"k1\":\"v1\",\"k2\":\"v2\"}}" },
        { "Tag.1.Key=k&Tag.1.Value=v&Tag.2.Key=k&Tag.2.Value=w", "{\"Tags\":{\"k\":\"w\"}}" },
        { "Tag.member.1.Key=k&Tag.member.1.Value=v", "{\"Tags\":{\"k\":\"v\"}}" },
        { "Plain.1.Name=k&Plain.1.Value=v", "{\"Plain\":{\"k\":\"v\"}}" },
        /* lists of structs, with maps of structs inside */
        { "Entry.1.Id=a&Entry.2.Id=b&Entry.1.Inner.Name=n",
            "{\"Entries\":[{\"Id\":\"a\",\"Inner\":{\"Name\":\"n\"}},{\"Id\":\"b\"}]}" },
        { "Entry.3.Attribute.1.Name=x&Entry.3.Attribute.1.Value.Blob=QQ%3D%3D&Entry.3.Attribute.2.Name=y&"
          "Entry.3.Attribute.2.Value.Number=2",
            "{\"Entries\":[{\"Attributes\":{\"x\":{\"Blob\":\"QQ==\"},\"y\":{\"Number\":2}}}]}" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct test_all v;
        struct error e = decode_form(rows[row].form, &v);
        if (failed(e))
            fail_msg("%s: %u '%.*s'", rows[row].form, e.code, SLICE_ARG(call.error_message));
        if (!slice_equal(shown(&v), slice_str(rows[row].json)))
            fail_msg("%s: %.*s", rows[row].form, SLICE_ARG(shown(&v)));
    }
}

static void bad_forms_are_refused(void **state)
{
    static const struct {
        const char *form;
        uint32_t code;
        const char *sentence;
    } rows[] = {
        { "Count=x", API_SERIALIZATION, "Count must be an integer." },
        { "Count=", API_SERIALIZATION, "Count must be an integer." },
        { "Count=1.5", API_SERIALIZATION, "Count must be an integer." },
        { "Count=-9223372036854775808", API_SERIALIZATION, "Count must be an integer." },
        { "Flag=1", API_SERIALIZATION, "Flag must be true or false." },
        { "Blob=A", API_SERIALIZATION, "Blob must be base64 with its padding." },
        { "Inner.Number=x", API_SERIALIZATION, "Number must be an integer." },
        { "Tag.1.Value=v", TEST_MISSING_QUERY, "The request must contain the parameter Tag.1.Key." },
        { "Tag.1.Key=k", TEST_MISSING_QUERY, "The request must contain the parameter Tag.1.Value." },
        { "Tag.3=x", TEST_MISSING_QUERY, "The request must contain the parameter Tag.3.Key." },
        { "Entry.1.Attribute.2.Name=x", TEST_MISSING_QUERY,
            "The request must contain the parameter Attribute.2.Value." },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct test_all v;
        struct error e = decode_form(rows[row].form, &v);
        if (e.code != rows[row].code || !slice_equal(call.error_message, slice_str(rows[row].sentence)))
            fail_msg("%s: %u '%.*s'", rows[row].form, e.code, SLICE_ARG(call.error_message));
    }
}

/* Both protocols give the same struct. */
static void form_and_json_agree(void **state)
{
    static const struct {
        const char *form, *json;
    } rows[] = {
        { "QueueUrl=u&Body=%F0%9F%98%80&Name.1=a&Name.2=b",
            "{\"QueueUrl\":\"u\",\"Body\":\"\\ud83d\\ude00\",\"Names\":[\"a\",\"b\"]}" },
        { "Entry.1.Id=1&Entry.1.Attribute.1.Name=x&Entry.1.Attribute.1.Value.Name=y",
            "{\"Entries\":[{\"Id\":\"1\",\"Attributes\":{\"x\":{\"Name\":\"y\"}}}]}" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct test_all form, json;
        assert_int_equal(decode_form(rows[row].form, &form).code, 0);
        decode_json(rows[row].json, &json);
        assert_true(slice_equal(shown(&form), shown(&json)));
    }
}

/* ---- XML out
 * ------------------------------------------------------------------------------------------------------------ */

static void xml_is_flattened(void **state)
{
    static const struct {
        const char *json, *xml;
    } rows[] = {
        { "{}", "" },
        { "{\"QueueUrl\":\"u\",\"Count\":3,\"Flag\":true,\"Blob\":\"AAH/\",\"Body\":\"\"}",
            "<QueueUrl>u</QueueUrl><Body></Body><Blob>AAH/</Blob><Count>3</Count><Flag>true</Flag>" },
        { "{\"Body\":\"<a&b>\\\"\\r\\n'\"}", "<Body>&lt;a&amp;b&gt;&quot;&#xD;\n'</Body>" },
        { "{\"Names\":[\"a\",\"<\"]}", "<Name>a</Name><Name>&lt;</Name>" },
        { "{\"Names\":[],\"Tags\":{}}", "" },
        { "{\"Tags\":{\"k\":\"v\",\"l\":\"&\"}}",
            "<Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value>&amp;</Value></Tag>" },
        { "{\"Plain\":{\"k\":\"v\"}}", "<Plain><Name>k</Name><Value>v</Value></Plain>" },
        { "{\"Inner\":{\"Name\":\"n\",\"Number\":-5}}", "<Inner><Name>n</Name><Number>-5</Number></Inner>" },
        { "{\"Entries\":[{\"Id\":\"1\",\"Attributes\":{\"x\":{\"Blob\":\"QQ==\"}}},{\"Id\":\"2\"}]}",
            "<Entry><Id>1</Id><Attribute><Name>x</Name><Value><Blob>QQ==</Blob></Value></Attribute></Entry>"
            "<Entry><Id>2</Id></Entry>" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct test_all v;
        struct buf b;
        buf_init(&b);
        decode_json(rows[row].json, &v);
        bind_xml_encode(&b, &test_all_shape, &v);
        expect_slice(buf_slice(&b), rows[row].xml);
        buf_deinit(&b);
    }
}

/* ---- required and bounds
 * ------------------------------------------------------------------------------------------------ */

static void required_and_bounds(void **state)
{
    static const struct {
        const char *json;
        bool is_query;
        uint32_t code;
        const char *sentence;
    } rows[] = {
        { "{\"QueueUrl\":\"u\"}", false, 0, NULL }, { "{\"QueueUrl\":\"\"}", false, 0, NULL },
        { "{}", false, TEST_MISSING, "The request must contain the parameter QueueUrl." },
        { "{\"QueueUrl\":null}", false, TEST_MISSING, "The request must contain the parameter QueueUrl." },
        { "{}", true, TEST_MISSING_QUERY, "The request must contain the parameter QueueUrl." },
        { "{\"QueueUrl\":\"u\",\"Count\":1}", false, 0, NULL }, { "{\"QueueUrl\":\"u\",\"Count\":10}", true, 0, NULL },
        { "{\"QueueUrl\":\"u\",\"Count\":0}", false, TEST_INVALID,
            "Value 0 for parameter Count is invalid. Reason: Must be between 1 and 10, if provided." },
        { "{\"QueueUrl\":\"u\",\"Count\":11}", true, TEST_INVALID,
            "Value 11 for parameter Count is invalid. Reason: Must be between 1 and 10, if provided." },
        { "{\"QueueUrl\":\"u\",\"Delay\":-99999}", false, 0, NULL }, /* no bound */
        { "{\"QueueUrl\":\"u\",\"Entries\":[{}]}", false, 0, NULL }, /* the top level only */
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct test_all v;
        decode_json(rows[row].json, &v);
        call.error_message = SLICE_NONE;
        struct error e = bind_check(&call, &test_all_shape, &v, rows[row].is_query);
        assert_int_equal(e.code, rows[row].code);
        expect_slice(call.error_message, rows[row].sentence);
    }
}

/* ---- copies
 * ------------------------------------------------------------------------------------------------------------- */

static void copies_own_their_bytes(void **state)
{
    static const char json[] =
        "{\"QueueUrl\":\"u\",\"Body\":\"b\",\"Blob\":\"AAH/\",\"Count\":3,\"Flag\":true,\"Inner\":{\"Name\":\"n\"},"
        "\"Names\":[\"a\",\"\"],\"Tags\":{\"k\":\"v\"},\"Entries\":[{\"Id\":\"1\",\"Attributes\":{\"x\":"
        "{\"Blob\":\"QQ==\"}}},{}],\"Plain\":{\"p\":\"q\"}}";
    struct call other;
    struct test_all v;
    struct arena arena;
    char text[sizeof json];
    test_call_init(&other, MIB);
    memcpy(text, json, sizeof json);
    assert_int_equal(bind_json_decode(&other, &test_all_shape, slice_of(text, sizeof json - 1), &v).code, 0);
    struct slice before = shown(&v);
    arena_init_sized(&arena, MIB, shape_copy_bytes(&test_all_shape, &v));
    size_t bytes_before = arena.used_bytes;
    const struct test_all *copy = shape_copy(&test_all_shape, &v, &arena);
    assert_int_equal(arena.used_bytes, bytes_before); /* it fits, */
    assert_ptr_equal(arena.at, arena.end);            /* exactly */
    memset(text, 'x', sizeof text);
    memset(&v, 0x55, sizeof v);
    arena_deinit(&other.arena);
    assert_true(slice_equal(shown(copy), before));
    assert_int_equal(copy->delay, INT_ABSENT);
    assert_true(copy->names.is_set && copy->tags.is_set);
    arena_deinit(&arena);
}

static void copies_keep_absence(void **state)
{
    struct test_all v;
    struct arena arena;
    arena_init(&arena, MIB);
    decode_json("{\"Body\":\"\",\"Names\":[]}", &v);
    const struct test_all *copy = shape_copy(&test_all_shape, &v, &arena);
    expect_slice(copy->body, "");
    expect_slice(copy->url, NULL);
    assert_true(copy->names.is_set && copy->names.count == 0 && !copy->tags.is_set && !copy->inner);
    assert_non_null(shape_copy(&test_nothing_shape, &v, &arena));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_describe_structs),
        cmocka_unit_test(clear_is_absent),
        cmocka_unit_test(json_fills_fields),
        cmocka_unit_test(json_forms_are_equal),
        cmocka_unit_test(empty_list_is_not_absent),
        cmocka_unit_test(bad_json_is_refused),
        cmocka_unit_test(long_lists_are_bounded),
        cmocka_unit_test(many_equal_keys_keep_the_last),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(always_fields_are_written),
        cmocka_unit_test(query_replies_in_json_list_the_entries_of_maps),
        cmocka_unit_test(forms_fill_fields),
        cmocka_unit_test(bad_forms_are_refused),
        cmocka_unit_test(form_and_json_agree),
        cmocka_unit_test(xml_is_flattened),
        cmocka_unit_test(required_and_bounds),
        cmocka_unit_test(copies_own_their_bytes),
        cmocka_unit_test(copies_keep_absence),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
