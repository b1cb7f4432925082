/*
 * Files that config.toml includes, and what in all of them is no part of the snapshot: addresses of proxies with
 * a name and a password in them, for the daemon alone.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/config_file_parts.h"

enum { INCLUDES_MAX = 32, INCLUDE_DEPTH_MAX = 10 };

struct including {
	const struct run_paths *p;
	unsigned files;                 /* so far */
};

/* What only `under` has comes to `over`; tables are merged, nothing else is. */
static bool
merge_under(struct json_object *over, struct json_object *under)
{
	json_object_object_foreach(under, name, v) {
		struct json_object *have = js_get(over, name);

		if (have == NULL) {
			if (json_object_object_add(over, name, json_object_get(v)) != 0) {
				json_object_put(v);
				return false;
			}
		} else if (json_object_is_type(have, json_type_object) && json_object_is_type(v, json_type_object)) {
			if (!merge_under(have, v))
				return false;
		}
	}
	return true;
}

static bool
is_inside(const char *path)
{
	if (path[0] == '/' || path[0] == '\0' || strlen(path) > 1024)
		return false;
	for (const char *p = path; p != NULL; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return false;
	}
	return true;
}

static enum err includes(struct including *, struct reading *, const char *const *above, unsigned depth);

static enum err
include(struct including *v, struct reading *r, const char *name, const char *const *above, unsigned depth)
{
	SCOPED_BUF b = BUF_INIT(CONFIG_BYTES_MAX);
	const char *slash = strrchr(v->p->config, '/'), *chain[INCLUDE_DEPTH_MAX + 2];
	struct reading in = *r;
	char path[8192];
	enum err e;

	for (unsigned i = 0; i < depth; i++) {
		if (strcmp(above[i], name) == 0)
			return ERR_OK;                  /* a circle ends where it began */
		chain[i] = above[i];
	}
	chain[depth] = name;
	if (++v->files > INCLUDES_MAX)
		return config_say_at(r, "include", "more than %d files are included", INCLUDES_MAX);
	snprintf(path, sizeof(path), "%.*s/%s", slash != NULL ? (int)(slash - v->p->config) : 0, v->p->config, name);
	if (buf_read_file(&b, path) != ERR_OK)
		return config_say_at(r, "include", "%s cannot be read", name);
	in.file = name;
	e = config_parse(&in, b.p != NULL ? b.p : "", b.len);
	if (e == ERR_OK)
		e = includes(v, &in, chain, depth + 1);
	if (e == ERR_OK && !merge_under(r->doc, in.doc))
		e = config_say(r, ERR_NOMEM, "out of memory");
	return e;
}

/* The last file named wins over those before it, and the including one over all. */
static enum err
includes(struct including *v, struct reading *r, const char *const *above, unsigned depth)
{
	struct json_object *list = js_arr(r->doc, "include");
	enum err e = ERR_OK;

	if (depth > INCLUDE_DEPTH_MAX)
		return config_say_at(r, "include", "files include each other too deeply");
	for (size_t i = list != NULL ? json_object_array_length(list) : 0; i > 0 && e == ERR_OK; i--) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i - 1));

		if (!is_inside(name))
			return config_say_at(r, "include", "a path below the configuration's directory is expected");
		e = include(v, r, name, above, depth);
	}
	return e;
}

enum err
config_includes(struct reading *r, const struct run_paths *p)
{
	struct including v = { .p = p };

	return includes(&v, r, NULL, 0);
}

/* --- proxies --------------------------------------------------------------------------- */

typedef void each_proxy(void *arg, const char *name, const char *url);

static void
tell_secrets(struct json_object *o, each_proxy *each, void *arg)
{
	if (o == NULL)
		return;
	json_object_object_foreach(o, name, v)
		if (json_object_is_type(v, json_type_string) && strchr(json_object_get_string(v), '@') != NULL)
			each(arg, name, json_object_get_string(v));
}

static void
wipe(struct json_object *o)
{
	if (o == NULL)
		return;
	json_object_object_foreach(o, name, v) {
		(void)name;
		if (json_object_is_type(v, json_type_string))
			zero_bytes((void *)(uintptr_t)json_object_get_string(v), (size_t)json_object_get_string_len(v));
	}
}

void
config_proxies_each(const struct run_paths *p, each_proxy *each, void *arg)
{
	struct ctx c = { .arena = arena_new(16384) };
	struct buf b = BUF_INIT(CONFIG_BYTES_MAX);
	struct reading r = { .c = &c, .file = "config.toml" };
	struct json_object *own, *all;

	if (c.arena != NULL && buf_read_file(&b, p->config) == ERR_OK && (r.warnings = json_keep(&c, json_object_new_array())) != NULL &&
	    config_parse(&r, b.p != NULL ? b.p : "", b.len) == ERR_OK && config_includes(&r, p) == ERR_OK) {
		own = js_obj(r.doc, "provider_proxy_urls");
		all = js_obj(r.doc, "proxy");
		tell_secrets(own, each, arg);
		tell_secrets(all, each, arg);
		wipe(own);
		wipe(all);
	}
	buf_zero_done(&b);
	if (c.arena != NULL)
		arena_free(c.arena);
}
