/* xml.h: the escaping writer for query-protocol replies (no XML is ever read).
 * Escapes in text nodes: & < > as entities, " as &quot;, CR as &#xD; (contract sqs 1.2: a CR must round-trip).
 */
#ifndef MILLRACE_CODEC_XML_H
#define MILLRACE_CODEC_XML_H

#include "base/arena.h"
#include "base/buf.h"

/* The text; or a copy with question marks, if it holds what XML cannot show, not even escaped. For texts that quote clients. */
struct slice xml_clean(struct arena *arena, struct slice text);
void xml_write_text(struct buf *b, struct slice text);
void xml_open(struct buf *b, struct slice name);                       /* <name> */
void xml_close(struct buf *b, struct slice name);                      /* </name> */
void xml_element(struct buf *b, struct slice name, struct slice text); /* <name>text</name> */

#endif
