/*
 * The daemon's event loop: one thread, all connections.
 *
 * Requests come over two Unix sockets, become jobs, and run on threads
 * (daemon/job.c); what threads have to say comes back through queues
 * (daemon/live.h). Nothing but the loop touches a connection, nothing in
 * the loop waits for anything but its sockets.
 */
#ifndef LF_LOOP_H
#define LF_LOOP_H
#include "daemon/live.h"
#include "lib/api/api.h"

struct loop_options {
	int front_fd, control_fd;       /* listening sockets, taken over; -1: none */
	int signal_fd;                  /* signalfd of what on_signal wants; -1: none */
	void (*on_signal)(int signo);
	const char *wal_path;           /* watched for growth; NULL: not */
	void (*on_wal)(bool quiet);     /* fold it back; called on a thread of the pool */
	void (*on_commit)(void);        /* somebody, of whatever process, has written; on the loop, a moment later. NULL: not wanted */
	int64_t (*wal_bytes)(void);     /* how much of it is in use; never while it is folded */
};

/* Errors: UNAVAILABLE (libwebsockets will not start), NOMEM. */
enum err loop_open(const struct loop_options *) MUST_CHECK;
/* Serve until loop_stop() and all is answered, or its time is over. true: nothing was left running. */
bool loop_run(void);
/* From on_signal: take nothing new, finish what runs within so many ms. */
void loop_stop(unsigned within_ms);
void loop_close(void);

/* A listening Unix socket (0600, stale file replaced); -1 with errno. */
int loop_listen(const char *path);

/*
 * WebSocket sessions (rows with RT_SOCKET). All of these run on the loop's thread and must
 * not block.
 */
struct ws_session;

/*
 * Before the upgrade is accepted: match, authenticate, validate; c->db is set. rq->live is the
 * connection to be: take its place among the peer's sockets with live_ws_slot(). ERR_OK with the
 * session, or a fault that is answered as JSON instead of 101. What it keeps it copies: c ends.
 */
enum err ws_admit(struct ctx *c, struct request *rq, struct ws_session **ret) MUST_CHECK;
/* RATE_LIMITED when the peer has cfg->max_ws_per_ip sockets already. Given back when the connection ends. */
enum err live_ws_slot(struct live *, struct ctx *c, const char *peer) MUST_CHECK;
/* Admitted, and nobody has been told yet. The handle is good until ws_on_close() returns, or longer for who holds it. */
void ws_on_admit(struct ws_session *, struct live *);
/* The client has been told that the socket is open. */
void ws_on_open(struct ws_session *);
/* One text message, NUL-terminated, valid during the call. text NULL: one of n bytes, too long to be kept. */
void ws_on_text(struct ws_session *, char *text, size_t n);
/* No text and no ping for cfg->ws_idle_s. Comes again after as long, unless closed. */
void ws_on_idle(struct ws_session *);
/* The end. Exactly once for each admitted session, also when ws_on_open() never came. */
void ws_on_close(struct ws_session *);
enum { WS_TEXT_MAX = 65536 };
#endif
