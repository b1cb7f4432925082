/*
 * Dispatch: from the raw request to the reply, the same in every program.
 *
 * The order is the contract's: path, preflight, limiter, authentication,
 * existence, role, version, body, handler. A request inside the API learns whether a path
 * exists only after it has shown who it is.
 */
#include <string.h>
#include <strings.h>

#include "lib/api/api.h"
#include "lib/base/util.h"
#include "lib/svc/audit.h"
#include "lib/svc/config.h"

struct reply (*dispatch_other)(struct ctx *, struct request *);

enum { COST_DEFAULT = 5, TARGET_NOTED = 256 };

static bool
inside_api(const char *t)
{
	static const char *const parts[] = { "/api", "/v1", "/mcp", "/a2a" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t n = strlen(parts[i]);

		if (strncmp(t, parts[i], n) == 0 && strchr("/?", t[n]) != NULL)
			return true;
	}
	return false;
}

static struct reply
failed(struct ctx *c, const struct request *rq)
{
	return reply_shaped(c, rq, reply_fail(c));
}

static enum err
check_version(struct ctx *c, const struct request *rq)
{
	static const char kind[] = "application/vnd.librefang.";
	const char *p = rq->h.accept == NULL ? NULL : strstr(rq->h.accept, kind), *v;
	size_t n;

	if (p == NULL || strncmp(rq->target, "/api/v1/", 8) == 0)
		return ERR_OK;
	v = p + strlen(kind);
	n = strcspn(v, "+;, ");
	if (n == 2 && strncmp(v, "v1", 2) == 0)
		return ERR_OK;
	ignore_err(fail(c, ERR_NOT_ACCEPTABLE, "Unsupported API version: %.*s",
	    (int)utf8_cut(v, n, 32), v));
	c->fault.extra = "\"available\":[\"v1\"]";
	return ERR_NOT_ACCEPTABLE;
}

static bool
is_json_type(const char *t)
{
	size_t n;

	if (t == NULL)
		return false;
	t += strspn(t, " \t");
	n = strcspn(t, "; \t");
	if (n == 16 && strncasecmp(t, "application/json", 16) == 0)
		return true;
	return n > 17 && strncasecmp(t, "application/", 12) == 0 && strncasecmp(t + n - 5, "+json", 5) == 0;
}

/* No body, or what a client of Go writes for one that is nil. */
static bool
is_nothing(const struct request *rq)
{
	return rq->body_bytes == 0 || (rq->body_bytes == 4 && memcmp(rq->body, "null", 4) == 0);
}

static enum err
shape_error(struct ctx *c, const struct route *r, enum err e)
{
	if ((r->flags & RT_FIELDS_400) != 0 && e == ERR_INVALID) {
		c->fault.err = ERR_BAD_REQUEST;
		return ERR_BAD_REQUEST;
	}
	if ((r->flags & RT_SHAPE_400) == 0 || err_status(e) >= 500)
		return e;
	return fail_code(c, ERR_BAD_REQUEST, "invalid_json", "Invalid JSON body: %s", c->fault.msg);
}

static enum err
read_body(struct ctx *c, struct request *rq)
{
	const struct route *r = rq->route;
	const struct schema *s = r->body;
	struct json_fault f;
	void *in = NULL;
	bool optional = (r->flags & RT_OPTIONAL_BODY) != 0;
	enum err e;

	if ((rq->body_bytes > 0 || !optional) && (r->flags & RT_SHAPE_400) == 0 && !is_json_type(rq->h.content_type))
		return fail(c, ERR_MEDIA_TYPE, "Expected request with `Content-Type: application/json`");
	if (optional && is_nothing(rq)) {
		rq->body = "{}";
		rq->body_bytes = 2;
	}
	if ((s->flags & SF_RAW) != 0) {
		if (json_check(rq->body, rq->body_bytes, JSON_DEPTH_MAX, &f) == ERR_OK)
			return ERR_OK;
		return f.too_deep
		    ? fail(c, ERR_VALIDATION, "JSON nesting depth exceeds maximum of %d", JSON_DEPTH_MAX)
		    : fail(c, ERR_BAD_REQUEST, "Malformed JSON: %s at byte %zu", f.why, f.at);
	}
	e = json_read(c, rq->body, rq->body_bytes, &rq->json);
	if (e == ERR_OK && (s->flags & SF_ANY) == 0)
		e = schema_decode(c, s, rq->json, &in);
	rq->body_struct = in;
	return e == ERR_OK ? ERR_OK : shape_error(c, r, e);
}

