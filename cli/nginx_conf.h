/* The private nginx's configuration: the embedded template filled in. */
#ifndef LF_NGINX_CONF_H
#define LF_NGINX_CONF_H
#include "lib/api/api.h"
#include "lib/base/buf.h"

struct nginx_vars {
	const char *home, *run;
	const char *webchat;            /* the page's directory; it need not exist */
	const char *const *listen;      /* "127.0.0.1:4545", "[::1]:4545" */
	size_t n_listen;
	unsigned workers;
	uint64_t max_body_bytes;
	bool access_log;
	/* for a site of another server (site_conf.c): words of its own, asked first; a mark in its names */
	bool (*word)(struct buf *out, const char *word, size_t n, void *arg);
	void *arg;
	const char *tag;
};

/* Errors: INVALID when a path cannot stand in nginx's configuration; NOMEM. */
enum err nginx_render(struct buf *out, const struct nginx_vars *, char *msg, size_t cap) MUST_CHECK;

/* --- the parts that site_conf.c shares ----------------------------------------- */

/* The template of the private server as it stands, not filled in. */
const char *nginx_private(void);
/* Text with the words between @ signs filled in; out->failed tells of trouble. */
void conf_fill(struct buf *out, const char *text, const struct nginx_vars *);
enum err conf_check(const struct nginx_vars *, char *msg, size_t cap) MUST_CHECK;
/* No character that quoting in a configuration would not survive. */
enum err conf_path_ok(const char *path, char *msg, size_t cap) MUST_CHECK;
/*
 * The rows that the daemon answers, of one verb, as alternatives of regular expressions over
 * the raw target. Each line: before, the verb's expression, between, the rows, after; between
 * NULL: no verb.
 */
struct conf_row_style { const char *before, *between, *after; };
void conf_live_rows(struct buf *out, enum verb, const struct conf_row_style *);
/* Each fixed header line of every answer, but type and request id. */
void conf_each_header(void (*on)(void *, const char *name, const char *value), void *arg);
#endif
