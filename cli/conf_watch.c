/*
 * config.toml that somebody edits is taken without being asked for, when it has been left alone for a moment.
 *
 * The directory is watched, for editors put a new file in the old one's place. What was loaded already, because a command asked
 * for it, is known by its digest and not loaded again.
 */
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cli/sup.h"
#include "lib/base/buf.h"
#include "lib/base/util.h"

enum { FILE_MAX = 4 << 20 };

static const char *
name_of(const struct sup *s)
{
	const char *slash = strrchr(s->paths.config, '/');

	return slash != NULL ? slash + 1 : s->paths.config;
}

static void
digest(const struct sup *s, uint8_t out[static 32])
{
	SCOPED_BUF b = BUF_INIT(FILE_MAX);

	memset(out, 0, 32);
	if (buf_read_file(&b, s->paths.config) == ERR_OK && b.p != NULL)
		sha256(b.p, b.len, out);
}

void
conf_watch_open(struct sup *s)
{
	char dir[sizeof(s->paths.config)];
	size_t n = (size_t)(name_of(s) - s->paths.config);

	memcpy(dir, s->paths.config, n);
	memcpy(dir + n, ".", 2);
	s->fd_conf = fd_high(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	if (s->fd_conf >= 0 && inotify_add_watch(s->fd_conf, dir, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
		close(s->fd_conf);
		s->fd_conf = -1;        /* then a change waits until somebody asks for it */
	}
}

void
conf_watch_seen(struct sup *s)
{
	digest(s, s->conf_seen);
	s->conf_due_us = 0;
}

void
conf_watch_read(struct sup *s)
{
	_Alignas(struct inotify_event) char in[4096];
	ssize_t n;

	while ((n = read(s->fd_conf, in, sizeof(in))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const struct inotify_event *)(in + at);

			if (ev->len > 0 && strcmp(ev->name, name_of(s)) == 0)
				s->conf_due_us = clock_mono_us() + (int64_t)s->pub.watch_ms * 1000;
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
}

bool
conf_watch_due(struct sup *s)
{
	uint8_t now[32];

	if (s->conf_due_us == 0 || clock_mono_us() < s->conf_due_us)
		return false;
	s->conf_due_us = 0;
	digest(s, now);
	return s->pub.watch_ms > 0 && memcmp(now, s->conf_seen, sizeof(now)) != 0;
}
