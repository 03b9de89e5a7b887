/* xml.c as it is where scan.h has no vector instructions. */
#define SCAN_PORTABLE
#include "codec/xml.c"
#include "unit/codec/xml_test.c"
