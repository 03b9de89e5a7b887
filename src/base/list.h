/* list.h: an intrusive doubly linked ring. The head is a link of its own; an empty list points at itself.
 * Owner    whoever holds the head. Cost O(1). A link not in a list is zero (list_is_linked false).
 */
#ifndef MILLRACE_BASE_LIST_H
#define MILLRACE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *next, *prev;
};

static inline void list_init(struct link *head)
{
    head->next = head->prev = head;
}
static inline bool list_is_empty(const struct link *head)
{
    return head->next == head;
}
static inline bool list_is_linked(const struct link *l)
{
    return l->next != NULL;
}
static inline void list_insert_before(struct link *at, struct link *l)
{
    l->next = at;
    l->prev = at->prev;
    at->prev->next = l;
    at->prev = l;
}
static inline void list_push_back(struct link *head, struct link *l)
{
    list_insert_before(head, l);
}
static inline void list_push_front(struct link *head, struct link *l)
{
    list_insert_before(head->next, l);
}
static inline void list_remove(struct link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->next = l->prev = NULL;
}
#define LIST_ENTRY(link_pointer, type, member) CONTAINER_OF(link_pointer, type, member)

#endif
