/*
 * Several agents at once, and one made from another. Each of many stands for itself: what one
 * is refused for does not keep the next.
 */
#include <string.h>

#include "daemon/live/agents.h"
#include "daemon/spawn.h"
#include "daemon/turn.h"
#include "lib/agent/manifest.h"
#include "lib/agent/sandbox.h"
#include "lib/api/api.h"

enum { BULK_MAX = 50, NAME_MAX_BYTES = 256, FILE_MAX = 1 << 20 };

struct reply agents_bulk_spawn(struct ctx *, const struct request *);
struct reply agents_bulk_delete(struct ctx *, const struct request *);
struct reply agents_bulk_start(struct ctx *, const struct request *);
struct reply agents_bulk_stop(struct ctx *, const struct request *);
struct reply agents_clone(struct ctx *, const struct request *);

static enum err
size_checked(struct ctx *c, struct json_object *list)
{
	size_t n = json_object_array_length(list);

	if (n == 0)
		return fail(c, ERR_BAD_REQUEST, "bulk array is empty");
	return n <= BULK_MAX ? ERR_OK : fail(c, ERR_BAD_REQUEST, "bulk array size %zu exceeds maximum %d", n, BULK_MAX);
}

/* The results are gathered first: the counts stand before them. */
struct outcome { const char *id, *name, *text; bool ok; };

static struct outcome
failed(struct ctx *c, enum err e, const char *id)
{
	struct outcome o = { .id = id, .text = err_status(e) < 500 ? c->fault.msg : "Internal server error" };

	c->fault = (struct fault){ 0 };
	return o;
}

