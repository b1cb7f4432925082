/*
 * A live connection, as a handler's thread sees it.
 *
 * The event loop owns sockets; threads only hand it bytes through a bounded
 * queue. All calls are thread-safe, none blocks on the network. A handle is valid until its
 * handler returns.
 */
#ifndef LF_LIVE_H
#define LF_LIVE_H
#include "lib/base/base.h"
#include "lib/net/http.h"

struct live;

/* Start a streamed answer (status 200) of that media type; headers are made by reply_headers(). */
enum err live_begin(struct live *, struct ctx *, const char *media) MUST_CHECK;
/* Queue bytes. false: the client is gone or too slow (then it was dropped); the caller may stop sending. */
bool live_send(struct live *, const void *, size_t);
/* The stream is whole. The handler then returns reply_streamed(c). */
void live_end(struct live *);
bool live_gone(struct live *);
/*
 * The body of a row with RT_UPLOAD, as it comes: waits for at least one byte. 0: it is whole; -1: the client is
 * gone. No database connection may be held meanwhile.
 */
ssize_t live_read(struct live *, void *, size_t);
/*
 * For a download: wait until at most so many bytes are not yet sent. false: the client is gone, or took nothing for that
 * long. live_break(): the file cannot be made whole; the connection ends without a good end.
 */
bool live_wait(struct live *, size_t below, unsigned patience_ms);
void live_break(struct live *);
/* When the client goes away, cancel k with that reason; NULL: forget. */
void live_on_gone(struct live *, struct cancel *k, int why);

/* One SSE event: "id: <id>\nevent: <name>\ndata: <json>\n\n" (id, name NULL: without). */
bool live_event(struct live *, const char *id, const char *name, const char *json, size_t n);

/* A WebSocket: one text message. false: the client is gone or too slow. */
bool live_ws_text(struct live *, const char *, size_t);
/* After what is queued, close with that code and reason (at most 123 bytes of UTF-8). */
void live_ws_close(struct live *, int code, const char *why);

/* A hold beyond the handler or session: the calls stay allowed and do nothing once the client is gone. */
struct live *live_hold(struct live *);
void live_drop(struct live *);                  /* NULL is fine */
#endif
