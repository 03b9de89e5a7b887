#define SCAN_PORTABLE
#include "unit/base/scan_test.c"
