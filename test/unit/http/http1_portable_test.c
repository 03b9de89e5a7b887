/* http1.c as it is where scan.h has no vector instructions. */
#define SCAN_PORTABLE
#include "http/http1.c"
#include "unit/http/http1_test.c"
