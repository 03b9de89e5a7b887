#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "codec/json.h"
#include <stdlib.h>

/* ---- a walk over any value, written again without blanks
 * ---------------------------------------------------------------- */

static struct error walk(struct json_reader *r, struct buf *out);

static struct error walk_object(struct json_reader *r, struct buf *out)
{
    struct slice key;
    int count = 0;
    TRY(json_enter_object(r));
    buf_add_byte(out, '{');
    while (json_next_key(r, &key)) {
        json_write_key(out, &count, key);
        TRY(walk(r, out));
    }
    buf_add_byte(out, '}');
    return r->error;
}

static struct error walk_array(struct json_reader *r, struct buf *out)
{
    int count = 0;
    TRY(json_enter_array(r));
    buf_add_byte(out, '[');
    while (json_next_element(r)) {
        if (count++)
            buf_add_byte(out, ',');
        TRY(walk(r, out));
    }
    buf_add_byte(out, ']');
    return r->error;
}

static struct error walk(struct json_reader *r, struct buf *out)
{
    struct slice text;
    bool value;
    switch (json_peek(r)) {
    case JSON_OBJECT:
        return walk_object(r, out);
    case JSON_ARRAY:
        return walk_array(r, out);
    case JSON_STRING:
        TRY(json_read_string(r, &text));
        json_write_string(out, text);
        return OK;
    case JSON_NUMBER:
        TRY(json_read_number(r, &text));
        buf_add(out, text);
        return OK;
    case JSON_TRUE:
    case JSON_FALSE:
        TRY(json_read_bool(r, &value));
        buf_add(out, value ? SLICE("true") : SLICE("false"));
        return OK;
    case JSON_NULL:
        TRY(json_read_null(r));
        buf_add_lit(out, "null");
        return OK;
    default:
        return json_read_null(r); /* fails, with the offset */
    }
}

/* The input in memory of exactly its size, so that a read past its end is seen. */
struct input {
    char *bytes;
    struct arena arena;
    struct json_reader reader;
};

static struct json_reader *open_input(struct input *in, struct slice text)
{
    in->bytes = malloc(text.size ? text.size : 1);
    assert_non_null(in->bytes);
    if (text.size)
        memcpy(in->bytes, text.data, text.size);
    arena_init(&in->arena, 4 * MIB);
    json_reader_init(&in->reader, slice_of(in->bytes, text.size), &in->arena);
    return &in->reader;
}

static void close_input(struct input *in)
{
    arena_deinit(&in->arena);
    free(in->bytes);
}

static struct error walk_all(struct slice text, struct buf *out)
{
    struct input in;
    struct json_reader *r = open_input(&in, text);
    buf_reset(out);
    struct error e = walk(r, out);
    struct error end = json_end(r);
    if (failed(e))
        assert_memory_equal(&e, &end, sizeof(e)); /* the first error stays */
    close_input(&in);
    return end;
}

static struct error skip_all(struct slice text)
{
    struct input in;
    struct json_reader *r = open_input(&in, text);
    json_skip(r);
    struct error e = json_end(r);
    assert_null(in.arena.blocks); /* skipping allocates nothing */
    close_input(&in);
    return e;
}

/* ---- tables of good and bad texts
 * ----------------------------------------------------------------------------------------- */

