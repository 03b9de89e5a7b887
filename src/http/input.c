/* input.c: bytes in: from the socket through the decoders to the handler; see core.h.
 *
 *      block:  [0 .. begin) answered   [begin .. head end) head   [.. next) body, if it fits   [next .. end) pipelined
 *
 * A body that fits behind its head stays there: no copy, no allocation. A larger one gets memory of its own, of exactly
 * its size, and the socket is read straight into it, never past its end.
 */
#include "base/mutant.h"
#include "http/core.h"

/* == Blocks == */

static struct pool *pool_of(struct http_thread *t, size_t capacity)
{
    return capacity == INPUT_BYTES ? &t->small_inputs : &t->large_inputs;
}

static struct input *take_input(struct conn *c, uint32_t capacity)
{
    struct input *input = pool_take(pool_of(c->thread, capacity));
    input->capacity = capacity;
    return input;
}

static void give_input(struct conn *c)
{
    if (c->input && c->input->capacity == INPUT_LARGE_BYTES)
        budget_give(&c->thread->server->strangers, INPUT_LARGE_BYTES);
    if (c->input)
        pool_give(pool_of(c->thread, c->input->capacity), c->input);
    c->input = NULL;
    c->begin = c->next = c->end = 0;
}

struct budget *input_budget(const struct conn *c)
{
    return c->stream.is_known ? &c->thread->server->bodies : &c->thread->server->strangers;
}

static void release_body(struct conn *c)
{
    if (c->is_body_external) {
        body_free(c->body);
        if (!MUTANT(body_budget_leaks))
            budget_give(input_budget(c), c->body_capacity);
    }
    c->is_body_external = false;
    c->body = NULL;
    c->body_size = c->body_capacity = 0;
}

void input_release(struct conn *c)
{
    release_body(c);
    give_input(c);
    c->has_unparsed = false;
}

static uint32_t room(const struct conn *c)
{
    return c->input->capacity - c->end;
}

static void start_head(struct conn *c)
{
    http1_head_init(&c->head, &c->stream.request, c->input->table);
}

/* The request begun at `begin` moves to the front of its block, or of a larger one; its head has to be parsed again. */
static void move_to_front(struct conn *c)
{
    memmove(c->input->data, c->input->data + c->begin, c->end - c->begin);
    c->end -= c->begin;
    c->begin = 0;
    start_head(c);
}

static void refuse_for_memory(struct conn *c)
{
    output_refuse(c, 503, "too many large requests at the same time, try again");
}

/* Until a head is complete its client is a stranger. */
static void move_to_large(struct conn *c)
{
    if (!budget_take(&c->thread->server->strangers, INPUT_LARGE_BYTES)) {
        refuse_for_memory(c);
        return;
    }
    struct input *large = take_input(c, INPUT_LARGE_BYTES);
    uint32_t size = c->end - c->begin;
    memcpy(large->data, c->input->data + c->begin, size);
    give_input(c);
    c->input = large;
    c->end = size;
    start_head(c);
}

/* A head that is not complete: there must be room for more of it. */
static void make_room_for_head(struct conn *c)
{
    if (c->begin > 0)
        move_to_front(c);
    else if (room(c) == 0 && c->input->capacity == INPUT_BYTES)
        move_to_large(c);
    ASSERT(!c->input || room(c) > 0); /* the parser refused what fills the large block */
}

/* == The end of a request == */

void input_finish_request(struct conn *c)
{
    release_body(c);
    c->begin = c->next;
    if (c->begin == c->end)
        give_input(c);
    c->has_unparsed = c->begin < c->end;
    c->state = CONN_IDLE;
}

void stream_release_input(struct stream *s)
{
    struct conn *c = CONN_OF(s);
    ASSERT(c->state == CONN_PENDING);
    release_body(c);
    struct http_request *r = &s->request;
    *r = (struct http_request){
        .method = r->method,
        .is_tls = r->is_tls,
        .is_keep_alive = r->is_keep_alive,
    };
    if (c->next == c->end) {
        give_input(c);
        return;
    }
    c->begin = c->next; /* somebody pipelines: that must be kept */
    memmove(c->input->data, c->input->data + c->begin, c->end - c->begin);
    c->end -= c->begin;
    c->begin = c->next = 0;
}

/* == Bodies == */

static bool externalize(struct conn *c, size_t capacity)
{
    struct budget *budget = input_budget(c);
    if (!budget_take(budget, capacity))
        return false;
    char *body = body_new(capacity);
    if (!body) {
        budget_give(budget, capacity);
        return false;
    }
    memcpy(body, c->body, c->body_size);
    c->body = body;
    c->body_capacity = capacity;
    c->is_body_external = true;
    return true;
}

static bool grow_external(struct conn *c)
{
    struct budget *budget = input_budget(c);
    size_t more = c->body_capacity;
    if (!budget_take(budget, more))
        return false;
    char *body = body_grow(c->body, c->body_capacity + more);
    if (!body) {
        budget_give(budget, more);
        return false;
    }
    c->body = body;
    c->body_capacity += more;
    return true;
}

