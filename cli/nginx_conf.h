/* The private nginx's configuration: the embedded template filled in. */
#ifndef LF_NGINX_CONF_H
#define LF_NGINX_CONF_H
#include "lib/base/buf.h"

struct nginx_vars {
	const char *home, *run;
	const char *const *listen;      /* "127.0.0.1:4545", "[::1]:4545" */
	size_t n_listen;
	unsigned workers;
	uint64_t max_body_bytes;
	bool access_log;
};

/* Errors: INVALID when a path cannot stand in nginx's configuration; NOMEM. */
enum err nginx_render(struct buf *out, const struct nginx_vars *, char *msg, size_t cap) MUST_CHECK;
#endif