static const struct {
    struct slice text, plain; /* as it comes, and written again; none: the same */
} good[] = {
    { SLICE("{}"), SLICE_NONE }, { SLICE("[]"), SLICE_NONE }, { SLICE(" \t\r\n[ \n] \t"), SLICE("[]") },
    { SLICE("{ \"a\" : 1 , \"b\" : [ 2 , { } ] }"), SLICE("{\"a\":1,\"b\":[2,{}]}") },
    { SLICE("{\"a\":1,\"a\":2}"), SLICE_NONE }, /* twice the same key: reported twice */
    { SLICE("{\"\":null}"), SLICE_NONE }, { SLICE("{\"\\u0061\\n\":0}"), SLICE("{\"a\\n\":0}") },
    { SLICE("[[],{},[[]]]"), SLICE_NONE }, { SLICE("[true,false,null]"), SLICE_NONE }, { SLICE("true"), SLICE_NONE },
    { SLICE("null"), SLICE_NONE }, { SLICE("\"\""), SLICE_NONE }, { SLICE("\"a\""), SLICE_NONE },
    { SLICE("0"), SLICE_NONE }, { SLICE("-0"), SLICE_NONE }, { SLICE("123"), SLICE_NONE },
    { SLICE("[1,-1,10,1.5,-0.0,1e5,1E+5,1e-5,1.25E10,0e0,123456789012345678901234567890]"), SLICE_NONE },
    { SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), SLICE("\"\\\"\\\\/\\b\\f\\n\\r\\t\"") },
    { SLICE("\"\\u0000\\u001f\\u007f\\u00e9\\u20AC\\uFFFF\""),
        SLICE("\"\\u0000\\u001f\x7f\xc3\xa9\xe2\x82\xac\xef\xbf\xbf\"") },
    { SLICE("\"\\ud83d\\ude00\\uDBFF\\uDFFF\""), SLICE("\"\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"") },
    { SLICE("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbe\xf4\x8f\xbf\xbf\""), SLICE_NONE },
    { SLICE("\"\x7f\xc2\x80\xe2\x80\xa8\""), SLICE_NONE }, { SLICE("\"\\\\u0000\""), SLICE_NONE },
    { SLICE("\"a/*b*/ // #\""), SLICE_NONE }, { SLICE("[\"a\\\"b\",\"\\\\\"]"), SLICE_NONE },
    { SLICE("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), SLICE_NONE }, /* JSON_DEPTH_MAX levels */
};

static const struct {
    struct slice text;
    int offset; /* of the first byte that cannot stand there */
} bad[] = {
    { SLICE(""), 0 },
    { SLICE("  "), 2 },
    { SLICE("\xef\xbb\xbf{}"), 0 },
    { SLICE("{"), 1 },
    { SLICE("["), 1 },
    { SLICE("}"), 0 },
    { SLICE("]"), 0 },
    { SLICE("{}}"), 2 },
    { SLICE("[] []"), 3 },
    { SLICE("[]x"), 2 },
    { SLICE("{]"), 1 },
    { SLICE("[}"), 1 },
    { SLICE("[1}"), 2 },
    { SLICE("{\"a\":1]"), 6 },
    { SLICE("[1 2]"), 3 },
    { SLICE("[1,]"), 3 },
    { SLICE("[,1]"), 1 },
    { SLICE("[,]"), 1 },
    { SLICE("[1,,2]"), 3 },
    { SLICE("[1"), 2 },
    { SLICE("[1,"), 3 },
    { SLICE("[1:2]"), 2 },
    { SLICE("{\"a\"}"), 4 },
    { SLICE("{\"a\":}"), 5 },
    { SLICE("{\"a\":1,}"), 7 },
    { SLICE("{,\"a\":1}"), 1 },
    { SLICE("{\"a\":1 \"b\":2}"), 7 },
    { SLICE("{\"a\":1,,\"b\":2}"), 7 },
    { SLICE("{\"a\",1}"), 4 },
    { SLICE("{\"a\"::1}"), 5 },
    { SLICE("{a:1}"), 1 },
    { SLICE("{'a':1}"), 1 },
    { SLICE("{1:1}"), 1 },
    { SLICE("{null:1}"), 1 },
    { SLICE("{\"a\":1"), 6 },
    { SLICE("{\"a\":"), 5 },
    { SLICE("{\"a\""), 4 },
    { SLICE("{\"a"), 3 },
    { SLICE("{[]:1}"), 1 },
    { SLICE("'a'"), 0 },
    { SLICE("a"), 0 },
    { SLICE("tru"), 0 },
    { SLICE("True"), 0 },
    { SLICE("truex"), 4 },
    { SLICE("nul"), 0 },
    { SLICE("nulll"), 4 },
    { SLICE("[nulL]"), 1 },
    { SLICE("falsy"), 0 },
    { SLICE("NaN"), 0 },
    { SLICE("Infinity"), 0 },
    { SLICE("-Infinity"), 0 },
    { SLICE("undefined"), 0 },
    { SLICE("01"), 1 },
    { SLICE("-01"), 2 },
    { SLICE("[-]"), 1 },
    { SLICE("+1"), 0 },
    { SLICE(".5"), 0 },
    { SLICE("-.5"), 0 },
    { SLICE("1."), 0 },
    { SLICE("[1.e1]"), 1 },
    { SLICE("1e"), 0 },
    { SLICE("1e+"), 0 },
    { SLICE("[1e-]"), 1 },
    { SLICE("1.5e1.5"), 5 },
    { SLICE("0x10"), 1 },
    { SLICE("1_000"), 1 },
    { SLICE("--1"), 0 },
    { SLICE("1-"), 1 },
    { SLICE("\xef\xbc\x91"), 0 }, /* a full-width one */
    { SLICE("\""), 1 },
    { SLICE("\"a"), 2 },
    { SLICE("\"\\"), 2 },
    { SLICE("\"\\\""), 3 },
    { SLICE("\"\t\""), 1 },
    { SLICE("\"a\nb\""), 2 },
    { SLICE("\"\0\""), 1 },
    { SLICE("\"\x1f\""), 1 },
    { SLICE("\"\\x41\""), 1 },
    { SLICE("\"\\'\""), 1 },
    { SLICE("\"\\a\""), 1 },
    { SLICE("\"\\ \""), 1 },
    { SLICE("\"\\\n\""), 1 },
    { SLICE("\"\\\xc3\xa9\""), 1 },
    { SLICE("\"\\U0041\""), 1 },
    { SLICE("\"\\u\""), 1 },
    { SLICE("\"\\u004\""), 1 },
    { SLICE("\"\\u00g1\""), 1 },
    { SLICE("\"\\u 041\""), 1 },
    { SLICE("\"\\u{41}\""), 1 },
    { SLICE("\"\\ud800\""), 1 },
    { SLICE("\"\\udc00\""), 1 },
    { SLICE("\"\\ud800x\""), 1 },
    { SLICE("\"\\ud800\\n\""), 1 },
    { SLICE("\"\\ud800\\u0041\""), 1 },
    { SLICE("\"\\ud800\\ud800\""), 1 },
    { SLICE("\"\\udc00\\ud800\""), 1 },
    { SLICE("\"\\ud83d\\ude0\""), 1 },
    { SLICE("\"\\ud83d\\u\""), 1 },
    { SLICE("\"\\ud83d\\\""), 9 },
    { SLICE("\"ab\xff\""), 3 },
    { SLICE("\"\x80\""), 1 },
    { SLICE("\"\xc0\x80\""), 1 },
    { SLICE("\"\xc3\""), 1 },
    { SLICE("\"\xe2\x82\""), 1 },
    { SLICE("\"\xed\xa0\x80\""), 1 },
    { SLICE("\"\xf0\x80\x80\x80\""), 1 },
    { SLICE("\"\xf4\x90\x80\x80\""), 1 },
    { SLICE("{\"\xff\":1}"), 2 },
    { SLICE("[\"\\u0041\xff\"]"), 8 },
    { SLICE("/**/[]"), 0 },
    { SLICE("[] // x"), 3 },
    { SLICE("[1,/**/2]"), 3 },
    { SLICE("\xa0[]"), 0 },
    { SLICE("\x0b[]"), 0 },
    { SLICE("\x0c[]"), 0 },
    { SLICE("[]\0"), 2 },
    { SLICE("[\"a\",\n\"b]"), 9 },
};

static void test_good_texts(void **state)
{
    struct buf out;
    buf_init(&out);
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        struct error e = walk_all(good[i].text, &out);
        if (failed(e))
            fail_msg("refused at %d: %.*s", e.system, SLICE_ARG(good[i].text));
        if (!slice_equal(buf_slice(&out), slice_is_none(good[i].plain) ? good[i].text : good[i].plain))
            fail_msg("%.*s became %.*s", SLICE_ARG(good[i].text), SLICE_ARG(buf_slice(&out)));
        assert_false(failed(skip_all(good[i].text)));
    }
    buf_deinit(&out);
}

static void test_bad_texts(void **state)
{
    struct buf out;
    buf_init(&out);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct error e = walk_all(bad[i].text, &out);
        if (e.code != ERR_BAD || e.system != bad[i].offset)
            fail_msg("%.*s gave %u at %d, not at %d", SLICE_ARG(bad[i].text), e.code, e.system, bad[i].offset);
        e = skip_all(bad[i].text);
        if (e.code != ERR_BAD || e.system != bad[i].offset)
            fail_msg("%.*s skipped gave %u at %d, not at %d", SLICE_ARG(bad[i].text), e.code, e.system, bad[i].offset);
    }
    buf_deinit(&out);
}

/* No beginning of an object or array is a whole one; every good text survives blanks around it. */
static void test_prefixes_and_blanks(void **state)
{
    struct buf out;
    buf_init(&out);
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        struct slice text = slice_trim(good[i].text);
        char padded[256] = "\n ";
        memcpy(padded + 2, good[i].text.data, good[i].text.size);
        memcpy(padded + 2 + good[i].text.size, "\r\n\t", 3);
        assert_false(failed(skip_all(slice_of(padded, good[i].text.size + 5))));
        if (text.data[0] != '{' && text.data[0] != '[')
            continue;
        for (size_t size = 0; size < text.size; size++) {
            assert_true(failed(skip_all(slice_head(text, size))));
            assert_true(failed(walk_all(slice_head(text, size), &out)));
        }
    }
    buf_deinit(&out);
}

