/*
 * A small HTTP/1.1 client over a Unix socket: one request, one answer, then
 * the connection closes. For our own programs among themselves; what goes
 * out to the world uses lib/net.
 */
#ifndef LF_UHTTP_H
#define LF_UHTTP_H
#include "lib/base/base.h"

enum { UHTTP_HEAD_MAX = 32768 };

struct uhttp {
	int fd;
	int status;
	char head[UHTTP_HEAD_MAX];      /* status line and header lines, NUL-terminated */
	size_t head_bytes;
	char in[16384];                 /* bytes read and not yet handed out */
	size_t in_at, in_n;
	bool chunked, until_close, in_chunk, ended;
	uint64_t left;                  /* of the body or of the current chunk */
};

/*
 * Connect and send head (request line, header lines, empty line) and body.
 * timeout_ms: longest silence of the other side; 0: for ever.
 * Close with uhttp_close() in any case. Errors: UNAVAILABLE (nobody there), IO.
 */
enum err uhttp_send(struct uhttp *, const char *sock, const char *head, size_t head_n,
    const void *body, size_t body_n, unsigned timeout_ms) MUST_CHECK;
/* Read status line and headers (100-continue is skipped). Errors: IO, TIMEOUT, UPSTREAM (not HTTP). */
enum err uhttp_head(struct uhttp *) MUST_CHECK;
/* Value of a header copied to out; false: absent or too long. */
bool uhttp_header(const struct uhttp *, const char *name, char *out, size_t cap);
/* Bytes of the body: > 0, 0 at its end, -1 when it broke off. */
ssize_t uhttp_read(struct uhttp *, void *, size_t);
void uhttp_close(struct uhttp *);
#define SCOPED_UHTTP __attribute__((cleanup(uhttp_close))) struct uhttp
#endif
