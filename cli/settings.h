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
 *	private_nginx = yes     ; no: the machine's own web server comes to the sockets
 *	socket_group = www-data ; who may: fcgi.sock and front.sock get this group and mode 0660
 *	socket_mode = 0660      ; or 0666: everybody on this machine
 */
#ifndef LF_SETTINGS_H
#define LF_SETTINGS_H
#include "lib/svc/config.h"

enum { POOL_MAX = 64 };

struct settings {
	char user[64];
	char nginx[4096];               /* "": none installed */
	unsigned pool_size, nginx_workers;
	bool access_log, private_nginx;
	char socket_group[64];          /* "": none */
	unsigned socket_mode;           /* 0600, 0660 or 0666 */
};

/*
 * Read the settings, become their user if root runs us, and find home and run directory.
 * home: of --home, or NULL. make: create the directories. Errors: msg says what is
 * wrong, in words for the user.
 */
enum err settings_load(struct settings *, struct run_paths *, const char *home, bool make,
    char *msg, size_t cap) MUST_CHECK;
#endif