static void test_depth(void **state)
{
    char text[4 * JSON_DEPTH_MAX + 16];
    struct buf out;
    buf_init(&out);
    for (size_t depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct slice nested = slice_of(text, 2 * depth);
        uint32_t expected = depth > JSON_DEPTH_MAX ? ERR_TOO_DEEP : ERR_NONE;
        assert_int_equal(walk_all(nested, &out).code, expected);
        assert_int_equal(skip_all(nested).code, expected);
        if (expected)
            assert_int_equal(skip_all(nested).system, JSON_DEPTH_MAX);
    }
    /* siblings do not add up */
    struct buf many;
    buf_init(&many);
    buf_add_byte(&many, '[');
    for (int i = 0; i < 100; i++)
        buf_add_lit(&many, "[{\"a\":[]}],");
    buf_add_lit(&many, "{}]");
    assert_false(failed(skip_all(buf_slice(&many))));
    /* skipping starts from where the reader is */
    struct input in;
    struct json_reader *r = open_input(&in, SLICE("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"));
    assert_false(failed(json_enter_array(r)));
    assert_true(json_next_element(r));
    assert_int_equal(json_skip(r).code, ERR_TOO_DEEP);
    close_input(&in);
    buf_deinit(&many);
    buf_deinit(&out);
}

