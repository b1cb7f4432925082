/*
 * Asking the daemon: HTTP over control.sock, where the command is known by
 * its user id and needs no key.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/base/json.h"
#include "lib/base/uhttp.h"

enum { ANSWER_MAX = 64 << 20, EVENT_MAX = 4 << 20 };

void
answer_done(struct answer *a)
{
	buf_done(&a->body);
	json_object_put(a->json);
	a->json = NULL;
}

bool
print_raw(const struct cli *cli, const struct answer *a)
{
	if (!cli->json)
		return false;
	fwrite(a->body.p, 1, a->body.len, stdout);
	if (a->body.len == 0 || a->body.p[a->body.len - 1] != '\n')
		putchar('\n');
	return true;
}

void
buf_segment(struct buf *out, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++) {
		bool plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
		    (*p >= 'A' && *p <= 'Z') || strchr("-_.~", *p) != NULL;

		if (plain) {
			buf_ch(out, (char)*p);
			continue;
		}
		buf_ch(out, '%');
		buf_ch(out, hex[*p >> 4]);
		buf_ch(out, hex[*p & 15]);
	}
}

void
buf_parameter(struct buf *target, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(target, "%c%s=", memchr(target->p, '?', target->len) != NULL ? '&' : '?', name);
	buf_segment(target, value);
}

struct json_object *
items_of(struct json_object *j)
{
	return json_object_is_type(j, json_type_array) ? j : js_arr(j, "items");
}

size_t
js_len(struct json_object *a)
{
	return a != NULL ? json_object_array_length(a) : 0;
}

static int
ask(struct cli *cli, struct uhttp *h, const char *verb, const char *target, const char *body,
    unsigned timeout_ms)
{
	SCOPED_BUF head = BUF_INIT(65536);
	enum err e;

	if (!cli_locate(cli, false))
		return EXIT_FAILED;
	buf_printf(&head, "%s %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: librefang\r\nConnection: close\r\n",
	    verb, target);
	if (body != NULL || strcmp(verb, "GET") != 0)
		buf_printf(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
		    body != NULL ? strlen(body) : 0);
	buf_str(&head, "\r\n");
	if (head.failed)
		return complain(EXIT_FAILED, "the request is too long");
	e = uhttp_send(h, cli->paths.control_sock, head.p, head.len, body, body != NULL ? strlen(body) : 0,
	    timeout_ms);
	if (e == ERR_UNAVAILABLE)
		return complain(EXIT_DOWN, "LibreFang does not run here (home %s); \"librefang start\" starts it",
		    cli->paths.home);
	if (e == ERR_OK)
		e = uhttp_head(h);
	if (e != ERR_OK)
		return complain(EXIT_FAILED, e == ERR_TIMEOUT ? "the daemon did not answer in time" :
		    "the daemon is not there just now; the log says why");
	return EXIT_GOOD;
}

static int
read_body(struct uhttp *h, struct answer *a)
{
	char part[16384];
	ssize_t n;

	while ((n = uhttp_read(h, part, sizeof(part))) > 0)
		buf_add(&a->body, part, (size_t)n);
	buf_add(&a->body, "", 0);
	if (n < 0 || a->body.failed)
		return complain(EXIT_FAILED, "the answer broke off");
	if (a->body.len > 0 && json_check(a->body.p, a->body.len, JSON_DEPTH_MAX * 2, NULL) == ERR_OK)
		a->json = json_parse(a->body.p, a->body.len);
	return EXIT_GOOD;
}

/* 4xx is the caller's, 5xx ours; the text is in "message" whatever the shape. */
static int
refused(struct cli *cli, const struct answer *a)
{
	int code = a->status >= 500 ? EXIT_FAILED : EXIT_REFUSED;
	const char *text = js_str(a->json, "message");

	if (print_raw(cli, a))
		return code;
	if (text == NULL)
		text = js_str(js_obj(a->json, "error"), "message");
	return text != NULL ? complain(code, "%s", text) :
	    complain(code, "the daemon answered with status %d", a->status);
}

int
call(struct cli *cli, const char *verb, const char *target, const char *body, unsigned timeout_ms,
    struct answer *a)
{
	struct uhttp *h = calloc(1, sizeof(*h));
	int rc;

	*a = (struct answer){ .body = BUF_INIT(ANSWER_MAX) };
	if (h == NULL)
		return complain(EXIT_FAILED, "no memory");
	h->fd = -1;
	rc = ask(cli, h, verb, target, body, timeout_ms);
	if (rc == EXIT_GOOD) {
		a->status = h->status;
		rc = read_body(h, a);
	}
	uhttp_close(h);
	free(h);
	return rc == EXIT_GOOD && a->status >= 400 ? refused(cli, a) : rc;
}

