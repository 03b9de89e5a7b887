/* The catalogue of names against a naive model; pages and their tokens. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/text.h"
#include "service/sqs/catalog.h"
#include "service/sqs/page_token.h"
#include "service/sqs/sqs.h"

#define ACCOUNT "000000000000"
#define OTHER "111122223333"
#define ARN(name) "arn:aws:sqs:eu-west-1:" ACCOUNT ":" name

static struct arena arena;

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 256 * 1024 * 1024);
    sqs_catalog_remove_log(UINT16_MAX);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sqs_catalog_remove_log(UINT16_MAX);
    arena_deinit(&arena);
    return 0;
}

static void put(const char *account, const char *region, struct slice name, const char *target, uint64_t uid)
{
    struct sqs_config config = sqs_config_default;
    const struct sqs_catalog_key key = { slice_str(account), slice_str(region), name };
    config.is_fifo = slice_ends(name, SLICE(".fifo"));
    if (target) {
        config.redrive.is_set = true;
        config.redrive.target_arn = slice_str(target);
    }
    sqs_catalog_put(&key, uid, (uint16_t)(uid % 64), &config, uid);
}

static void assert_names(const struct sqs_catalog_page *page, const char *expected, bool has_more)
{
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < page->count; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", SLICE_ARG(page->keys[i].name));
    if (!slice_equal(buf_slice(&b), slice_str(expected)))
        fail_msg("%.*s", SLICE_ARG(buf_slice(&b)));
    assert_int_equal(page->has_more, has_more);
    buf_deinit(&b);
}

static struct sqs_catalog_page list(
    const char *account, const char *region, const char *prefix, const char *after, size_t max)
{
    struct sqs_catalog_page page;
    sqs_catalog_list(slice_str(account), slice_str(region), slice_str(prefix), slice_str(after), max, &arena, &page);
    return page;
}

static void put_some(void)
{
    static const char *const names[] = { "b", "a", "ab", "b-1", "b-2", "c.fifo", "B" };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        put(ACCOUNT, "eu-west-1", slice_str(names[i]), NULL, i + 1);
    put(OTHER, "eu-west-1", SLICE("b"), NULL, 100);
    put(ACCOUNT, "us-east-1", SLICE("b-9"), NULL, 101);
}

static void lists_are_of_one_account_and_region(void **state)
{
    (void)state;
    put_some();
    static const struct {
        const char *account, *region, *prefix, *after;
        size_t max;
        const char *expected;
        bool has_more;
    } cases[] = {
        { ACCOUNT, "eu-west-1", "", NULL, 1000, "B a ab b b-1 b-2 c.fifo", false },
        { ACCOUNT, "eu-west-1", "b", NULL, 1000, "b b-1 b-2", false },
        { ACCOUNT, "eu-west-1", "b", NULL, 2, "b b-1", true },
        { ACCOUNT, "eu-west-1", "b", "b-1", 2, "b-2", false },
        { ACCOUNT, "eu-west-1", "b", NULL, 3, "b b-1 b-2", false },
        { ACCOUNT, "eu-west-1", "", "c.fifo", 3, "", false },
        { ACCOUNT, "eu-west-1", "b", "a", 1, "b", true },
        { ACCOUNT, "eu-west-1", "b", "b-11", 9, "b-2", false }, /* deleted meanwhile: goes on behind it */
        { ACCOUNT, "eu-west-1", "x", NULL, 9, "", false },
        { OTHER, "eu-west-1", "", NULL, 9, "b", false },
        { ACCOUNT, "us-east-1", "", NULL, 9, "b-9", false },
        { ACCOUNT, "eu-west-2", "", NULL, 9, "", false },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct sqs_catalog_page page =
            list(cases[i].account, cases[i].region, cases[i].prefix, cases[i].after, cases[i].max);
        assert_names(&page, cases[i].expected, cases[i].has_more);
    }
    assert_int_equal(sqs_catalog_lsn(), 101);
}