static void hand_over(struct conn *c)
{
    c->is_body_missing = false;
    c->stream.request.body = slice_of(c->body, c->body_size);
    c->state = CONN_PENDING;
    c->timed_state = TIMED_NONE;
    c->is_handed = true;
    c->thread->server->handler.on_request(&c->stream);
}

/* Raw bytes lie behind the decoded ones, in the block or in the body's own memory. */
static void decode_chunks(struct conn *c, size_t raw_size)
{
    size_t used, kept;
    char *raw = c->body + c->body_size;
    enum http1_result result = http1_chunked_decode(&c->chunked, raw, raw_size, &used, &kept);
    c->body_size += kept;
    if (result == HTTP1_BAD) {
        output_refuse(c, c->chunked.refusal.status, c->chunked.refusal.sentence);
        return;
    }
    char *body_end = c->is_body_external ? c->input->data + c->body_at : c->body + c->body_size;
    if (result == HTTP1_MORE) {
        c->end = (uint32_t)(body_end - c->input->data);
        return;
    }
    size_t rest = raw_size - used;
    if (c->is_body_external) {
        memcpy(body_end, raw + used, rest); /* input_read left room for it */
        c->next = c->body_at;
        c->end = c->next + (uint32_t)rest;
    } else {
        c->next = (uint32_t)(raw + used - c->input->data);
        c->end = c->next + (uint32_t)rest;
    }
    hand_over(c);
}

/* Where the body goes; what came with the head is part of it already. */
static void start_body(struct conn *c, uint64_t length)
{
    size_t have = c->end - c->body_at;
    c->body = c->input->data + c->body_at;
    c->body_size = 0;
    c->state = CONN_BODY;
    c->timed_state = TIMED_NONE;
    if (c->is_body_chunked) {
        c->body_capacity = c->input->capacity - c->body_at;
        http1_chunked_init(&c->chunked);
        decode_chunks(c, have);
    } else if (!c->is_body_missing) {
        c->body_size = (size_t)length; /* here already; c->next is set */
        hand_over(c);
    } else if (c->body_at + length <= c->input->capacity) {
        c->body_size = have;
        c->body_capacity = (size_t)length;
    } else {
        c->body_size = have;
        if (!externalize(c, (size_t)length))
            refuse_for_memory(c);
        else
            c->end = c->next = c->body_at;
    }
}

/* == Heads == */

/* The head is complete. False: it was moved so that its body has room behind it, and must be parsed again, or refused. */
static bool place_request(struct conn *c)
{
    uint32_t head_end = c->begin + c->head.at;
    if (c->head.is_chunked) {
        if (c->input->capacity - head_end >= INPUT_TAIL_BYTES_MIN)
            return true;
        if (c->begin > 0)
            move_to_front(c);
        else
            move_to_large(c);
        return false;
    }
    bool fits_here = head_end + c->head.content_length <= c->input->capacity;
    bool fits_in_front = c->head.at + c->head.content_length <= c->input->capacity;
    if (fits_here || !fits_in_front)
        return true;
    move_to_front(c);
    return false;
}

/* The handler looks at the head; then the body, if it agreed. */
static void on_head_complete(struct conn *c)
{
    const struct http_handler *handler = &c->thread->server->handler;
    uint64_t length = c->head.content_length;
    bool expects_continue = c->head.expects_continue;
    c->body_at = c->begin + c->head.at;
    c->is_body_chunked = c->head.is_chunked;
    c->is_body_missing = c->is_body_chunked || length > c->end - c->body_at;
    c->next = c->is_body_missing ? c->end : c->body_at + (uint32_t)length;
    c->is_http10 = c->head.minor == 0;
    c->stream.user = NULL;
    c->stream.front = c->thread->front;
    c->stream.is_known = !handler->on_head;
    COUNT(c->thread, requests, 1);
    if (handler->on_head) {
        c->state = CONN_CHECKING;
        c->is_handed = true;
        bool is_agreed = handler->on_head(&c->stream);
        ASSERT(is_agreed == c->is_handed); /* false means: has replied */
        if (!is_agreed)
            return;
    }
    if (UNLIKELY(c->stream.is_known && budget_is_over(input_budget(c)))) {
        refuse_for_memory(c); /* replies that nobody reads: no more of them. Strangers' probes are small, and go on. */
        return;
    }
    if (expects_continue && c->is_body_missing && c->body_at == c->end)
        output_continue(c);
    start_body(c, length);
}

