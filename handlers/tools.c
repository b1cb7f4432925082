/*
 * Tools: what agents can be given, one by one or by profile.
 */
#include "handlers/handlers.h"

#include <string.h>

#include "handlers/cached.h"
#include "lib/svc/toolcat.h"

static void
write_tool(struct jw *w, struct json_object *t)
{
	jw_object(w, NULL);
	jw_str(w, "name", js_str_or(t, "name", ""));
	jw_str(w, "description", js_str_or(t, "description", ""));
	jw_json(w, "input_schema", js_get(t, "input_schema"));
	jw_str(w, "source", "builtin");
	jw_end(w);
}

static enum err
make_all(struct ctx *c, struct buf *out)
{
	struct json_object *all = toolcat();
	size_t n = json_object_array_length(all);
	struct jw w = JW_INIT(out);

	if (all == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	jw_object(&w, NULL);
	jw_array(&w, "tools");
	for (size_t i = 0; i < n; i++)
		write_tool(&w, json_object_array_get_idx(all, i));
	jw_end(&w);
	jw_i64(&w, "total", (int64_t)n);
	jw_end(&w);
	return ERR_OK;
}

struct reply
tools_list(struct ctx *c, const struct request *rq)
{
	static struct cached_body body;

	return cached_reply(c, rq, &body, NULL, make_all);
}

struct reply
tools_show(struct ctx *c, const struct request *rq)
{
	const struct path_arg *name = path_arg_n(rq, "name");
	struct json_object *t = strlen(name->value) == name->n ? toolcat_find(name->value) : NULL;
	struct jw *w;

	if (t == NULL) {
		ignore_err(fail(c, ERR_NOT_FOUND, "Tool not found: %.*s",
		    (int)utf8_cut(name->value, strlen(name->value), 200), name->value));
		return reply_fail(c);
	}
	w = reply_open(c);
	write_tool(w, t);
	return reply_json(c, 200, w);
}

/* --- profiles --------------------------------------------------------------- */

static void
write_profile(struct jw *w, const struct tool_profile *p)
{
	jw_object(w, NULL);
	jw_str(w, "name", p->name);
	jw_array(w, "tools");
	for (const char *const *t = p->tools; *t != NULL; t++)
		jw_str(w, NULL, *t);
	jw_end(w);
	jw_end(w);
}

static enum err
make_profiles(struct ctx *c, struct buf *out)
{
	const struct tool_profile *all;
	size_t n = toolcat_profiles(&all);
	struct jw w = JW_INIT(out);

	(void)c;
	jw_array(&w, NULL);
	for (size_t i = 0; i < n; i++)
		write_profile(&w, &all[i]);
	jw_end(&w);
	return ERR_OK;
}

struct reply
profiles_list(struct ctx *c, const struct request *rq)
{
	static struct cached_body body;

	return cached_reply(c, rq, &body, NULL, make_profiles);
}

struct reply
profiles_show(struct ctx *c, const struct request *rq)
{
	const struct path_arg *name = path_arg_n(rq, "name");
	const struct tool_profile *p = strlen(name->value) == name->n ? toolcat_profile(name->value) : NULL;
	struct jw *w;

	if (p == NULL) {
		ignore_err(fail(c, ERR_NOT_FOUND, "Profile '%.*s' not found",
		    (int)utf8_cut(name->value, strlen(name->value), 200), name->value));
		return reply_fail(c);
	}
	w = reply_open(c);
	write_profile(w, p);
	return reply_json(c, 200, w);
}
