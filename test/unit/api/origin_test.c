/* Which hosts a GET may be for: origin.h. The Origin header's own cases are in gateway_test.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/origin.h"
#include "auth/credential.h"
#include "sys/sys.h"

static struct credential_set *_Atomic credentials;
static struct gateway_options options = { .credentials = &credentials };

static bool may_ask(enum http_method method, struct slice host, struct slice told)
{
    const struct http_request r = { .method = method, .host = host };
    struct slice foreign = origin_foreign_host(&r, told, &options);
    assert_true(slice_is_none(foreign) || slice_equal(foreign, host) || slice_equal(foreign, told));
    return slice_is_none(foreign);
}

static void expect(const char *host, bool is_allowed)
{
    struct slice h = slice_str(host), own = SLICE("127.0.0.1:4566");
    if (may_ask(HTTP_GET, h, h) != is_allowed)
        fail_msg("%s is %s", host, is_allowed ? "refused" : "allowed");
    assert_int_equal(may_ask(HTTP_HEAD, h, h), is_allowed);
    assert_int_equal(may_ask(HTTP_GET, own, h), is_allowed); /* a proxy tells */
    assert_int_equal(may_ask(HTTP_GET, h, own), is_allowed); /* a page plays a proxy */
    assert_true(may_ask(HTTP_POST, h, h));                   /* a browser says the origin */
}

static void expect_all(const char *const *hosts, bool is_allowed)
{
    for (; *hosts; hosts++)
        expect(*hosts, is_allowed);
}

static const char *const own[] = { "localhost", "localhost:4566", "LocalHost.:4566", "127.0.0.1:4566", "10.1.2.3",
    "[::1]:4566", "[2001:db8::7]", "millrace:4566", "queue.localhost:4566",
    "sqs.us-east-1.localhost.localstack.cloud:4566", "localhost.localstack.cloud", "", NULL };
static const char *const foreign[] = { "evil.example", "evil.example.:4566", "app.example.evil.example",
    "evilapp.example", "localhost.evil.example", "127.0.0.1.evil.example", "evillocalhost.localstack.cloud",
    "localstack.cloud", "1.2.3.4.5", "999.0.0.1", "127.1.", "0x7f.1", NULL };
static const char *const configured[] = { "app.example", "APP.example:4566", "url.example:1", NULL };

static int start(void **state)
{
    (void)state;
    atomic_store(&credentials, credential_set_development());
    options = (struct gateway_options){ .credentials = &credentials };
    return 0;
}

static void test_names_of_this_machine(void **state)
{
    (void)state;
    expect_all(own, true);
    expect_all(foreign, false);
    expect_all(configured, false);
    assert_true(may_ask(HTTP_GET, SLICE_NONE, SLICE_NONE)); /* HTTP/1.0: no browser */
}

static void test_names_that_are_configured(void **state)
{
    static const struct slice origins[] = { { "null", 4 }, { "https://app.example:8443", 24 } };
    (void)state;
    options.cors_origins = origins;
    options.cors_origin_count = ARRAY_COUNT(origins);
    options.public_url = SLICE("http://url.example/queues");
    expect_all(own, true);
    expect_all(foreign, false);
    expect_all(configured, true);
    options.is_any_origin_allowed = true;
    expect_all(foreign, true);
}

/* Whoever has a secret that no page knows may use any name. */
static void test_real_credentials(void **state)
{
    char path[] = "/tmp/millrace-origin-XXXXXX";
    struct credential_set *set;
    struct slice sentence;
    struct arena arena;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "key secret 000000000000\n", 24) == 24);
    close(fd);
    arena_init(&arena, MIB);
    assert_false(failed(credential_set_load_from(&sys_real.file, path, &arena, &set, &sentence)));
    unlink(path);
    atomic_store(&credentials, set);
    expect_all(own, true);
    expect_all(foreign, true);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_names_of_this_machine, start),
        cmocka_unit_test_setup(test_names_that_are_configured, start),
        cmocka_unit_test_setup(test_real_credentials, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
