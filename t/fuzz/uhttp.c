/*
 * Fuzz: an HTTP answer as our own programs read it from each other. It comes whole or in pieces, and is read in large or small
 * bites: the same comes out.
 * sources: lib/base/*.c
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/uhttp.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static struct uhttp h;

/* The status, or what went wrong as a negative number; the body in out. A packet arrives at a time. */
static int
fetch(const uint8_t *p, size_t n, size_t step, size_t bite, struct buf *out)
{
	char part[4096], v[64];
	int fd[2], rc;
	ssize_t got;
	enum err e;

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == 0);
	for (size_t i = 0; i < n; i += step)
		if (send(fd[1], p + i, n - i < step ? n - i : step, MSG_DONTWAIT) < 0)
			break;
	close(fd[1]);
	memset(&h, 0, offsetof(struct uhttp, in));
	h.in_at = h.in_n = 0;
	h.chunked = h.until_close = h.in_chunk = h.ended = false;
	h.left = 0;
	h.fd = fd[0];
	e = uhttp_head(&h);
	rc = e == ERR_OK ? h.status : -(int)e;
	if (e == ERR_OK) {
		MUST(h.status >= 200 || h.status == 101);
		MUST(h.head_bytes == strlen(h.head) && h.head_bytes >= 4 && memcmp(h.head + h.head_bytes - 4, "\r\n\r\n", 4) == 0);
		MUST(!uhttp_header(&h, "X", v, sizeof(v)) || (strlen(v) < sizeof(v) && strpbrk(v, "\r\n") == NULL));
		while ((got = uhttp_read(&h, part, bite)) > 0)
			buf_add(out, part, (size_t)got);
		buf_ch(out, got == 0 ? '.' : '!');
	}
	uhttp_close(&h);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	SCOPED_BUF a = BUF_INIT(1 << 20);
	SCOPED_BUF b = BUF_INIT(1 << 20);
	size_t step = n / 64 + 1 + (n > 0 ? data[n - 1] % 32 : 0);

	MUST(fetch(data, n, 16384, 4096, &a) == fetch(data, n, step, step % 5 + 1, &b));
	MUST(a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0));
	return 0;
}
