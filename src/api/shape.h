/* shape.h: what an operation takes and gives, as rows; the binders walk them.
 *
 * A service's shapes.def is expanded twice: SHAPES_STRUCT makes the C structs, SHAPES_TABLE the tables (see the end).
 *
 *   SHAPE(sqs_tag_queue_in)
 *   FIELD(queue_url, STR, "QueueUrl", .flags = REQUIRED)
 *   FIELD(tags, MAP, "Tags", .flags = REQUIRED, .query = "Tag", .query_key = "Key", .query_value = "Value")
 *   END(sqs_tag_queue_in)
 *
 * C types   STR, BLOB: struct slice (none when absent; BLOB holds raw bytes, base64 on the wire)
 *           INT, BOOL: int64_t, INT_ABSENT when absent
 *           STRUCT: pointer to the nested struct, NULL when absent (.of = its shape)
 *           LIST: struct values (items are struct slice, or nested structs when .of is set; is_set tells [] from absent)
 *           MAP: struct values of struct pair (string -> string, or string -> nested struct when .of is set)
 * Memory    everything decoded lives in the call's arena or in the request's bytes.
 * Empty     collections with count 0 and absent values are not written at all (contract sqs 1.1), except ALWAYS fields.
 */
#ifndef MILLRACE_API_SHAPE_H
#define MILLRACE_API_SHAPE_H

#include "base/arena.h"
#include "base/slice.h"
#include <stddef.h>

#define INT_ABSENT INT64_MIN

enum field_kind { KIND_END, KIND_STR, KIND_BLOB, KIND_INT, KIND_BOOL, KIND_STRUCT, KIND_LIST, KIND_MAP };
enum field_flags {
    REQUIRED = 1, /* absent (null counts as absent) -> the service's "missing" error, naming `wire` */
    ALWAYS = 2,   /* written even when empty */
    SECRET = 4,   /* never logged or audited: bodies, handles */
};

struct values {
    void *items;
    size_t count;
    bool is_set;
};
struct pair {
    struct slice key;
    struct slice text; /* MAP without .of */
    void *value;       /* MAP with .of */
};

struct shape;
struct field {
    struct slice wire; /* JSON name; also the query/XML name unless `query` is set */
    uint8_t kind;
    uint8_t flags;
    uint16_t offset;
    const struct shape *of;              /* of STRUCT, or of the items of LIST and MAP */
    const char *query;                   /* flattened name in the query protocol: "AttributeName" of AttributeName.N */
    const char *query_key, *query_value; /* of MAP: "Name", "Value" */
    int64_t min, max;                    /* of INT, both 0: no bound */
    const char *reason;                  /* text after "Reason: " when out of bounds */
};

struct shape {
    const char *name;
    size_t size;
    const struct field *(*fields)(void); /* ends with KIND_END */
};

#define SHAPE_C_STR struct slice
#define SHAPE_C_BLOB struct slice
#define SHAPE_C_INT int64_t
#define SHAPE_C_BOOL int64_t
#define SHAPE_C_STRUCT void *
#define SHAPE_C_LIST struct values
#define SHAPE_C_MAP struct values

/* Expansion 1, in the service's header:
 *   #include "api/shapes_struct.inc" / #include "service/sqs/shapes.def" / #include "api/shapes_end.inc"
 * Expansion 2, in one .c: "api/shapes_table.inc" instead. */

/* All fields absent: numbers INT_ABSENT, the rest zero. */
void shape_clear(const struct shape *shape, void *value);
/* A deep copy (strings, lists, nested) into `to`: used when a call must outlive the request's bytes. */
void *shape_copy(const struct shape *shape, const void *value, struct arena *to);
/* What shape_copy takes from an arena: for one that is made of exactly that size. */
size_t shape_copy_bytes(const struct shape *shape, const void *value);
#define ARENA_BYTES_OF(size) (((size) + 15) & ~(size_t)15) /* what an arena gives for `size` */

#endif