static enum err
check_caller(struct ctx *c, struct request *rq, const struct match *m)
{
	struct caller *w = ctx_alloc(c, sizeof(*w));
	bool open_row = m->route != NULL && (m->route->role == PUBLIC ||
	    ((m->route->flags & RT_READS) != 0 && c->cfg->reads_open));
	enum err e;

	if (w == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (c->cfg->open_mode && !rq->control && (e = open_mode_check(c, rq)) != ERR_OK)
		return e;
	if (open_row || (m->route == NULL && !inside_api(rq->target))) {
		bool read = m->route != NULL && m->route->role != PUBLIC;

		/* only tells who: a read that is open to all shows all, save to a known caller of lower rank */
		if (!(rq->control || c->cfg->open_mode || read) || auth_check(c, rq, w) != ERR_OK)
			*w = (struct caller){ .role = VIEWER, .name = "anonymous", .open_mode = read };
		fault_forget(c, (struct fault){ 0 });
		c->who = w;
		return ERR_OK;
	}
	e = auth_check(c, rq, w);
	c->who = w;
	return e;
}

static struct reply
run_handler(struct ctx *c, struct request *rq)
{
	struct reply r, replay;
	int64_t id = 0;

	if ((rq->route->flags & RT_IDEMPOTENT) == 0 || rq->h.idempotency_key == NULL)
		return rq->route->handler(c, rq);
	switch (idem_begin(c, rq, &id, &replay)) {
	case IDEM_REPLAY:
		return replay;
	case IDEM_FAIL:
		return failed(c, rq);
	case IDEM_RUN:
		break;
	}
	r = rq->route->handler(c, rq);
	idem_finish(c, id, &r);
	return r;
}

struct audit
refusal_of(struct ctx *c, const struct request *rq)
{
	size_t n = strcspn(rq->target, "?");

	return (struct audit){ .action = "PermissionDenied", .channel = "api",
	    .detail = ctx_printf(c, "%s %.*s", rq->method, (int)utf8_cut(rq->target, n, TARGET_NOTED), rq->target),
	    .outcome = ctx_printf(c, "role=%s", role_names[c->who->role]) };
}

/* Who tried what they may not is written down; that it could not be is no reason to let them. */
static void
note_refused(struct ctx *c, const struct request *rq)
{
	struct audit a = refusal_of(c, rq);
	enum err e = audit_alone(c, &a);

	if (e != ERR_OK)
		log_line(LOG_WARN, "rid=%s err=%s what=\"a refusal is not in the audit log\" %s", c->rid, err_code(e), a.outcome);
}

static enum err
check_role(struct ctx *c, struct request *rq)
{
	const struct route *r = rq->route;

	if (c->who->role >= r->role || r->role == PUBLIC || ((r->flags & RT_READS) != 0 && c->cfg->reads_open))
		return ERR_OK;
	rq->by_role = true;
	return fail(c, ERR_FORBIDDEN, "Role '%s' is not allowed to access this endpoint", role_names[c->who->role]);
}

static enum err
read_query(struct ctx *c, struct request *rq)
{
	void *q = NULL;
	enum err e;

	if (rq->route->query == NULL)
		return ERR_OK;
	e = query_decode(c, rq->route->query, rq->query_raw, &q);
	rq->query = q;
	return e;
}

static struct reply
routed(struct ctx *c, struct request *rq, enum runs mine)
{
	const struct route *r = rq->route;
	struct reply out;

	if (r->handler == NULL && r->runs != mine && dispatch_other != NULL)
		return dispatch_other(c, rq);
	if (r->handler == NULL) {
		ignore_err(fail_code(c, ERR_UNAVAILABLE, "daemon_unavailable", "Service unavailable"));
		return failed(c, rq);
	}
	if (read_query(c, rq) != ERR_OK || (r->body != NULL && read_body(c, rq) != ERR_OK))
		return failed(c, rq);
	out = run_handler(c, rq);
	if (memory_short && out.status < 400 && !out.streamed && !out.stays) {
		ignore_err(fail(c, ERR_NOMEM, "out of memory"));        /* something may be missing in it */
		return failed(c, rq);
	}
	return out.status >= 400 && !out.streamed && out.err != ERR_OK ? reply_shaped(c, rq, out) : out;
}

static bool
preflight(const struct request *rq)
{
	return strcmp(rq->method, "OPTIONS") == 0 && rq->h.origin != NULL && rq->h.acr_method != NULL;
}

/* Everything that is asked before the row's own business. */
static enum err
admit(struct ctx *c, struct request *rq, struct match *m)
{
	enum err e;

	if (!rq->control && m->route != NULL && (m->route->flags & RT_LOGIN) != 0 && (e = login_limit_check(c, rq->peer)) != ERR_OK)
		return e;
	if (!rq->control &&
	    (e = limit_check(c, rq->peer, m->route != NULL ? m->route->cost : COST_DEFAULT)) != ERR_OK)
		return e;
	if ((e = check_caller(c, rq, m)) != ERR_OK)
		return e;
	if (m->bad_path)
		return fail(c, ERR_BAD_REQUEST, "The path is not well-formed");
	if (m->route == NULL)
		return m->path_known ? fail(c, ERR_METHOD, "Method not allowed") : fail(c, ERR_NOT_FOUND, "Not found");
	if ((e = check_role(c, rq)) != ERR_OK)
		return e;
	return check_version(c, rq);
}

static void
find_row(struct ctx *c, struct request *rq, struct match *m)
{
	if (rq->body == NULL)
		rq->body = "";
	peer_resolve(c, rq);
	route_match(c, rq->method, rq->target, m);
	rq->route = m->route;
	rq->head = strcmp(rq->method, "HEAD") == 0;
	rq->n_args = m->n_args;
	rq->query_raw = m->query_raw;
	memcpy(rq->args, m->args, sizeof(rq->args));
}

enum err
dispatch_admit(struct ctx *c, struct request *rq)
{
	struct match m;
	enum err e;

	find_row(c, rq, &m);
	e = admit(c, rq, &m);
	return e == ERR_OK ? read_query(c, rq) : e;
}

struct reply
dispatch(struct ctx *c, struct request *rq, enum runs mine)
{
	struct match m;
	struct reply r;

	memory_short = false;
	find_row(c, rq, &m);
	if (preflight(rq))
		return (struct reply){ .status = 200 };
	if (admit(c, rq, &m) == ERR_OK)
		return routed(c, rq, mine);
	if (rq->by_role)
		note_refused(c, rq);
	r = failed(c, rq);
	if (r.status == 405)
		r.allow = ctx_strdup(c, m.allow);
	return r;
}
