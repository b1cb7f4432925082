/*
 * One hop of a call: one request on one line, and what came back.
 */
#ifndef LF_TRANSFER_H
#define LF_TRANSFER_H
#include "lib/net/line.h"
#include "lib/net/url.h"

struct hop {
	/* given */
	const struct http_call *call;
	const struct target *to;
	const struct addrs *addrs;      /* where it may connect; NULL: to->url is numeric or a proxy resolves */
	struct curl_slist *pins;        /* for CURLOPT_RESOLVE */
	struct curl_slist *headers;
	const char *method;
	bool body;                      /* send call->body */
	bool follows;                   /* a redirect would be followed: its text is of no interest */
	int64_t deadline_us;
	struct http_answer *ans;        /* its body collects what is not streamed */
	/* found */
	char *location;                 /* by free() */
	int64_t retry_after_s;
	/* within the transfer */
	struct line *line;
	long status;                    /* known from the first byte of the body on */
	size_t got;                     /* bytes of the answer so far */
	int64_t last_us;                /* when the last byte came */
	int64_t quiet_us;               /* the value of last_us that on_quiet was told of */
	int64_t enough_us;              /* when on_bytes had enough; 0: not yet */
	enum { GOING, STOPPED, TOO_MUCH, CUT, DROPPED, NO_MEMORY, WRONG_ADDR, UNTRUSTED } how;
};

/* Run it; the line is taken and given back. Errors as http_do. hop_done() in any case. */
enum err hop_run(struct hop *, const uint8_t key[static 32]) MUST_CHECK;
void hop_done(struct hop *);
#endif
