/*
 * Signing: a canonical text of the request, hashed, and signed with a key that is good for one
 * day, region and service.
 */
#include "lib/net/sigv4.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/util.h"

enum { PARTS_MAX = 32 };

struct canon {
	char *lines[PARTS_MAX];         /* "name:value" of headers, by malloc */
	unsigned n;
};

static void
encode_path(struct buf *b, const char *path)
{
	for (; *path != '\0'; path++) {
		unsigned char ch = (unsigned char)*path;

		if (isalnum(ch) || strchr("-._~/", ch) != NULL)
			buf_ch(b, (char)ch);
		else
			buf_printf(b, "%%%02X", ch);
	}
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err
add_query(struct buf *b, const char *query)
{
	char *copy = strdup(query), *parts[PARTS_MAX], *save = NULL;
	unsigned n = 0;

	if (copy == NULL)
		return ERR_NOMEM;
	for (char *p = strtok_r(copy, "&", &save); p != NULL && n < PARTS_MAX; p = strtok_r(NULL, "&", &save))
		parts[n++] = p;
	if (n == PARTS_MAX) {
		free(copy);
		return ERR_INVALID;
	}
	qsort(parts, n, sizeof(parts[0]), by_bytes);
	for (unsigned i = 0; i < n; i++)
		buf_printf(b, "%s%s%s", i > 0 ? "&" : "", parts[i], strchr(parts[i], '=') != NULL ? "" : "=");
	free(copy);
	return ERR_OK;
}

/* Name in lower case, value without blanks around it and with single ones inside. */
static enum err
add_header(struct canon *c, const char *name, size_t nn, const char *value)
{
	char *line = malloc(nn + strlen(value) + 2), *out = line;

	if (line == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < nn; i++)
		*out++ = (char)tolower((unsigned char)name[i]);
	*out++ = ':';
	while (isspace((unsigned char)*value))
		value++;
	for (; *value != '\0'; value++)
		if (!isspace((unsigned char)*value) || (value[1] != '\0' && !isspace((unsigned char)value[1])))
			*out++ = isspace((unsigned char)*value) ? ' ' : *value;
	*out = '\0';
	if (c->n == PARTS_MAX) {
		free(line);
		return ERR_INVALID;
	}
	c->lines[c->n++] = line;
	return ERR_OK;
}

/* A colon sorts behind no character of a name but "-" and digits would disturb it: compare names alone. */
static int
by_name(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t nx = strcspn(x, ":"), ny = strcspn(y, ":");
	int d = memcmp(x, y, nx < ny ? nx : ny);

	return d != 0 ? d : nx < ny ? -1 : nx > ny;
}

static enum err
collect(struct canon *c, const struct sigv4 *s, const char *date)
{
	enum err e = add_header(c, "host", 4, s->host);

	if (e == ERR_OK)
		e = add_header(c, "x-amz-date", 10, date);
	if (e == ERR_OK && s->token != NULL)
		e = add_header(c, "x-amz-security-token", 20, s->token);
	for (const char *const *h = s->headers; e == ERR_OK && h != NULL && *h != NULL; h++) {
		size_t n = strcspn(*h, ":");

		e = (*h)[n] == ':' ? add_header(c, *h, n, *h + n + 1) : ERR_INVALID;
	}
	qsort(c->lines, c->n, sizeof(c->lines[0]), by_name);
	return e;
}

static void
add_names(struct buf *b, const struct canon *c)
{
	for (unsigned i = 0; i < c->n; i++)
		buf_printf(b, "%s%.*s", i > 0 ? ";" : "", (int)strcspn(c->lines[i], ":"), c->lines[i]);
}

/* The canonical request's hash, in hex. */
static enum err
hash_request(const struct sigv4 *s, const struct canon *c, char hex[static 65])
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	uint8_t digest[32];
	enum err e = ERR_OK;

	buf_printf(&b, "%s\n", s->method);
	encode_path(&b, s->path);
	buf_ch(&b, '\n');
	if (s->query != NULL)
		e = add_query(&b, s->query);
	buf_ch(&b, '\n');
	for (unsigned i = 0; i < c->n; i++)
		buf_printf(&b, "%s\n", c->lines[i]);
	buf_ch(&b, '\n');
	add_names(&b, c);
	sha256(s->body_bytes > 0 ? s->body : "", s->body_bytes, digest);
	hex_of(digest, 32, hex);
	buf_printf(&b, "\n%s", hex);
	if (e != ERR_OK || b.failed)
		return e != ERR_OK ? e : ERR_NOMEM;
	sha256(b.p, b.len, digest);
	hex_of(digest, 32, hex);
	return ERR_OK;
}

static enum err
day_key(const struct sigv4 *s, const char *date, uint8_t key[static 32])
{
	struct buf b = BUF_INIT(65536);

	buf_printf(&b, "AWS4%s", s->secret);
	if (b.failed)
		return ERR_NOMEM;
	hmac_sha256(b.p, b.len, date, 8, key);
	buf_zero_done(&b);
	hmac_sha256(key, 32, s->region, strlen(s->region), key);
	hmac_sha256(key, 32, s->service, strlen(s->service), key);
	hmac_sha256(key, 32, "aws4_request", 12, key);
	return ERR_OK;
}

static enum err
sign(const struct sigv4 *s, const struct canon *c, const char *date, struct buf *auth)
{
	SCOPED_BUF text = BUF_INIT(4096);
	uint8_t key[32], mac[32];
	char hex[65];
	enum err e = hash_request(s, c, hex);

	if (e == ERR_OK)
		e = day_key(s, date, key);
	if (e != ERR_OK)
		return e;
	buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", date, date, s->region, s->service, hex);
	if (text.failed)
		return ERR_INVALID;
	hmac_sha256(key, 32, text.p, text.len, mac);
	zero_bytes(key, sizeof(key));
	hex_of(mac, 32, hex);
	buf_printf(auth, "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=", s->key_id, date, s->region,
	    s->service);
	add_names(auth, c);
	buf_printf(auth, ", Signature=%s", hex);
	return auth->failed ? ERR_NOMEM : ERR_OK;
}

enum err
sigv4_sign(const struct sigv4 *s, struct buf *auth, char date[static 17])
{
	struct canon c = { .n = 0 };
	time_t t = (time_t)(s->now_ms / 1000);
	struct tm tm;
	enum err e;

	if (gmtime_r(&t, &tm) == NULL || strftime(date, 17, "%Y%m%dT%H%M%SZ", &tm) != 16)
		return ERR_INVALID;
	e = collect(&c, s, date);
	if (e == ERR_OK)
		e = sign(s, &c, date, auth);
	for (unsigned i = 0; i < c.n; i++)
		free(c.lines[i]);
	return e;
}
