#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <unistd.h>

static int saved_stderr, ends[2];

static void capture(void)
{
    assert_int_equal(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static struct slice captured(char *out, size_t room)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t size = read(ends[0], out, room);
    close(ends[0]);
    assert_true(size >= 0);
    return slice_of(out, (size_t)size);
}

static void test_a_line(void **state)
{
    char out[4096];
    int64_t epoch_s;
    capture();
    log_event(LOG_INFO, "listener_open", "address=%s port=%d", "127.0.0.1", 80);
    struct slice line = captured(out, sizeof(out));
    assert_true(slice_ends(line, SLICE("Z info listener_open address=127.0.0.1 port=80\n")));
    char stamp[20];
    memcpy(stamp, line.data, 19);
    stamp[19] = 'Z';
    assert_true(text_parse_amz_date(slice_of(stamp, 20), &epoch_s));
    assert_true(epoch_s > 1700000000);
    assert_int_equal(line.data[19], '.');
    uint64_t ms;
    assert_true(text_parse_u64(slice_of(line.data + 20, 3), &ms));
}

static void test_errno_is_kept(void **state)
{
    int before = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = 42;
    log_event(LOG_INFO, "nobody_listens", NULL);
    int after = errno;
    dup2(before, STDERR_FILENO);
    close(before);
    assert_int_equal(after, 42);
}

static void test_levels(void **state)
{
    char out[4096];
    capture();
    log_event(LOG_DEBUG, "hidden", NULL);
    log_set_level(LOG_ERROR);
    log_event(LOG_WARN, "hidden", NULL);
    log_event(LOG_ERROR, "shown", NULL);
    log_set_level(LOG_DEBUG);
    log_event(LOG_DEBUG, "too", "%s", "");
    log_set_level(LOG_INFO);
    struct slice lines = captured(out, sizeof(out));
    struct slice first = slice_cut(&lines, '\n');
    assert_true(slice_ends(first, SLICE("Z error shown")));
    assert_true(slice_ends(slice_cut(&lines, '\n'), SLICE("Z debug too ")));
    assert_int_equal(lines.size, 0);
}

static void test_long_lines_are_cut(void **state)
{
    char out[4096], text[3000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    capture();
    log_event(LOG_INFO, "long", "a=%s", text);
    struct slice line = captured(out, sizeof(out));
    assert_int_equal(line.size, LOG_LINE_BYTES);
    assert_int_equal(slice_find(line, '\n'), LOG_LINE_BYTES - 1);
    capture();
    log_event(LOG_INFO, text, "a=%d", 1);
    assert_int_equal(captured(out, sizeof(out)).size, LOG_LINE_BYTES);
}

static void test_values_cannot_start_a_line(void **state)
{
    char out[4096];
    capture();
    log_event(LOG_INFO, "request", "path=%s quoted=%s", "/a\n2026 error fake\x1b[31m",
        LOG_QUOTED(SLICE("b\n\"\\\0\xff\x7f z")));
    struct slice line = captured(out, sizeof(out));
    assert_true(
        slice_ends(line, SLICE("request path=/a?2026 error fake?[31m quoted=\"b\\x0a\\\"\\\\\\x00\\xff\\x7f z\"\n")));
}

static void test_quoting_is_bounded(void **state)
{
    char text[1000], out[LOG_QUOTED_BYTES];
    const struct {
        char byte;
        size_t quoted_bytes;
    } cases[] = { { 'a', 1 }, { '"', 2 }, { '\n', 4 }, { '\xff', 4 } };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        memset(text, cases[i].byte, sizeof(text));
        for (size_t size = 0; size < sizeof(text); size++) {
            struct slice quoted = slice_str(log_quote(out, slice_of(text, size)));
            size_t whole = size * cases[i].quoted_bytes + 2;
            assert_int_equal(quoted.data[0], '"');
            assert_int_equal(quoted.data[quoted.size - 1], '"');
            if (slice_ends(quoted, SLICE("...\"")))
                assert_true(quoted.size < LOG_QUOTED_BYTES && whole > LOG_QUOTED_BYTES - 12);
            else
                assert_int_equal(quoted.size, whole);
        }
    }
    assert_string_equal(log_quote(out, SLICE_NONE), "\"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_values_cannot_start_a_line),
        cmocka_unit_test(test_quoting_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
