/*
 * Server-sent events, read from bytes as they come (WHATWG HTML, 9.2): split anywhere,
 * any line end, comments, several data lines to an event.
 */
#ifndef LF_SSE_H
#define LF_SSE_H
#include "lib/base/buf.h"

struct sse {
	struct buf line;                /* an unfinished line */
	struct buf data;                /* of the event that is being read */
	char event[64];                 /* its type, "" if none is named */
	bool any;                       /* it has a data line */
	bool after_cr;                  /* a LF now belongs to the CR before it */
	bool begun;                     /* a byte order mark is past */
	/* One event; its data lives during the call. false: stop reading. */
	bool (*on_event)(void *arg, const char *event, const char *data, size_t n);
	void *arg;
};

void sse_init(struct sse *, size_t max_event_bytes, bool (*on_event)(void *, const char *, const char *, size_t), void *arg);
/* false: on_event said stop, or an event is too long (sse->line.failed or ->data.failed). */
bool sse_feed(struct sse *, const char *, size_t);
/* The stream is over: hand out an event that no blank line ended. */
bool sse_end(struct sse *);
void sse_done(struct sse *);
#endif
