/*
 * The model catalog. The whole list is large and the same for everybody, so
 * it is kept ready; filtered lists are written when asked for.
 */
#include "handlers/handlers.h"

#include <string.h>
#include <strings.h>

#include "handlers/cached.h"
#include "lib/api/schemas.h"
#include "lib/svc/catalog.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/catalog_edit.h"

static bool
wanted(const struct config *cfg, const struct models_query *q, const struct model *m)
{
	if (q->provider != NULL && strcasecmp(q->provider, m->provider) != 0)
		return false;
	if (q->tier != NULL && strcasecmp(q->tier, m->tier) != 0)
		return false;
	return q->available == NULL ||
	    (strcmp(q->available, "true") != 0 && strcmp(q->available, "1") != 0) ||
	    catalog_available(cfg, m);
}

static void
write_list(struct ctx *c, const struct models_query *q, struct jw *w)
{
	const struct model *all;
	size_t n = catalog_models(&all);
	int64_t usable = 0;

	jw_object(w, NULL);
	jw_array(w, "models");
	for (size_t i = 0; i < n; i++) {
		usable += catalog_available(c->cfg, &all[i]);
		if (wanted(c->cfg, q, &all[i]))
			catalog_write_model(w, c->cfg, &all[i]);
	}
	jw_end(w);
	jw_i64(w, "total", (int64_t)n);
	jw_i64(w, "available", usable);
	jw_end(w);
}

static enum err
make_all(struct ctx *c, struct buf *out)
{
	static const struct models_query everything;
	struct jw w = JW_INIT(out);

	write_list(c, &everything, &w);
	return ERR_OK;
}

struct reply
models_list(struct ctx *c, const struct request *rq)
{
	static struct cached_body body;
	const struct models_query *q = rq->query;
	struct jw *w;

	if (q->provider == NULL && q->tier == NULL && q->available == NULL)
		return cached_reply(c, rq, &body, NULL, make_all);
	w = reply_open(c);
	write_list(c, q, w);
	return reply_json(c, 200, w);
}

static enum err
make_aliases(struct ctx *c, struct buf *out)
{
	const struct catalog_alias *all;
	size_t n = catalog_aliases(&all);
	struct jw w = JW_INIT(out);

	(void)c;
	jw_object(&w, NULL);
	jw_array(&w, "aliases");
	for (size_t i = 0; i < n; i++) {
		jw_object(&w, NULL);
		jw_str(&w, "alias", all[i].alias);
		jw_str(&w, "model_id", all[i].model_id);
		jw_end(&w);
	}
	jw_end(&w);
	jw_i64(&w, "total", (int64_t)n);
	jw_end(&w);
	return ERR_OK;
}

struct reply
models_aliases(struct ctx *c, const struct request *rq)
{
	static struct cached_body body;

	return cached_reply(c, rq, &body, NULL, make_aliases);
}

struct reply
models_show(struct ctx *c, const struct request *rq)
{
	const struct path_arg *id = path_arg_n(rq, "id");
	const struct model *m = strlen(id->value) == id->n ? catalog_model(NULL, id->value) : NULL;
	const char *key, *settings;
	struct jw *w;

	if (m == NULL) {
		ignore_err(fail_code(c, ERR_NOT_FOUND, "model_not_found", "Model '%.*s' not found",
		    (int)utf8_cut(id->value, strlen(id->value), 200), id->value));
		return reply_fail(c);
	}
	w = reply_open(c);
	jw_object(w, NULL);
	catalog_write_model_members(w, c->cfg, m);
	key = ctx_printf(c, "%s:%s", m->provider, m->id);
	settings = key != NULL ? catalog_override(key) : NULL;
	if (settings != NULL)
		jw_raw(w, "overrides", settings, strlen(settings));
	else
		jw_null(w, "overrides");
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
models_settings(struct ctx *c, const struct request *rq)
{
	const char *key = catalog_override_key(c, path_arg(rq, "key"));
	const char *settings = key != NULL ? catalog_override(key) : NULL;

	if (settings == NULL)
		settings = "{}";
	return reply_raw(c, 200, NULL, settings, strlen(settings));
}

struct reply
catalog_status(struct ctx *c, const struct request *rq)
{
	const struct provider *p;
	const struct model *m;
	int64_t at = 0;
	struct jw *w;

	(void)rq;
	if (catalog_synced(c, &at) != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_time(w, "last_sync", at);
	jw_i64(w, "providers", (int64_t)catalog_providers(&p));
	jw_i64(w, "models", (int64_t)catalog_models(&m));
	jw_end(w);
	return reply_json(c, 200, w);
}
