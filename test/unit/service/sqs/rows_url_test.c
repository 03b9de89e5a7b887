/* Queue URLs in all their forms, ARNs and names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/sqs/sqs.h"
#include "service/sqs/url.h"

#define ACCOUNT "000000000000"

static void assert_slice(struct slice s, const char *expected)
{
    if (!expected) {
        assert_true(slice_is_none(s));
        return;
    }
    assert_false(slice_is_none(s));
    assert_int_equal(s.size, strlen(expected));
    assert_memory_equal(s.data, expected, s.size);
}

static const struct url_case {
    const char *url, *region, *account, *name; /* NULL: the form does not say */
} urls[] = {
    { "q", NULL, NULL, "q" },
    { "a-queue_1.fifo", NULL, NULL, "a-queue_1.fifo" },
    { "https://sqs.us-east-1.amazonaws.com/" ACCOUNT "/q", "us-east-1", ACCOUNT, "q" },
    { "https://sqs.cn-north-1.amazonaws.com.cn/" ACCOUNT "/q", "cn-north-1", ACCOUNT, "q" },
    { "https://sqs.us-gov-west-1.amazonaws.com/" ACCOUNT "/q", "us-gov-west-1", ACCOUNT, "q" },
    { "https://sqs-fips.us-east-2.amazonaws.com/" ACCOUNT "/q", "us-east-2", ACCOUNT, "q" },
    { "https://sqs.eu-west-1.api.aws/" ACCOUNT "/q", "eu-west-1", ACCOUNT, "q" },
    { "https://vpce-0abc.sqs.eu-west-3.vpce.amazonaws.com/" ACCOUNT "/q", "eu-west-3", ACCOUNT, "q" },
    { "https://queue.amazonaws.com/" ACCOUNT "/q", "us-east-1", ACCOUNT, "q" },
    { "https://ap-southeast-2.queue.amazonaws.com/" ACCOUNT "/q", "ap-southeast-2", ACCOUNT, "q" },
    { "http://sqs.eu-central-1.localhost.localstack.cloud:4566/" ACCOUNT "/q", "eu-central-1", ACCOUNT, "q" },
    { "http://eu-central-1.queue.localhost.localstack.cloud:4566/" ACCOUNT "/q", "eu-central-1", ACCOUNT, "q" },
    { "http://queue.localhost.localstack.cloud:4566/" ACCOUNT "/q", "us-east-1", ACCOUNT, "q" },
    { "HTTP://SQS.US-EAST-1.AMAZONAWS.COM/" ACCOUNT "/q", "US-EAST-1", ACCOUNT, "q" },
    { "http://localhost:4566/queue/eu-west-1/" ACCOUNT "/q", "eu-west-1", ACCOUNT, "q" },
    { "http://localhost:4566/queue/" ACCOUNT "/q", NULL, ACCOUNT, "q" },
    { "http://localhost:4566/" ACCOUNT "/q", NULL, ACCOUNT, "q" },
    { "http://localhost:4566/" ACCOUNT "/q/", NULL, ACCOUNT, "q" },
    { "http://localhost:4566//" ACCOUNT "//q", NULL, ACCOUNT, "q" },
    { "http://[::1]:4566/" ACCOUNT "/q", NULL, ACCOUNT, "q" },
    { "http://elsewhere:1234/queue/q", NULL, NULL, "q" },
    { "http://elsewhere:1234/q", NULL, NULL, "q" },
    { "/" ACCOUNT "/q", NULL, ACCOUNT, "q" },
    { "/queue/us-west-2/" ACCOUNT "/q", "us-west-2", ACCOUNT, "q" },
    { ACCOUNT "/q", NULL, ACCOUNT, "q" },
    { "http://localhost:4566/" ACCOUNT "/q?Action=SendMessage", NULL, ACCOUNT, "q" },
    /* names of hosts that only look like endpoints */
    { "http://queue:9324/" ACCOUNT "/q", NULL, ACCOUNT, "q" },
    { "http://queue.internal/" ACCOUNT "/q", NULL, ACCOUNT, "q" },
    { "http://sqs.example.org/" ACCOUNT "/q", NULL, ACCOUNT, "q" },
    { "http://sqs:4566/" ACCOUNT "/q", NULL, ACCOUNT, "q" },
    { "http://sqs.my-host9/" ACCOUNT "/q", "my-host9", ACCOUNT, "q" },
};

static void every_form_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
        struct sqs_address address;
        assert_true(sqs_url_parse(slice_str(urls[i].url), &address));
        assert_slice(address.region, urls[i].region);
        assert_slice(address.account, urls[i].account);
        assert_slice(address.name, urls[i].name);
    }
}

static void what_names_no_queue_is_refused(void **state)
{
    static const char *const bad[] = { "", " ", "/", "http://localhost:4566", "http://localhost:4566/", "https://",
        "http://h/a/b/c", "http://h/a/b/c/d", "http://h/queue/r/a/q/more", "http://h/1/2/3/4/5" };
    struct sqs_address address;
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_false(sqs_url_parse(slice_str(bad[i]), &address));
}

