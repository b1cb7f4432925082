/*
 * Plain CGI: one request from the environment, and the relay that lets it
 * reach rows of the daemon.
 *
 * A hosting account that knows nothing of FastCGI gets the whole API so: short rows
 * are answered here, live ones are asked of the daemon over front.sock and
 * streamed through as they come.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "fcgi/worker.h"
#include "lib/base/uhttp.h"
#include "lib/base/util.h"

extern char **environ;

static struct worker *relay_worker;
static struct backend *relay_backend;

static ssize_t
stdin_read(struct backend *b, void *out, size_t n)
{
	ssize_t got;

	(void)b;
	do
		got = read(STDIN_FILENO, out, n);
	while (got < 0 && errno == EINTR);
	return got;
}

static bool
stdout_write(struct backend *b, const void *bytes, size_t n)
{
	const char *p = bytes;

	(void)b;
	while (n > 0) {
		ssize_t put = write(STDOUT_FILENO, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		p += put;
		n -= (size_t)put;
	}
	return true;
}

/* --- the relay -------------------------------------------------------------- */

/* Headers that belong to one hop, or that only we may set. */
static bool
not_relayed(const char *name, size_t n)
{
	static const char *const names[] = {
		"CONNECTION", "HOST", "KEEP_ALIVE", "PROXY", "TE", "TRAILER", "TRANSFER_ENCODING",
		"UPGRADE", "CONTENT_LENGTH", "CONTENT_TYPE", "EXPECT", "AUTHORIZATION",
	};

	if (n >= 5 && strncmp(name, "X_LF_", 5) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && strncmp(names[i], name, n) == 0)
			return true;
	return false;
}

/* HTTP_X_API_KEY=v → "x-api-key: v". A value with a line break is left out. */
static void
add_header(struct buf *out, const char *var)
{
	const char *eq = strchr(var, '=');

	if (eq == NULL || not_relayed(var, (size_t)(eq - var)) || strpbrk(eq, "\r\n") != NULL)
		return;
	for (; var < eq; var++)
		buf_ch(out, *var == '_' ? '-' : *var >= 'A' && *var <= 'Z' ? (char)(*var | 0x20) : *var);
	buf_printf(out, ": %s\r\n", eq + 1);
}

static void
add_known(struct buf *out, const char *name, const char *value)
{
	if (value != NULL && strpbrk(value, "\r\n") == NULL)
		buf_printf(out, "%s: %s\r\n", name, value);
}

static void
relay_request(struct buf *out, const struct ctx *c, const struct request *rq)
{
	buf_printf(out, "%s %s HTTP/1.1\r\n", rq->method, rq->target);
	add_known(out, "Host", rq->h.host != NULL ? rq->h.host : "localhost");
	add_known(out, "X-LF-Target", rq->target);
	add_known(out, "X-LF-Peer", rq->peer);
	add_known(out, "X-LF-Request-Id", c->rid);
	add_known(out, "Content-Type", rq->h.content_type);
	add_known(out, "Authorization", rq->h.authorization);
	for (char **e = relay_backend->envp; *e != NULL; e++)
		if (strncmp(*e, "HTTP_", 5) == 0)
			add_header(out, *e + 5);
	buf_printf(out, "Content-Length: %zu\r\nConnection: close\r\n\r\n", rq->body_bytes);
}

/* Status line to CGI's "Status:", then the header lines but those of the hop. */
static void
relay_head(struct buf *out, const struct uhttp *h)
{
	const char *p = strstr(h->head, "\r\n");
	char reason[64] = "";

	if (h->head[12] == ' ')
		snprintf(reason, sizeof(reason), "%.*s", (int)strcspn(h->head + 13, "\r"), h->head + 13);
	buf_printf(out, "Status: %d %s\r\n", h->status, reason);
	for (p = p != NULL ? p + 2 : ""; *p != '\0' && *p != '\r'; ) {
		const char *end = strstr(p, "\r\n");
		size_t n = end != NULL ? (size_t)(end - p) + 2 : strlen(p);

		if (strncasecmp(p, "Connection:", 11) != 0 &&
		    strncasecmp(p, "Keep-Alive:", 11) != 0 &&
		    strncasecmp(p, "Transfer-Encoding:", 18) != 0)
			buf_add(out, p, n);
		p += n;
	}
	buf_add(out, "\r\n", 2);
}

static struct reply
gone(struct ctx *c)
{
	(void)fail_code(c, ERR_UNAVAILABLE, "daemon_unavailable", "Service unavailable");
	c->fault.retry_after_s = 1;
	return reply_fail(c);
}

static struct reply
relay_live(struct ctx *c, struct request *rq)
{
	SCOPED_UHTTP h = { .fd = -1 };
	SCOPED_BUF b = BUF_INIT(128 * 1024);
	struct reply done;
	char part[16384];
	ssize_t n;

	if (strpbrk(rq->target, " \t\r\n") != NULL || strpbrk(rq->method, " \t\r\n") != NULL) {
		(void)fail(c, ERR_BAD_REQUEST, "The request target holds a blank");
		return reply_fail(c);
	}
	relay_request(&b, c, rq);
	if (b.failed || uhttp_send(&h, relay_worker->paths.front_sock, b.p, b.len, rq->body,
	    rq->body_bytes, 0) != ERR_OK || uhttp_head(&h) != ERR_OK)
		return gone(c);
	buf_clear(&b);
	relay_head(&b, &h);
	done = reply_streamed(c);
	done.status = h.status;
	if (!relay_backend->write(relay_backend, b.p, b.len) || strcmp(rq->method, "HEAD") == 0)
		return done;
	while ((n = uhttp_read(&h, part, sizeof(part))) > 0)
		if (!relay_backend->write(relay_backend, part, (size_t)n))
			break;
	return done;
}

int
cgi_once(struct worker *w)
{
	struct backend b = {
		.envp = environ, .cgi = true, .read = stdin_read, .write = stdout_write,
	};

	relay_worker = w;
	relay_backend = &b;
	dispatch_other = relay_live;
	return worker_serve(w, &b) ? 0 : 1;
}
