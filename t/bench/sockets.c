/*
 * Many idle WebSockets: sockets PORT KEY AGENT N. Opens N chat sockets one after the other, prints how many
 * were accepted and in how many ms, and keeps them open, reading what comes, until its input ends.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
open_one(unsigned port, const char *key, const char *agent)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char rq[1024], ans[2048];
	int n = snprintf(rq, sizeof(rq), "GET /api/agents/%s/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Authorization: Bearer %s\r\n\r\n", agent, key);
	ssize_t got;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || write(fd, rq, (size_t)n) != n)
		return -1;
	got = read(fd, ans, sizeof(ans) - 1);
	if (got < 12 || memcmp(ans, "HTTP/1.1 101", 12) != 0)
		return -1;
	return fd;
}

int
main(int argc, char **argv)
{
	unsigned n = argc > 4 ? (unsigned)atoi(argv[4]) : 0, good = 0;
	struct rlimit r;
	struct pollfd *p;
	int64_t t0 = now_ms();

	if (n == 0 || getrlimit(RLIMIT_NOFILE, &r) != 0)
		return 2;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
	p = calloc(n + 1, sizeof(*p));
	if (p == NULL)
		return 2;
	p[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	for (unsigned i = 0; i < n; i++) {
		int fd = open_one((unsigned)atoi(argv[1]), argv[2], argv[3]);

		if (fd >= 0)
			p[++good] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	printf("%u %lld\n", good, (long long)(now_ms() - t0));
	fflush(stdout);
	while (poll(p, good + 1, -1) > 0) {
		char waste[4096];

		if (p[0].revents != 0)
			return 0;
		for (unsigned i = 1; i <= good; i++)
			if (p[i].revents != 0 && read(p[i].fd, waste, sizeof(waste)) <= 0)
				p[i].fd = -1;
	}
	return 0;
}
