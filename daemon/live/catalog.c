/*
 * Fetching the catalog. What comes must prove itself, by the signature of a key that
 * the configuration names or else by its digest beside it, and be a catalog; only then it takes the place of
 * the last one, which stays beside it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nettle/base64.h>

#include "daemon/dbpool.h"
#include "daemon/proxies.h"
#include "lib/api/api.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/net/http.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/catalog_edit.h"

enum { FILE_MAX = 16 << 20, PROOF_MAX = 4096, PATIENCE_MS = 20000, BASE64_MAX = 256 };

struct reply catalog_update(struct ctx *, const struct request *);

static enum err PRINTF(2, 3)
no_use(struct ctx *c, const char *fmt, ...)
{
	char why[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return fail_code(c, ERR_UPSTREAM, "catalog_refused", "%s", why);
}

static enum err
fetch(struct ctx *c, const char *url, size_t max, struct buf *ret)
{
	struct http_call call = {
		.method = "GET", .url = url, .timeout_ms = PATIENCE_MS, .max_bytes = max, .max_redirects = 3,
	};
	struct http_answer a = { .status = 0 };
	enum err e = proxy_for(c, NULL, url, &call.proxy);

	if (e != ERR_OK)
		return e;
	e = http_do(&call, &a);

	if (e != ERR_OK)
		e = no_use(c, "The catalog cannot be fetched: %.200s", a.why);
	else if (a.status != 200)
		e = no_use(c, "The catalog cannot be fetched: its server answers %ld", a.status);
	else
		buf_add(ret, a.body.p, a.body.len);
	buf_done(&a.body);
	return e == ERR_OK && ret->failed ? no_use(c, "The catalog is too large") : e;
}

/* Exactly want bytes as base64, white space around them. */
static bool
base64(const char *s, size_t n, uint8_t *out, size_t want)
{
	struct base64_decode_ctx d;
	uint8_t bytes[BASE64_DECODE_LENGTH(BASE64_MAX)];
	size_t got = sizeof(bytes);
	bool good;

	base64_decode_init(&d);
	good = n <= BASE64_MAX && base64_decode_update(&d, &got, bytes, n, s) == 1 && base64_decode_final(&d) == 1 && got == want;
	if (good)
		memcpy(out, bytes, want);
	return good;
}

/* Is that the signature of these bytes under this key? Both as base64. */
static bool
signed_by(const char *key, const struct buf *text, const struct buf *sig)
{
	uint8_t k[32], s[64];

	return base64(key, strlen(key), k, sizeof(k)) && sig->p != NULL && base64(sig->p, sig->len, s, sizeof(s)) &&
	    ed25519_ok(k, text->p, text->len, s);
}

static enum err
proven(struct ctx *c, const char *url, const struct buf *text)
{
	const char *key = js_str(js_obj(c->cfg->raw, "registry"), "catalog_public");
	SCOPED_BUF proof = BUF_INIT(PROOF_MAX);
	uint8_t sum[32];
	char hex[65];
	enum err e = fetch(c, ctx_printf(c, "%s.%s", url, key != NULL ? "sig" : "sha256"), PROOF_MAX, &proof);

	if (e != ERR_OK)
		return e;
	if (key != NULL)
		return signed_by(key, text, &proof) ? ERR_OK : no_use(c, "The catalog's signature does not hold");
	sha256(text->p, text->len, sum);
	hex_of(sum, sizeof(sum), hex);
	return proof.len >= 64 && strncasecmp(proof.p, hex, 64) == 0 ? ERR_OK : no_use(c, "The catalog's digest is another one");
}

/* Into place; what was there stays as .prev. */
static enum err
keep(struct ctx *c, const struct buf *text)
{
	char path[4352], prev[4400];

	snprintf(path, sizeof(path), "%s/catalog.json", c->cfg->data_dir);
	snprintf(prev, sizeof(prev), "%s.prev", path);
	if (access(path, F_OK) == 0) {
		unlink(prev);
		if (link(path, prev) != 0)
			return fail(c, ERR_IO, "catalog.json cannot be kept");
	}
	return file_keep(path, text->p, text->len, 0600) == ERR_OK ? ERR_OK : fail(c, ERR_IO, "catalog.json cannot be written");
}

static enum err
update(struct ctx *c, const char *url)
{
	SCOPED_BUF text = BUF_INIT(FILE_MAX);
	char msg[200];
	size_t n;
	enum err e;

	job_db_release(c);
	e = fetch(c, url, FILE_MAX, &text);
	if (e == ERR_OK)
		e = proven(c, url, &text);
	if (e == ERR_OK && !catalog_file_ok(c, text.p != NULL ? text.p : "", text.len, &n, msg, sizeof(msg)))
		e = no_use(c, "It cannot be used: %s", msg);
	job_db_acquire(c);
	return e == ERR_OK ? keep(c, &text) : e;
}

struct reply
catalog_update(struct ctx *c, const struct request *rq)
{
	const char *url = js_str(js_obj(c->cfg->raw, "registry"), "catalog_url"), *note = NULL;
	bool named = url != NULL && url[0] != '\0';
	struct jw *w;
	enum err e = named ? update(c, url) : ERR_OK;

	(void)rq;
	c->now_ms = clock_ms();
	if (e == ERR_UPSTREAM)
		note = ctx_strdup(c, c->fault.msg);     /* what is on the disk counts */
	else if (e != ERR_OK)
		return reply_fail(c);
	if ((note == NULL && catalog_set_synced(c, c->now_ms) != ERR_OK) || catalog_changed(c) != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_str(w, "status", "ok");
	jw_i64(w, "files_downloaded", named && note == NULL);
	jw_i64(w, "models_count", (int64_t)catalog_shipped_models());
	jw_time(w, "timestamp", c->now_ms);
	if (note != NULL)
		jw_str(w, "note", note);
	jw_end(w);
	return reply_json(c, 200, w);
}
