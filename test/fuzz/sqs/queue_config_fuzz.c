/* Attributes, policy and tags of a queue: refused with a sentence, or the same after the record, and what is listed, set
 * on a new queue, makes the same queue. Permissions that are added to a policy keep it legal and can be taken away.
 * Input: "Name=Value" lines; a line "--"; "key=value" lines of tags. A value may go over lines that begin with a blank.
 */
#include "base/limits.h"
#include "base/text.h"
#include "service/sqs/config.h"
#include "service/sqs/policy_text.h"
#include "service/sqs/sqs.h"

enum { PAIRS_MAX = 64 };
#define QUEUE_ARN "arn:aws:sqs:us-east-1:000000000000:q.fifo"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sqs_config_facts facts = { .arn = { QUEUE_ARN, sizeof(QUEUE_ARN) - 1 } };

/* One pair a line, and the lines that go on with it. */
static struct values read_pairs(struct slice *rest, struct pair pairs[PAIRS_MAX])
{
    struct values v = { .items = pairs };
    while (rest->size && v.count < PAIRS_MAX) {
        struct slice whole = *rest, line = slice_cut(rest, '\n');
        if (slice_equal(line, SLICE("--")))
            break;
        while (slice_starts(*rest, SLICE(" ")))
            line.size += 1 + slice_cut(rest, '\n').size;
        ASSERT(line.size <= whole.size);
        struct slice key = slice_cut(&line, '=');
        bool is_given = text_utf8_valid(key) == key.size && text_utf8_valid(line) == line.size;
        for (size_t i = 0; i < v.count; i++) /* the binders let no name through twice */
            is_given &= !slice_equal(pairs[i].key, key);
        if (is_given)
            pairs[v.count++] = (struct pair){ .key = key, .text = slice_is_none(line) ? SLICE("") : line };
    }
    v.is_set = v.count > 0;
    return v;
}

static struct values list_all(const struct sqs_config *config, struct sqs_fault *f)
{
    struct slice all = SLICE("All");
    const struct values names = { .items = &all, .count = 1, .is_set = true };
    struct values listed;
    ASSERT(!failed(sqs_config_list(config, &facts, &names, &listed, f)));
    return listed;
}

static bool is_fact(struct slice name)
{
    return slice_equal(name, SLICE("QueueArn")) || slice_starts(name, SLICE("Approximate")) ||
           slice_ends(name, SLICE("Timestamp"));
}

static void encode(struct buf *b, const struct sqs_config *config)
{
    buf_reset(b);
    sqs_config_encode(b, config);
}

/* Draft -> record -> config -> record: the same bytes. Config -> list -> a new draft -> record: the same again. */
static void check_round_trips(
    const struct sqs_config *draft, const struct sqs_config_subject *subject, struct sqs_fault *f)
{
    struct buf first, second;
    struct sqs_config *stored, fresh = sqs_config_default;
    buf_init(&first);
    buf_init(&second);
    encode(&first, draft);
    ASSERT(!failed(sqs_config_decode(buf_slice(&first), &stored)) && !stored->is_policy_unreadable);
    encode(&second, stored);
    ASSERT(slice_equal(buf_slice(&first), buf_slice(&second)));
    struct values listed = list_all(stored, f);
    struct pair *pairs = listed.items;
    size_t kept = 0;
    for (size_t i = 0; i < listed.count; i++) {
        ASSERT(text_utf8_valid(pairs[i].text) == pairs[i].text.size);
        if (!is_fact(pairs[i].key))
            pairs[kept++] = pairs[i];
    }
    listed.count = kept;
    ASSERT(!failed(sqs_config_set(&fresh, subject, &listed, f)));
    fresh.tags = stored->tags;
    fresh.tag_count = stored->tag_count;
    encode(&second, &fresh);
    ASSERT(slice_equal(buf_slice(&first), buf_slice(&second)));
    ASSERT(!failed(sqs_config_compare(stored, &fresh, &listed, f)));
    sqs_config_free(stored);
    buf_deinit(&first);
    buf_deinit(&second);
}

static void check_permissions(struct slice policy, struct sqs_fault *f)
{
    const struct slice accounts[] = { SLICE("111122223333"), SLICE("444455556666") };
    const struct slice actions[] = { SLICE("SendMessage"), SLICE("ReceiveMessage") };
    const struct sqs_permission permission = { .queue_arn = facts.arn,
        .label = SLICE("a-label-of-ours"),
        .accounts = accounts,
        .account_count = 2,
        .actions = actions,
        .action_count = 2 };
    struct slice with, without;
    if (failed(sqs_policy_text_add(policy, &permission, &with, f)))
        return; /* it has that label already */
    if (failed(sqs_policy_text_check(with, f)))
        return; /* one too many */
    ASSERT(failed(sqs_policy_text_add(with, &permission, &without, f)));
    ASSERT(!failed(sqs_policy_text_remove(with, permission.label, &without, f)));
    ASSERT(slice_is_none(without) || !failed(sqs_policy_text_check(without, f)));
    ASSERT(slice_is_none(policy) == slice_is_none(without));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct pair attribute_pairs[PAIRS_MAX], tag_pairs[PAIRS_MAX];
    struct values attributes = read_pairs(&rest, attribute_pairs), tags = read_pairs(&rest, tag_pairs);
    const struct sqs_config_subject subject = {
        .region = SLICE("us-east-1"), .account = SLICE("000000000000"), .name = SLICE("q.fifo"), .is_new = true
    };
    struct sqs_config draft = sqs_config_default;
    struct arena arena;
    arena_init(&arena, 16 * MIB);
    struct sqs_fault fault = { .arena = &arena };
    struct error e = sqs_config_set(&draft, &subject, &attributes, &fault);
    if (!failed(e))
        e = sqs_config_tag(&draft, &tags, subject.name, &fault);
    ASSERT(text_utf8_valid(fault.text) == fault.text.size);
    if (!failed(e)) {
        check_round_trips(&draft, &subject, &fault);
        check_permissions(draft.policy_text, &fault);
    }
    arena_deinit(&arena);
    return 0;
}
