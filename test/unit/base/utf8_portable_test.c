/* utf8.c as it is where scan.h has no vector instructions. */
#define SCAN_PORTABLE
#include "base/utf8.c"
#include "unit/base/utf8_test.c"
