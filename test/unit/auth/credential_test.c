/* credential_test.c: the development set, credentials files and what is wrong with them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/credential.h"
#include "base/limits.h"
#include "sys/sys.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena memory;

static int set_up(void **state)
{
    arena_init(&memory, 16 * MIB);
    return 0;
}

static int tear_down(void **state)
{
    arena_deinit(&memory);
    return 0;
}

static const struct credential *find(const struct credential_set *set, const char *access_key)
{
    static struct credential storage;
    return credential_find(set, slice_str(access_key), &storage, &memory);
}

static void expect_slice(struct slice s, const char *expected)
{
    if (!slice_equal(s, slice_str(expected)))
        fail_msg("'%.*s' instead of '%s'", SLICE_ARG(s), expected);
}

static void development_set(void **state)
{
    const struct credential_set *set = credential_set_development();
    const struct credential *c = find(set, "test");
    assert_non_null(c);
    expect_slice(c->secret, "test");
    expect_slice(c->arn, "arn:aws:iam::000000000000:root");
    expect_slice(c->user_id, "000000000000");
    assert_string_equal(c->account, "000000000000");
    c = find(set, "123456789012");
    assert_non_null(c);
    expect_slice(c->access_key, "123456789012");
    expect_slice(c->secret, "test");
    expect_slice(c->arn, "arn:aws:iam::123456789012:root");
    expect_slice(c->user_id, "123456789012");
    assert_string_equal(c->account, "123456789012");
    static const char *const unknown[] = { "", "tes", "test2", "TEST", "12345678901", "1234567890123", "12345678901x" };
    for (size_t row = 0; row < ARRAY_COUNT(unknown); row++)
        assert_null(find(set, unknown[row]));
}

static void callers_are_made(void **state)
{
    struct caller caller;
    caller_of_credential(find(credential_set_development(), "test"), &caller);
    assert_true(caller.is_root);
    assert_false(caller.is_anonymous);
    assert_string_equal(caller.account, "000000000000");
    expect_slice(caller.arn, "arn:aws:iam::000000000000:root");
    expect_slice(caller.access_key, "test");
    caller_anonymous(&caller);
    assert_true(caller.is_anonymous);
    assert_false(caller.is_root);
    assert_string_equal(caller.account, "");
}

static struct error load(const char *text, unsigned mode, struct credential_set **ret_set, struct slice *ret_sentence)
{
    char path[] = "/tmp/millrace-credentials-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    struct error e = credential_set_load(path, &memory, ret_set, ret_sentence);
    unlink(path);
    return e;
}

static void files_are_loaded(void **state)
{
    struct credential_set *set;
    struct slice sentence;
    const char *text = "# keys\n"
                       "\n"
                       "AKIDB\tsecret/with+slash=  111111111111   user/team/alice\r\n"
                       "  AKIDA  s  222222222222\n"
                       "AKIDC s 333333333333 root\n"
                       "AKIDD s 333333333333 assumed-role/reader/s1";
    assert_int_equal(load(text, 0600, &set, &sentence).code, 0);
    const struct credential *c = find(set, "AKIDB");
    assert_non_null(c);
    expect_slice(c->secret, "secret/with+slash=");
    expect_slice(c->arn, "arn:aws:iam::111111111111:user/team/alice");
    assert_int_equal(c->user_id.size, 21);
    assert_true(slice_starts(c->user_id, SLICE("AIDA")));
    struct caller caller;
    caller_of_credential(c, &caller);
    assert_false(caller.is_root);
    c = find(set, "AKIDA");
    assert_non_null(c);
    expect_slice(c->arn, "arn:aws:iam::222222222222:root");
    expect_slice(c->user_id, "222222222222");
    assert_string_equal(c->account, "222222222222");
    expect_slice(find(set, "AKIDC")->arn, "arn:aws:iam::333333333333:root");
    expect_slice(find(set, "AKIDD")->arn, "arn:aws:sts::333333333333:assumed-role/reader/s1");
    /* a file replaces the development keys */
    assert_null(find(set, "test"));
    assert_null(find(set, "123456789012"));
    assert_null(find(set, "AKID"));
}

