#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "codec/xml.h"

static void test_elements(void **state)
{
    struct buf b;
    buf_init(&b);
    xml_open(&b, SLICE("Result"));
    xml_element(&b, SLICE("Body"), SLICE("a<b>&\"c\"\r\n\t'd'"));
    xml_element(&b, SLICE("Empty"), SLICE_NONE);
    xml_close(&b, SLICE("Result"));
    assert_true(slice_equal(buf_slice(&b), SLICE("<Result><Body>a&lt;b&gt;&amp;&quot;c&quot;&#xD;\n\t'd'</Body>"
                                                 "<Empty></Empty></Result>")));
    buf_deinit(&b);
}

/* What a reader makes of it: entities back to characters. */
static void unescape(struct buf *out, struct slice text)
{
    static const struct {
        const char *entity;
        char c;
    } entities[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&#xD;", '\r' } };
    while (text.size) {
        size_t used = 1;
        char c = text.data[0];
        assert_true(c != '<' && c != '>' && c != '"' && c != '\r');
        for (size_t i = 0; c == '&' && i < ARRAY_COUNT(entities); i++)
            if (slice_starts(text, slice_str(entities[i].entity))) {
                used = strlen(entities[i].entity);
                c = entities[i].c;
                break;
            }
        assert_true(used > 1 || c != '&');
        buf_add_byte(out, c);
        text = slice_from(text, used);
    }
}

/* Each byte at each place of texts longer than two blocks. */
static void test_every_byte_comes_back(void **state)
{
    struct buf b, back;
    char text[50];
    buf_init(&b);
    buf_init(&back);
    for (int byte = 0; byte < 256; byte++)
        for (size_t place = 0; place < sizeof(text); place++) {
            memset(text, 'a', sizeof(text));
            text[place] = (char)byte;
            for (size_t size = place + 1; size <= sizeof(text); size += 11) {
                buf_reset(&b);
                buf_reset(&back);
                xml_write_text(&b, slice_of(text, size));
                unescape(&back, buf_slice(&b));
                assert_true(slice_equal(buf_slice(&back), slice_of(text, size)));
            }
        }
    buf_deinit(&b);
    buf_deinit(&back);
}

static void test_cleaned(void **state)
{
    static const char *const cases[][2] = { { "", "" }, { "plain \t\r\n \xc3\xa9 \xf0\x9d\x84\x9e", NULL },
        { "\x01", "?" }, { "a\x01\x02z", "a??z" }, { "\xef\xbf\xbf.", "?." },
        { "\xc3\xa9\x1f\xc3\xa9", "\xc3\xa9?\xc3\xa9" }, { "\xff\xc3", "??" }, { "\xed\xa0\x80", "???" } };
    struct arena arena;
    (void)state;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct slice text = slice_str(cases[i][0]), clean = xml_clean(&arena, text);
        assert_true(slice_equal(clean, cases[i][1] ? slice_str(cases[i][1]) : text));
        assert_true(text_is_xml_chars(clean));
    }
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_every_byte_comes_back),
        cmocka_unit_test(test_cleaned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
