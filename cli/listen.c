/*
 * Listening sockets. The supervisor owns them and its children inherit them, so that
 * a child that dies or is replaced loses no connection: those wait in
 * the socket until the successor accepts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/sup.h"

enum { BACKLOG = 4096, FIRST_FREE_FD = 20 };

int
fd_high(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	close(fd);
	return high;
}

enum err
listen_unix(const char *path, int *ret)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	SCOPED_FD fd = fd_high(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	mode_t before;
	int rc;

	if (fd < 0 || strlen(path) >= sizeof(sa.sun_path))
		return ERR_IO;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (unlink(path) != 0 && errno != ENOENT)
		return ERR_IO;
	before = umask(0177);
	rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(before);
	if (rc != 0 || listen(fd, BACKLOG) != 0)
		return ERR_IO;
	*ret = TAKE_FD(fd);
	return ERR_OK;
}

/* control.sock stays the owner's; the directory only lets pass who knows a name in it. */
enum err
listen_share(const struct settings *set, const struct run_paths *p, char *msg, size_t cap)
{
	const struct group *gr = set->socket_group[0] != '\0' ? getgrnam(set->socket_group) : NULL;
	gid_t gid = gr != NULL ? gr->gr_gid : (gid_t)-1;
	const char *socks[] = { p->fcgi_sock, p->front_sock };
	mode_t dir = 0700 | (set->socket_mode >= 0660 ? 0010 : 0) | (set->socket_mode == 0666 ? 0001 : 0);

	if (set->socket_group[0] != '\0' && gr == NULL) {
		snprintf(msg, cap, "librefang.ini: socket_group: there is no group %s", set->socket_group);
		return ERR_INVALID;
	}
	for (size_t i = 0; i < 2; i++)
		if ((gr != NULL && chown(socks[i], (uid_t)-1, gid) != 0) || chmod(socks[i], set->socket_mode) != 0)
			goto no;
	if ((gr == NULL || chown(p->run, (uid_t)-1, gid) == 0) && chmod(p->run, dir) == 0)
		return ERR_OK;
no:
	snprintf(msg, cap, "cannot give the sockets in %s to group %s: %s", p->run,
	    gr != NULL ? set->socket_group : "-", strerror(errno));
	return ERR_IO;
}

static int
open_tcp(const struct addr *a)
{
	SCOPED_FD fd = fd_high(socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int on = 1, e;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    (a->sa.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
	    bind(fd, (const struct sockaddr *)&a->sa, a->n) != 0 || listen(fd, BACKLOG) != 0) {
		e = errno;
		close(TAKE_FD(fd));
		errno = e;
		return -1;
	}
	return TAKE_FD(fd);
}

static int
already_open(const struct sup *s, const struct addr *a)
{
	for (unsigned i = 0; i < s->n_tcp; i++)
		if (strcmp(s->pub.addr[i].text, a->text) == 0)
			return s->fd_tcp[i];
	return -1;
}

static bool
among(const int *fds, unsigned n, int fd)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

enum err
listen_tcp(struct sup *s, const struct published *p, char *msg, size_t cap)
{
	int fds[ADDR_MAX];

	for (unsigned i = 0; i < p->n_addr; i++) {
		fds[i] = already_open(s, &p->addr[i]);
		if (fds[i] >= 0 || (fds[i] = open_tcp(&p->addr[i])) >= 0)
			continue;
		if (errno == EADDRINUSE)
			snprintf(msg, cap, "%s is in use by another program", p->addr[i].text);
		else
			snprintf(msg, cap, "cannot listen on %s: %s", p->addr[i].text, strerror(errno));
		while (i-- > 0)
			if (!among(s->fd_tcp, s->n_tcp, fds[i]))
				close(fds[i]);
		return ERR_UNAVAILABLE;
	}
	for (unsigned i = 0; i < s->n_tcp; i++)
		if (!among(fds, p->n_addr, s->fd_tcp[i]))
			close(s->fd_tcp[i]);
	memcpy(s->fd_tcp, fds, sizeof(fds[0]) * p->n_addr);
	s->n_tcp = p->n_addr;
	return ERR_OK;
}

void
listen_close(struct sup *s)
{
	for (unsigned i = 0; i < s->n_tcp; i++)
		close(s->fd_tcp[i]);
	s->n_tcp = 0;
}
