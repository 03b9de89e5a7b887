/* http_echo.h: a small server on src/http that shows every way of answering: for unit tests (in the process), for
 * test/hostile/http_raw.py and for measuring (as a program).
 *
 *      any other path   300 bytes, at once
 *      /echo            the body that came, with its content type, at once
 *      /describe        method, path, query, host and headers as lines, at once
 *      /later           like /echo, from before_sleep of the same or a later turn (as group commit does)
 *      /idle            like /echo, from before_sleep when idle
 *      /hold            gives its input back; answers "released" when somebody asks /release
 *      /big?N           N bytes, in the reply's own buffer
 *      /copy?N          N bytes, copied
 *      /lines           with many header lines
 *      /nothing         204
 *      /close           200, and the server ends the connection
 *      /refuse          403 from on_head: the body is not read
 *      /peer            the client's address
 *      /thread          the number of the reactor
 *      /state           "held H gone G": open /hold requests, streams that went away
 */
#ifndef TEST_SUPPORT_HTTP_ECHO_H
#define TEST_SUPPORT_HTTP_ECHO_H

#include "http/server.h"

struct http_echo;

struct http_echo_options {
    int threads;
    bool is_deferring; /* before_sleep is installed: /later and /idle work */
    const char *tls_cert, *tls_key;
    size_t max_connections, body_budget_bytes;
    const char *address; /* NULL: 127.0.0.1:0 */
};

struct http_echo *http_echo_start(const struct http_echo_options *options);
uint16_t http_echo_port(const struct http_echo *e);
struct http_server *http_echo_server(struct http_echo *e);
uint64_t http_echo_gone(struct http_echo *e);           /* any thread */
uint64_t http_echo_held(struct http_echo *e);           /* any thread */
uint32_t http_echo_most_in_a_turn(struct http_echo *e); /* requests of one reactor; any thread; deferring only */
void http_echo_stop(struct http_echo *e);               /* stops, frees */

#endif