static void facts_and_dead_letters(void **state)
{
    struct sqs_catalog_facts facts;
    struct sqs_catalog_page page;
    const struct sqs_catalog_key dead = { SLICE(ACCOUNT), SLICE("eu-west-1"), SLICE("dead") };
    const struct sqs_catalog_key absent = { SLICE(ACCOUNT), SLICE("eu-west-1"), SLICE("absent") };
    (void)state;
    assert_false(sqs_catalog_find(&absent, SLICE_NONE, &facts));
    put(ACCOUNT, "eu-west-1", SLICE("dead"), NULL, 7);
    assert_true(sqs_catalog_find(&dead, SLICE(ARN("s1")), &facts));
    assert_int_equal(facts.uid, 7);
    assert_int_equal(facts.log, 7);
    assert_false(facts.is_dead_letter);
    assert_true(facts.is_allowed);
    put(ACCOUNT, "eu-west-1", SLICE("s2"), ARN("dead"), 8);
    put(ACCOUNT, "eu-west-1", SLICE("s1"), ARN("dead"), 9);
    put(ACCOUNT, "eu-west-1", SLICE("s3"), ARN("dead"), 10);
    put(ACCOUNT, "eu-west-1", SLICE("s4"), ARN("dead2"), 11);
    assert_true(sqs_catalog_find(&dead, SLICE_NONE, &facts));
    assert_true(facts.is_dead_letter);
    sqs_catalog_sources(SLICE(ARN("dead")), NULL, 2, &arena, &page);
    assert_names(&page, "s1 s2", true);
    struct sqs_catalog_key last = page.keys[1];
    sqs_catalog_sources(SLICE(ARN("dead")), &last, 2, &arena, &page);
    assert_names(&page, "s3", false);
    put(ACCOUNT, "eu-west-1", SLICE("s3"), ARN("dead2"), 12); /* changed */
    put(ACCOUNT, "eu-west-1", SLICE("s1"), NULL, 13);
    sqs_catalog_sources(SLICE(ARN("dead")), NULL, 9, &arena, &page);
    assert_names(&page, "s2", false);
    const struct sqs_catalog_key s2 = { SLICE(ACCOUNT), SLICE("eu-west-1"), SLICE("s2") };
    sqs_catalog_remove(&s2, 14);
    sqs_catalog_remove(&s2, 15); /* again: nothing happens */
    assert_true(sqs_catalog_find(&dead, SLICE_NONE, &facts));
    assert_false(facts.is_dead_letter);
    sqs_catalog_sources(SLICE(ARN("dead2")), NULL, 9, &arena, &page);
    assert_names(&page, "s3 s4", false);
    assert_int_equal(sqs_catalog_lsn(), 15);
}

/* ---- against a model ------------------------------------------------------------------------------------------- */

enum { NAMES = 3000, STEPS = 60000 };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void assert_whole(const bool *is_there)
{
    size_t expected = 0, seen = 0;
    for (size_t i = 0; i < NAMES; i++)
        expected += is_there[i];
    assert_int_equal(sqs_catalog_count(), expected);
    struct slice after = SLICE_NONE;
    struct sqs_catalog_page page;
    do {
        sqs_catalog_list(SLICE(ACCOUNT), SLICE("r"), SLICE(""), after, 100, &arena, &page);
        for (size_t i = 0; i < page.count; i++) {
            assert_true(slice_is_none(after) || slice_compare(after, page.keys[i].name) < 0);
            after = page.keys[i].name;
            uint64_t number;
            assert_true(text_parse_u64(slice_from(after, 1), &number) && is_there[number]);
            seen++;
        }
    } while (page.has_more);
    assert_int_equal(seen, expected);
}

static void thousands_of_names(void **state)
{
    static bool is_there[NAMES];
    uint32_t seed = 1;
    (void)state;
    sqs_catalog_remove_log(UINT16_MAX);
    for (size_t step = 0; step < STEPS; step++) {
        size_t i = next_random(&seed) % NAMES;
        bool is_put = next_random(&seed) % 1000 < (step < STEPS / 2 ? 700 : 300);
        struct slice name = slice_head(arena_printf(&arena, "n%04zu%c", i, 0), 5);
        const struct sqs_catalog_key key = { SLICE(ACCOUNT), SLICE("r"), name };
        if (is_put)
            put(ACCOUNT, "r", name, i % 3 == 0 ? ARN("dead") : NULL, i + 1);
        else
            sqs_catalog_remove(&key, step);
        is_there[i] = is_put;
        if (step % 10000 == 9999)
            assert_whole(is_there);
    }
    struct sqs_catalog_page page;
    size_t sources = 0;
    for (size_t i = 0; i < NAMES; i += 3)
        sources += is_there[i];
    sqs_catalog_sources(SLICE(ARN("dead")), NULL, NAMES, &arena, &page);
    assert_int_equal(page.count, sources);
    for (size_t log = 0; log < 64; log++)
        sqs_catalog_remove_log((uint16_t)log);
    assert_int_equal(sqs_catalog_count(), 0);
    assert_int_equal(sqs_catalog_lsn(), 0);
}

