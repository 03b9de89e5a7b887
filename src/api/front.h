/* front.h: the reactor thread's side of a call: makes it, hands it to its owner, holds the reply until the disk has it.
 *
 *   on_head ─ parse signature ─> on_request ─ gateway: verify, bind, route ─ end of the turn ─> owner_submit
 *   done (here or back from another thread) ─> finish ─> waiting, in order of LSN ─ durable ─> encode, stream_reply
 *
 * One commit serves everybody: when a turn ends and replies wait, the front flushes on its own thread if nothing else is
 * ready and the disk is quick, else it asks the committer. After each flush every front with waiting replies is woken once.
 *
 * Thread   a front belongs to its reactor's thread; front_done may be called on any thread.
 */
#ifndef MILLRACE_API_FRONT_H
#define MILLRACE_API_FRONT_H

#include "api/call.h"
#include "base/histogram.h"
#include "http/server.h"

struct network;
struct gateway_options {
    struct credential_set *_Atomic *credentials;
    int64_t clock_window_s;
    struct slice public_url;          /* none: from the Host header */
    const struct slice *cors_origins; /* beside local ones */
    size_t cors_origin_count;
    bool is_any_origin_allowed;
    const struct network *trusted_proxies; /* forwarded.h */
    size_t trusted_proxy_count;
};

struct front_options {
    struct http_server *http;
    struct store *store;
    int threads;
    const struct gateway_options *gateway;
};

/* Makes one front a reactor and ties it to the server; after owners_open, before owners_resume and http_server_start. */
void fronts_open(const struct front_options *options);
/* Any thread but the fronts': returns when every front has begun a turn after the call, so that nothing it read before is
 * still in use by code that keeps no copy. Between http_server_start and http_server_stop. */
void fronts_pass_turn(void);
/* After http_server_stop: lets the last calls go, undoing what nobody was told. The store's threads may still wake fronts;
 * they are gone after owners_close, then fronts_free. */
void fronts_close(void);
void fronts_free(void); /* after owners_close, before http_server_free */
extern const struct http_handler front_handler;

/* The wall time of this thread's turn; 0 on threads that are not fronts. */
uint64_t front_turn_ms(void);
/* For who turns reactors himself: until the next turn this thread is none of a front's. */
void front_leave_thread(void);

/* An owner answered a call (or parked it for good reasons of shutdown): any thread. */
void front_done(struct call *c);
/* The task of every WHERE_OWNER call. */
void front_run_call(struct owner *o, struct task *t);

/* ---- figures, one set a front: one writer, read by any thread (relaxed) ------------------------------------------------------ */

enum { FRONTS_MAX = 64, FRONT_OPS_MAX = 64, FRONT_ERRORS_MAX = 1024 };
struct front_metrics {
    uint64_t calls[FRONT_OPS_MAX]; /* by op, service after service */
    struct histogram latency_us[FRONT_OPS_MAX];
    /* By op and error code; the last op stands for requests that name none. Pages that nothing is counted in stay out of
     * memory. */
    uint64_t errors[FRONT_OPS_MAX + 1][FRONT_ERRORS_MAX];
    uint64_t waiting; /* replies waiting for the disk */
    uint64_t inline_flushes;
};
int front_count(void);
struct http_server *front_http(void);
struct reactor *front_reactor(const void *front); /* of a stream's front */
const struct front_metrics *front_get_metrics(int index);

#endif
