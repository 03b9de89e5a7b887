/* json.c as it is where scan.h has no vector instructions. */
#define SCAN_PORTABLE
#include "codec/json.c"
#include "unit/codec/json_test.c"