static void unique_ids_stay(void **state)
{
    struct credential_set *set, *again;
    struct slice sentence;
    const char *text = "A s 111111111111 user/alice\nB s 111111111111 user/bob\n";
    assert_int_equal(load(text, 0400, &set, &sentence).code, 0);
    assert_int_equal(load(text, 0600, &again, &sentence).code, 0);
    assert_true(slice_equal(find(set, "A")->user_id, find(again, "A")->user_id));
    assert_false(slice_equal(find(set, "A")->user_id, find(set, "B")->user_id));
}

static void bad_files_are_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned mode;
        const char *sentence;
    } rows[] = {
        { "A s 111111111111\n", 0640, "others may use it (mode 0640)" },
        { "A s 111111111111\n", 0604, "others may use it (mode 0604)" },
        { "", 0600, "there is no credential in it" },
        { "# nothing\n\n", 0600, "there is no credential in it" },
        { "\nA\n", 0600, ":2: expected a secret access key" },
        { "A s\n", 0600, ":1: expected an account id of 12 digits" },
        { "A s 11111111111\n", 0600, ":1: expected an account id of 12 digits" },
        { "A s 11111111111x\n", 0600, ":1: expected an account id of 12 digits" },
        { "A/B s 111111111111\n", 0600, ":1: the access key id" },
        { "A,B s 111111111111\n", 0600, ":1: the access key id" },
        { "\xc3\xa9 s 111111111111\n", 0600, ":1: the access key id" },
        { "A s 111111111111 alice\n", 0600, ":1: expected 'root' or the end of an ARN" },
        { "A s 111111111111 user/\n", 0600, ":1: expected 'root' or the end of an ARN" },
        { "A s 111111111111 user/*\n", 0600, ":1: expected 'root' or the end of an ARN" },
        { "A s 111111111111 root x\n", 0600, ":1: expected at most four fields" },
        { "B s 111111111111\nA s 111111111111\nB t 111111111111\n", 0600, "B stands there twice" },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct credential_set *set = NULL;
        struct slice sentence = SLICE_NONE;
        struct error e = load(rows[row].text, rows[row].mode, &set, &sentence);
        if (e.code != ERR_CONFIG ||
            !memmem(sentence.data, sentence.size, rows[row].sentence, strlen(rows[row].sentence)))
            fail_msg("row %zu: %u '%.*s'", row, e.code, SLICE_ARG(sentence));
        assert_null(set);
    }
}

static void long_fields_are_refused(void **state)
{
    char text[512];
    struct credential_set *set;
    struct slice sentence;
    for (int size = 127; size <= 129; size++) {
        snprintf(text, sizeof text, "%0*d s 111111111111\n", size, 1);
        assert_int_equal(load(text, 0600, &set, &sentence).code, size > ACCESS_KEY_BYTES_MAX ? ERR_CONFIG : 0);
        snprintf(text, sizeof text, "A %0*d 111111111111\n", size, 1);
        assert_int_equal(load(text, 0600, &set, &sentence).code, size > SECRET_BYTES_MAX ? ERR_CONFIG : 0);
    }
}

static void missing_file_is_told(void **state)
{
    struct credential_set *set;
    struct slice sentence;
    assert_int_equal(credential_set_load("/nowhere/credentials", &memory, &set, &sentence).code, ERR_NOT_FOUND);
    assert_true(slice_starts(sentence, SLICE("/nowhere/credentials: cannot be read")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(development_set),
        cmocka_unit_test(callers_are_made),
        cmocka_unit_test(files_are_loaded),
        cmocka_unit_test(unique_ids_stay),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(long_fields_are_refused),
        cmocka_unit_test(missing_file_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
