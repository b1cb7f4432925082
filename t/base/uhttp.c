/*
 * HTTP over a Unix socket: answers of every framing, and those that break off.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/uhttp.h"
#include "t/tap.h"

static char path[100];

/* A server that answers one connection with these bytes, some at a time. */
static pid_t
serve(const char *answer, size_t n, size_t step)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), c;
	char in[4096];
	pid_t pid;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || listen(fd, 4) != 0)
		exit(99);
	pid = fork();
	if (pid != 0) {
		close(fd);
		return pid;
	}
	c = accept(fd, NULL, NULL);
	if (c < 0 || read(c, in, sizeof(in)) <= 0)
		_exit(1);
	for (size_t at = 0; at < n; at += step)
		if (write(c, answer + at, n - at < step ? n - at : step) < 0)
			_exit(1);
	_exit(0);
}

/* Status and body as "200:text", "200:text!" when it broke off, or "error N". */
static const char *
ask(const char *answer, size_t n, size_t step)
{
	static struct uhttp h;
	static char out[8192];
	static const char get[] = "GET / HTTP/1.1\r\n\r\n";
	pid_t pid = serve(answer, n, step);
	enum err e = uhttp_send(&h, path, get, sizeof(get) - 1, NULL, 0, 5000);
	size_t at;
	ssize_t got;

	if (e == ERR_OK)
		e = uhttp_head(&h);
	if (e != ERR_OK) {
		snprintf(out, sizeof(out), "error %s", err_code(e));
	} else {
		at = (size_t)snprintf(out, sizeof(out), "%d:", h.status);
		while (at < sizeof(out) - 2 && (got = uhttp_read(&h, out + at, sizeof(out) - 2 - at)) > 0)
			at += (size_t)got;
		snprintf(out + at, sizeof(out) - at, "%s", got < 0 ? "!" : "");
	}
	uhttp_close(&h);
	waitpid(pid, NULL, 0);
	return out;
}

#define ASK(text, step) ask(text, sizeof(text) - 1, step)

static void
framings(size_t step)
{
	is_str(ASK("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloXX", step), "200:hello",
	    "a body with a length ends there (%zu bytes at a time)", step);
	is_str(ASK("HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n"
	    "Trailer: x\r\n\r\n", step), "404:abc0123456789", "chunks are put together (%zu)", step);
	is_str(ASK("HTTP/1.0 200 OK\r\n\r\nall of it", step), "200:all of it",
	    "without a length the connection's end is the body's (%zu)", step);
	is_str(ASK("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", step), "204:",
	    "an interim answer is skipped, 204 has no body (%zu)", step);
	is_str(ASK("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", step), "200:hello!",
	    "a body that breaks off is no success (%zu)", step);
	is_str(ASK("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", step), "200:hello!",
	    "chunks without the last one break off (%zu)", step);
	is_str(ASK("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", step), "200:!",
	    "a chunk without a length breaks off (%zu)", step);
}

int
main(void)
{
	char dir[] = "/tmp/lf-uhttp-XXXXXX";
	static struct uhttp h;
	char v[32];

	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/s", dir);
	framings(1);
	framings(4096);
	is_str(ASK("NOT HTTP\r\n\r\n", 4096), "error upstream_error", "what is not HTTP is an error");
	is_str(ASK("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 4096), "error upstream_error",
	    "a length below zero is an error");
	is_str(ASK("HTTP/1.1 200 OK\r\nA: 1\rB: 2\r\n\r\n", 4096), "error upstream_error", "half of a line's end is not HTTP");
	is_str(ASK("HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\n\r\n", 4096), "error upstream_error", "nor is the other half");
	is_str(ASK("HTTP/1.1 200 OK\r\nX", 4096), "error internal_error", "a head that breaks off is an error");
	unlink(path);
	is_int(uhttp_send(&h, path, "x", 1, NULL, 0, 100), ERR_UNAVAILABLE, "nobody there: unavailable");
	uhttp_close(&h);
	snprintf(h.head, sizeof(h.head), "HTTP/1.1 200 OK\r\nA: 1\r\ncontent-TYPE: \t text/x \r\n\r\n");
	ok(uhttp_header(&h, "Content-Type", v, sizeof(v)) && strcmp(v, "text/x") == 0,
	    "header names have no case, values no blanks around");
	ok(!uhttp_header(&h, "Content", v, sizeof(v)), "a name is not found by its beginning");
	rmdir(dir);
	return done();
}
