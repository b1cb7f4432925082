/*
 * OpenAI's list of models: every agent is one, then the catalog's usable ones.
 */
#include "handlers/cached.h"
#include "handlers/handlers.h"
#include "lib/svc/agent.h"
#include "lib/svc/catalog.h"
#include "lib/svc/catalog_data.h"

static void
write_usable(struct ctx *c, struct jw *w)
{
	const struct model *all;
	size_t n = catalog_models(&all);

	for (size_t i = 0; i < n; i++) {
		if (!catalog_available(c->cfg, &all[i]))
			continue;
		jw_object(w, NULL);
		jw_str(w, "id", all[i].id);
		jw_str(w, "object", "model");
		jw_i64(w, "created", c->now_ms / 1000);
		jw_str(w, "owned_by", all[i].provider);
		jw_end(w);
	}
}

static enum err
make_models(struct ctx *c, const struct request *rq, struct jw *w)
{
	enum err e;

	(void)rq;
	jw_object(w, NULL);
	jw_str(w, "object", "list");
	jw_array(w, "data");
	if ((e = agent_write_openai(c, w)) != ERR_OK)
		return e;
	write_usable(c, w);
	jw_end(w);
	jw_end(w);
	return ERR_OK;
}

struct reply
openai_models(struct ctx *c, const struct request *rq)
{
	static struct cached_rows lists;

	return cached_rows_reply(c, rq, &lists, make_models);
}
