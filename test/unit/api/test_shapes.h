/* test_shapes.h: the structs of test_shapes.def, a call to bind with, and the tables in the one program that includes
 * this. */
#ifndef MILLRACE_TEST_UNIT_API_TEST_SHAPES_H
#define MILLRACE_TEST_UNIT_API_TEST_SHAPES_H

#include "api/bind.h"
#include "api/service.h"

#include "api/shapes_struct.inc"
#include "test_shapes.def"
#include "api/shapes_end.inc"

#include "api/shapes_table.inc"
#include "test_shapes.def"
#include "api/shapes_end.inc"

enum { TEST_MISSING = 10 * 256, TEST_MISSING_QUERY, TEST_INVALID };

static const struct service test_service = {
    .error_missing = TEST_MISSING,
    .error_missing_query = TEST_MISSING_QUERY,
    .error_invalid = TEST_INVALID,
};

static inline void test_call_init(struct call *c, size_t arena_bytes)
{
    memset(c, 0, sizeof *c);
    c->service = &test_service;
    arena_init(&c->arena, arena_bytes);
}

#endif