int
callf(struct cli *cli, const char *verb, const char *body, struct answer *a, const char *fmt, ...)
{
	char target[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(target, sizeof(target), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(target))
		return complain(EXIT_FAILED, "the request is too long");
	return call(cli, verb, target, body, QUICK_MS, a);
}

int
call_copy(struct cli *cli, const char *target, FILE *out)
{
	struct uhttp *h = calloc(1, sizeof(*h));
	SCOPED_ANSWER a = { .body = BUF_INIT(ANSWER_MAX) };
	char part[16384];
	ssize_t n = 0;
	int rc;

	if (h == NULL)
		return complain(EXIT_FAILED, "no memory");
	h->fd = -1;
	rc = ask(cli, h, "GET", target, NULL, SLOW);
	a.status = h->status;
	if (rc == EXIT_GOOD && h->status >= 400) {
		rc = read_body(h, &a);
		rc = rc == EXIT_GOOD ? refused(cli, &a) : rc;
	} else if (rc == EXIT_GOOD) {
		while ((n = uhttp_read(h, part, sizeof(part))) > 0 && fwrite(part, 1, (size_t)n, out) == (size_t)n)
			;
		if (n != 0 || fflush(out) != 0)
			rc = complain(EXIT_FAILED, n < 0 ? "the answer broke off" : "it cannot be written: %s", strerror(errno));
	}
	uhttp_close(h);
	free(h);
	return rc;
}

/* --- event streams ------------------------------------------------------------------ */

struct events {
	struct buf in;                  /* bytes of lines not yet whole */
	struct buf data;                /* of the event so far */
	char name[64];
	const struct stream *to;
};

/* One line of an event stream, without its end. false: enough. */
static bool
event_line(struct events *ev, const char *line, size_t n)
{
	bool go = true;

	if (n == 0) {
		if (ev->data.len > 0)
			go = ev->to->on(ev->to->arg, ev->name, ev->data.p, ev->data.len);
		buf_clear(&ev->data);
		ev->name[0] = '\0';
	} else if (n >= 6 && memcmp(line, "event:", 6) == 0) {
		size_t skip = n > 6 && line[6] == ' ' ? 7 : 6;

		snprintf(ev->name, sizeof(ev->name), "%.*s", (int)(n - skip), line + skip);
	} else if (n >= 5 && memcmp(line, "data:", 5) == 0) {
		size_t skip = n > 5 && line[5] == ' ' ? 6 : 5;

		if (ev->data.len > 0)
			buf_ch(&ev->data, '\n');
		buf_add(&ev->data, line + skip, n - skip);
	}
	return go;
}

static bool
event_bytes(struct events *ev, const char *p, size_t n)
{
	char *nl;

	buf_add(&ev->in, p, n);
	while (ev->in.len > 0 && (nl = memchr(ev->in.p, '\n', ev->in.len)) != NULL) {
		size_t line = (size_t)(nl - ev->in.p), len = line;

		if (len > 0 && ev->in.p[len - 1] == '\r')
			len--;
		if (!event_line(ev, ev->in.p, len))
			return false;
		buf_eat(&ev->in, line + 1);
	}
	return !ev->in.failed && !ev->data.failed;
}

/* Sleep until bytes come. An interrupt, also one that came before we slept, calls the caller's interrupt(). */
static void
await_bytes(const struct uhttp *h, const struct stream *st)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	sigset_t held, was;

	if (st->interrupt == NULL)
		return;
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigprocmask(SIG_BLOCK, &held, &was);    /* from the look at what came to the sleep nothing comes unseen */
	st->interrupt(st->arg);
	while (h->in_at == h->in_n && ppoll(&p, 1, NULL, &was) < 0 && errno == EINTR)
		st->interrupt(st->arg);
	sigprocmask(SIG_SETMASK, &was, NULL);
}

static int
read_events(struct uhttp *h, struct events *ev)
{
	char part[16384];
	ssize_t n;

	for (;;) {
		await_bytes(h, ev->to);
		n = uhttp_read(h, part, sizeof(part));
		if (n <= 0)
			break;
		if (!event_bytes(ev, part, (size_t)n))
			return EXIT_GOOD;
	}
	return n == 0 ? EXIT_GOOD : complain(EXIT_FAILED, "the answer broke off");
}

int
call_stream(struct cli *cli, const char *target, const char *body, const struct stream *to)
{
	struct uhttp *h = calloc(1, sizeof(*h));
	struct events ev = { .in = BUF_INIT(EVENT_MAX), .data = BUF_INIT(EVENT_MAX), .to = to };
	SCOPED_ANSWER a = { .body = BUF_INIT(ANSWER_MAX) };
	int rc;

	if (h == NULL)
		return complain(EXIT_FAILED, "no memory");
	h->fd = -1;
	rc = ask(cli, h, "POST", target, body, SLOW);
	if (rc == EXIT_GOOD && h->status >= 400) {
		a.status = h->status;
		rc = read_body(h, &a);
		rc = rc == EXIT_GOOD ? refused(cli, &a) : rc;
	} else if (rc == EXIT_GOOD) {
		rc = read_events(h, &ev);
	}
	uhttp_close(h);
	free(h);
	buf_done(&ev.in);
	buf_done(&ev.data);
	return rc;
}
