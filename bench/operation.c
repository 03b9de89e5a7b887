/* operation.c: see operation.h. */
#include "operation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "workload.h"

static long wrong(char *ret_error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static long wrong(char *ret_error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_error, ERROR_TEXT_MAX, format, arguments);
    va_end(arguments);
    return -1;
}

static void build_send(const struct conn *c, struct buf *body)
{
    const struct load *l = c->worker->load;
    buf_text(body, "{");
    add_queue_url(l, body, c->number);
    buf_text(body, ",");
    add_message(l, body, c->number);
    buf_text(body, "}");
}

/* An acknowledged message: an id, and the digest of exactly the bytes sent. */
static bool is_acknowledged(const struct load *l, struct span object, uint64_t number)
{
    struct span id, md5;
    size_t at = 0;
    if (!json_find_text(object, "MessageId", &at, &id) || id.size == 0)
        return false;
    at = 0;
    return json_find_text(object, "MD5OfMessageBody", &at, &md5) &&
           span_is(md5, l->bodies.md5[body_index(&l->bodies, number)], sizeof *l->bodies.md5);
}

static long check_send(struct conn *c, struct span body, char ret_error[ERROR_TEXT_MAX])
{
    if (!is_acknowledged(c->worker->load, body, c->number))
        return wrong(ret_error, "no MessageId, or another digest than the body's: %.*s",
            (int)(body.size < 200 ? body.size : 200), body.data);
    return 1;
}

static void build_send_batch(const struct conn *c, struct buf *body)
{
    const struct load *l = c->worker->load;
    buf_text(body, "{");
    add_queue_url(l, body, 0);
    buf_text(body, ",\"Entries\":[");
    for (unsigned index = 0; index < c->batch; index++) {
        buf_text(body, index ? ",{\"Id\":\"" : "{\"Id\":\"");
        buf_number(body, index);
        buf_text(body, "\",");
        add_message(l, body, c->number + index);
        buf_text(body, "}");
    }
    buf_text(body, "]}");
}

/* The entries of "Successful", counted; -1 when "Failed" has any or an id is not one of the request's. */
static long check_entries(struct conn *c, struct span body, bool has_digests, char *ret_error)
{
    size_t at;
    bool is_empty;
    long count = 0;
    struct span object, id;
    if (json_find_list(body, "Failed", &at, &is_empty) && !is_empty)
        return wrong(ret_error, "failed entries: %.*s", (int)(body.size < 200 ? body.size : 200), body.data);
    if (!json_find_list(body, "Successful", &at, &is_empty))
        return wrong(ret_error, "no successful entries: %.*s", (int)(body.size < 200 ? body.size : 200), body.data);
    while (json_next_object(body, &at, &object)) {
        size_t inside = 0;
        if (!json_find_text(object, "Id", &inside, &id) || id.size != 1 || id.data[0] < '0' || id.data[0] > '9')
            return wrong(ret_error, "an entry without one of the request's ids");
        if (has_digests && !is_acknowledged(c->worker->load, object, c->number + (uint64_t)(id.data[0] - '0')))
            return wrong(ret_error, "an entry without MessageId, or with another digest than the body's");
        count++;
    }
    if (count != (long)c->batch)
        return wrong(ret_error, "%ld entries acknowledged of %u", count, c->batch);
    return count;
}

static long check_send_batch(struct conn *c, struct span body, char ret_error[ERROR_TEXT_MAX])
{
    return check_entries(c, body, true, ret_error);
}

static void build_receive(const struct conn *c, struct buf *body)
{
    const struct load *l = c->worker->load;
    buf_text(body, "{");
    add_queue_url(l, body, c->number);
    buf_text(body, ",\"MaxNumberOfMessages\":");
    buf_number(body, c->batch);
    buf_text(body, ",\"WaitTimeSeconds\":");
    buf_number(body, l->wait_s);
    if (l->visibility_s >= 0) {
        buf_text(body, ",\"VisibilityTimeout\":");
        buf_number(body, (uint64_t)l->visibility_s);
    }
    buf_text(body, "}");
}

