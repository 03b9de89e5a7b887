/* sts.h: the Security Token Service: who am I. Stateless: it answers from the verified signature.
 * Source   contracts/access.md 4.1.
 */
#ifndef MILLRACE_SERVICE_STS_H
#define MILLRACE_SERVICE_STS_H

#include "api/service.h"

#include "api/shapes_struct.inc"
#include "service/sts/shapes.def"
#include "api/shapes_end.inc"

extern struct service sts_service;

#endif
