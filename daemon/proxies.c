/*
 * The snapshot shows user and password of a proxy as ***; the whole address is what keys_load() read
 * beside it. Both must be of one proxy: the file may have changed since.
 */
#include "daemon/proxies.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/keys.h"
#include "lib/base/json.h"
#include "lib/base/shm.h"
#include "lib/net/guard.h"
#include "lib/svc/config.h"

static void
host_of(const char *url, char out[static 256])
{
	const char *host = url != NULL ? strstr(url, "://") : NULL, *at;
	size_t n;

	out[0] = '\0';
	if (host == NULL)
		return;
	host += 3;
	at = memchr(host, '@', strcspn(host, "/?#"));
	if (at != NULL)
		host = at + 1;
	n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	snprintf(out, 256, "%.*s", (int)(n < 255 ? n : 255), host);
}

/* Of [proxy]; NULL: none for this address. */
static const char *
common(struct ctx *c, const char *url, const char **name)
{
	struct json_object *o = js_obj(c->cfg->raw, "proxy");
	char host[256];
	const char *s;

	*name = url != NULL && strncasecmp(url, "http:", 5) == 0 ? "http_proxy" : "https_proxy";
	s = js_str(o, *name);
	if (s == NULL || s[0] == '\0')
		return NULL;
	host_of(url, host);
	if (host[0] != '\0' && (addr_is_loopback(host) || host_refused(host, NULL) || host_listed(js_str_or(o, "no_proxy", ""), host)))
		return NULL;
	return s;
}

/* The one as the snapshot shows it, the other as it is written. */
static bool
is_same(const char *masked, const char *whole)
{
	const char *m = strstr(masked, "***@"), *at = strrchr(whole, '@');
	size_t n = m != NULL ? (size_t)(m - masked) : 0;

	return m != NULL && at != NULL && strncmp(masked, whole, n) == 0 && strcmp(m + 3, at) == 0;
}

enum err
proxy_for(struct ctx *c, const char *provider, const char *url, const char **ret)
{
	const char *name = provider, *s = provider != NULL ? js_str(js_obj(c->cfg->raw, "provider_proxy_urls"), provider) : NULL, *whole;

	if (s == NULL)
		s = common(c, url, &name);
	*ret = s != NULL && s[0] != '\0' ? s : NULL;
	if (*ret == NULL || strstr(s, "***@") == NULL)
		return ERR_OK;
	whole = key_of_proxy(c, name);
	if (whole == NULL || !is_same(s, whole))
		return fail_code(c, ERR_PRECONDITION, "proxy_unusable", "The password of the proxy for %s cannot be read: reload the configuration",
		    provider != NULL ? provider : "calls outside");
	*ret = whole;
	return ERR_OK;
}
