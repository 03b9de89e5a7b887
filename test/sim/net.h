/* net.h: seeds whose clients come over the network: real requests, signed, through the real reactor, HTTP front, gateway and
 * fronts, over a simulated network (support/faulty_net.h) in virtual time.
 *
 *   ops.c ─ call_go ─> client.c: encoded, signed (wire.c) ── bytes ──> reactor_turn: src/http, src/api ──> owner
 *                          │                                               │ server.c: hooks at the seams
 *   model <── delivered ───┴── reply read, compared <─── bytes ────────────┴──> model: decided, in the owners' order
 *
 * A request carries the number of its call in a header that is not signed; the hooks know by it which call the server is at.
 *
 *   ON_WIRE ─on_head─> AT_HEAD ─on_request─> AT_SERVER ─stream_reply─> ANSWERED        (server's side: enum net_state)
 *                         └──────────on_gone──────┴─────────────────> LEFT
 *
 * A call's slot is free again when the client has its reply or has given up, and the server will not touch it any more.
 */
#ifndef MILLRACE_TEST_SIM_NET_H
#define MILLRACE_TEST_SIM_NET_H

#include "model.h"

/* ---- server.c: the server inside the simulator ------------------------------------------------------------------------ */

void server_register(void);       /* once: the rows of operations get ears */
void server_open(void);           /* owners are open; before owners_resume */
void server_close(bool is_crash); /* before the owners are closed; fine if not open */
void server_forget(void);         /* of a seed that failed in the middle of something */
void server_drain(void);          /* the beginning of a clean stop */
bool server_turn(void);           /* one turn if something is due */
void server_turns(void);          /* until it sleeps */
void server_check_replies(void);  /* none waits for what is durable */
uint64_t server_late_ms(void);    /* how much later than its time a sleeping reactor may wake: its clock leans */
uint64_t server_turned_us(void);  /* when its last turn began */
bool server_has_output(int fd);   /* something that this connection did not take yet */
void server_check_memory(bool is_quiet);

/* ---- client.c: the other end -------------------------------------------------------------------------------------------- */

void clients_start(struct sim_call *c); /* sends it, sooner or later */
bool clients_move(bool all);            /* some bytes, or all that can be moved; true: something did */
void clients_vanish(void);              /* one with unanswered calls goes away */
void clients_vanish_all(void);
void clients_end(bool reads_first); /* the server is gone: what it had sent may be read before that shows */
void clients_after_turn(void);      /* notes what the server took */
void clients_check_times(void);     /* who does nothing is not kept for ever */
bool clients_are_idle(void);
void clients_reset(void);
void client_release(struct sim_call *c); /* if nobody needs its slot any more */

/* ---- wire.c: bytes ------------------------------------------------------------------------------------------------------- */

enum { SERIAL_DIGITS = 16 };
/* The whole request, signed; the serial's digits are at c->net.serial_at. */
void wire_encode(struct sim_call *c);
struct wire_reply {
    int status;
    size_t head_bytes, body_bytes;
    struct slice request_id, error, head; /* views of the input */
    struct slice body;
    bool closes;
};
/* False: not all of it is here. A broken one fails the seed. */
bool wire_parse_reply(struct slice input, struct wire_reply *ret);
/* The decoded body in c->call.out. */
void wire_decode(struct sim_call *c, const struct wire_reply *r);

/* ---- xml.c ------------------------------------------------------------------------------------------------------------- */

/* The result in a reply of XML, as JSON (empty if `op` gives nothing); none: it is not what should be written. */
struct slice xml_result_as_json(struct slice text, const struct op *op, struct slice request_id, struct arena *arena);

#endif