/* A received body must be, byte for byte, the one whose number it begins with, and its digest the right one. */
static bool is_intact(const struct bodies *b, struct span object)
{
    struct span text, md5;
    size_t at = 0, index = 0;
    if (!json_find_text(object, "Body", &at, &text) || text.size != b->size)
        return false;
    for (size_t digit = 0; digit < BODY_MIN; digit++)
        index = index * 10 + (size_t)(text.data[digit] - '0');
    if (index >= b->count || !span_is(text, b->text + index * b->size, b->size))
        return false;
    at = 0;
    return json_find_text(object, "MD5OfBody", &at, &md5) && span_is(md5, b->md5[index], sizeof *b->md5);
}

static long check_receive(struct conn *c, struct span body, char ret_error[ERROR_TEXT_MAX])
{
    const struct load *l = c->worker->load;
    size_t at;
    bool is_empty;
    struct span object, handle;
    c->received = 0;
    if (!json_find_list(body, "Messages", &at, &is_empty))
        return 0;
    while (json_next_object(body, &at, &object)) {
        size_t inside = 0;
        if (!is_intact(&l->bodies, object))
            return wrong(ret_error, "a message that was not sent like this: %.*s",
                (int)(object.size < 200 ? object.size : 200), object.data);
        if (!json_find_text(object, "ReceiptHandle", &inside, &handle) || handle.size == 0)
            return wrong(ret_error, "a message without receipt handle");
        if (l->workload->keeps_handles)
            handles_push(&c->handles, handle);
        c->received++;
    }
    if (c->received > c->batch)
        return wrong(ret_error, "%u messages received, %u wanted", c->received, c->batch);
    return (long)c->received;
}

static void build_delete_batch(const struct conn *c, struct buf *body)
{
    buf_text(body, "{");
    add_queue_url(c->worker->load, body, 0);
    buf_text(body, ",\"Entries\":[");
    for (unsigned index = 0; index < c->batch; index++) {
        buf_text(body, index ? ",{\"Id\":\"" : "{\"Id\":\"");
        buf_number(body, index);
        buf_text(body, "\",\"ReceiptHandle\":\"");
        buf_text(body, handles_at(&c->handles, index));
        buf_text(body, "\"}");
    }
    buf_text(body, "]}");
}

static long check_delete_batch(struct conn *c, struct span body, char ret_error[ERROR_TEXT_MAX])
{
    return check_entries(c, body, false, ret_error);
}

static void build_create(const struct conn *c, struct buf *body)
{
    buf_text(body, "{\"QueueName\":\"");
    buf_text(body, c->worker->load->queue);
    buf_text(body, "-");
    buf_number(body, c->number);
    buf_text(body, "\"}");
}

static long check_create(struct conn *c, struct span body, char ret_error[ERROR_TEXT_MAX])
{
    struct span url;
    size_t at = 0;
    (void)c;
    if (!json_find_text(body, "QueueUrl", &at, &url))
        return wrong(ret_error, "no QueueUrl: %.*s", (int)(body.size < 200 ? body.size : 200), body.data);
    return 1;
}

const struct operation operations[OP_COUNT] = {
    [OP_SEND] = { "send", "AmazonSQS.SendMessage", build_send, check_send },
    [OP_SEND_BATCH] = { "send_batch", "AmazonSQS.SendMessageBatch", build_send_batch, check_send_batch },
    [OP_RECEIVE] = { "receive", "AmazonSQS.ReceiveMessage", build_receive, check_receive },
    [OP_DELETE_BATCH] = { "delete_batch", "AmazonSQS.DeleteMessageBatch", build_delete_batch, check_delete_batch },
    [OP_CREATE] = { "create", "AmazonSQS.CreateQueue", build_create, check_create },
};
