/*
 * Addresses. libcurl's own parser reads them, so that there is one opinion of
 * what a URL says; the host is then put into one spelling and written back, so that
 * what is checked is what is connected to.
 */
#include "lib/net/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gnutls/gnutls.h>

#include "lib/base/util.h"
#include "lib/net/guard.h"

static enum err
refuse(enum err e, const char *what, char *why, size_t cap)
{
	snprintf(why, cap, "%s", what);
	return e;
}

/* The parser found nothing that can be read, or had no memory for it. */
static enum err
refuse_as(CURLUcode rc, const char *what, char *why, size_t cap)
{
	return rc == CURLUE_OUT_OF_MEMORY ? refuse(ERR_NOMEM, "out of memory", why, cap) : refuse(ERR_BAD_REQUEST, what, why, cap);
}

static enum err
take_scheme(CURLU *u, struct target *t, char *why, size_t cap)
{
	char *s = NULL;
	CURLUcode rc = curl_url_get(u, CURLUPART_SCHEME, &s, 0);

	if (rc != CURLUE_OK)
		return refuse_as(rc, "the address has no scheme", why, cap);
	t->https = strcasecmp(s, "https") == 0;
	if (!t->https && strcasecmp(s, "http") != 0) {
		curl_free(s);
		return refuse(ERR_BAD_REQUEST, "only http and https addresses are allowed", why, cap);
	}
	curl_free(s);
	return ERR_OK;
}

static enum err
take_port(CURLU *u, struct target *t, char *why, size_t cap)
{
	char *s = NULL;
	CURLUcode rc = curl_url_get(u, CURLUPART_PORT, &s, CURLU_DEFAULT_PORT);

	if (rc != CURLUE_OK)
		return refuse_as(rc, "the address has a bad port", why, cap);
	t->port = (unsigned)strtoul(s, NULL, 10);
	curl_free(s);
	if (t->port == 0 || t->port > 65535)
		return refuse(ERR_BAD_REQUEST, "the address has a bad port", why, cap);
	return ERR_OK;
}

/* User information is taken out of the address, so that it shows nowhere. */
static enum err
take_user(CURLU *u, bool strict, struct target *t, char *why, size_t cap)
{
	char *user = NULL, *pass = NULL;
	CURLUcode has_user = curl_url_get(u, CURLUPART_USER, &user, CURLU_URLDECODE);
	CURLUcode has_pass = curl_url_get(u, CURLUPART_PASSWORD, &pass, CURLU_URLDECODE);
	bool any = has_user == CURLUE_OK || has_pass == CURLUE_OK;
	bool unknown = has_user == CURLUE_OUT_OF_MEMORY || has_pass == CURLUE_OUT_OF_MEMORY;
	size_t n;

	if (any && !strict && !unknown) {
		n = strlen(user ? user : "") + strlen(pass ? pass : "") + 2;
		t->userpwd = malloc(n);
		if (t->userpwd != NULL)
			snprintf(t->userpwd, n, "%s:%s", user ? user : "", pass ? pass : "");
	}
	curl_free(user);
	curl_free(pass);
	if (unknown)
		return refuse(ERR_NOMEM, "out of memory", why, cap);
	if (any && strict)
		return refuse(ERR_FORBIDDEN, "an address with user information is not allowed", why, cap);
	if (any && t->userpwd == NULL)
		return refuse(ERR_NOMEM, "out of memory", why, cap);
	curl_url_set(u, CURLUPART_USER, NULL, 0);
	curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	return ERR_OK;
}

static bool
plain_name(const char *host)
{
	return host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] == '\0';
}


/* Without final dots, letters beyond ASCII as xn-- (not by libcurl 7.88, which leaks what it cannot convert). */
static bool
ascii_host(const char *h, char out[static HOST_MAX])
{
	gnutls_datum_t ace = { 0 };
	size_t n = strlen(h);
	bool foreign = false, good;

	for (size_t i = 0; i < n; i++)
		foreign |= (h[i] & 0x80) != 0;
	if (foreign) {
		if (gnutls_idna_map(h, (unsigned)n, &ace, 0) != 0)
			return false;
		h = (const char *)ace.data;
		n = ace.size;
	}
	while (n > 0 && h[n - 1] == '.')
		n--;
	good = n > 0 && n < HOST_MAX;
	if (good) {
		memcpy(out, h, n);
		out[n] = '\0';
	}
	gnutls_free(ace.data);
	return good;
}

static enum err
take_host(CURLU *u, bool strict, struct target *t, char *why, size_t cap)
{
	char *h = NULL, *zone = NULL;
	CURLUcode rc = curl_url_get(u, CURLUPART_ZONEID, &zone, 0);

	t->zone = rc == CURLUE_OK;
	curl_free(zone);
	if (rc == CURLUE_OUT_OF_MEMORY)
		return refuse(ERR_NOMEM, "out of memory", why, cap);
	if (strict && t->zone)
		return refuse(ERR_FORBIDDEN, "an address with a zone is not allowed", why, cap);
	rc = curl_url_get(u, CURLUPART_HOST, &h, 0);
	if (rc != CURLUE_OK || !ascii_host(h, t->host)) {
		curl_free(h);
		return refuse_as(rc, "the address has a bad host name", why, cap);
	}
	curl_free(h);

	t->numeric = addr_canonical(t->host, t->host_addr);
	if (t->numeric)
		memcpy(t->host, t->host_addr, sizeof(t->host_addr));
	else if (!plain_name(t->host))
		return refuse(ERR_BAD_REQUEST, "the address has a bad host name", why, cap);
	return ERR_OK;
}

/* Write the host back in the one spelling. */
static CURLUcode
put_host(CURLU *u, const struct target *t)
{
	char h[HOST_MAX + 2];

	if (t->zone)                    /* writing the host would lose it */
		return CURLUE_OK;
	snprintf(h, sizeof(h), strchr(t->host, ':') ? "[%s]" : "%s", t->host);
	return curl_url_set(u, CURLUPART_HOST, h, 0);
}

enum err
target_of(CURLU *u, bool strict, struct target *t, char *why, size_t cap)
{
	enum err e;
	CURLUcode rc;

	*t = (struct target){ 0 };
	e = take_scheme(u, t, why, cap);
	if (e == ERR_OK)
		e = take_user(u, strict, t, why, cap);
	if (e == ERR_OK)
		e = take_port(u, t, why, cap);
	if (e == ERR_OK)
		e = take_host(u, strict, t, why, cap);
	if (e != ERR_OK)
		return e;
	rc = put_host(u, t);
	if (rc != CURLUE_OK)
		return refuse_as(rc, "the address has a bad host name", why, cap);
	curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	rc = curl_url_get(u, CURLUPART_URL, &t->url, 0);
	if (rc != CURLUE_OK)
		return refuse_as(rc, "the address cannot be read", why, cap);
	return ERR_OK;
}

void
target_done(struct target *t)
{
	curl_free(t->url);
	if (t->userpwd != NULL)
		zero_bytes(t->userpwd, strlen(t->userpwd));
	free(t->userpwd);
	*t = (struct target){ 0 };
}

bool
same_origin(const struct target *a, const struct target *b)
{
	return a->https == b->https && a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

void
target_origin(const struct target *t, struct buf *b)
{
	buf_printf(b, strchr(t->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
	    t->https ? "https" : "http", t->host, t->port);
}
