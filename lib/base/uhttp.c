/*
 * HTTP/1.1 over a Unix socket, blocking, one request per connection.
 *
 * The difficult part is the body's end: a length, chunks, or the end of the
 * connection. Reading pulls from one small buffer, so that a stream is handed
 * on as it comes and memory does not grow with the answer.
 */
#include "lib/base/uhttp.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static enum err
dial(int *ret, const char *path, unsigned timeout_ms)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000 };
	SCOPED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return ERR_IO;
	if (strlen(path) >= sizeof(sa.sun_path))
		return ERR_UNAVAILABLE;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (timeout_ms != 0 &&
	    (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0))
		return ERR_IO;
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		if (errno != EINTR)
			return ERR_UNAVAILABLE;
	*ret = TAKE_FD(fd);
	return ERR_OK;
}

static enum err
send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return ERR_IO;
		p += w;
		n -= (size_t)w;
	}
	return ERR_OK;
}

enum err
uhttp_send(struct uhttp *h, const char *sock, const char *head, size_t head_n,
    const void *body, size_t body_n, unsigned timeout_ms)
{
	enum err e;

	h->fd = -1;
	h->status = 0;
	h->head_bytes = h->in_at = h->in_n = 0;
	h->head[0] = '\0';
	h->chunked = h->until_close = h->in_chunk = h->ended = false;
	h->left = 0;
	e = dial(&h->fd, sock, timeout_ms);
	if (e == ERR_OK)
		e = send_all(h->fd, head, head_n);
	if (e == ERR_OK && body_n > 0)
		e = send_all(h->fd, body, body_n);
	return e;
}

/* More bytes into the buffer: their number, 0 at the end, -1. */
static ssize_t
fill(struct uhttp *h)
{
	ssize_t n;

	do
		n = recv(h->fd, h->in, sizeof(h->in), 0);
	while (n < 0 && errno == EINTR);
	h->in_at = 0;
	h->in_n = n > 0 ? (size_t)n : 0;
	return n;
}

static int
next_byte(struct uhttp *h)
{
	if (h->in_at == h->in_n && fill(h) <= 0)
		return -1;
	return (unsigned char)h->in[h->in_at++];
}

/* The header block, up to its empty line, into head. */
static enum err
read_block(struct uhttp *h)
{
	int before = '\0';

	h->head_bytes = 0;
	for (;;) {
		int ch;

		errno = 0;
		ch = next_byte(h);
		if (ch < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_TIMEOUT : ERR_IO;
		if (h->head_bytes + 1 >= sizeof(h->head) || ch == '\0' || (ch == '\n') != (before == '\r'))
			return ERR_UPSTREAM;    /* also half of a line's end, which others might take for one */
		before = ch;
		h->head[h->head_bytes++] = (char)ch;
		h->head[h->head_bytes] = '\0';
		if (ch == '\n' && h->head_bytes >= 4 &&
		    memcmp(h->head + h->head_bytes - 4, "\r\n\r\n", 4) == 0)
			return ERR_OK;
	}
}

static bool
is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

static int
status_of(const char *head)
{
	if (strncmp(head, "HTTP/1.", 7) != 0 || head[7] == '\0' || head[8] != ' ' ||
	    !is_digit(head[9]) || !is_digit(head[10]) || !is_digit(head[11]))
		return 0;
	return (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
}

static enum err
body_rules(struct uhttp *h)
{
	char v[64];

	if (h->status == 204 || h->status == 304) {
		h->ended = true;
		return ERR_OK;
	}
	if (uhttp_header(h, "Transfer-Encoding", v, sizeof(v)) && strcasecmp(v, "chunked") == 0) {
		h->chunked = true;
		return ERR_OK;
	}
	if (!uhttp_header(h, "Content-Length", v, sizeof(v))) {
		h->until_close = true;
		return ERR_OK;
	}
	if (v[0] == '\0' || strlen(v) > 18 || strspn(v, "0123456789") != strlen(v))
		return ERR_UPSTREAM;
	for (const char *p = v; *p != '\0'; p++)
		h->left = h->left * 10 + (uint64_t)(*p - '0');
	h->ended = h->left == 0;
	return ERR_OK;
}

enum err
uhttp_head(struct uhttp *h)
{
	do {
		enum err e = read_block(h);

		if (e != ERR_OK)
			return e;
		h->status = status_of(h->head);
		if (h->status == 0)
			return ERR_UPSTREAM;
	} while (h->status < 200 && h->status != 101);
	return body_rules(h);
}

bool
uhttp_header(const struct uhttp *h, const char *name, char *out, size_t cap)
{
	size_t nn = strlen(name);

	for (const char *p = strstr(h->head, "\r\n"); p != NULL; p = strstr(p, "\r\n")) {
		const char *v, *end;

		p += 2;
		if (strncasecmp(p, name, nn) != 0 || p[nn] != ':')
			continue;
		v = p + nn + 1;
		v += strspn(v, " \t");
		end = strstr(v, "\r\n");
		while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if ((size_t)(end - v) >= cap)
			return false;
		memcpy(out, v, (size_t)(end - v));
		out[end - v] = '\0';
		return true;
	}
	return false;
}

static int
hex_digit(int ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* The rest of a line; its length, -1 when the connection ended. */
static long
skip_line(struct uhttp *h)
{
	long n = 0;

	for (;;) {
		int ch = next_byte(h);

		if (ch < 0 || n > UHTTP_HEAD_MAX)
			return -1;
		if (ch == '\n')
			return n;
		if (ch != '\r')
			n++;
	}
}

/* "1a;ext\r\n" to left; after the last chunk its trailer is skipped. */
static bool
next_chunk(struct uhttp *h)
{
	unsigned digits = 0;
	int ch;

	if (h->in_chunk && skip_line(h) != 0)
		return false;
	h->left = 0;
	while ((ch = next_byte(h)) >= 0 && hex_digit(ch) >= 0) {
		if (++digits > 15)
			return false;
		h->left = h->left * 16 + (uint64_t)hex_digit(ch);
	}
	if (ch < 0 || digits == 0 || (ch != '\n' && skip_line(h) < 0))
		return false;
	h->in_chunk = true;
	if (h->left > 0)
		return true;
	for (;;) {
		long n = skip_line(h);

		if (n <= 0) {
			h->ended = true;
			return n == 0;
		}
	}
}

ssize_t
uhttp_read(struct uhttp *h, void *out, size_t cap)
{
	size_t n;

	if (h->ended)
		return 0;
	if (h->chunked && h->left == 0) {
		if (!next_chunk(h))
			return -1;
		if (h->ended)
			return 0;
	}
	if (h->in_at == h->in_n) {
		ssize_t got = fill(h);

		if (got == 0 && h->until_close)
			h->ended = true;
		if (got <= 0)
			return got == 0 && h->until_close ? 0 : -1;
	}
	n = h->in_n - h->in_at;
	if (n > cap)
		n = cap;
	if (!h->until_close && n > h->left)
		n = (size_t)h->left;
	memcpy(out, h->in + h->in_at, n);
	h->in_at += n;
	if (!h->until_close) {
		h->left -= n;
		h->ended = h->left == 0 && !h->chunked;
	}
	return (ssize_t)n;
}

void
uhttp_close(struct uhttp *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}
