/* control.h: the door of a running server for the command line on the same machine: a Unix socket in its data directory.
 *
 *   millrace backup TO ──"backup /absolute/TO\n"──> DIR/control ──store_backup──> "ok\n" or a sentence
 *
 * One request a connection, one connection at a time, on a thread of its own. Who may open the data directory (0700) may
 * ask; the socket is 0600 besides.
 * Fails    control_open: without the socket the server runs all the same, and says so once in the log.
 */
#ifndef MILLRACE_SERVER_CONTROL_H
#define MILLRACE_SERVER_CONTROL_H

#include "base/arena.h"
#include "base/error.h"

enum { CONTROL_LINE_BYTES_MAX = 4096 + 64 };

struct store;
struct control;
struct control *control_open(const char *data_dir, struct store *store); /* NULL: there is none */
void control_close(struct control *c);                                   /* ends a backup under way; NULL is fine */

/* The command line's side; waits as long as it takes. False: no server is there. ret_answer: "ok", or why not; in `arena`. */
bool control_ask(const char *data_dir, const char *line, struct arena *arena, struct slice *ret_answer);

#endif
