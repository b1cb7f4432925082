/*
 * Cached bodies. A large answer is written, hashed and compressed when the
 * first client asks under a new configuration; after that a request costs a
 * comparison of its If-None-Match.
 *
 * Plain and compressed bytes are two representations, so they have two tags.
 * Answers made of rows are checked against the store's change mark, which is taken
 * before the rows are read: a commit in between makes the answer old, never wrong.
 */
#include "handlers/cached.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"

enum { BODY_MAX = 16 << 20, WORTH_PACKING = 1024, GZIP = 16, LEVEL = 6 };

/* Leaves gz empty when it fails or gains nothing: then the plain text is sent. */
static void
pack(const struct buf *text, struct buf *gz)
{
	z_stream z = { 0 };
	size_t room;
	int rc;

	if (text->len < WORTH_PACKING ||
	    deflateInit2(&z, LEVEL, Z_DEFLATED, MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	room = deflateBound(&z, text->len);
	z.next_out = (Bytef *)buf_room(gz, room);
	if (z.next_out != NULL) {
		z.next_in = (Bytef *)text->p;
		z.avail_in = (uInt)text->len;
		z.avail_out = (uInt)room;
		rc = deflate(&z, Z_FINISH);
		gz->len = rc == Z_STREAM_END && z.total_out < text->len ? z.total_out : 0;
	}
	deflateEnd(&z);
}

static void
tag(struct cached_body *cb)
{
	uint8_t d[32];
	char hex[17];

	sha256(cb->text.p, cb->text.len, d);
	hex_of(d, 8, hex);
	cb->etag[0] = cb->etag_gz[0] = '"';
	memcpy(cb->etag + 1, hex, 16);
	memcpy(cb->etag_gz + 1, hex, 16);
	memcpy(cb->etag + 17, "\"", 2);
	memcpy(cb->etag_gz + 17, "-gz\"", 5);
}

static enum err
fresh(struct ctx *c, struct cached_body *cb, enum err (*make)(struct ctx *, struct buf *))
{
	uint32_t now = c->cfg != NULL ? c->cfg->generation : 0;
	uint32_t catalog = catalog_generation();
	enum err e;

	if (cb->made && cb->generation == now && cb->catalog == catalog)
		return ERR_OK;
	cb->made = false;
	buf_done(&cb->text);
	buf_done(&cb->gz);
	cb->text = (struct buf)BUF_INIT(BODY_MAX);
	cb->gz = (struct buf)BUF_INIT(BODY_MAX);
	if ((e = make(c, &cb->text)) != ERR_OK)
		return e;
	if (cb->text.failed || cb->text.len == 0)
		return fail(c, ERR_NOMEM, "out of memory");
	pack(&cb->text, &cb->gz);
	tag(cb);
	cb->generation = now;
	cb->catalog = catalog;
	cb->made = true;
	return ERR_OK;
}

/* Is gzip named in Accept-Encoding without being refused (q=0)? */
static bool
takes_gzip(const char *h)
{
	for (const char *p = h; p != NULL && *p != '\0'; p += *p == ',') {
		size_t n, name;

		p += strspn(p, " \t");
		n = strcspn(p, ",");
		name = strcspn(p, ";, \t");
		if (name == 4 && strncasecmp(p, "gzip", 4) == 0) {
			const char *q = memchr(p, '=', n);

			return q == NULL || strspn(q + 1, "0. \t") < (size_t)(p + n - q - 1);
		}
		p += n;
	}
	return false;
}

/* If-None-Match: a list of tags, perhaps W/; "*" is any. */
static bool
has_tag(const char *h, const struct cached_body *cb)
{
	for (const char *p = h; p != NULL && *p != '\0'; p += *p == ',') {
		size_t n;

		p += strspn(p, " \t");
		if (*p == '*')
			return true;
		if (strncmp(p, "W/", 2) == 0)
			p += 2;
		n = strcspn(p, ", \t");
		if ((n == strlen(cb->etag) && memcmp(p, cb->etag, n) == 0) ||
		    (n == strlen(cb->etag_gz) && memcmp(p, cb->etag_gz, n) == 0))
			return true;
		p += n;
		p += strspn(p, " \t");
	}
	return false;
}

struct reply
cached_reply(struct ctx *c, const struct request *rq, struct cached_body *cb, const char *media,
    enum err (*make)(struct ctx *, struct buf *))
{
	struct reply r;
	bool packed;

	if (fresh(c, cb, make) != ERR_OK)
		return reply_fail(c);
	packed = cb->gz.len > 0 && takes_gzip(rq->h.accept_encoding);
	if (has_tag(rq->h.if_none_match, cb))
		r = reply_raw(c, 304, NULL, NULL, 0);
	else if (packed)
		r = reply_raw(c, 200, media, cb->gz.p, cb->gz.len);
	else
		r = reply_raw(c, 200, media, cb->text.p, cb->text.len);
	if (r.status == 200 && packed)
		r.encoding = "gzip";
	r.etag = packed ? cb->etag_gz : cb->etag;
	return r;
}

/* --- rows ------------------------------------------------------------------------ */

enum { ROWS_MAX = 512 << 10 };

static bool
rows_key(const struct ctx *c, const struct request *rq, char out[static ROWS_KEY])
{
	const char *scope = caller_scope(c);
	int n = snprintf(out, ROWS_KEY, "%s%s?%s", scope != NULL ? "=" : "", scope != NULL ? scope : "",
	    rq->query_raw != NULL ? rq->query_raw : "");

	return n > 0 && n < ROWS_KEY;
}

static struct reply
make_rows(struct ctx *c, const struct request *rq,
    enum err (*make)(struct ctx *, const struct request *, struct jw *))
{
	struct jw *w = reply_open(c);

	if (make(c, rq, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

struct reply
cached_rows_reply(struct ctx *c, const struct request *rq, struct cached_rows *cr,
    enum err (*make)(struct ctx *, const struct request *, struct jw *))
{
	int64_t mark = db_change_mark(c->db), second = c->now_ms / 1000;
	uint32_t generation = c->cfg != NULL ? c->cfg->generation : 0;
	char key[ROWS_KEY];
	struct reply r;
	unsigned i;

	if (mark == 0 || !rows_key(c, rq, key))
		return make_rows(c, rq, make);
	for (i = 0; i < ROWS_KEPT; i++)
		if (cr->slot[i].text.len > 0 && strcmp(cr->slot[i].key, key) == 0)
			break;
	if (i < ROWS_KEPT && cr->slot[i].mark == mark && cr->slot[i].second == second &&
	    cr->slot[i].generation == generation)
		return reply_raw(c, 200, NULL, cr->slot[i].text.p, cr->slot[i].text.len);
	r = make_rows(c, rq, make);
	if (r.status != 200 || r.body_bytes > ROWS_MAX)
		return r;
	if (i == ROWS_KEPT)
		i = cr->next++ % ROWS_KEPT;
	cr->slot[i].text.max = ROWS_MAX + 1;
	buf_clear(&cr->slot[i].text);
	buf_add(&cr->slot[i].text, r.body, r.body_bytes);
	if (cr->slot[i].text.failed)
		buf_done(&cr->slot[i].text);    /* no memory to keep it: empty, so never found */
	memcpy(cr->slot[i].key, key, sizeof(key));
	cr->slot[i].mark = mark;
	cr->slot[i].second = second;
	cr->slot[i].generation = generation;
	return r;
}