static void paths_of_requests(void **state)
{
    static const char *const not_queues[] = { "/", "", "/health", "/metrics", "/_localstack/health", "/a/b/c" };
    struct sqs_address address;
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(not_queues); i++)
        assert_false(sqs_path_parse(slice_str(not_queues[i]), &address));
    assert_true(sqs_path_parse(SLICE("/" ACCOUNT "/q"), &address));
    assert_slice(address.account, ACCOUNT);
    assert_slice(address.name, "q");
    assert_true(sqs_path_parse(SLICE("/queue/eu-west-1/" ACCOUNT "/q"), &address));
    assert_slice(address.region, "eu-west-1");
    assert_true(sqs_path_parse(SLICE("/queue/q"), &address));
    assert_slice(address.account, NULL);
}

static const struct format_case {
    const char *endpoint, *region, *expected;
} formats[] = {
    { "http://localhost:4566", "eu-west-1", "http://localhost:4566/" ACCOUNT "/q" },
    { "http://localhost:4566/", "eu-west-1", "http://localhost:4566/" ACCOUNT "/q" },
    { "https://mq.example.org", "eu-west-1", "https://mq.example.org/" ACCOUNT "/q" },
    { "http://[::1]:4566", "eu-west-1", "http://[::1]:4566/" ACCOUNT "/q" },
    { "http://sqs.eu-west-1.localhost:4566", "eu-west-1", "http://sqs.eu-west-1.localhost:4566/" ACCOUNT "/q" },
    { "http://sqs.us-east-1.localhost:4566", "eu-west-1", "http://sqs.eu-west-1.localhost:4566/" ACCOUNT "/q" },
    { "https://us-east-1.queue.example.org", "ap-south-1", "https://ap-south-1.queue.example.org/" ACCOUNT "/q" },
};

static void urls_match_the_host_and_come_back(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 64 * 1024);
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        struct sqs_address address;
        struct slice url = sqs_url_format(
            &arena, slice_str(formats[i].endpoint), slice_str(formats[i].region), SLICE(ACCOUNT), SLICE("q"));
        assert_slice(url, formats[i].expected);
        assert_true(sqs_url_parse(url, &address));
        assert_true(slice_is_none(address.region) || slice_equal(address.region, slice_str(formats[i].region)));
        assert_slice(address.account, ACCOUNT);
        assert_slice(address.name, "q");
    }
    arena_deinit(&arena);
}

static void arns(void **state)
{
    static const char *const bad[] = { "", "q", "arn:aws:sqs:us-east-1:" ACCOUNT, "arn:aws:sqs:us-east-1:" ACCOUNT ":",
        "arn:aws:sqs:us-east-1:12345678901:q", "arn:aws:sqs:us-east-1:1234567890123:q", "arn:aws:sqs::" ACCOUNT ":q",
        "arn:aws:sns:us-east-1:" ACCOUNT ":q", "arn:aws-cn:sqs:us-east-1:" ACCOUNT ":q",
        "arn:aws:sqs:us-east-1:" ACCOUNT ":a b", "arn:aws:sqs:us-east-1:" ACCOUNT ":q:r",
        "arn:aws:sqs:us-east-1:" ACCOUNT ":.fifo" };
    struct slice region, account, name;
    struct arena arena;
    (void)state;
    arena_init(&arena, 64 * 1024);
    struct slice arn = sqs_arn(&arena, SLICE("eu-west-1"), SLICE(ACCOUNT), SLICE("q.fifo"));
    assert_slice(arn, "arn:aws:sqs:eu-west-1:" ACCOUNT ":q.fifo");
    assert_true(sqs_arn_parse(arn, &region, &account, &name));
    assert_slice(region, "eu-west-1");
    assert_slice(account, ACCOUNT);
    assert_slice(name, "q.fifo");
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_false(sqs_arn_parse(slice_str(bad[i]), &region, &account, &name));
    arena_deinit(&arena);
}

static void names(void **state)
{
    char text[82];
    (void)state;
    memset(text, 'a', sizeof(text));
    assert_true(sqs_is_standard_name(slice_of(text, 80)));
    assert_false(sqs_is_standard_name(slice_of(text, 81)));
    assert_true(sqs_is_standard_name(SLICE("A-z_09")));
    static const char *const bad[] = { "", "a b", "a.b", "a/b", "a:b", "\xc3\xa4", "a!", "x.fifo", ".fifo" };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_false(sqs_is_standard_name(slice_str(bad[i])));
    memcpy(text + 75, ".fifo", 5);
    assert_true(sqs_is_fifo_name(slice_of(text, 80)));
    memcpy(text + 76, ".fifo", 5);
    text[75] = 'a';
    assert_false(sqs_is_fifo_name(slice_of(text, 81)));
    static const char *const not_fifo[] = { "", ".fifo", "a", "a.fifos", "a.FIFO", "a b.fifo", "a.b.fifo" };
    for (size_t i = 0; i < ARRAY_COUNT(not_fifo); i++)
        assert_false(sqs_is_fifo_name(slice_str(not_fifo[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(what_names_no_queue_is_refused),
        cmocka_unit_test(paths_of_requests),
        cmocka_unit_test(urls_match_the_host_and_come_back),
        cmocka_unit_test(arns),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
