/* catalog.h: the names of all queues of this process, sorted: what an owner must know about queues of other logs.
 *
 * Entries are facts copied from the queues' configs by apply, never the truth itself: the owner of the queue decides.
 * What is answered from here holds once everything up to sqs_catalog_lsn() is durable: callers raise c->wait_lsn to it.
 *
 * Order    by (account, region, name); dead-letter sources also by (target ARN, account, region, name).
 * Thread   any: one read-write lock around short looks; nothing is called with it held.
 * Memory   one block an entry, a few hundred bytes, and 16 bytes of index.
 * Cost     O(log n) to find, insert, remove; a page of a listing O(page).
 */
#ifndef MILLRACE_SERVICE_SQS_CATALOG_H
#define MILLRACE_SERVICE_SQS_CATALOG_H

#include "service/sqs/config.h"
#include "store/store.h"

struct sqs_catalog_key {
    struct slice account, region, name;
};

/* ---- by apply and restore ---- */

/* Adds the queue, or replaces what is known about it. Copies. `lsn`: of the record (or what the snapshot covers). */
void sqs_catalog_put(
    const struct sqs_catalog_key *key, uint64_t uid, uint16_t log, const struct sqs_config *config, lsn_t lsn);
void sqs_catalog_remove(const struct sqs_catalog_key *key, lsn_t lsn); /* absent is fine */
/* A move task of that queue began, or ended; absent is fine. */
void sqs_catalog_set_moving(const struct sqs_catalog_key *key, bool is_moving, lsn_t lsn);
void sqs_catalog_remove_log(uint16_t log); /* state_free: everything of that log, or of all with UINT16_MAX */

/* ---- by anybody ---- */

struct sqs_catalog_facts {
    uint64_t uid;
    uint16_t log;
    bool is_fifo;
    bool is_allowed;     /* its RedriveAllowPolicy lets `source_arn` in */
    bool is_dead_letter; /* at least one queue names it as its dead-letter target */
};
/* source_arn: none when it is not about dead letters. False: no such queue. */
bool sqs_catalog_find(const struct sqs_catalog_key *key, struct slice source_arn, struct sqs_catalog_facts *ret_facts);
lsn_t sqs_catalog_lsn(void); /* the newest change it knows */
size_t sqs_catalog_count(void);
/* Queues of the account, in all regions, that a move task empties; counts to `max` only. */
uint32_t sqs_catalog_moving(struct slice account, uint32_t max);

/* A page of names: of an account and region, that start with `prefix` and are after `after` (none: from the start). */
struct sqs_catalog_page {
    struct sqs_catalog_key *keys; /* copies in the arena */
    size_t count;
    bool has_more;
};
void sqs_catalog_list(struct slice account, struct slice region, struct slice prefix, struct slice after, size_t max,
    struct arena *arena, struct sqs_catalog_page *ret_page);
/* The queues whose RedrivePolicy names `target_arn`, after the key `after` (NULL: from the start). */
void sqs_catalog_sources(struct slice target_arn, const struct sqs_catalog_key *after, size_t max, struct arena *arena,
    struct sqs_catalog_page *ret_page);

#endif
