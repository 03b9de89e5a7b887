/* The rules of a batch as a whole. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/sqs/batch.h"
#include "service/sqs/sqs.h"

enum { ENTRIES = 24 };

static struct error check(const char *const *ids, size_t count, struct sqs_fault *f)
{
    static struct sqs_delete_entry entries[ENTRIES];
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct sqs_delete_entry){ .id = slice_str(ids[i]) };
    const struct values values = { .items = entries, .count = count, .is_set = true };
    return sqs_batch_check(&values, sizeof(entries[0]), "DeleteMessageBatchRequestEntry", f);
}

#define A80 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_RULE                                                                                                        \
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "                             \
    "It can be at most 80 letters long."

static const struct batch_case {
    const char *ids[ENTRIES];
    uint32_t code;
    const char *text;
} cases[] = {
    { { NULL }, SQS_EMPTY_BATCH, "There should be at least one DeleteMessageBatchRequestEntry in the request." },
    { { "a" }, 0, NULL },
    { { A80 }, 0, NULL },
    { { "A-z_09", "a", "b", "c", "d", "e", "f", "g", "h", "i" }, 0, NULL },
    { { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10" }, SQS_TOO_MANY_ENTRIES,
        "Maximum number of entries per request are 10. You have sent 11." },
    { { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19" },
        SQS_TOO_MANY_ENTRIES, "Maximum number of entries per request are 10. You have sent 20." },
    { { "" }, SQS_INVALID_BATCH_ID, ID_RULE },
    { { A80 "a" }, SQS_INVALID_BATCH_ID, ID_RULE },
    { { "good", "a:b" }, SQS_INVALID_BATCH_ID, ID_RULE },
    { { "a b" }, SQS_INVALID_BATCH_ID, ID_RULE },
    { { "\xc3\xbc" }, SQS_INVALID_BATCH_ID, ID_RULE },
    { { "x", "y", "x" }, SQS_BATCH_IDS_NOT_DISTINCT, "Id x repeated." },
    { { "x", "X" }, 0, NULL },
};

static void ids_and_counts(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 64 * 1024);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct sqs_fault fault = { .arena = &arena };
        size_t count = 0;
        while (count < ENTRIES && cases[i].ids[count])
            count++;
        struct error e = check(cases[i].ids, count, &fault);
        assert_int_equal(e.code, cases[i].code);
        if (cases[i].text)
            assert_true(slice_equal(fault.text, slice_str(cases[i].text)));
    }
    arena_deinit(&arena);
}

static void an_absent_id_is_not_one(void **state)
{
    struct arena arena;
    struct sqs_delete_entry entry = { .id = SLICE_NONE };
    const struct values values = { .items = &entry, .count = 1, .is_set = true };
    (void)state;
    arena_init(&arena, 64 * 1024);
    struct sqs_fault fault = { .arena = &arena };
    assert_int_equal(sqs_batch_check(&values, sizeof(entry), "x", &fault).code, SQS_INVALID_BATCH_ID);
    arena_deinit(&arena);
}

static void the_sum_of_sizes(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 64 * 1024);
    struct sqs_fault fault = { .arena = &arena };
    assert_int_equal(sqs_batch_check_size(1048576, &fault).code, 0);
    assert_int_equal(sqs_batch_check_size(1048577, &fault).code, SQS_BATCH_TOO_LONG);
    assert_true(slice_equal(
        fault.text, SLICE("Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.")));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_counts),
        cmocka_unit_test(an_absent_id_is_not_one),
        cmocka_unit_test(the_sum_of_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
