/*
 * A small HTTP server on 127.0.0.1 for tests: a thread per connection, and a
 * function of the test's that writes raw bytes, so that it can misbehave.
 */
#ifndef LF_T_HTTPD_H
#define LF_T_HTTPD_H
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

struct seen {
	char method[16], path[256];
	char head[16384];               /* all lines */
	char *body;
	size_t body_bytes;
	unsigned nth;                   /* request of this server, from 1 */
};

struct httpd;
/* Answer; false: close the connection. */
typedef bool (*httpd_fn)(int fd, const struct seen *, void *arg);

enum { HTTPD_CONNS = 2048 };
struct httpd_conn { struct httpd *of; int fd; pthread_t thread; bool used; };

struct httpd {
	int fd;
	unsigned port;
	httpd_fn fn;
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;           /* guards conn[].fd */
	_Atomic unsigned conns, requests;
	struct httpd_conn conn[HTTPD_CONNS];
};

static inline bool
httpd_send(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

static inline bool __attribute__((format(printf, 2, 3)))
httpd_say(int fd, const char *fmt, ...)
{
	char t[8192];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t, sizeof(t), fmt, ap);
	va_end(ap);
	return httpd_send(fd, t, n < (int)sizeof(t) ? (size_t)n : sizeof(t) - 1);
}

/* A whole answer with a length. */
static inline bool
httpd_answer(int fd, int status, const char *headers, const char *body)
{
	return httpd_say(fd, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", status, strlen(body), headers) &&
	    httpd_send(fd, body, strlen(body));
}

/* Until the other side closes. */
static inline void
httpd_silence(int fd)
{
	char c[64];

	while (recv(fd, c, sizeof(c), 0) > 0)
		;
}

static inline const char *
seen_header(const struct seen *s, const char *name, char *out, size_t cap)
{
	size_t n = strlen(name);

	for (const char *p = s->head; (p = strstr(p, "\r\n")) != NULL; ) {
		p += 2;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
			p += n + 1;
			while (*p == ' ')
				p++;
			snprintf(out, cap, "%.*s", (int)strcspn(p, "\r"), p);
			return out;
		}
	}
	return NULL;
}

static inline bool
httpd_read(int fd, struct seen *s)
{
	size_t n = 0, len = 0, have;
	char *end, v[32];

	while ((end = (s->head[n] = '\0', strstr(s->head, "\r\n\r\n"))) == NULL) {
		ssize_t r = n < sizeof(s->head) - 1 ? recv(fd, s->head + n, sizeof(s->head) - 1 - n, 0) : 0;

		if (r <= 0)
			return false;
		n += (size_t)r;
	}
	end += 4;
	sscanf(s->head, "%15s %255s", s->method, s->path);
	have = n - (size_t)(end - s->head);
	if (seen_header(s, "Content-Length", v, sizeof(v)) != NULL)
		len = strtoul(v, NULL, 10);
	s->body = calloc(1, len + 1);
	memcpy(s->body, end, have < len ? have : len);
	*end = '\0';
	while (have < len) {
		ssize_t r = recv(fd, s->body + have, len - have, 0);

		if (r <= 0)
			return false;
		have += (size_t)r;
	}
	s->body_bytes = len;
	return true;
}

static inline void *
httpd_serve(void *arg)
{
	struct httpd_conn *c = arg;
	bool more = true;

	while (more) {
		struct seen *s = calloc(1, sizeof(*s));

		more = httpd_read(c->fd, s);
		if (more) {
			s->nth = atomic_fetch_add(&c->of->requests, 1) + 1;
			more = c->of->fn(c->fd, s, c->of->arg);
		}
		free(s->body);
		free(s);
	}
	pthread_mutex_lock(&c->of->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&c->of->lock);
	return NULL;
}

static inline void *
httpd_accept(void *arg)
{
	struct httpd *d = arg;

	for (unsigned i = 0; i < HTTPD_CONNS; i++) {
		int fd = accept(d->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		atomic_fetch_add(&d->conns, 1);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		d->conn[i] = (struct httpd_conn){ .of = d, .fd = fd, .used = true };
		pthread_create(&d->conn[i].thread, NULL, httpd_serve, &d->conn[i]);
	}
	return NULL;
}

static inline void
httpd_start(struct httpd *d, httpd_fn fn, void *arg)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	memset(d, 0, sizeof(*d));
	pthread_mutex_init(&d->lock, NULL);
	d->fn = fn;
	d->arg = arg;
	d->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(d->fd, (struct sockaddr *)&a, n) != 0 || listen(d->fd, 32) != 0 ||
	    getsockname(d->fd, (struct sockaddr *)&a, &n) != 0) {
		printf("Bail out! no port on 127.0.0.1\n");
		exit(1);
	}
	d->port = ntohs(a.sin_port);
	pthread_create(&d->thread, NULL, httpd_accept, d);
}

static inline void
httpd_stop(struct httpd *d)
{
	shutdown(d->fd, SHUT_RDWR);
	pthread_join(d->thread, NULL);
	close(d->fd);
	for (unsigned i = 0; i < HTTPD_CONNS; i++)
		if (d->conn[i].used) {
			pthread_mutex_lock(&d->lock);
			if (d->conn[i].fd >= 0)
				shutdown(d->conn[i].fd, SHUT_RDWR);
			pthread_mutex_unlock(&d->lock);
			pthread_join(d->conn[i].thread, NULL);
		}
}
#endif
