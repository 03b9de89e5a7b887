/* error_rows.c: see error_rows.h. Blocks are set before threads start and only read afterwards. */
#include "api/error_rows.h"

#include "base/check.h"
#include "base/error.h"

enum { BLOCK_ROWS = 256, BLOCKS_MAX = 16 };

struct block {
    const struct error_row *rows;
    size_t count;
};

static const struct error_row api_rows[] = {
#define API_ERROR(name, shape, query, status, fault, text) { name, #name, shape, query, status, fault, text },
#include "api/errors.def"
#undef API_ERROR
};
static struct block blocks[BLOCKS_MAX] = { [1] = { api_rows, ARRAY_COUNT(api_rows) } };

void error_rows_register(uint32_t first_code, const struct error_row *rows, size_t count)
{
    ASSERT(first_code % BLOCK_ROWS == 0 && first_code / BLOCK_ROWS < BLOCKS_MAX && count <= BLOCK_ROWS);
    for (size_t index = 0; index < count; index++)
        ASSERT(rows[index].code == first_code + index);
    blocks[first_code / BLOCK_ROWS] = (struct block){ rows, count };
}

static uint32_t api_code_of_base(uint32_t code)
{
    if (code == ERR_AGAIN)
        return API_THROTTLED;
    return code == ERR_FULL ? API_DISK_FULL : API_INTERNAL_FAILURE;
}

const struct error_row *error_row(uint32_t code)
{
    static_assert(API_ERROR_FIRST + 1 == BLOCK_ROWS, "the api's codes are the second block");
    static_assert((int)ERR_BASE_COUNT <= (int)BLOCK_ROWS, "the base's codes are the first");
    size_t block = code / BLOCK_ROWS, index = code % BLOCK_ROWS;
    if (block > 0 && block < BLOCKS_MAX && index < blocks[block].count)
        return &blocks[block].rows[index];
    return &api_rows[api_code_of_base(code) - BLOCK_ROWS];
}

static size_t codes_of_block(size_t block)
{
    return block == 0 ? (size_t)ERR_BASE_COUNT : blocks[block].count;
}

uint32_t error_rows_after(uint32_t code)
{
    size_t block = code / BLOCK_ROWS, index = code % BLOCK_ROWS + 1;
    for (; block < BLOCKS_MAX; block++, index = 0)
        if (index < codes_of_block(block))
            return (uint32_t)(block * BLOCK_ROWS + index);
    return UINT32_MAX;
}
