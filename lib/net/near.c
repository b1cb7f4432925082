/* Is a server of this machine there at all? Its port says so, before libcurl is loaded for the question. */
#include "lib/net/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Anything but a plain refusal counts as somebody. */
static bool
refuses(const struct sockaddr *to, socklen_t n)
{
	struct timeval patience = { .tv_usec = 100000 };
	SCOPED_FD fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno == EAFNOSUPPORT;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return connect(fd, to, n) != 0 && (errno == ECONNREFUSED || errno == EADDRNOTAVAIL);
}

bool
http_nobody_near(const char *url)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	char host[16];
	size_t n;
	bool named;

	if (strncmp(url, "http://", 7) != 0)
		return false;
	url += 7;
	n = strcspn(url, ":/?#");
	snprintf(host, sizeof(host), "%.*s", (int)n, url);
	named = strcmp(host, "localhost") == 0;
	if (inet_pton(AF_INET, named ? "127.0.0.1" : host, &four.sin_addr) != 1 || ntohl(four.sin_addr.s_addr) >> 24 != 127)
		return false;
	four.sin_port = htons(url[n] == ':' ? (uint16_t)strtoul(url + n + 1, NULL, 10) : 80);
	six.sin6_port = four.sin_port;
	return refuses((struct sockaddr *)&four, sizeof(four)) && (!named || refuses((struct sockaddr *)&six, sizeof(six)));
}
