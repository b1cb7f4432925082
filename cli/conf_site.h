/* Pieces of the private nginx's template, for the sites of other servers. */
#ifndef LF_CONF_SITE_H
#define LF_CONF_SITE_H
#include "cli/nginx_conf.h"

/* A template of a site: names marked with v->tag, words filled in. */
void site_template(struct buf *out, const char *text, const struct nginx_vars *);
/* Of the private template: what stands outside of servers (maps, upstreams); what stands inside. */
void site_http(struct buf *out, const struct nginx_vars *);
void site_server(struct buf *out, const struct nginx_vars *);
/* Entries of the private template's map of a status to $var; status 0 is its default. */
void site_each_status(const char *var, void (*on)(void *, int status, const char *value), void *arg);
/* One of them: the status's own, else the default. */
void site_status(const char *var, int status, char *out, size_t cap);
#endif
