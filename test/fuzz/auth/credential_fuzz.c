/* A credentials file: refused with a sentence that shows no secret, or every line of it is found again as it stands there,
 * and nothing else. Input: the file. */
#include "auth/credential.h"
#include "base/limits.h"
#include "base/text.h"
#include "sys/sys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const void *bytes, size_t size)
{
    struct sys_file *f;
    const struct iovec part = { (void *)(uintptr_t)bytes, size };
    ASSERT(!failed(sys->file.open(path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &f)));
    ASSERT(!failed(sys->file.truncate(f, 0)));
    ASSERT(!failed(sys->file.write(f, 0, &part, 1)));
    sys->file.close(f);
}

static struct slice next_word(struct slice *line)
{
    size_t begin = 0, end;
    while (begin < line->size && strchr(" \t\r", line->data[begin]) && line->data[begin])
        begin++;
    for (end = begin; end < line->size && (!strchr(" \t\r", line->data[end]) || !line->data[end]);)
        end++;
    struct slice word = slice_head(slice_from(*line, begin), end - begin);
    *line = slice_from(*line, end);
    return word;
}

static void check_lines(const struct credential_set *set, struct slice text, struct arena *arena)
{
    struct credential storage;
    while (text.size) {
        struct slice line = slice_cut(&text, '\n'), key = next_word(&line);
        if (key.size == 0 || key.data[0] == '#')
            continue;
        struct slice secret = next_word(&line), account = next_word(&line);
        const struct credential *c = credential_find(set, key, &storage, arena);
        ASSERT(c && slice_equal(c->access_key, key) && slice_equal(c->secret, secret));
        ASSERT(slice_equal(slice_str(c->account), account) && credential_is_account(account));
        ASSERT(memmem(c->arn.data, c->arn.size, c->account, ACCOUNT_BYTES) && c->user_id.size > 0);
        struct caller caller;
        caller_of_credential(c, &caller);
        ASSERT(!caller.is_anonymous && caller.is_root == slice_ends(c->arn, SLICE(":root")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credential_set *set = NULL;
    struct credential storage;
    struct slice sentence;
    struct arena arena;
    sys = &sys_memory;
    write_file("/fuzz/accounts", data, size);
    arena_init(&arena, 8 * MIB);
    struct error e = credential_set_load("/fuzz/accounts", &arena, &set, &sentence);
    if (failed(e)) {
        ASSERT(sentence.size > 0 && text_utf8_valid(sentence) == sentence.size);
    } else {
        check_lines(set, slice_of(data, size), &arena);
        ASSERT(!credential_find(set, SLICE("000000000000 "), &storage, &arena));
        ASSERT(!credential_find(set, SLICE(""), &storage, &arena));
    }
    arena_deinit(&arena);
    return 0;
}