/* ---- the reader
 * ----------------------------------------------------------------------------------------------------------- */

static void test_a_request(void **state)
{
    struct input in;
    struct slice key, value, raw = SLICE_NONE, number, queue = SLICE_NONE, body = SLICE_NONE;
    bool flag = false;
    int64_t delay = 0;
    struct json_reader *r = open_input(
        &in, SLICE("{\"QueueUrl\": \"http://127.0.0.1/1/q\", \"MessageBody\" :\"a\\\"b\",\"DelaySeconds\":-12,\n"
                   "\"Unknown\":{\"x\":[1,2,{\"y\":null}]},\"Flag\":true,\"Raw\": [1, {\"a\" : 2}] }\n"));
    assert_false(failed(json_enter_object(r)));
    while (json_next_key(r, &key)) {
        if (slice_equal(key, SLICE("QueueUrl"))) {
            assert_int_equal(json_peek(r), JSON_STRING);
            assert_false(failed(json_read_string(r, &queue)));
        } else if (slice_equal(key, SLICE("MessageBody"))) {
            assert_false(failed(json_read_string(r, &body)));
        } else if (slice_equal(key, SLICE("DelaySeconds"))) {
            assert_int_equal(json_peek(r), JSON_NUMBER);
            assert_false(failed(json_read_number(r, &number)));
            assert_true(text_parse_i64(number, &delay));
        } else if (slice_equal(key, SLICE("Flag"))) {
            assert_false(failed(json_read_bool(r, &flag)));
        } else if (slice_equal(key, SLICE("Raw"))) {
            assert_false(failed(json_read_raw(r, &raw)));
        } else {
            assert_false(failed(json_skip(r)));
        }
    }
    assert_false(failed(json_end(r)));
    assert_true(slice_equal(queue, SLICE("http://127.0.0.1/1/q")));
    assert_true(queue.data > in.bytes && queue.data < r->end); /* a view of the input */
    assert_true(slice_equal(body, SLICE("a\"b")));
    assert_int_equal(delay, -12);
    assert_true(flag);
    assert_true(slice_equal(raw, SLICE("[1, {\"a\" : 2}]")));
    value = SLICE("kept");
    assert_true(failed(json_read_string(r, &value)));
    assert_true(slice_equal(value, SLICE("kept")));
    close_input(&in);
}

