/* sts.c: who am I, for every kind of caller; and the row that says who may ask. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/call.h"
#include "base/limits.h"
#include "service/sts/sts.h"

static const struct op *find_op(struct slice name)
{
    for (size_t i = 0; i < sts_service.op_count; i++)
        if (slice_equal(sts_service.ops[i].name, name))
            return &sts_service.ops[i];
    return NULL;
}

static void test_who_am_i(void **state)
{
    (void)state;
    static const struct {
        const char *account, *arn, *user_id;
    } rows[] = {
        { "000000000000", "arn:aws:iam::000000000000:root", "000000000000" },
        { "111122223333", "arn:aws:iam::111122223333:user/a/b", "AIDAEXAMPLE" },
        { "111122223333", "arn:aws:sts::111122223333:assumed-role/r/s", "AROAEXAMPLE:s" },
    };
    const struct op *op = find_op(SLICE("GetCallerIdentity"));
    assert_non_null(op);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct call c = { .op = op, .service = &sts_service };
        struct sts_get_caller_identity_in in;
        struct sts_get_caller_identity_out out;
        memcpy(c.caller.account, rows[i].account, ACCOUNT_BYTES + 1);
        c.caller.arn = slice_str(rows[i].arn);
        c.caller.user_id = slice_str(rows[i].user_id);
        shape_clear(op->in, &in);
        shape_clear(op->out, &out);
        assert_false(failed(op->run(&c, &in, &out)));
        assert_true(slice_equal(out.account, slice_str(rows[i].account)));
        assert_true(slice_equal(out.arn, slice_str(rows[i].arn)));
        assert_true(slice_equal(out.user_id, slice_str(rows[i].user_id)));
    }
}

static void test_rows(void **state)
{
    (void)state;
    const struct op *op = find_op(SLICE("GetCallerIdentity"));
    assert_int_equal(op->where, WHERE_FRONT);
    assert_null(op->route); /* without a resource there is no policy that could let a stranger in */
    assert_false(op->is_waiting);
    assert_true(slice_is_none(sts_service.target_prefix)); /* query protocol only */
    assert_true(slice_equal(sts_service.query_version, SLICE("2011-06-15")));
    assert_true(slice_equal(sts_service.xml_namespace, SLICE("https://sts.amazonaws.com/doc/2011-06-15/")));
    assert_null(sts_service.apply); /* no state, no records */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_who_am_i), cmocka_unit_test(test_rows) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
