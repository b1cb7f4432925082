/*
 * Providers: the list and one of them. Ids are exact here, no aliases.
 */
#include "handlers/handlers.h"

#include <string.h>

#include "handlers/cached.h"
#include "lib/base/shm.h"
#include "lib/svc/catalog.h"
#include "lib/svc/catalog_data.h"

static enum err
make_all(struct ctx *c, struct buf *out)
{
	struct jw w = JW_INIT(out);
	size_t n;

	jw_object(&w, NULL);
	jw_array(&w, "providers");
	n = catalog_write_providers(&w, c->cfg);
	jw_end(&w);
	jw_i64(&w, "total", (int64_t)n);
	jw_end(&w);
	return ERR_OK;
}

struct reply
providers_list(struct ctx *c, const struct request *rq)
{
	static struct cached_body body;

	if (shm != NULL)
		atomic_store_explicit(&shm->providers_asked_ms, c->now_ms, memory_order_relaxed);
	return cached_reply(c, rq, &body, NULL, make_all);
}

struct reply
providers_show(struct ctx *c, const struct request *rq)
{
	const struct path_arg *name = path_arg_n(rq, "name");
	const struct provider *p = NULL;
	struct provider own;
	struct jw *w;

	if (strlen(name->value) == name->n) {
		p = catalog_provider(name->value);
		if (p != NULL && !catalog_listed(c->cfg, p))
			p = NULL;
		else if (p == NULL && catalog_provider_custom(c->cfg, name->value, &own))
			p = &own;
	}
	if (p == NULL) {
		ignore_err(fail_code(c, ERR_NOT_FOUND, "provider_not_found", "Provider '%.*s' not found",
		    (int)utf8_cut(name->value, strlen(name->value), 64), name->value));
		return reply_fail(c);
	}
	w = reply_open(c);
	catalog_write_provider(w, c->cfg, p, true);
	return reply_json(c, 200, w);
}
