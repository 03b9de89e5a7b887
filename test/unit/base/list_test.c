#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/list.h"

struct item {
    int number;
    struct link link;
};

static void assert_numbers(const struct link *head, int expected)
{
    int forward = 0, backward = 0, power = 1;
    for (const struct link *l = head->next; l != head; l = l->next)
        forward = forward * 10 + LIST_ENTRY(l, struct item, link)->number;
    for (const struct link *l = head->prev; l != head; l = l->prev, power *= 10)
        backward += power * LIST_ENTRY(l, struct item, link)->number;
    assert_int_equal(forward, expected);
    assert_int_equal(backward, expected);
}

static void test_order_and_membership(void **state)
{
    struct link head;
    struct item items[5] = { { .number = 0 }, { .number = 1 }, { .number = 2 }, { .number = 3 }, { .number = 4 } };
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_false(list_is_linked(&items[1].link));
    list_push_back(&head, &items[2].link);
    list_push_back(&head, &items[3].link);
    list_push_front(&head, &items[1].link);
    list_insert_before(&items[3].link, &items[4].link);
    assert_numbers(&head, 1243);
    assert_true(list_is_linked(&items[4].link));
    list_remove(&items[2].link);
    assert_false(list_is_linked(&items[2].link));
    assert_numbers(&head, 143);
    list_remove(&items[1].link);
    list_remove(&items[3].link);
    assert_numbers(&head, 4);
    list_remove(&items[4].link);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_order_and_membership) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
