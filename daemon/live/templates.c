/*
 * Templates over the API: shown, and those of the home made, changed, removed and put back.
 *
 * A template that is part of the program is never changed: a change is a copy of it in the home, which
 * hides it; removing that copy shows it again.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/template_file.h"
#include "db/db.h"
#include "lib/agent/manifest.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/base/util.h"
#include "lib/svc/template_version.h"

#define HANDLER(name) struct reply name(struct ctx *, const struct request *)
HANDLER(templates_list);
HANDLER(templates_show);
HANDLER(templates_text);
HANDLER(templates_make);
HANDLER(templates_change);
HANDLER(templates_remove);
HANDLER(templates_history);
HANDLER(templates_restore);
#undef HANDLER

struct template {
	const char *name, *toml;
	size_t n;
	bool own;                       /* in the home */
	struct json_object *manifest;
};

static enum err
find(struct ctx *c, const char *name, struct template *ret)
{
	*ret = (struct template){ .name = name };
	return template_find(c, name, &ret->toml, &ret->n, &ret->own);
}

/* Also read. INTERNAL: somebody wrote a file that is no manifest. */
static enum err
load(struct ctx *c, const char *name, struct template *ret)
{
	enum err e = find(c, name, ret);

	if (e == ERR_OK)
		e = manifest_parse(c, ret->toml, ret->n, &ret->manifest);
	return e == ERR_BAD_REQUEST ? fail_code(c, ERR_INTERNAL, "invalid_template", "Invalid template manifest") : e;
}

static enum err
named(struct ctx *c, const struct request *rq, struct template *ret)
{
	const struct path_arg *a = path_arg_n(rq, "name");

	return load(c, strlen(a->value) == a->n ? a->value : "", ret);
}

/* --- shown ---------------------------------------------------------------------------- */

static const char *
source_of(const struct template *t)
{
	return t->own ? "agent-type" : "builtin";
}

static void
write_row(struct jw *w, const struct template *t)
{
	struct json_object *model = js_obj(t->manifest, "model");

	jw_object(w, NULL);
	jw_str(w, "name", t->name);
	jw_str(w, "description", js_str_or(t->manifest, "description", ""));
	jw_str(w, "provider", js_str_or(model, "provider", "default"));
	jw_str(w, "model", js_str_or(model, "model", "default"));
	jw_str(w, "source", source_of(t));
	jw_bool(w, "editable", true);
	jw_end(w);
}

/* Rows of ours are the same for ever: each is made once. *kept: where. */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;

static enum err
row_of_ours(struct ctx *c, const char *name, size_t at, struct jw *w)
{
	static char *rows[256];
	struct buf b = BUF_INIT(65536);
	struct jw one = JW_INIT(&b);
	struct template t;
	enum err e = ERR_OK;

	pthread_mutex_lock(&mu);
	if (rows[at] == NULL && (e = load(c, name, &t)) == ERR_OK) {
		write_row(&one, &t);
		rows[at] = b.failed ? NULL : strdup(b.p);
	}
	if (rows[at] != NULL)
		jw_raw(w, NULL, rows[at], strlen(rows[at]));
	else if (e == ERR_OK)
		e = fail(c, ERR_NOMEM, "out of memory");
	pthread_mutex_unlock(&mu);
	buf_done(&b);
	return e;
}

static size_t
place_of_ours(const char *name)
{
	const char *const *names;
	size_t n = template_names(&names), i = 0;

	while (i < n && strcmp(names[i], name) != 0)
		i++;
	return i < n && i < 256 ? i : SIZE_MAX;
}

static enum err
list_one(struct ctx *c, const char *name, struct jw *w, int64_t *total)
{
	struct template t;
	size_t at = place_of_ours(name);
	enum err e = find(c, name, &t);

	if (e == ERR_OK && !t.own && at != SIZE_MAX) {
		++*total;
		return row_of_ours(c, name, at, w);
	}
	if (e == ERR_OK)
		e = load(c, name, &t);
	if (e == ERR_OK) {
		++*total;
		write_row(w, &t);
	} else if (e != ERR_NOMEM && e != ERR_IO) {
		log_line(LOG_WARN, "rid=%s what=\"a template is no manifest\" name=%s", c->rid, name);
		c->fault = (struct fault){ 0 };
		e = ERR_OK;
	}
	return e;
}

