/* The state is a word in shared memory, as it is asked for with every look at the server's health; names are rows. */
#include "lib/svc/vectors.h"

#include <string.h>
#include <strings.h>

#include "db/db.h"
#include "lib/base/json.h"
#include "lib/base/shm.h"

static enum err
keep(struct ctx *c, const char *name, const char *value)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE"
	    " SET value = excluded.value WHERE meta.value <> excluded.value"));

	bind_text(st, name);
	bind_text(st, value != NULL ? value : "");
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
kept(struct ctx *c, const char *name, const char **ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT value FROM meta WHERE name = ? AND value <> ''"));

	*ret = NULL;
	bind_text(st, name);
	while (db_step(st))
		*ret = col_text(c, st, "value");
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
vectors_tell(struct ctx *c, enum vectors state, const char *provider, const char *model)
{
	enum err e = keep(c, "vectors_provider", provider);

	if (e == ERR_OK)
		e = keep(c, "vectors_model", model);
	if (shm != NULL)
		atomic_store(&shm->vectors, (uint32_t)state);
	return e;
}

void
vectors_rest(int64_t until_ms)
{
	if (shm != NULL)
		atomic_store(&shm->vectors_rest_ms, until_ms);
}

enum vectors
vectors_state(void)
{
	return shm != NULL ? (enum vectors)atomic_load_explicit(&shm->vectors, memory_order_relaxed) : VECTORS_UNKNOWN;
}

bool
vectors_resting(int64_t now_ms)
{
	return shm != NULL && atomic_load_explicit(&shm->vectors_rest_ms, memory_order_relaxed) > now_ms;
}

enum err
vectors_who(struct ctx *c, const char **ret_provider, const char **ret_model)
{
	enum err e;

	*ret_provider = *ret_model = NULL;
	if (vectors_state() != VECTORS_READY)
		return ERR_OK;
	e = kept(c, "vectors_provider", ret_provider);
	return e == ERR_OK ? kept(c, "vectors_model", ret_model) : e;
}

bool
vectors_required(const struct config *cfg)
{
	struct json_object *rules = cfg != NULL ? js_obj(cfg->raw, "memory") : NULL;
	const char *provider = js_str_or(rules, "embedding_provider", "");

	return provider[0] != '\0' && strcasecmp(provider, "auto") != 0 && strcasecmp(provider, "none") != 0 &&
	    !js_bool(rules, "fts_only", false);
}