static struct reply
outcomes(struct ctx *c, const struct outcome *v, size_t n, bool made)
{
	struct jw *w = reply_open(c);
	size_t ok = 0;

	for (size_t i = 0; i < n; i++)
		ok += v[i].ok;
	jw_object(w, NULL);
	jw_i64(w, "total", (int64_t)n);
	jw_i64(w, "succeeded", (int64_t)ok);
	jw_i64(w, "failed", (int64_t)(n - ok));
	jw_array(w, "results");
	for (size_t i = 0; i < n; i++) {
		jw_object(w, NULL);
		if (made)
			jw_i64(w, "index", (int64_t)i);
		if (v[i].id != NULL)
			jw_str(w, "agent_id", v[i].id);
		jw_bool(w, "success", v[i].ok);
		if (v[i].name != NULL)
			jw_str(w, "name", v[i].name);
		if (v[i].text != NULL)
			jw_str(w, v[i].ok ? "message" : "error", v[i].text);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

static struct outcome
spawn_one(struct ctx *c, struct json_object *in)
{
	struct outcome o = { .ok = true };
	char *id = ctx_alloc(c, 37);
	void *asked;
	enum err e = id == NULL ? fail(c, ERR_NOMEM, "out of memory") : schema_decode(c, &spawn_request, in, &asked);

	if (e == ERR_OK)
		e = agent_spawn_asked(c, asked, id, &o.name);
	if (e != ERR_OK)
		return failed(c, e, NULL);
	o.id = id;
	return o;
}

struct reply
agents_bulk_spawn(struct ctx *c, const struct request *rq)
{
	const struct bulk_spawn_request *in = rq->body_struct;
	struct outcome v[BULK_MAX];
	size_t n = json_object_array_length(in->agents);

	if (size_checked(c, in->agents) != ERR_OK)
		return reply_fail(c);
	for (size_t i = 0; i < n; i++)
		v[i] = spawn_one(c, json_object_array_get_idx(in->agents, i));
	return outcomes(c, v, n, true);
}

/* --- those that are there --------------------------------------------------------------------- */

/* What is done with one; *ret_text: what to say of it. */
typedef enum err (*deed)(struct ctx *, const char *id, const char **ret_text);

static struct reply
each(struct ctx *c, const struct request *rq, deed do_it)
{
	const struct bulk_request *in = rq->body_struct;
	struct outcome v[BULK_MAX];
	size_t n = json_object_array_length(in->agent_ids);

	if (size_checked(c, in->agent_ids) != ERR_OK)
		return reply_fail(c);
	for (size_t i = 0; i < n; i++) {
		struct json_object *s = json_object_array_get_idx(in->agent_ids, i);
		char id[37];
		enum err e;

		v[i] = (struct outcome){ .id = json_object_get_string(s), .ok = true };
		e = agent_id_arg(c, v[i].id, (size_t)json_object_get_string_len(s), id);
		if (e == ERR_OK)
			e = do_it(c, id, &v[i].text);
		if (e != ERR_OK)
			v[i] = failed(c, e, v[i].id);
	}
	return outcomes(c, v, n, false);
}

static enum err
delete_one(struct ctx *c, const char *id, const char **ret_text)
{
	struct agent a;
	bool was;
	enum err e = agent_load(c, id, &a);

	*ret_text = "Deleted";
	if (e == ERR_OK && a.is_hand)
		e = hand_refuses_end(c);
	return e == ERR_OK ? agent_end(c, id, false, &was) : e;
}

static enum err
start_one(struct ctx *c, const char *id, const char **ret_text)
{
	struct agent a;
	enum err e = agent_load(c, id, &a);

	*ret_text = "Agent set to Full mode";
	if (e == ERR_OK)
		e = agent_enable(c, &a, true);
	return e == ERR_OK ? agent_set_mode(c, id, "full", a.stable) : e;
}

static enum err
stop_one(struct ctx *c, const char *id, const char **ret_text)
{
	struct agent a;
	enum err e = agent_load(c, id, &a);
	unsigned n = e == ERR_OK ? turns_cancel(id, NULL, CANCEL_USER) : 0;

	if (e != ERR_OK && e != ERR_NOT_FOUND)
		return e;
	c->fault = (struct fault){ 0 };         /* what is not there does not run */
	*ret_text = n > 0 ? "Run cancelled" : "No active run";
	return ERR_OK;
}

struct reply
agents_bulk_delete(struct ctx *c, const struct request *rq)
{
	return each(c, rq, delete_one);
}

struct reply
agents_bulk_start(struct ctx *c, const struct request *rq)
{
	return each(c, rq, start_one);
}

struct reply
agents_bulk_stop(struct ctx *c, const struct request *rq)
{
	return each(c, rq, stop_one);
}

/* --- a copy --------------------------------------------------------------------------------- */

static enum err
copy_file(struct ctx *c, const char *from, const char *to, const char *name)
{
	SCOPED_BUF b = BUF_INIT(FILE_MAX);
	const char *inner = ctx_printf(c, ".identity/%s", name);
	enum err e = inner == NULL ? fail(c, ERR_NOMEM, "out of memory")
	    : sandbox_read(c, from, inner, strlen(inner), FILE_MAX, &b);

	if (e == ERR_NOT_FOUND)
		e = sandbox_read(c, from, name, strlen(name), FILE_MAX, &b);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	return e == ERR_OK ? sandbox_write(c, to, inner, strlen(inner), b.p != NULL ? b.p : "", b.len, NULL) : e;
}

/* Its place is the one that it got, which need not be the one of its name. */
static struct reply
cloned(struct ctx *c, const struct agent *a, const char *id, const char *name)
{
	const char *from = manifest_workspace(c, a->manifest, a->id), *to, *lost[16];
	struct agent made;
	size_t n = 0;
	struct jw *w;

	to = agent_load(c, id, &made) == ERR_OK ? manifest_workspace(c, made.manifest, id) : NULL;
	if (to == NULL)
		lost[n++] = "files";
	for (const char *const *f = workspace_identity_files; from != NULL && to != NULL && *f != NULL; f++)
		if (copy_file(c, from, to, *f) != ERR_OK)
			lost[n++] = *f;
	if (agent_set_identity(c, id, a->identity) != ERR_OK)
		lost[n++] = "identity";
	c->fault = (struct fault){ 0 };         /* the copy is there; what it lacks is told */
	w = reply_open(c);
	jw_object(w, NULL);
	jw_str(w, "agent_id", id);
	jw_str(w, "name", name);
	jw_bool(w, "partial", n > 0);
	jw_array(w, "warnings");
	for (size_t i = 0; i < n; i++)
		jw_str(w, NULL, ctx_printf(c, "%s could not be copied", lost[i]));
	jw_end(w);
	jw_end(w);
	return reply_json(c, 201, w);
}

/* The copy is nobody's role. */
static void
leave_hand(struct json_object *m)
{
	struct json_object *tags = js_arr(m, "tags"), *kept = json_object_new_array();
	const char *tag;

	json_object_object_del(m, "is_hand");
	for (size_t i = 0; tags != NULL && i < json_object_array_length(tags); i++)
		if ((tag = json_object_get_string(json_object_array_get_idx(tags, i))) != NULL && strncmp(tag, "hand:", 5) != 0)
			json_object_array_add(kept, json_object_new_string(tag));
	json_object_object_add(m, "tags", kept);
}

static void
leave_out(const struct clone_request *in, struct json_object *m)
{
	json_object_object_del(m, "workspace");         /* it gets its own */
	leave_hand(m);
	if (!in->include_skills) {
		json_object_object_add(m, "skills", json_object_new_array());
		json_object_object_add(m, "skills_disabled", json_object_new_boolean(1));
	}
	if (!in->include_tools) {
		json_object_object_add(m, "tool_allowlist", json_object_new_array());
		json_object_object_add(m, "tool_blocklist", json_object_new_array());
		json_object_object_add(m, "tools_disabled", json_object_new_boolean(1));
	}
}

struct reply
agents_clone(struct ctx *c, const struct request *rq)
{
	const struct clone_request *in = rq->body_struct;
	struct json_object *m = NULL;
	struct spawn s = { 0 };
	const char *name;
	struct agent a;
	char id[37];
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK && strlen(in->new_name) > NAME_MAX_BYTES)
		e = fail(c, ERR_TOO_LARGE, "new_name: at most %d bytes", NAME_MAX_BYTES);
	if (e == ERR_OK && text_blank(in->new_name))
		e = fail(c, ERR_BAD_REQUEST, "new_name: at least one character is expected");
	if (e == ERR_OK)
		e = manifest_copy(c, &a, &m);
	if (e != ERR_OK)
		return reply_fail(c);
	leave_out(in, m);
	member_put(m, "name", text_trimmed(c, in->new_name));
	if ((s.toml = manifest_to_toml(c, m)) == NULL) {
		ignore_err(fail(c, ERR_NOMEM, "out of memory"));
		return reply_fail(c);
	}
	s.toml_n = strlen(s.toml);
	if (agent_spawn(c, &s, id, &name) != ERR_OK)
		return reply_fail(c);
	return cloned(c, &a, id, name);
}
