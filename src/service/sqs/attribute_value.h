/* attribute_value.h: message attributes: what is legal, how much they weigh, their MD5, which a receive asked for.
 *
 * The type everywhere is `struct values` of `struct pair` with `value` a `struct sqs_attribute_value` (shapes.def),
 * sorted by name bytewise once sqs_attributes_check passed.
 * Source   contract 2.1 "MD5 attributes", "Attribute rules", "MessageAttributeNames filter"; 1.4.
 */
#ifndef MILLRACE_SERVICE_SQS_ATTRIBUTE_VALUE_H
#define MILLRACE_SERVICE_SQS_ATTRIBUTE_VALUE_H

#include "api/shape.h"
#include "service/sqs/fault.h"
#include "service/sqs/limits.h"

struct sqs_attribute_value;

enum sqs_transport { SQS_TRANSPORT_STRING = 1, SQS_TRANSPORT_BINARY = 2 }; /* the byte of the MD5 algorithm */

/* Sorts by name and applies every rule of contract 2.1. SQS_INVALID_PARAMETER with its sentence. */
struct error sqs_attributes_check(struct values *attributes, struct sqs_fault *f);
/* MessageSystemAttributes: AWSTraceHeader alone, of type String. */
struct error sqs_system_attributes_check(struct values *attributes, struct sqs_fault *f);

/* Of a checked value. */
enum sqs_transport sqs_attribute_transport(const struct sqs_attribute_value *v);
struct slice sqs_attribute_bytes(const struct sqs_attribute_value *v); /* text or raw bytes */

/* names + types + values: what counts towards the size of the message; checked or not */
size_t sqs_attributes_size(const struct values *attributes);
/* Sorted attributes only. 32 lower-case digits and a NUL. There must be at least one. */
void sqs_attributes_md5(const struct values *attributes, char out[33]);

/* MessageAttributeNames of a receive, read once. */
struct sqs_name_filter {
    const struct values *names; /* list of text; NULL or empty: nothing is returned */
    bool is_all;                /* All, .*, * */
};
struct sqs_name_filter sqs_name_filter_of(const struct values *names);
bool sqs_name_filter_has(const struct sqs_name_filter *filter, struct slice name);
/* The attributes the filter lets through, in order; count 0 if none. The array is the arena's. */
struct values sqs_attributes_select(
    const struct values *attributes, const struct sqs_name_filter *filter, struct arena *arena);

#endif
