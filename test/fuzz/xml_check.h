/* xml_check.h: is a text a well-formed XML document of the kind that servers write: elements and attributes, entities, no
 * comments, sections or document types? For fuzz targets; shares nothing with the writer.
 */
#ifndef MILLRACE_TEST_XML_CHECK_H
#define MILLRACE_TEST_XML_CHECK_H

#include "base/slice.h"
#include "base/text.h"

enum { XML_CHECK_DEPTH_MAX = 32 };

static inline bool xml_check_is_name(struct slice name)
{
    if (name.size == 0 || !text_is_alpha(name.data[0]))
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!text_is_alnum(name.data[i]) && !strchr("._-:", name.data[i]))
            return false;
    return true;
}

/* What stands between tags, or in an attribute: entities that exist, no '<'. */
static inline bool xml_check_text(struct slice text)
{
    static const struct slice entities[] = { { "amp;", 4 }, { "lt;", 3 }, { "gt;", 3 }, { "quot;", 5 }, { "apos;", 5 },
        { "#xD;", 4 } };
    for (size_t at = 0; at < text.size; at++) {
        bool is_known = text.data[at] != '&';
        for (size_t i = 0; i < ARRAY_COUNT(entities); i++)
            is_known |= slice_starts(slice_from(text, at + 1), entities[i]);
        if (!is_known || text.data[at] == '<')
            return false;
    }
    return text_is_xml_chars(text);
}

/* `name attribute="value" ...` */
static inline bool xml_check_tag(struct slice tag, struct slice *ret_name)
{
    *ret_name = slice_cut(&tag, ' ');
    while (!slice_is_none(tag)) {
        struct slice attribute = slice_cut(&tag, '=');
        if (!xml_check_is_name(attribute) || !slice_starts(tag, SLICE("\"")))
            return false;
        tag = slice_from(tag, 1);
        if (!xml_check_text(slice_cut(&tag, '"')) || slice_is_none(tag))
            return false;
        if (tag.size == 0)
            return xml_check_is_name(*ret_name);
        if (tag.data[0] != ' ')
            return false;
        tag = slice_from(tag, 1);
    }
    return xml_check_is_name(*ret_name);
}

static inline bool xml_is_well_formed(struct slice s)
{
    struct slice open[XML_CHECK_DEPTH_MAX], name;
    size_t depth = 0, roots = 0;
    if (slice_starts(s, SLICE("<?xml version=\"1.0\"?>")))
        s = slice_from(s, 21);
    while (s.size) {
        struct slice text = slice_cut(&s, '<');
        if (slice_is_none(s))
            return depth == 0 && roots == 1 && slice_equal(text, SLICE("\n"));
        if (!xml_check_text(text) || (depth == 0 && text.size))
            return false;
        struct slice tag = slice_cut(&s, '>');
        bool is_end = slice_starts(tag, SLICE("/")), is_empty = !is_end && slice_ends(tag, SLICE("/"));
        if (slice_is_none(s) || !xml_check_tag(is_end     ? slice_from(tag, 1)
                                               : is_empty ? slice_head(tag, tag.size - 1)
                                                          : tag,
                                    &name))
            return false;
        if (is_end && (depth == 0 || !slice_equal(open[--depth], name)))
            return false;
        roots += !is_end && depth == 0;
        if (!is_end && !is_empty) {
            if (depth == XML_CHECK_DEPTH_MAX)
                return false;
            open[depth++] = name;
        }
    }
    return depth == 0 && roots == 1;
}

#endif
