/*
 * Who is at the other end: the peer that a front server of ours saw, or, when that peer is a proxy
 * that the configuration trusts, the client that the proxy speaks for.
 *
 * Anybody can write these headers. Each proxy adds the address that it saw at the right, so the
 * list is read from there, and the first address that is no trusted proxy is the
 * client; whatever stands left of it was written by that client.
 */
#include <string.h>

#include "lib/api/api.h"
#include "lib/base/addr.h"
#include "lib/base/shm.h"
#include "lib/svc/config.h"

enum { HOPS_MAX = 64 };

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80", blanks and quotes around it. */
static bool
hop_of(const char *s, size_t n, struct address *ret)
{
	char text[ADDRESS_TEXT];
	const char *colon;

	for (; n > 0 && strchr(" \t\"", s[0]) != NULL; s++, n--)
		;
	for (; n > 0 && strchr(" \t\"", s[n - 1]) != NULL; n--)
		;
	if (n > 0 && s[0] == '[') {
		const char *end = memchr(s, ']', n);

		if (end == NULL)
			return false;
		n = (size_t)(end - s) - 1;
		s++;
	} else if ((colon = memchr(s, ':', n)) != NULL && memchr(colon + 1, ':', n - (size_t)(colon + 1 - s)) == NULL) {
		n = (size_t)(colon - s);
	}
	if (n == 0 || n >= sizeof(text) || memchr(s, '\0', n) != NULL)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	return address_of(text, ret);
}

static bool
is_loopback(const struct address *a)
{
	char text[ADDRESS_TEXT];

	return addr_is_loopback(address_text(a, text));
}

static bool
is_trusted(const struct config *cfg, const struct address *a)
{
	for (size_t i = 0; i < cfg->n_proxies; i++)
		if (network_has(cfg->trusted_proxies[i], a))
			return true;
	return false;
}

bool
peer_is_proxy(const struct config *cfg, const char *peer)
{
	struct address a;

	return address_of(peer, &a) && is_trusted(cfg, &a);
}

/* --- lists of hops ---------------------------------------------------------------- */

/* The next hop from the right; *end moves left. NULL: none is left. */
static const char *
hop_before(const char *list, const char **end, size_t *n)
{
	const char *from = *end;

	if (from == NULL)
		return NULL;
	while (from > list && from[-1] != ',')
		from--;
	*n = (size_t)(*end - from);
	*end = from > list ? from - 1 : NULL;
	return from;
}

/* The right-most hop that is no trusted proxy. false: there is none, or something that is no address comes first. */
static bool
client_in(const struct config *cfg, const char *list, struct address *ret)
{
	const char *end = list + strlen(list), *s;
	size_t n;

	for (unsigned i = 0; i < HOPS_MAX && (s = hop_before(list, &end, &n)) != NULL; i++) {
		if (!hop_of(s, n, ret))
			return false;
		if (!is_trusted(cfg, ret))
			return true;
	}
	return false;
}

/*
 * X-Forwarded-For is what proxies add to. The others are looked at only without it: a proxy that does not write
 * them passes on what its client sends. (Forwarded may stand on several lines, of which front servers show one.)
 */
static bool
client_of(const struct config *cfg, const struct headers *h, struct address *ret)
{
	if (h->x_forwarded_for != NULL)
		return client_in(cfg, h->x_forwarded_for, ret);
	if (h->x_real_ip != NULL)
		return hop_of(h->x_real_ip, strlen(h->x_real_ip), ret);
	return h->cf_connecting_ip != NULL && hop_of(h->cf_connecting_ip, strlen(h->cf_connecting_ip), ret);
}

/* Does a header speak of somebody who is not on this machine? Believed or not, it makes nobody a local user. */
static bool
tells_of_others(const char *list)
{
	const char *end = list == NULL ? NULL : list + strlen(list), *s;
	struct address a;
	size_t n;

	while ((s = hop_before(list, &end, &n)) != NULL)
		if (!hop_of(s, n, &a) || !is_loopback(&a))
			return true;
	return false;
}

static bool
comes_from_others(const struct headers *h)
{
	return h->forwarded != NULL || tells_of_others(h->x_forwarded_for) || tells_of_others(h->x_real_ip) ||
	    tells_of_others(h->cf_connecting_ip);
}

void
peer_resolve(struct ctx *c, struct request *rq)
{
	char text[ADDRESS_TEXT];
	struct address a;
	char *found;

	rq->front_peer = rq->peer;
	if (rq->control)
		return;
	rq->local = addr_is_loopback(rq->peer) && !comes_from_others(&rq->h);
	if (!c->cfg->trust_forwarded || !peer_is_proxy(c->cfg, rq->peer) || !client_of(c->cfg, &rq->h, &a))
		return;
	found = ctx_strdup(c, address_text(&a, text));
	if (found != NULL)
		rq->peer = found;
}
