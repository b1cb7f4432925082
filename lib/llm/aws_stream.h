/*
 * AWS's event stream ("application/vnd.amazon.eventstream"): binary messages of headers and a
 * payload, each with two checksums (CRC-32).
 */
#ifndef LF_AWS_STREAM_H
#define LF_AWS_STREAM_H
#include "lib/base/buf.h"

struct aws_message {
	char kind[32];                  /* ":message-type": event, exception, error */
	char type[96];                  /* ":event-type", ":exception-type" or ":error-code" */
	const char *payload; size_t n;  /* lives during the call */
};

struct aws_stream {
	struct buf in;                  /* an unfinished message */
	bool broken;                    /* a length or a checksum is wrong */
	/* false: stop reading. */
	bool (*on_message)(void *arg, const struct aws_message *);
	void *arg;
};

void aws_stream_init(struct aws_stream *, size_t max_message_bytes, bool (*on_message)(void *, const struct aws_message *), void *arg);
/* false: on_message said stop, the stream is broken, or a message is too long (in.failed). */
bool aws_stream_feed(struct aws_stream *, const char *, size_t);
void aws_stream_done(struct aws_stream *);
#endif
