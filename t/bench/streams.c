/*
 * Many streamed turns at once: streams PORT KEY AGENTS_FILE N. Opens N
 * connections, asks each for a streamed turn of the next agent of the file, reads all to
 * their end, and prints: done, first and last end in ms, the slowest first byte.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct conn {
	int fd;
	bool sent, first, done;
	char tail[32];
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static char (*agents)[37];
static size_t n_agents;

static void
read_agents(const char *path)
{
	char line[64];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		exit(2);
	agents = calloc(4096, sizeof(*agents));
	while (agents != NULL && n_agents < 4096 && fgets(line, sizeof(line), f) != NULL)
		snprintf(agents[n_agents++], 37, "%.36s", line);
	fclose(f);
	if (n_agents == 0)
		exit(2);
}

static void
ask(struct conn *c, size_t i, const char *key)
{
	char rq[1024], body[] = "{\"message\":\"tell me\"}";
	int n = snprintf(rq, sizeof(rq), "POST /api/agents/%s/message/stream HTTP/1.1\r\nHost: localhost\r\n"
	    "Authorization: Bearer %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
	    agents[i % n_agents], key, strlen(body), body);

	c->sent = write(c->fd, rq, (size_t)n) == n;
}

/* Does what came end a stream that is whole? The last event says so. */
static bool
has_done(struct conn *c, const char *in, size_t n)
{
	static _Thread_local char both[65536 + 64];
	size_t t = strlen(c->tail);

	memcpy(both, c->tail, t);
	memcpy(both + t, in, n);
	both[t + n] = '\0';
	snprintf(c->tail, sizeof(c->tail), "%.20s", t + n > 20 ? both + t + n - 20 : both);
	return strstr(both, "event: done") != NULL;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	size_t n = argc > 4 ? (size_t)atol(argv[4]) : 0, open_n = 0, good = 0;
	struct conn *all = calloc(n + 1, sizeof(*all));
	struct rlimit fds;
	int64_t began, first_end = -1, last_end = 0, slowest_first = 0;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (n == 0 || all == NULL)
		return 2;
	getrlimit(RLIMIT_NOFILE, &fds);
	fds.rlim_cur = fds.rlim_max;
	setrlimit(RLIMIT_NOFILE, &fds);
	read_agents(argv[3]);
	a.sin_port = htons((uint16_t)atoi(argv[1]));
	began = now_ms();
	for (size_t i = 0; i < n; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u64 = i };

		all[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (all[i].fd < 0 || connect(all[i].fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
			perror("connect");
			return 1;
		}
		ask(&all[i], i, argv[2]);
		epoll_ctl(ep, EPOLL_CTL_ADD, all[i].fd, &ev);
		open_n++;
	}
	while (open_n > 0 && now_ms() - began < 120000) {
		struct epoll_event got[256];
		int k = epoll_wait(ep, got, 256, 1000);

		for (int i = 0; i < k; i++) {
			struct conn *c = &all[got[i].data.u64];
			static char in[65536];
			ssize_t r = read(c->fd, in, sizeof(in) - 1);
			int64_t t = now_ms() - began;

			if (r > 0) {
				if (!c->first && t > slowest_first)
					slowest_first = t;
				c->first = true;
				c->done |= has_done(c, in, (size_t)r);
				continue;
			}
			close(c->fd);
			open_n--;
			good += c->done;
			first_end = first_end < 0 ? t : first_end;
			last_end = t;
		}
	}
	printf("%zu %lld %lld %lld\n", good, (long long)first_end, (long long)last_end, (long long)slowest_first);
	return good == n ? 0 : 1;
}
