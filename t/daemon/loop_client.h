/*
 * A client for the loop's test: bytes over its sockets, answers, and frames of WebSocket.
 */
#ifndef LF_T_LOOP_CLIENT_H
#define LF_T_LOOP_CLIENT_H
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "t/tap.h"

static char dir[64], front[128], control[128];

static int
dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 5 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

#define FRONT "Host: x\r\nX-LF-Peer: 10.0.0.9\r\nX-LF-Request-Id: 0123456789abcdef0123456789abcdef\r\n"

static void
say(int fd, const char *method, const char *target, const char *more, const char *body)
{
	char text[16384];
	int n = snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n" FRONT "X-LF-Target: %s\r\n%s\r\n%s", method, target,
	    more, body);

	if (write(fd, text, (size_t)n) != n)
		printf("# short write\n");
}

static char got[4 << 20];
static size_t got_n;

/* Head and, by its length or to the end, body. Returns the status, 0 when nothing came. */
static int
hear(int fd)
{
	size_t want = 0;
	char *body = NULL, *cl;

	got_n = 0;
	for (;;) {
		ssize_t n;

		got[got_n] = '\0';
		if (body == NULL && (body = strstr(got, "\r\n\r\n")) != NULL) {
			body += 4;
			cl = strstr(got, "Content-Length: ");
			want = cl != NULL && cl < body ? (size_t)(body - got) + strtoul(cl + 16, NULL, 10) : SIZE_MAX;
		}
		if (body != NULL && got_n >= want)
			break;
		n = read(fd, got + got_n, sizeof(got) - got_n - 1);
		if (n <= 0)
			break;
		got_n += (size_t)n;
	}
	got[got_n] = '\0';
	return got_n > 12 ? atoi(got + 9) : 0;
}

static bool
ended(int fd)
{
	char c;

	return read(fd, &c, 1) == 0 || errno == ECONNRESET;
}

static bool
soon(_Atomic int *what, int value)
{
	for (int i = 0; i < 30000 && atomic_load(what) != value; i++)
		usleep(1000);
	return atomic_load(what) == value;
}

/* The loop counts a stream when it writes its first bytes, which may be after its handler has gone on. */
static bool
open_soon(uint32_t n)
{
	for (int i = 0; i < 30000 && atomic_load(&shm->sse_open) != n; i++)
		usleep(1000);
	return atomic_load(&shm->sse_open) == n;
}

static int
ask(const char *method, const char *target, const char *more, const char *body)
{
	int fd = dial(front), status;

	say(fd, method, target, more, body);
	status = hear(fd);
	close(fd);
	return status;
}

/* --- WebSocket ------------------------------------------------------------- */

static int
ws_dial(const char *more, int *fd)
{
	char head[1024];

	snprintf(head, sizeof(head), "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s", more);
	*fd = dial(front);
	say(*fd, "GET", "/api/ws", head, "");
	got_n = 0;
	do {
		ssize_t n = read(*fd, got + got_n, 1);

		if (n <= 0)
			break;
		got[++got_n] = '\0';
	} while (got_n < 4 || strcmp(got + got_n - 4, "\r\n\r\n") != 0);
	return got_n > 12 ? atoi(got + 9) : 0;
}

static void
ws_send(int fd, int op, bool final, const char *p, size_t n)
{
	static unsigned char f[200000];
	size_t at = 2;

	f[0] = (unsigned char)(op | (final ? 0x80 : 0));
	if (n < 126) {
		f[1] = (unsigned char)(0x80 | n);
	} else if (n < 65536) {
		f[1] = 0x80 | 126;
		f[at++] = (unsigned char)(n >> 8);
		f[at++] = (unsigned char)n;
	} else {
		f[1] = 0x80 | 127;
		for (int i = 7; i >= 0; i--)
			f[at++] = (unsigned char)((uint64_t)n >> (8 * i));
	}
	memcpy(f + at, "\1\2\3\4", 4);
	at += 4;
	for (size_t i = 0; i < n; i++)
		f[at + i] = (unsigned char)(p[i] ^ "\1\2\3\4"[i % 4]);
	for (size_t done_n = 0; done_n < at + n; ) {
		ssize_t w = write(fd, f + done_n, at + n - done_n);

		if (w <= 0)
			return;
		done_n += (size_t)w;
	}
}

static bool
take(int fd, void *p, size_t n)
{
	for (size_t at = 0; at < n; ) {
		ssize_t r = read(fd, (char *)p + at, n - at);

		if (r <= 0)
			return false;
		at += (size_t)r;
	}
	return true;
}

/* One frame into got; its opcode, -1 at the end. */
static int
ws_hear(int fd)
{
	unsigned char h[10];
	size_t n;

	got_n = 0;
	got[0] = '\0';
	if (!take(fd, h, 2))
		return -1;
	n = h[1] & 127;
	if (n == 126 && take(fd, h + 2, 2))
		n = (size_t)h[2] << 8 | h[3];
	else if (n == 127 && take(fd, h + 2, 8))
		n = (size_t)h[6] << 24 | (size_t)h[7] << 16 | (size_t)h[8] << 8 | h[9];
	if (n >= sizeof(got) || !take(fd, got, n))
		return -1;
	got_n = n;
	got[n] = '\0';
	return h[0] & 15;
}
#endif