static void test_peek(void **state)
{
    const struct {
        const char *text;
        enum json_kind kind;
    } cases[] = { { "{", JSON_OBJECT }, { " [", JSON_ARRAY }, { "\"", JSON_STRING }, { "-", JSON_NUMBER },
        { "7", JSON_NUMBER }, { "t", JSON_TRUE }, { "f", JSON_FALSE }, { "n", JSON_NULL }, { "", JSON_BAD },
        { "}", JSON_BAD }, { "N", JSON_BAD }, { ".", JSON_BAD } };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct input in;
        struct json_reader *r = open_input(&in, slice_str(cases[i].text));
        assert_int_equal(json_peek(r), cases[i].kind);
        assert_int_equal(json_peek(r), cases[i].kind);
        close_input(&in);
    }
}

/* The wrong kind is an error of the text, at its place. */
static void test_wrong_kinds(void **state)
{
    const char *texts[] = { "{}", "[]", "\"s\"", "1", "true", "null" };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        for (size_t k = 0; k < 6; k++) {
            struct input in;
            struct json_reader *r = open_input(&in, slice_str(texts[i]));
            struct slice s;
            bool value;
            struct error e = k == 0   ? json_enter_object(r)
                             : k == 1 ? json_enter_array(r)
                             : k == 2 ? json_read_string(r, &s)
                             : k == 3 ? json_read_number(r, &s)
                             : k == 4 ? json_read_bool(r, &value)
                                      : json_read_null(r);
            assert_int_equal(e.code, i == k ? ERR_NONE : ERR_BAD);
            assert_int_equal(e.system, 0);
            close_input(&in);
        }
}

/* After a failure every call fails, with the first error. */
static void test_failure_sticks(void **state)
{
    struct input in;
    struct slice s;
    bool value;
    struct json_reader *r = open_input(&in, SLICE("{\"a\":nul,\"b\":1}"));
    assert_false(failed(json_enter_object(r)));
    assert_true(json_next_key(r, &s));
    assert_true(failed(json_read_null(r)));
    assert_false(json_next_key(r, &s));
    assert_false(json_next_element(r));
    assert_int_equal(json_peek(r), JSON_BAD);
    const struct error all[] = { json_enter_object(r), json_enter_array(r), json_read_string(r, &s),
        json_read_number(r, &s), json_read_bool(r, &value), json_read_null(r), json_skip(r), json_read_raw(r, &s),
        json_end(r) };
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        assert_int_equal(all[i].code, ERR_BAD);
        assert_int_equal(all[i].system, 5);
    }
    close_input(&in);
}

static void test_end_wants_everything_read(void **state)
{
    struct input in;
    struct json_reader *r = open_input(&in, SLICE("[1]"));
    struct slice number;
    assert_false(failed(json_enter_array(r)));
    assert_true(json_next_element(r));
    assert_false(failed(json_read_number(r, &number)));
    assert_true(failed(json_end(r)));
    close_input(&in);
    /* nothing follows, but the array is open */
    r = open_input(&in, SLICE("[1 "));
    assert_false(failed(json_enter_array(r)));
    assert_true(json_next_element(r));
    assert_false(failed(json_read_number(r, &number)));
    assert_int_equal(json_end(r).code, ERR_BAD);
    close_input(&in);
}

static void test_a_full_arena_is_an_error(void **state)
{
    struct buf text;
    struct arena arena;
    struct json_reader r;
    struct slice s;
    buf_init(&text);
    buf_add_lit(&text, "\"\\n");
    for (int i = 0; i < 5000; i++)
        buf_add_byte(&text, 'x');
    buf_add_lit(&text, "\"");
    arena_init(&arena, 4096);
    json_reader_init(&r, buf_slice(&text), &arena);
    struct error e = json_read_string(&r, &s);
    assert_int_equal(e.code, ERR_NO_MEMORY);
    assert_int_equal(json_end(&r).code, ERR_NO_MEMORY);
    arena_deinit(&arena);
    buf_deinit(&text);
}

/* ---- strings of all lengths, each kind of byte at each place
 * ---------------------------------------------------------------- */

static void check_string(struct slice text)
{
    struct buf written;
    struct input in;
    struct slice back;
    buf_init(&written);
    json_write_string(&written, text);
    struct json_reader *r = open_input(&in, buf_slice(&written));
    assert_false(failed(json_read_string(r, &back)));
    assert_false(failed(json_end(r)));
    assert_true(slice_equal(back, text));
    assert_false(slice_is_none(back));
    close_input(&in);
    assert_false(failed(skip_all(buf_slice(&written))));
    buf_deinit(&written);
}

