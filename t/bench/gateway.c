/*
 * How long a token takes through us: an upstream that writes the time into each piece that it sends, and a client
 * that reads it when the piece arrives. gateway PORT: the upstream; it prints its port first.
 * gateway PORT HOST_PORT KEY N: asks http://127.0.0.1:HOST_PORT/v1/chat/completions for N streams, one after the other, and
 * prints p50 and p99 in microseconds of all their pieces.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECES = 50, PAUSE_US = 2000, SEEN_MAX = 1 << 20 };

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
put(int fd, const char *s)
{
	if (write(fd, s, strlen(s)) != (ssize_t)strlen(s))
		_exit(0);
}

static void
chunk(int fd, const char *s)
{
	char out[1024];

	snprintf(out, sizeof(out), "%zx\r\n%s\r\n", strlen(s), s);
	put(fd, out);
}

/* One connection of the upstream: every request gets PIECES pieces. */
static void
serve(int fd)
{
	char in[65536], piece[512];
	size_t n = 0;
	ssize_t k;

	while ((k = read(fd, in + n, sizeof(in) - 1 - n)) > 0) {
		char *end, *cl;

		n += (size_t)k;
		in[n] = '\0';
		end = strstr(in, "\r\n\r\n");
		cl = end != NULL ? strcasestr(in, "\r\ncontent-length:") : NULL;
		if (end == NULL || n < (size_t)(end - in) + 4 + (cl != NULL ? (size_t)atol(cl + 17) : 0))
			continue;
		n = 0;
		put(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
		for (int i = 0; i < PIECES; i++) {
			usleep(PAUSE_US);
			snprintf(piece, sizeof(piece), "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,"
			    "\"delta\":{\"content\":\"@%lld@\"},\"finish_reason\":null}]}\n\n", (long long)now_us());
			chunk(fd, piece);
		}
		chunk(fd, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
		    "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":50,\"total_tokens\":59}}\n\ndata: [DONE]\n\n");
		put(fd, "0\r\n\r\n");
	}
	_exit(0);
}

static int
upstream(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int ls = socket(AF_INET, SOCK_STREAM, 0), fd, one = 1;
	socklen_t len = sizeof(a);

	setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(ls, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(ls, 64) != 0)
		return 1;
	getsockname(ls, (struct sockaddr *)&a, &len);
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	while ((fd = accept(ls, NULL, NULL)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (fork() == 0)
			serve(fd);
		close(fd);
	}
	return 0;
}

/* --- the client ------------------------------------------------------------------- */

static int64_t seen[SEEN_MAX];
static size_t n_seen;

static void
look(char *in)
{
	int64_t now = now_us();

	for (char *p = in; (p = strchr(p, '@')) != NULL; p++) {
		char *end;
		long long sent = strtoll(p + 1, &end, 10);

		if (end > p + 1 && *end == '@' && n_seen < SEEN_MAX)
			seen[n_seen++] = now - sent;
		p = *end == '@' ? end : p;
	}
}

static void
ask(uint16_t port, const char *key)
{
	static const char body[] = "{\"model\":\"openai/gpt-4o-mini\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char buf[65536];
	ssize_t k;

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		exit(1);
	snprintf(buf, sizeof(buf), "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
	    "Content-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", key, sizeof(body) - 1, body);
	put(fd, buf);
	while ((k = read(fd, buf, sizeof(buf) - 1)) > 0) {
		buf[k] = '\0';
		look(buf);
		if (strstr(buf, "[DONE]") != NULL)
			break;
	}
	close(fd);
}

static int
by_size(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	if (argc < 5)
		return upstream((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	for (int i = atoi(argv[4]); i > 0; i--)
		ask((uint16_t)atoi(argv[2]), argv[3]);
	qsort(seen, n_seen, sizeof(*seen), by_size);
	if (n_seen > 0)
		printf("%lld %lld %zu\n", (long long)seen[n_seen / 2], (long long)seen[n_seen * 99 / 100], n_seen);
	return n_seen == 0;
}