/* False: there is nothing more to do with the bytes that are here. */
static bool parse_head(struct conn *c)
{
    if (c->begin == c->end) {
        give_input(c);
        c->has_unparsed = false;
        c->state = CONN_IDLE;
        return false;
    }
    if (c->state == CONN_IDLE) {
        c->state = CONN_HEAD;
        start_head(c);
    }
    struct slice bytes = slice_of(c->input->data + c->begin, c->end - c->begin);
    switch (http1_head_parse(&c->head, bytes)) {
    case HTTP1_DONE:
        c->timed_state = TIMED_NONE;
        if (place_request(c))
            on_head_complete(c);
        return true;
    case HTTP1_BAD:
        output_refuse(c, c->head.refusal.status, c->head.refusal.sentence);
        return false;
    case HTTP1_MORE:
        break;
    }
    c->has_unparsed = false;
    make_room_for_head(c);
    return false;
}

/* May its replies wait in memory while the next request is handled? */
static bool has_output_room(const struct conn *c)
{
    bool is_plenty = c->thread->outputs.taken > OUTPUTS_PLENTY;
    return c->output_bytes <= (is_plenty ? 0 : OUTPUT_PENDING_BYTES_MAX);
}

void input_run(struct conn *c)
{
    c->is_running = true;
    for (int handled = 0; handled < HTTP_PIPELINE_TURN_MAX; handled++) {
        if (c->state > CONN_HEAD || !has_output_room(c))
            break;
        if (!parse_head(c))
            break;
    }
    c->is_running = false;
}

/* == From the socket == */

static ssize_t receive(struct conn *c, void *out, size_t size)
{
    ssize_t count = conn_receive(c, out, size);
    if (count > 0)
        COUNT(c->thread, bytes_in, count);
    return count;
}

static bool read_head(struct conn *c)
{
    if (!c->input) {
        c->input = take_input(c, INPUT_BYTES);
        c->begin = c->next = c->end = 0;
    }
    ssize_t count = receive(c, c->input->data + c->end, room(c));
    if (count > 0) {
        c->end += (uint32_t)count;
        c->has_unparsed = true;
        return true;
    }
    if (c->begin == c->end)
        give_input(c);
    return count == SOCK_AGAIN || count == SOCK_AGAIN_OTHER;
}

static bool read_sized_body(struct conn *c, size_t *ret_wanted, ssize_t *ret_count)
{
    /* in the block it may be followed by the next request, which comes along */
    *ret_wanted = c->is_body_external ? c->body_capacity - c->body_size : room(c);
    *ret_count = receive(c, c->body + c->body_size, *ret_wanted);
    if (*ret_count <= 0)
        return false;
    size_t count = (size_t)*ret_count;
    c->progress_bytes += (uint32_t)count;
    if (!c->is_body_external)
        c->end += (uint32_t)count;
    size_t missing = c->body_capacity - c->body_size;
    c->body_size += count < missing ? count : missing;
    if (c->body_size == c->body_capacity) {
        c->next = c->body_at + (c->is_body_external ? 0 : (uint32_t)c->body_size);
        hand_over(c);
    }
    return true;
}

/* A chunked body has room for at least a chunk's line before each read. */
static bool make_room_for_chunks(struct conn *c)
{
    size_t left = c->body_capacity - c->body_size;
    if (left >= INPUT_TAIL_BYTES_MIN / 2)
        return true;
    if (c->is_body_external)
        return grow_external(c);
    size_t capacity = BODY_FIRST_BYTES;
    while (capacity < 2 * c->body_capacity)
        capacity *= 2;
    if (!externalize(c, capacity))
        return false;
    c->end = c->next = c->body_at;
    return true;
}

static bool read_chunked_body(struct conn *c, size_t *ret_wanted, ssize_t *ret_count)
{
    if (!make_room_for_chunks(c)) {
        refuse_for_memory(c);
        *ret_count = SOCK_AGAIN;
        return false;
    }
    size_t wanted = c->body_capacity - c->body_size;
    if (c->is_body_external) {
        /* what may follow the body must fit into the block */
        uint64_t certain = http1_chunked_coming(&c->chunked) + (c->input->capacity - c->body_at);
        if (wanted > certain)
            wanted = (size_t)certain;
    }
    *ret_wanted = wanted;
    *ret_count = receive(c, c->body + c->body_size, wanted);
    if (*ret_count <= 0)
        return false;
    c->progress_bytes += (uint32_t)*ret_count;
    decode_chunks(c, (size_t)*ret_count);
    return true;
}

static bool read_body(struct conn *c)
{
    c->is_running = true; /* the handler may answer in here */
    ssize_t count = SOCK_AGAIN;
    for (int reads = 0; reads < BODY_READS_MAX && c->state == CONN_BODY; reads++) {
        size_t wanted;
        bool has_read =
            c->is_body_chunked ? read_chunked_body(c, &wanted, &count) : read_sized_body(c, &wanted, &count);
        if (!has_read || (!c->tls && (size_t)count < wanted))
            break;
        if (c->tls && !c->has_more_tls)
            break;
    }
    c->is_running = false;
    return count > 0 || count == SOCK_AGAIN || count == SOCK_AGAIN_OTHER;
}

bool input_read(struct conn *c)
{
    return c->state == CONN_BODY ? read_body(c) : read_head(c);
}
