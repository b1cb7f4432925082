/*
 * What agents remember: lists, searches, figures; and changes by people.
 *
 * For admins: nothing here takes personal data out for those who may not see them.
 */
#include "handlers/handlers.h"

#include <string.h>
#include <strings.h>

#include "lib/api/schemas.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/memory_item.h"

enum { TTL_HOURS = 24 };

static struct json_object *
rules(const struct ctx *c)
{
	return js_obj(c->cfg->raw, "proactive_memory");
}

static enum err
agent_of(struct ctx *c, const struct request *rq, enum memory_right right, char id[static 37])
{
	enum err e = request_agent_id(c, rq, id);

	return e == ERR_OK ? memory_may(c, right) : e;
}

/* A path argument that is to be a UUID. */
static enum err
uuid_of(struct ctx *c, const struct request *rq, const char *name, const char *what, char id[static 37])
{
	return uuid_parse(path_arg(rq, name), id) ? ERR_OK : fail(c, ERR_BAD_REQUEST, "Invalid input: %s is no UUID", what);
}

static int64_t
at_most(int64_t limit)
{
	return limit > MEMORY_PAGE_MAX ? MEMORY_PAGE_MAX : limit;
}

/* --- lists ---------------------------------------------------------------------------------- */

static struct reply
page(struct ctx *c, const struct request *rq, const char *agent_id)
{
	const struct memories_query *q = rq->query;
	struct memory_filter f = { .agent_id = agent_id, .level = q->level, .category = q->category, .limit = at_most(q->limit), .offset = q->offset };
	struct jw *w = reply_open(c);
	int64_t total = 0;

	jw_object(w, NULL);
	jw_array(w, "memories");
	if (memory_write_items(c, &f, w) != ERR_OK || memory_total(c, &f, &total) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_i64(w, "total", total);
	jw_i64(w, "offset", f.offset);
	jw_i64(w, "limit", f.limit);
	if (agent_id == NULL)
		jw_bool(w, "proactive_enabled", c->cfg->proactive_memory);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_list(struct ctx *c, const struct request *rq)
{
	return memory_may(c, MEMORY_READ) == ERR_OK ? page(c, rq, NULL) : reply_fail(c);
}

struct reply
memories_of_agent(struct ctx *c, const struct request *rq)
{
	char id[37];

	return agent_of(c, rq, MEMORY_READ, id) == ERR_OK ? page(c, rq, id) : reply_fail(c);
}

static struct reply
found(struct ctx *c, const struct memory_filter *f)
{
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	jw_array(w, "memories");
	if (memory_write_items(c, f, w) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_search(struct ctx *c, const struct request *rq)
{
	const struct memory_search_query *q = rq->query;

	if (memory_may(c, MEMORY_READ) != ERR_OK)
		return reply_fail(c);
	return found(c, &(struct memory_filter){ .agent_id = q->agent_id, .level = q->level, .q = q->q, .limit = at_most(q->limit), .ranked = true });
}

struct reply
memories_search_agent(struct ctx *c, const struct request *rq)
{
	const struct memory_search_query *q = rq->query;
	char id[37];

	if (agent_of(c, rq, MEMORY_READ, id) != ERR_OK)
		return reply_fail(c);
	return found(c, &(struct memory_filter){ .agent_id = id, .level = q->level, .q = q->q, .limit = at_most(q->limit), .ranked = true });
}

struct reply
memories_of_user(struct ctx *c, const struct request *rq)
{
	char id[37];

	if (uuid_of(c, rq, "user_id", "the user's id", id) != ERR_OK || memory_may(c, MEMORY_READ) != ERR_OK)
		return reply_fail(c);
	return found(c, &(struct memory_filter){ .agent_id = id, .level = "user", .limit = MEMORY_EXPORT_MAX });
}

/* --- figures ------------------------------------------------------------------------------------ */

static struct reply
stats(struct ctx *c, const char *agent_id)
{
	struct json_object *o = rules(c);
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	if (memory_write_stats(c, agent_id, w) != ERR_OK)
		return reply_fail(c);
	jw_bool(w, "enabled", js_bool(o, "enabled", true));
	jw_bool(w, "auto_memorize_enabled", js_bool(o, "auto_memorize", true));
	jw_bool(w, "auto_retrieve_enabled", js_bool(o, "auto_retrieve", true));
	jw_bool(w, "llm_extraction", js_str_or(o, "extraction_model", "")[0] != '\0');
	if (agent_id == NULL)
		jw_bool(w, "proactive_enabled", c->cfg->proactive_memory);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_stats(struct ctx *c, const struct request *rq)
{
	(void)rq;
	return memory_may(c, MEMORY_READ) == ERR_OK ? stats(c, NULL) : reply_fail(c);
}

struct reply
memories_stats_agent(struct ctx *c, const struct request *rq)
{
	char id[37];

	return agent_of(c, rq, MEMORY_READ, id) == ERR_OK ? stats(c, id) : reply_fail(c);
}

struct reply
memories_count(struct ctx *c, const struct request *rq)
{
	const struct memory_count_query *q = rq->query;
	bool known = q->level != NULL && (strcmp(q->level, "user") == 0 || strcmp(q->level, "agent") == 0 || strcmp(q->level, "session") == 0);
	struct jw *w = reply_open(c);
	int64_t n = 0;
	char id[37];

	if (agent_of(c, rq, MEMORY_READ, id) != ERR_OK ||
	    memory_total(c, &(struct memory_filter){ .agent_id = id, .level = known ? q->level : NULL }, &n) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "agent_id", id);
	jw_i64(w, "count", n);
	jw_str(w, "level", q->level);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_duplicates(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	int64_t n = 0;
	char id[37];

	if (agent_of(c, rq, MEMORY_READ, id) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_array(w, "groups");
	if (memory_write_groups(c, id, w, &n) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_i64(w, "duplicate_groups", n);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- one of them ----------------------------------------------------------------------------------- */

struct reply
memories_history(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	int64_t n = 0;
	char id[37];

	if (uuid_of(c, rq, "memory_id", "the memory's id", id) != ERR_OK || memory_may(c, MEMORY_READ) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "memory_id", id);
	jw_array(w, "versions");
	if (memory_write_versions(c, id, w, &n) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_i64(w, "version_count", n);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_replace(struct ctx *c, const struct request *rq)
{
	const struct memory_text *in = rq->body_struct;
	struct jw *w = reply_open(c);
	char id[37];

	if (in->content[strspn(in->content, " \t\r\n")] == '\0') {
		ignore_err(fail(c, ERR_BAD_REQUEST, "content must not be blank"));
		return reply_fail(c);
	}
	if (uuid_of(c, rq, "memory_id", "the memory's id", id) != ERR_OK || memory_may(c, MEMORY_WRITE) != ERR_OK ||
	    memory_replace(c, id, in->content) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_bool(w, "updated", true);
	jw_str(w, "memory_id", id);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_delete(struct ctx *c, const struct request *rq)
{
	char id[37];

	if (uuid_of(c, rq, "memory_id", "the memory's id", id) != ERR_OK || memory_may(c, MEMORY_REMOVE) != ERR_OK || memory_forget(c, id) != ERR_OK)
		return reply_fail(c);
	return reply_empty(c);
}

/* --- many of them -------------------------------------------------------------------------------------- */

struct reply
memories_bulk_delete(struct ctx *c, const struct request *rq)
{
	const struct memory_ids *in = rq->body_struct;
	size_t n = json_object_array_length(in->ids);
	int64_t deleted = 0, failed = 0;
	struct jw *w = reply_open(c);

	if (memory_may(c, MEMORY_REMOVE) != ERR_OK)
		return reply_fail(c);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(in->ids, i);
		enum err e = ERR_NOT_FOUND;
		char id[37];

		if (!json_object_is_type(o, json_type_string))
			continue;
		if (uuid_parse(json_object_get_string(o), id))
			e = memory_forget(c, id);
		if (e != ERR_OK && e != ERR_NOT_FOUND)
			return reply_fail(c);
		deleted += e == ERR_OK;
		failed += e != ERR_OK;
	}
	c->fault = (struct fault){ 0 };
	jw_object(w, NULL);
	jw_i64(w, "deleted", deleted);
	jw_i64(w, "failed", failed);
	jw_i64(w, "total", deleted + failed);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_delete_agent(struct ctx *c, const struct request *rq)
{
	char id[37];

	if (agent_of(c, rq, MEMORY_REMOVE, id) != ERR_OK || memory_forget_all(c, id, NULL) != ERR_OK)
		return reply_fail(c);
	return reply_empty(c);
}

struct reply
memories_delete_level(struct ctx *c, const struct request *rq)
{
	static const char *const levels[] = { "user", "session", "agent" };
	const char *s = path_arg(rq, "level"), *level = NULL;
	char id[37];

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcasecmp(s, levels[i]) == 0 || (strncasecmp(s, levels[i], strlen(levels[i])) == 0 && strcasecmp(s + strlen(levels[i]), "_memory") == 0))
			level = levels[i];
	if (agent_of(c, rq, MEMORY_REMOVE, id) != ERR_OK)
		return reply_fail(c);
	if (level == NULL) {
		ignore_err(fail(c, ERR_BAD_REQUEST, "Invalid memory level '%.*s'. Must be one of: user, session, agent", (int)utf8_cut(s, strlen(s), 100), s));
		return reply_fail(c);
	}
	return memory_forget_all(c, id, level) == ERR_OK ? reply_empty(c) : reply_fail(c);
}

struct reply
memories_consolidate(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	int64_t gone = 0;
	char id[37];

	if (agent_of(c, rq, MEMORY_REMOVE, id) != ERR_OK || memory_merge(c, id, &gone) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_bool(w, "consolidated", true);
	jw_i64(w, "merged_count", gone);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_cleanup(struct ctx *c, const struct request *rq)
{
	int64_t hours = js_i64(rules(c), "session_ttl_hours", TTL_HOURS), gone = 0;
	struct jw *w = reply_open(c);

	(void)rq;
	if (memory_may(c, MEMORY_REMOVE) != ERR_OK || (hours > 0 && memory_expire(c, c->now_ms - hours * 3600000, &gone) != ERR_OK))
		return reply_fail(c);
	jw_object(w, NULL);
	jw_bool(w, "cleaned_up", true);
	jw_i64(w, "deleted_count", gone);
	jw_i64(w, "session_ttl_hours", hours);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_decay(struct ctx *c, const struct request *rq)
{
	double rate = js_f64(rules(c), "confidence_decay_rate", 0.01);
	struct jw *w = reply_open(c);

	(void)rq;
	if (memory_may(c, MEMORY_REMOVE) != ERR_OK || memory_fade(c, rate) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_bool(w, "decayed", true);
	jw_f64(w, "decay_rate", rate);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- given away, taken in ---------------------------------------------------------------------------------- */

struct reply
memories_export(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	int64_t n = 0;
	char id[37];

	if (agent_of(c, rq, MEMORY_EXPORT, id) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "agent_id", id);
	jw_array(w, "memories");
	if (memory_write_export(c, id, w, &n) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_i64(w, "count", n);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memories_import(struct ctx *c, const struct request *rq)
{
	struct json_object *items = json_object_is_type(rq->json, json_type_array) ? rq->json : js_arr(rq->json, "memories");
	struct jw *w = reply_open(c);
	int64_t n = 0;
	char id[37];

	if (agent_of(c, rq, MEMORY_WRITE, id) != ERR_OK)
		return reply_fail(c);
	if (items == NULL) {
		ignore_err(fail(c, ERR_INVALID, "an array of memories is expected"));
		return reply_fail(c);
	}
	if (memory_import(c, id, items, &n) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_i64(w, "imported", n);
	jw_str(w, "agent_id", id);
	jw_end(w);
	return reply_json(c, 200, w);
}
