/*
 * librefang.ini: how this machine runs LibreFang (not what LibreFang does: that is
 * config.toml). It stands in the home, or in /etc/librefang; none is fine.
 *
 *	[librefang]
 *	user = librefang        ; started as root: become this user
 *	run_dir = /run/lf       ; sockets
 *	pool_size = 4           ; workers for short requests
 *	nginx = /usr/sbin/nginx
 *	nginx_workers = 1
 *	access_log = yes
 */
#ifndef LF_SETTINGS_H
#define LF_SETTINGS_H
#include "lib/svc/config.h"

enum { POOL_MAX = 64 };

struct settings {
	char user[64];
	char nginx[4096];               /* "": none installed */
	unsigned pool_size, nginx_workers;
	bool access_log;
};

/*
 * Read the settings, become their user if root runs us, and find home and run directory.
 * home: of --home, or NULL. make: create the directories. Errors: msg says what is
 * wrong, in words for the user.
 */
enum err settings_load(struct settings *, struct run_paths *, const char *home, bool make,
    char *msg, size_t cap) MUST_CHECK;
#endif
