/* Message attributes and what a receive asks for of them: whatever is legal weighs what its parts weigh, has the MD5 that
 * another implementation gives, survives packing, and is filtered as the plainest reading of the names says.
 * Input: JSON with the members MessageAttributes, MessageSystemAttributes (a send) and MessageAttributeNames (a receive).
 */
#include "api/bind.h"
#include "base/limits.h"
#include "base/text.h"
#include "service/sqs/attribute_value.h"
#include "service/sqs/message.h"
#include "service/sqs/sqs.h"
#include <openssl/evp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_length(EVP_MD_CTX *md, size_t size)
{
    const uint8_t bytes[4] = { (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size };
    ASSERT(EVP_DigestUpdate(md, bytes, sizeof(bytes)));
}

static void add_text(EVP_MD_CTX *md, struct slice text)
{
    add_length(md, text.size);
    ASSERT(EVP_DigestUpdate(md, text.data, text.size));
}

/* The documented algorithm, in the order of the names. */
static void check_md5(const struct values *attributes)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    char hex[33], ours[33];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    ASSERT(EVP_DigestInit_ex(md, EVP_md5(), NULL));
    for (size_t i = 0; i < attributes->count; i++) {
        const struct pair *pair = (const struct pair *)attributes->items + i;
        const struct sqs_attribute_value *v = pair->value;
        bool is_binary = slice_starts(v->data_type, SLICE("Binary"));
        ASSERT(i == 0 || slice_compare(pair[-1].key, pair->key) < 0);
        add_text(md, pair->key);
        add_text(md, v->data_type);
        ASSERT(EVP_DigestUpdate(md, is_binary ? "\2" : "\1", 1));
        add_text(md, is_binary ? v->binary_value : v->string_value);
    }
    ASSERT(EVP_DigestFinal_ex(md, digest, NULL));
    EVP_MD_CTX_free(md);
    text_format_hex(digest, 16, hex);
    sqs_attributes_md5(attributes, ours);
    ASSERT(memcmp(hex, ours, 32) == 0);
}

/* What passed as a number is one to the C library as well. */
static void check_number(const struct sqs_attribute_value *v)
{
    char text[SQS_ATTRIBUTE_NAME_BYTES_MAX];
    if (!slice_starts(v->data_type, SLICE("Number")) || v->string_value.size >= sizeof(text))
        return;
    memcpy(text, v->string_value.data, v->string_value.size);
    text[v->string_value.size] = '\0';
    char *end;
    (void)strtod(text, &end);
    ASSERT(end == text + v->string_value.size);
}

static void check_packing(const struct values *attributes, struct arena *arena)
{
    struct buf packed;
    struct values again;
    size_t weight = 0;
    buf_init(&packed);
    message_pack_attributes(&packed, attributes);
    ASSERT(!failed(message_unpack_attributes(buf_slice(&packed), arena, &again)) && again.count == attributes->count);
    for (size_t i = 0; i < again.count; i++) {
        const struct pair *a = (const struct pair *)attributes->items + i, *b = (const struct pair *)again.items + i;
        const struct sqs_attribute_value *v = a->value, *w = b->value;
        ASSERT(slice_equal(a->key, b->key) && slice_equal(v->data_type, w->data_type));
        ASSERT(slice_equal(sqs_attribute_bytes(v), sqs_attribute_bytes(w)));
        weight += a->key.size + v->data_type.size + sqs_attribute_bytes(v).size;
        check_number(v);
    }
    ASSERT(weight == sqs_attributes_size(attributes));
    buf_deinit(&packed);
}

static bool is_asked(const struct values *names, struct slice name)
{
    const struct slice *items = names->items;
    for (size_t i = 0; i < names->count; i++) {
        struct slice one = items[i];
        bool is_prefix = one.size >= 2 && memcmp(one.data + one.size - 2, ".*", 2) == 0;
        if (slice_equal(one, name) || slice_equal(one, SLICE("All")) || slice_equal(one, SLICE("*")))
            return true;
        if (is_prefix && slice_starts(name, slice_head(one, one.size - 2)))
            return true;
    }
    return false;
}

static void check_filter(const struct values *attributes, const struct values *names, struct arena *arena)
{
    const struct sqs_name_filter filter = sqs_name_filter_of(names);
    struct values selected = sqs_attributes_select(attributes, &filter, arena);
    size_t kept = 0;
    for (size_t i = 0; i < attributes->count; i++) {
        const struct pair *pair = (const struct pair *)attributes->items + i;
        if (is_asked(names, pair->key))
            ASSERT(kept < selected.count && slice_equal(((struct pair *)selected.items)[kept++].key, pair->key));
    }
    ASSERT(kept == selected.count);
    if (kept)
        check_md5(&selected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct call c = { .service = &sqs_service };
    struct sqs_send_message_in sent;
    struct sqs_receive_message_in asked;
    struct slice json = slice_of(data, size);
    arena_init(&c.arena, 16 * MIB);
    struct sqs_fault fault = { .arena = &c.arena };
    struct error e = bind_json_decode(&c, &sqs_send_message_in_shape, json, &sent);
    if (!failed(e))
        e = bind_json_decode(&c, &sqs_receive_message_in_shape, json, &asked);
    if (failed(e)) {
        arena_deinit(&c.arena);
        return 0;
    }
    if (!failed(sqs_system_attributes_check(&sent.system_attributes, &fault)) && sent.system_attributes.count)
        check_md5(&sent.system_attributes);
    e = sqs_attributes_check(&sent.attributes, &fault);
    ASSERT(!failed(e) || (e.code == SQS_INVALID_PARAMETER && text_utf8_valid(fault.text) == fault.text.size));
    if (!failed(e) && sent.attributes.count) {
        check_md5(&sent.attributes);
        check_packing(&sent.attributes, &c.arena);
        check_filter(&sent.attributes, &asked.message_attribute_names, &c.arena);
    }
    arena_deinit(&c.arena);
    return 0;
}
