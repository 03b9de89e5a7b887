/* server.h: the whole server from its configuration: opens the store, replays, listens, runs until a signal.
 *
 * Signals  SIGTERM, SIGINT: drain (no new connections, long polls answered empty, replies under way finished), snapshot,
 *          exit 0; the second one ends at once; during the start, when there is nothing to drain, the first one does.
 *          SIGHUP: certificates and credentials are read again.
 * Exit     server_print_exit_codes; the numbers are those of sysexits.h.
 */
#ifndef MILLRACE_SERVER_SERVER_H
#define MILLRACE_SERVER_SERVER_H

#include "server/config.h"

int server_run(const struct config *config);
/* the services of services.def with their error rows registered; *ret_count of them */
struct service *const *server_services(size_t *ret_count);

/* What the process ends with after this error of the store or the configuration; 0 for none. */
int server_exit_code(struct error e);
void server_print_exit_codes(void); /* for people, on stdout */

/* Checks disk, limits, clock, data directory; prints a line each; 0 when all is well, else 1. */
int server_doctor(const struct config *config);

#endif