struct reply
templates_list(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	const char **all;
	size_t n = 0;
	int64_t total = 0;
	enum err e;

	(void)rq;
	jw_object(w, NULL);
	jw_array(w, "templates");
	e = templates_all(c, &all, &n);
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = list_one(c, all[i], w, &total);
	jw_end(w);
	jw_i64(w, "total", total);
	jw_end(w);
	return e == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

static void
write_list(struct jw *w, const char *key, struct json_object *list)
{
	if (list != NULL) {
		jw_json(w, key, list);
		return;
	}
	jw_array(w, key);
	jw_end(w);
}

static void
write_spec(struct jw *w, const struct template *t)
{
	struct json_object *m = t->manifest, *model = js_obj(m, "model");

	jw_object(w, "spec");
	jw_str(w, "name", t->name);
	jw_str(w, "description", js_str_or(m, "description", ""));
	jw_str(w, "system_prompt", js_str_or(model, "system_prompt", ""));
	jw_str(w, "provider", js_str_or(model, "provider", "default"));
	jw_str(w, "model", js_str_or(model, "model", "default"));
	write_list(w, "tools", js_arr(js_obj(m, "capabilities"), "tools"));
	write_list(w, "skills", js_arr(m, "skills"));
	jw_end(w);
}

static void
write_manifest(struct jw *w, const struct template *t)
{
	struct json_object *m = t->manifest, *model = js_obj(m, "model"), *can = js_obj(m, "capabilities");

	jw_object(w, "manifest");
	jw_str(w, "name", js_str_or(m, "name", t->name));
	jw_str(w, "description", js_str_or(m, "description", ""));
	jw_str(w, "module", js_str_or(m, "module", "builtin:chat"));
	write_list(w, "tags", js_arr(m, "tags"));
	jw_object(w, "model");
	jw_str(w, "provider", js_str_or(model, "provider", "default"));
	jw_str(w, "model", js_str_or(model, "model", "default"));
	jw_end(w);
	jw_object(w, "capabilities");
	write_list(w, "tools", js_arr(can, "tools"));
	write_list(w, "network", js_arr(can, "network"));
	jw_end(w);
	jw_end(w);
}

static struct reply
detail(struct ctx *c, int status, const struct template *t)
{
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	jw_str(w, "name", t->name);
	jw_str(w, "source", source_of(t));
	jw_bool(w, "editable", true);
	write_spec(w, t);
	write_manifest(w, t);
	jw_strn(w, "manifest_toml", t->toml, t->n);
	jw_end(w);
	return reply_json(c, status, w);
}

struct reply
templates_show(struct ctx *c, const struct request *rq)
{
	struct template t;

	return named(c, rq, &t) == ERR_OK ? detail(c, 200, &t) : reply_fail(c);
}

struct reply
templates_text(struct ctx *c, const struct request *rq)
{
	const struct path_arg *a = path_arg_n(rq, "name");
	struct template t;

	if (find(c, strlen(a->value) == a->n ? a->value : "", &t) != ERR_OK)
		return reply_fail(c);
	return reply_raw(c, 200, "text/plain; charset=utf-8", t.toml, t.n);
}

/* --- changed --------------------------------------------------------------------------- */

static void
put(struct json_object *o, const char *key, const char *v)
{
	if (v != NULL)
		json_object_object_add(o, key, json_object_new_string(v));
}

/* What the request names, over what is there. */
static void
apply(struct json_object *m, const struct template_request *in)
{
	struct json_object *model = js_obj(m, "model"), *can = js_obj(m, "capabilities");

	put(m, "description", in->description);
	put(model, "system_prompt", in->system_prompt);
	put(model, "provider", in->provider);
	put(model, "model", in->model);
	if (in->tools != NULL)
		json_object_object_add(can, "tools", json_object_get(in->tools));
	if (in->skills != NULL)
		json_object_object_add(m, "skills", json_object_get(in->skills));
}

/* Text of the manifest, checked as any other; on the disk, and remembered. */
static enum err
save(struct ctx *c, const char *name, struct json_object *m, const char *source, struct template *ret)
{
	const char *toml = manifest_to_toml(c, m);
	enum err e;

	*ret = (struct template){ .name = name, .toml = toml, .own = true };
	if (toml == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	ret->n = strlen(toml);
	e = manifest_parse(c, toml, ret->n, &ret->manifest);
	return e == ERR_OK ? template_file_save(c, name, toml, source) : e;
}

/* A copy that may be changed, with all that apply() looks for. */
static enum err
copy_of(struct ctx *c, struct json_object *manifest, struct json_object **ret)
{
	*ret = NULL;
	if (json_object_deep_copy(manifest, ret, NULL) != 0 || json_keep(c, *ret) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (js_obj(*ret, "model") == NULL)
		json_object_object_add(*ret, "model", json_object_new_object());
	if (js_obj(*ret, "capabilities") == NULL)
		json_object_object_add(*ret, "capabilities", json_object_new_object());
	return ERR_OK;
}

struct reply
templates_make(struct ctx *c, const struct request *rq)
{
	const struct template_request *in = rq->body_struct;
	const char *name = in->name != NULL ? in->name : "", *empty;
	struct json_object *m = NULL;
	struct template t;
	enum err e;

	if (!is_template_name(name)) {
		ignore_err(fail_code(c, ERR_BAD_REQUEST, "template_invalid_name",
		    "name: 1 to 64 letters, digits, '-' and '_' are expected"));
		return reply_fail(c);
	}
	e = find(c, name, &t);
	if (e == ERR_OK)
		e = fail_code(c, ERR_CONFLICT, "template_exists", "Template '%s' already exists", name);
	else if (e == ERR_NOT_FOUND)
		e = ERR_OK;
	if (e == ERR_OK)
		memset(&c->fault, 0, sizeof(c->fault));
	empty = ctx_printf(c, "name = \"%s\"\n", name);
	if (e == ERR_OK)
		e = empty == NULL ? fail(c, ERR_NOMEM, "out of memory") : manifest_parse(c, empty, strlen(empty), &m);
	if (e == ERR_OK)
		e = copy_of(c, m, &m);
	if (e == ERR_OK) {
		apply(m, in);
		e = save(c, name, m, "create", &t);
	}
	return e == ERR_OK ? detail(c, 201, &t) : reply_fail(c);
}

struct reply
templates_change(struct ctx *c, const struct request *rq)
{
	const struct template_request *in = rq->body_struct;
	struct json_object *m = NULL;
	struct template t;
	enum err e = named(c, rq, &t);

	if (e == ERR_OK && in->name != NULL && strcmp(in->name, t.name) != 0)
		e = fail_code(c, ERR_BAD_REQUEST, "template_invalid_name", "A template keeps its name");
	if (e == ERR_OK)
		e = copy_of(c, t.manifest, &m);
	if (e == ERR_OK) {
		apply(m, in);
		e = save(c, t.name, m, "dashboard", &t);
	}
	return e == ERR_OK ? detail(c, 200, &t) : reply_fail(c);
}

struct reply
templates_remove(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct template t;
	enum err e = named(c, rq, &t);

	if (e == ERR_OK && !t.own)
		e = fail_code(c, ERR_CONFLICT, "template_builtin", "Template '%s' is part of the program", t.name);
	if (e == ERR_OK)
		e = template_file_remove(c, t.name);
	if (e != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_bool(w, "deleted", true);
	jw_str(w, "name", t.name);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
templates_history(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct template t;

	if (named(c, rq, &t) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_array(w, "versions");
	if (template_versions_write(c, t.name, w) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
templates_restore(struct ctx *c, const struct request *rq)
{
	const char *number = path_arg(rq, "version_id"), *toml = NULL;
	size_t digits = strspn(number, "0123456789");
	struct json_object *m = NULL;
	struct template t;
	enum err e;

	if (digits == 0 || digits > 15 || number[digits] != '\0') {
		ignore_err(fail(c, ERR_BAD_REQUEST, "A version is a number"));
		return reply_fail(c);
	}
	e = named(c, rq, &t);
	if (e == ERR_OK)
		e = template_version_load(c, t.name, strtoll(number, NULL, 10), &toml);
	if (e == ERR_OK)
		e = manifest_parse(c, toml, strlen(toml), &m);
	if (e == ERR_OK)
		e = save(c, t.name, m, "restore", &t);
	return e == ERR_OK ? detail(c, 200, &t) : reply_fail(c);
}
