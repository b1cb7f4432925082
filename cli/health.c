/*
 * Is the whole way there? One GET /api/health through nginx and a worker,
 * as a client would ask, without ever waiting: the supervisor's loop drives it.
 * The listening socket exists before nginx does, so a request sent early just waits in it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "cli/sup.h"

void
probe_close(struct probe *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->n = 0;
}

/* Asking "any address" means asking this machine. */
static struct sockaddr_storage
reachable(const struct addr *a)
{
	struct sockaddr_storage sa = a->sa;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&sa;

	if (sa.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (sa.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		v6->sin6_addr = in6addr_loopback;
	return sa;
}

void
probe_start(struct probe *p, const struct addr *a)
{
	static const char ask[] =
	    "GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	struct sockaddr_storage sa = reachable(a);

	probe_close(p);
	p->fd = fd_high(socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (p->fd < 0)
		return;
	if (connect(p->fd, (struct sockaddr *)&sa, a->n) != 0 ||
	    send(p->fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(ask) - 1)
		probe_close(p);
}

int
probe_event(struct probe *p)
{
	ssize_t n = recv(p->fd, p->in + p->n, sizeof(p->in) - 1 - p->n, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	p->n += (size_t)n;
	p->in[p->n] = '\0';
	if (p->n < 12)
		return 0;
	return strncmp(p->in, "HTTP/1.1 200", 12) == 0 ? 1 : -1;
}
