/*
 * Inside of the loop: connections, requests under way, and what the
 * files loop*.c, live.c and job.c tell each other. Nobody else includes this.
 */
#ifndef LF_CONN_H
#define LF_CONN_H
#include <libwebsockets.h>
#include <pthread.h>

#include "daemon/conf.h"
#include "daemon/loop.h"
#include "daemon/queue.h"

enum {
	LIVE_QUEUE_MAX = 1 << 20,       /* bytes that a slow reader may be behind */
	WRITE_MAX = 256 * 1024,         /* per connection and round of the loop */
	KEEP_ALIVE_US = 15 * 1000000,   /* of silence on an event stream */
};

/*
 * A request under way or an open WebSocket: what thread and loop share.
 * Held by both; the last one frees it.
 */
struct live {
	_Atomic unsigned holds;
	pthread_mutex_t mu;             /* guards what follows, up to the next remark */
	struct queue q;
	struct cancel *cancel;
	int why;
	bool woken;                     /* on the loop's list */
	bool begun, ended, gone;
	bool too_slow;
	struct drain *_Atomic drain;    /* of the thread that waits for the client (live_wait()); NULL: none does */
	bool sse, ws, last;             /* event stream; WebSocket; the connection ends with the answer */
	bool may_chunk, chunked;        /* HTTP/1.1 was spoken; a stream that goes out in chunks (RFC 9112, 7.1) */
	struct feed *feed;              /* the body as it comes; NULL: it came before the job */
	/* the loop's own */
	struct conn *conn;              /* NULL: the connection has ended */
	struct ws_session *session;
	char *slot_peer;
	/* the list of woken ones */
	struct live *next;
	struct standing *stands;        /* who it is for, once it is a stream or a socket */
	/* set before the job runs */
	const struct request *rq;       /* of the job; until it ends */
};

/* A request on its way to a thread: everything it needs, in one piece. */
struct job {
	struct arena *arena;
	struct conf *conf;
	struct live *live;
	struct request rq;
	struct buf body;
	int64_t began_us;
	char rid[37];
};

enum source_kind { SRC_CONN, SRC_FRONT, SRC_CONTROL, SRC_SIGNAL, SRC_WAL, SRC_ALARM };

/* What an lws handle stands for; its opaque pointer. */
struct source {
	enum source_kind kind;
	struct lws *wsi;
};

/* IN_FEED: a body comes while its job runs; so is the connection read, which it is not in IN_JOB. */
enum phase { AT_REST, IN_BODY, IN_FEED, IN_JOB, AS_WS };

struct conn {
	struct source src;              /* first */
	struct conn *prev, *next;       /* all connections */
	enum phase phase;
	bool control, raw, adopting, closing, draining;
	bool may_read;                  /* while its job runs: only to hear that it takes more */
	bool fed_up;                    /* IN_FEED: not read until the job has taken what lies there */
	bool answered_early;            /* IN_FEED: the rest of the body is thrown away */
	lws_sorted_usec_list_t slow;
	bool looked, early;             /* whether the next request came before the answer */
	int64_t try_us;                 /* how long the last wait for a try to write was */
	struct live *live;
	struct job *job;                /* while its body comes in */
	size_t body_left;
	size_t thrown;                  /* of the body, after an early answer */
	unsigned body_ends;             /* times that the library has said so */
	unsigned poll_changes;          /* what the connection waits for has changed so often */
	struct chunk *out;              /* taken from the queue, being written */
	/* event streams, in the order of their last byte */
	struct conn *older, *newer;
	bool in_streams;
	int64_t wrote_us;
	/* WebSocket */
	char *ws_echo;                  /* Sec-WebSocket-Protocol to add to the 101 */
	struct buf ws_text;
	size_t ws_bytes;                /* of the message that comes in */
	bool ws_open, ws_asked;
	int64_t ws_heard_us, ws_idle_us;
	lws_sorted_usec_list_t ws_idle;
};

/* loop.c */
struct lws_context *loop_context(void);
struct lws *loop_watch(struct source *, enum source_kind, int fd);      /* wake on readable; takes the fd */
bool loop_stopping(void);
void loop_wake(void);                           /* any thread: look at the woken ones */

/* alarm.c */
void alarm_fired(void);

/* loop_write.c */
/* From outside the connection's own callbacks: close it at the next round. */
void conn_close_soon(struct conn *);
/* Write what is queued. -1: close now (from a callback). inside: called from the connection's own writeable callback. */
int conn_pump(struct conn *, bool inside);
void conn_writes_no_more(struct conn *);
void streams_stop(void);

/* loop_http.c */
int http_begin(struct conn *);
int http_body(struct conn *, const char *, size_t);
int http_body_end(struct conn *);
/* IN_FEED: read on, if the job has room. */
void http_feed_on(struct conn *);
int http_unknown_method(struct conn *, const char *, size_t);
struct job *job_from(struct conn *, const char *method, const char *text, size_t n);
void job_free(struct job *);
void answer_now(struct conn *, struct job *, struct ctx *);     /* c->fault as the reply, without a thread */
void ctx_for(struct ctx *, struct job *);

/* loop_ws.c */
int ws_upgrade(struct conn *, const char *protocol);
int ws_headers(struct conn *, struct lws_process_html_args *);
void ws_open(struct conn *);
int ws_received(struct conn *, const char *, size_t);
void ws_poll_changed(struct conn *);
void ws_gone(struct conn *);
extern char ws_protocol_name[64];

struct db *ws_db(const char *path);             /* the loop's own connection; NULL: cannot be opened */
void ws_db_close(void);

/* loop_wal.c */
void wal_start(const char *path, void (*fold)(bool quiet), int64_t (*bytes)(void), void (*on_commit)(void));
void wal_touched(void);                         /* its watch is readable */
void wal_stop(void);

/* live.c */
struct live *live_new(void);
void live_wake(struct live *);                  /* with l->mu */
void live_finish(struct live *, const struct request *, struct ctx *, const struct reply *);
void live_eaten(struct live *, size_t n);        /* so much of its queue is written */
void live_cut(struct live *);                   /* the connection has ended */

/* feed.c. The loop's end: feed_open() false: no memory. put: false: no memory; *ret_full: enough for now. */
bool feed_open(struct live *);
bool feed_put(struct live *, const void *, size_t, bool *ret_full);
void feed_end(struct live *);
bool feed_wants(struct live *);
void feed_cut(struct live *);                   /* with l->mu: the client is gone */
bool feed_close(struct live *);                 /* with l->mu: nobody reads any more. false: not all had come */
void feed_free(struct feed *);

/* job.c */
void job_run(void *job);
struct arena *job_arena(void);
void job_arena_back(struct arena *);
#endif
