/* url.h: queue URLs: every form in, the form of the client's Host out (contract 2.4).
 *
 *      https://sqs.<region>.<domain>/<account>/<name>      sqs-fips, dual-stack and VPC endpoints alike
 *      https://[<region>.]queue.<domain>/<account>/<name>
 *      http://host:port/queue/<region>/<account>/<name>
 *      http://host:port/<account>/<name>                   region: the signature's
 *      http://host:port/queue/<name>, .../<name>, <name>   account: the caller's
 *
 * No host is ever refused: what a client wrote there may be right where the client runs.
 */
#ifndef MILLRACE_SERVICE_SQS_URL_H
#define MILLRACE_SERVICE_SQS_URL_H

#include "base/arena.h"

struct sqs_address { /* views of the URL; none: the form does not say */
    struct slice region, account, name;
};

/* False: there is no queue name in it. */
bool sqs_url_parse(struct slice url, struct sqs_address *ret_address);
/* The same for the path of a request: "/", "/x" are not queue URLs here; "/<account>/<name>" and longer ones are. */
bool sqs_path_parse(struct slice path, struct sqs_address *ret_address);
/* endpoint: "http://host:port" as the client addressed us; a region in its host name is replaced by the queue's. */
struct slice sqs_url_format(
    struct arena *arena, struct slice endpoint, struct slice region, struct slice account, struct slice name);

#endif