static void moving_queues_are_counted(void **state)
{
    (void)state;
    const struct sqs_catalog_key key = { SLICE(ACCOUNT), SLICE("eu-west-1"), SLICE("b") };
    const struct sqs_catalog_key elsewhere = { SLICE(ACCOUNT), SLICE("us-east-1"), SLICE("b") };
    const struct sqs_catalog_key absent = { SLICE(ACCOUNT), SLICE("us-east-1"), SLICE("no") };
    for (int i = 0; i < 3; i++) {
        struct slice name = arena_printf(&arena, "%c", 'a' + i);
        put(ACCOUNT, "eu-west-1", name, NULL, (uint64_t)i + 1);
        put(ACCOUNT, "us-east-1", name, NULL, (uint64_t)i + 11);
        put(OTHER, "eu-west-1", name, NULL, (uint64_t)i + 21);
    }
    sqs_catalog_set_moving(&key, true, 30);
    sqs_catalog_set_moving(&key, true, 31); /* once is enough */
    sqs_catalog_set_moving(&elsewhere, true, 32);
    sqs_catalog_set_moving(&absent, true, 33);
    assert_int_equal(sqs_catalog_lsn(), 33);
    assert_int_equal(sqs_catalog_moving(SLICE(ACCOUNT), 10), 2);
    assert_int_equal(sqs_catalog_moving(SLICE(ACCOUNT), 1), 1);
    assert_int_equal(sqs_catalog_moving(SLICE(OTHER), 10), 0);
    put(ACCOUNT, "eu-west-1", SLICE("b"), ARN("dead"), 2); /* changed: it still moves */
    assert_int_equal(sqs_catalog_moving(SLICE(ACCOUNT), 10), 2);
    sqs_catalog_set_moving(&key, false, 34);
    assert_int_equal(sqs_catalog_moving(SLICE(ACCOUNT), 10), 1);
    sqs_catalog_remove(&elsewhere, 35);
    assert_int_equal(sqs_catalog_moving(SLICE(ACCOUNT), 10), 0);
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

static void tokens_belong_to_their_question(void **state)
{
    const uint8_t secret[32] = { 1, 2, 3 }, other[32] = { 1, 2, 4 };
    struct slice position;
    (void)state;
    struct slice token = sqs_page_token_seal(secret, SLICE("question"), SLICE("a-queue"), &arena);
    assert_true(sqs_page_token_open(secret, SLICE("question"), token, &arena, &position));
    assert_true(slice_equal(position, SLICE("a-queue")));
    assert_false(sqs_page_token_open(secret, SLICE("question2"), token, &arena, &position));
    assert_false(sqs_page_token_open(other, SLICE("question"), token, &arena, &position));
    for (size_t i = 0; i < token.size; i++) {
        struct slice copy = arena_copy(&arena, token);
        ((char *)copy.data)[i] ^= 1;
        assert_false(sqs_page_token_open(secret, SLICE("question"), copy, &arena, &position));
        assert_false(sqs_page_token_open(secret, SLICE("question"), slice_head(token, i), &arena, &position));
    }
    struct slice again = sqs_page_token_seal(secret, SLICE("question"), SLICE("a-queue"), &arena);
    assert_false(slice_equal(token, again)); /* a nonce is never used twice */
    assert_false(sqs_page_token_open(secret, SLICE("question"), SLICE("bm90IGEgdG9rZW4="), &arena, &position));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_are_of_one_account_and_region, start, end),
        cmocka_unit_test_setup_teardown(facts_and_dead_letters, start, end),
        cmocka_unit_test_setup_teardown(thousands_of_names, start, end),
        cmocka_unit_test_setup_teardown(moving_queues_are_counted, start, end),
        cmocka_unit_test_setup_teardown(tokens_belong_to_their_question, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