static void test_strings_come_back(void **state)
{
    char text[80];
    const char *const inside[] = { "\"", "\\", "\n", "\x01", "\x1f", "\x7f", "/", "\xc3\xa9", "\xf0\x9f\x98\x80" };
    for (size_t i = 0; i < ARRAY_COUNT(inside); i++)
        for (size_t place = 0; place < 40; place++) {
            size_t size = strlen(inside[i]);
            memset(text, 'a', sizeof(text));
            memcpy(text + place, inside[i], size);
            check_string(slice_of(text, place + size));
            check_string(slice_of(text, 70));
        }
    memset(text, '\0', sizeof(text));
    for (size_t size = 0; size < sizeof(text); size++)
        check_string(slice_of(text, size));
    check_string(SLICE_NONE);
}

/* A byte that ends or breaks a string is found at each place, with each distance to the end of the input. */
static void test_broken_strings_at_each_place(void **state)
{
    const struct {
        const char *bytes;
        int offset; /* of the error in them */
    } cases[] = { { "\n", 0 }, { "\\x", 0 }, { "\xff", 0 }, { "\xc3\xa9\x80", 2 }, { "\\ud800", 0 } };
    char text[128];
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        for (size_t place = 1; place < 40; place++)
            for (size_t after = 0; after < 40; after += 3) {
                size_t size = strlen(cases[i].bytes);
                memset(text, 'a', sizeof(text));
                text[0] = '"';
                memcpy(text + place, cases[i].bytes, size);
                text[place + size + after] = '"';
                struct error e = skip_all(slice_of(text, place + size + after + 1));
                assert_int_equal(e.code, ERR_BAD);
                assert_int_equal(e.system, place + (size_t)cases[i].offset);
            }
}

/* ---- writer
 * --------------------------------------------------------------------------------------------------------------- */

static void test_writer(void **state)
{
    struct buf b;
    int count = 0;
    buf_init(&b);
    json_write_string(&b, SLICE("q\"\\/\b\f\n\r\t\x00\x1f\x7f\xc3\xa9<>&'"));
    assert_true(slice_equal(buf_slice(&b), SLICE("\"q\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xc3\xa9<>&'\"")));
    buf_reset(&b);
    json_write_key(&b, &count, SLICE("a"));
    buf_add_byte(&b, '1');
    json_write_key(&b, &count, SLICE("b\n"));
    buf_add_byte(&b, '2');
    assert_true(slice_equal(buf_slice(&b), SLICE("\"a\":1,\"b\\n\":2")));
    assert_int_equal(count, 2);
    buf_reset(&b);
    json_write_string(&b, SLICE_NONE);
    assert_true(slice_equal(buf_slice(&b), SLICE("\"\"")));
    buf_deinit(&b);
}

/* Random damage: walking and skipping agree about what is good, and the good comes back the same when walked again. */
static void test_random_damage(void **state)
{
    struct buf out, again;
    uint64_t seed = 99;
    size_t still_good = 0;
    buf_init(&out);
    buf_init(&again);
    for (int round = 0; round < 20000; round++) {
        char text[256];
        struct slice from = good[(size_t)round % ARRAY_COUNT(good)].text;
        memcpy(text, from.data, from.size);
        for (int i = 0; i <= round % 2; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            text[(seed >> 40) % from.size] = "\"\\{}[],:0e-. u\xc3\x01"[(seed >> 33) % 17];
        }
        struct error walked = walk_all(slice_of(text, from.size), &out), skipped = skip_all(slice_of(text, from.size));
        assert_int_equal(walked.code, skipped.code);
        assert_int_equal(walked.system, skipped.system);
        if (failed(walked))
            continue;
        still_good++;
        assert_false(failed(walk_all(buf_slice(&out), &again)));
        assert_true(slice_equal(buf_slice(&out), buf_slice(&again)));
    }
    assert_true(still_good > 1000);
    buf_deinit(&out);
    buf_deinit(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_texts),
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_prefixes_and_blanks),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_a_request),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_wrong_kinds),
        cmocka_unit_test(test_failure_sticks),
        cmocka_unit_test(test_end_wants_everything_read),
        cmocka_unit_test(test_a_full_arena_is_an_error),
        cmocka_unit_test(test_strings_come_back),
        cmocka_unit_test(test_broken_strings_at_each_place),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
