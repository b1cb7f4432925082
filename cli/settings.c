/*
 * librefang.ini, and the user and directories that it and the environment choose.
 *
 * Root gives up its rights here, before anything else is looked at: whoever owns the home owns what
 * runs in it, and the paths are found as that user, for stop and status as well as for start.
 */
#include "cli/settings.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/util.h"

static void
find_nginx(char *out, size_t cap)
{
	static const char more[] = ":/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/nginx/sbin";
	const char *path = getenv("PATH");
	char all[8192], *at = all, *dir;

	snprintf(all, sizeof(all), "%.8000s%s", path != NULL ? path : "", more);
	while ((dir = strsep(&at, ":")) != NULL) {
		if (dir[0] != '/' || (size_t)snprintf(out, cap, "%s/nginx", dir) >= cap)
			continue;
		if (access(out, X_OK) == 0)
			return;
	}
	out[0] = '\0';
}

static enum err
number(const struct run_paths *p, const char *key, unsigned max, unsigned *ret, char *msg, size_t cap)
{
	char text[32], *end;
	unsigned long n;

	if (!ini_get(p, key, text, sizeof(text)))
		return ERR_OK;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 || n > max) {
		snprintf(msg, cap, "librefang.ini: %s: a number from 1 to %u is expected", key, max);
		return ERR_INVALID;
	}
	*ret = (unsigned)n;
	return ERR_OK;
}

static bool
is_no(const struct run_paths *p, const char *key)
{
	static const char *const no[] = { "no", "off", "false", "0" };
	char text[16];

	if (ini_get(p, key, text, sizeof(text)))
		for (size_t i = 0; i < ARRAY_LEN(no); i++)
			if (strcasecmp(text, no[i]) == 0)
				return true;
	return false;
}

/* Who may come to the sockets. Anything that does not mean to open them leaves them shut. */
static enum err
take_sharing(struct settings *s, const struct run_paths *p, char *msg, size_t cap)
{
	char text[16];

	if (ini_get(p, "socket_group", s->socket_group, sizeof(s->socket_group)))
		s->socket_mode = 0660;
	if (!ini_get(p, "socket_mode", text, sizeof(text)))
		return ERR_OK;
	s->socket_mode = (unsigned)strtoul(text, NULL, 8);
	if (s->socket_mode == 0600 || s->socket_mode == 0660 || s->socket_mode == 0666)
		return ERR_OK;
	snprintf(msg, cap, "librefang.ini: socket_mode: 0600, 0660 or 0666 is expected");
	return ERR_INVALID;
}

static enum err
take(struct settings *s, const struct run_paths *p, char *msg, size_t cap)
{
	if (!ini_get(p, "nginx", s->nginx, sizeof(s->nginx)))
		find_nginx(s->nginx, sizeof(s->nginx));
	s->access_log = !is_no(p, "access_log");
	s->private_nginx = !is_no(p, "private_nginx");
	if (take_sharing(s, p, msg, cap) != ERR_OK)
		return ERR_INVALID;
	if (number(p, "pool_size", POOL_MAX, &s->pool_size, msg, cap) != ERR_OK)
		return ERR_INVALID;
	return number(p, "nginx_workers", 64, &s->nginx_workers, msg, cap);
}

/* The user's directories, made by root where the user could not. */
static bool
give_dirs(const struct run_paths *p, const struct passwd *pw)
{
	char run[4096];

	if (!dir_make(p->home, 0700) || chown(p->home, pw->pw_uid, pw->pw_gid) != 0)
		return false;
	return !ini_get(p, "run_dir", run, sizeof(run)) || run[0] != '/' ||
	    (dir_make(run, 0700) && chown(run, pw->pw_uid, pw->pw_gid) == 0);
}

static enum err
become_user(const struct settings *s, const struct run_paths *p, bool make, char *msg, size_t cap)
{
	struct passwd *pw;

	if (geteuid() != 0 || s->user[0] == '\0' || strcmp(s->user, "root") == 0)
		return ERR_OK;
	pw = getpwnam(s->user);
	if (pw == NULL) {
		snprintf(msg, cap, "librefang.ini: user: there is no user %s", s->user);
		return ERR_INVALID;
	}
	if ((make && !give_dirs(p, pw)) || initgroups(pw->pw_name, pw->pw_gid) != 0 ||
	    setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0) {
		snprintf(msg, cap, "cannot become user %s: %s", s->user, strerror(errno));
		return ERR_IO;
	}
	(void)setenv("HOME", pw->pw_dir, 1);    /* without it children see root's: no harm done */
	return ERR_OK;
}

enum err
settings_load(struct settings *s, struct run_paths *p, const char *home, bool make,
    char *msg, size_t cap)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	char found[4096];
	enum err e;

	*s = (struct settings){
		.pool_size = 4, .nginx_workers = cores > 2 ? 2 : 1, .access_log = true, .private_nginx = true,
		.socket_mode = 0600,
	};
	e = run_paths_init(p, home, false, msg, cap);
	if (p->home[0] == '\0')
		return e;
	/* it may have failed only because the run directory is the user's */
	(void)ini_get(p, "user", s->user, sizeof(s->user));
	memcpy(found, p->home, sizeof(found));
	if (become_user(s, p, make, msg, cap) != ERR_OK)
		return ERR_INVALID;
	e = run_paths_init(p, found, make, msg, cap);
	return e != ERR_OK ? e : take(s, p, msg, cap);
}
