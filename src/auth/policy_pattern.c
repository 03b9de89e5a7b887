/* policy_pattern.c: does a text match a pattern of a policy? See policy_internal.h.
 *
 * Only the last star is ever tried again with one more byte, which is enough for patterns of stars and literals: the
 * cost is at most the text's bytes times the pattern's.
 */
#include "auth/policy_internal.h"

enum { NO_MATCH = -1 };

struct piece { /* a part with its variable resolved */
    uint8_t kind;
    struct slice text;
};

static bool equal_at(struct slice text, size_t at, struct slice literal, bool is_nocase)
{
    if (text.size - at < literal.size)
        return false;
    struct slice here = slice_head(slice_from(text, at), literal.size);
    return is_nocase ? slice_equal_nocase(here, literal) : slice_equal(here, literal);
}

/* Of the UTF-8 character at `at`, which is inside of the text; what is not UTF-8 counts by the byte. */
static size_t character_bytes(struct slice text, size_t at)
{
    unsigned char lead = (unsigned char)text.data[at];
    size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    size_t left = text.size - at;
    return size < left ? size : left;
}

/* How many bytes of the text the piece takes at `at`; NO_MATCH. Stars are the caller's. */
static ptrdiff_t piece_bytes(const struct piece *piece, struct slice text, size_t at, bool is_nocase)
{
    if (piece->kind == PART_ANY)
        return at < text.size ? (ptrdiff_t)character_bytes(text, at) : NO_MATCH;
    if (piece->kind == PART_TEXT && equal_at(text, at, piece->text, is_nocase))
        return (ptrdiff_t)piece->text.size;
    return NO_MATCH;
}

static bool pieces_match(const struct piece *pieces, size_t count, struct slice text, bool is_nocase)
{
    size_t piece = 0, at = 0, after_star = 0, star_at = 0;
    bool has_star = false;
    for (;;) {
        if (piece < count && pieces[piece].kind == PART_STAR) {
            has_star = true;
            after_star = ++piece;
            star_at = at;
            continue;
        }
        if (has_star && piece == count && after_star == count)
            return true; /* a star at the end takes the rest */
        if (piece == count && at == text.size)
            return true;
        ptrdiff_t taken = piece < count ? piece_bytes(&pieces[piece], text, at, is_nocase) : NO_MATCH;
        if (taken != NO_MATCH) {
            at += (size_t)taken;
            piece++;
            continue;
        }
        if (!has_star || star_at == text.size)
            return false;
        at = ++star_at;
        piece = after_star;
    }
}

static bool resolve(const struct policy *p, const struct policy_part *part, const struct policy_request *r,
    struct found_key *found, struct piece *ret_piece)
{
    *ret_piece = (struct piece){ part->kind, policy_text(p, part->text) };
    if (part->kind != PART_VARIABLE)
        return part->kind != PART_NEVER;
    ret_piece->kind = PART_TEXT;
    if (key_find(r, ret_piece->text, found) && found->count == 1) {
        ret_piece->text = found->values[0];
        return true;
    }
    ret_piece->text = policy_text(p, part->fallback);
    return part->has_fallback;
}

/* One variable's value may live in `found` of that variable: a pattern holds at most this many of them. */
enum { VARIABLES_MAX = 4 };

static bool variable_pattern_matches(const struct policy *p, const struct policy_pattern *pattern, struct slice text,
    bool is_nocase, const struct policy_request *r)
{
    struct piece pieces[PATTERN_PARTS_MAX];
    struct found_key found[VARIABLES_MAX];
    size_t variables = 0;
    for (uint32_t index = 0; index < pattern->parts.count; index++) {
        const struct policy_part *part = &p->parts[pattern->parts.first + index];
        ASSERT(part->kind != PART_VARIABLE || variables < VARIABLES_MAX);
        if (!resolve(p, part, r, &found[variables < VARIABLES_MAX ? variables : 0], &pieces[index]))
            return false;
        variables += part->kind == PART_VARIABLE;
    }
    return pieces_match(pieces, pattern->parts.count, text, is_nocase);
}

bool pattern_matches(
    const struct policy *p, uint32_t index, struct slice text, bool is_nocase, const struct policy_request *r)
{
    const struct policy_pattern *pattern = &p->patterns[index];
    struct piece pieces[PATTERN_PARTS_MAX];
    if (pattern->has_variable)
        return variable_pattern_matches(p, pattern, text, is_nocase, r);
    for (uint32_t at = 0; at < pattern->parts.count; at++) {
        const struct policy_part *part = &p->parts[pattern->parts.first + at];
        pieces[at] = (struct piece){ part->kind, policy_text(p, part->text) };
    }
    return pieces_match(pieces, pattern->parts.count, text, is_nocase);
}

struct slice pattern_literal(const struct policy *p, uint32_t index)
{
    const struct policy_pattern *pattern = &p->patterns[index];
    if (pattern->parts.count == 0)
        return SLICE("");
    ASSERT(pattern->parts.count == 1 && p->parts[pattern->parts.first].kind == PART_TEXT);
    return policy_text(p, p->parts[pattern->parts.first].text);
}
