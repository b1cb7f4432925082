/*
 * An instant model: speaks just enough of OpenAI's chat completions to be a
 * provider that costs nothing. model PORT [CHUNKS DELAY_MS]: streamed answers come in so many
 * pieces with so long between them.
 *
 * One thread, epoll; a timer wheel is not needed, as all streams share one delay.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNS = 4096, IN_MAX = 1 << 20 };

struct conn {
	int fd;
	char *in;
	size_t n, cap;
	unsigned left;                  /* chunks of a stream to come */
	int64_t due_us;
};

static struct conn conns[CONNS];
static unsigned chunks = 2, delay_ms;
static int ep;

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
drop(struct conn *c)
{
	close(c->fd);
	free(c->in);
	*c = (struct conn){ .fd = -1 };
}

static void
put(struct conn *c, const char *s, size_t n)
{
	if (write(c->fd, s, n) != (ssize_t)n)
		drop(c);
}

static void
send_chunk(struct conn *c)
{
	static const char text[] =
	    "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":"
	    "{\"content\":\"word \"},\"finish_reason\":null}]}\n\n";
	static const char end[] =
	    "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},"
	    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2,\"total_tokens\":12}}\n\n"
	    "data: [DONE]\n\n";
	const char *s = c->left > 1 ? text : end;
	char frame[1024];
	int n = snprintf(frame, sizeof(frame), "%zx\r\n%s\r\n%s", strlen(s), s, c->left > 1 ? "" : "0\r\n\r\n");

	c->left--;
	c->due_us = now_us() + (int64_t)delay_ms * 1000;
	put(c, frame, (size_t)n);
}

static void
answer(struct conn *c, bool stream)
{
	static const char body[] =
	    "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":"
	    "{\"role\":\"assistant\",\"content\":\"Hello from the instant model.\"},\"finish_reason\":\"stop\"}],"
	    "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":6,\"total_tokens\":16}}";
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
	char out[1024];
	int n;

	if (stream) {
		put(c, head, sizeof(head) - 1);
		c->left = c->fd >= 0 ? chunks + 1 : 0;
		while (c->fd >= 0 && c->left > 0 && delay_ms == 0)
			send_chunk(c);
		if (c->fd >= 0 && c->left > 0)
			c->due_us = now_us() + (int64_t)delay_ms * 1000;
		return;
	}
	n = snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    sizeof(body) - 1, body);
	put(c, out, (size_t)n);
}

static void
take(struct conn *c)
{
	for (;;) {
		char *end, *cl;
		size_t head, len = 0;

		if (c->fd < 0 || c->n == 0)
			return;
		c->in[c->n] = '\0';
		end = strstr(c->in, "\r\n\r\n");
		if (end == NULL)
			return;
		head = (size_t)(end - c->in) + 4;
		cl = strcasestr(c->in, "\r\ncontent-length:");
		if (cl != NULL && cl < end)
			len = (size_t)atol(cl + 17);
		if (c->n < head + len)
			return;
		answer(c, memmem(c->in + head, len, "\"stream\":true", 13) != NULL);
		if (c->fd < 0)
			return;
		memmove(c->in, c->in + head + len, c->n - head - len);
		c->n -= head + len;
	}
}

static void
readable(struct conn *c)
{
	ssize_t k;

	if (c->cap - c->n < 65536) {
		c->cap = c->cap * 2 + 65537;
		c->in = realloc(c->in, c->cap + 1);
		if (c->in == NULL || c->cap > IN_MAX * 4)
			exit(1);
	}
	k = read(c->fd, c->in + c->n, c->cap - c->n - 1);
	if (k <= 0) {
		if (k == 0 || errno != EAGAIN)
			drop(c);
		return;
	}
	c->n += (size_t)k;
	take(c);
}

static void
accept_all(int ls)
{
	int fd, one = 1;

	while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct epoll_event ev = { .events = EPOLLIN };

		for (ev.data.u32 = 0; ev.data.u32 < CONNS && conns[ev.data.u32].fd >= 0; ev.data.u32++)
			;
		if (ev.data.u32 == CONNS) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		conns[ev.data.u32] = (struct conn){ .fd = fd };
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
}

static int
stream_some(void)
{
	int64_t now = now_us(), next = -1;

	for (unsigned i = 0; delay_ms > 0 && i < CONNS; i++) {
		struct conn *c = &conns[i];

		if (c->fd < 0 || c->left == 0)
			continue;
		if (c->due_us <= now)
			send_chunk(c);
		if (c->fd >= 0 && c->left > 0 && (next < 0 || c->due_us < next))
			next = c->due_us;
	}
	return next < 0 ? -1 : next <= now ? 0 : (int)((next - now) / 1000) + 1;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = CONNS };
	struct rlimit fds;
	int one = 1, ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(a);

	a.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	if (argc > 3) {
		chunks = (unsigned)atoi(argv[2]);
		delay_ms = (unsigned)atoi(argv[3]);
	}
	getrlimit(RLIMIT_NOFILE, &fds);
	fds.rlim_cur = fds.rlim_max;
	setrlimit(RLIMIT_NOFILE, &fds);
	for (unsigned i = 0; i < CONNS; i++)
		conns[i].fd = -1;
	setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(ls, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(ls, 4096) != 0) {
		perror("model");
		return 1;
	}
	getsockname(ls, (struct sockaddr *)&a, &len);
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	ep = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev);
	for (;;) {
		struct epoll_event got[256];
		int n = epoll_wait(ep, got, 256, stream_some());

		for (int i = 0; i < n; i++)
			if (got[i].data.u32 == CONNS)
				accept_all(ls);
			else if (conns[got[i].data.u32].fd >= 0)
				readable(&conns[got[i].data.u32]);
	}
}
