/*
 * The endpoint reference (Markdown) and the plain list of rows.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/api/gen/gen.h"

static const char *
type_text(const struct field *f)
{
	switch (f->type) {
	case FT_STRING: return "string";
	case FT_UUID: return "UUID";
	case FT_TIME: return "time";
	case FT_INT: return "integer";
	case FT_NUMBER: return "number";
	case FT_BOOL: return "boolean";
	case FT_OBJECT: return f->of != NULL ? f->of->name : "object";
	case FT_MAP: return "map";
	case FT_ARRAY: return "array";
	case FT_STRING_OR_ARRAY: return "string or array";
	default: return "any";
	}
}

static void
fields(struct buf *out, const char *title, const struct schema *s)
{
	if (s == NULL || s->fields == NULL || s->fields->name == NULL)
		return;
	buf_printf(out, "\n%s%s%s:\n\n| member | type | |\n|---|---|---|\n", title,
	    (s->flags & SF_STRICT) != 0 ? " (no other members)" : "",
	    (s->flags & SF_ARRAY) != 0 ? ", an array of" : "");
	for (const struct field *f = s->fields; f->name != NULL; f++) {
		buf_printf(out, "| `%s` | %s%s%s | %s", f->name, type_text(f),
		    f->type == FT_ARRAY && f->of != NULL ? " of " : "",
		    f->type == FT_ARRAY && f->of != NULL ? f->of->name : "",
		    (f->flags & FF_NULLABLE) != 0 ? "may be null " : "");
		if (s->bytes > 0)
			buf_str(out, (f->flags & FF_REQUIRED) != 0 ? "required " : "optional ");
		if (s->bytes > 0 && f->max > 0)
			buf_printf(out, "≤ %" PRId64 " ", f->max);
		for (size_t i = 0; f->values != NULL && f->values[i] != NULL; i++)
			buf_printf(out, "%s`%s`", i > 0 ? ", " : "", f->values[i]);
		buf_printf(out, "%s |\n", f->doc != NULL ? f->doc : "");
	}
}

static void
curl_line(struct buf *out, const struct route *r)
{
	const struct example *x = example_of(r);

	buf_str(out, "\n```sh\ncurl");
	if (r->verb != GET)
		buf_printf(out, " -X %s", verb_names[r->verb]);
	if ((r->flags & RT_STREAM) != 0)
		buf_str(out, " -N");
	if (r->role != PUBLIC)
		buf_printf(out, " -H \"Authorization: Bearer %s\"", x->key != NULL ? x->key : "$KEY");
	if (x->words != NULL)
		buf_printf(out, " %s", x->words);
	if (r->body != NULL)
		buf_str(out, " -H 'Content-Type: application/json' -d ");
	if (x->quoted != NULL)
		buf_printf(out, "\"%s\"", x->quoted);
	else if (r->body != NULL)
		buf_printf(out, "'%s'", x->body != NULL ? x->body : "{}");
	buf_str(out, " \"$BASE");
	example_path(out, r);
	buf_printf(out, "%s\"\n```\n", x->query != NULL ? x->query : "");
}

void
gen_reference(struct buf *out)
{
	const char *last = "";

	buf_str(out, "# Endpoints\n\nMade from the route table. Every `/api/X` is also served as `/api/v1/X` "
	    "unless said otherwise. Errors have the shape of `error`, `message`, `code`, `type`, `request_id`.\n\n"
	    "The examples need:\n\n```\nBASE=http://127.0.0.1:4545\nKEY=$(librefang config get api_key)\n"
	    "AGENT=$(librefang agent list | head -n 1 | cut -f 4)\n"
	    "LINK=$(librefang login | sed -n 's/.*#link=//p')       # works once\n"
	    "LOGIN=                                                 # the session that /api/auth/link or dashboard-login gives\n"
	    "MEMORY=                                                # an id from /api/memory\n"
	    "PERSON=ada                                             # a name in [[users]] of config.toml\n"
	    "POLL=                                                  # a poll_id from /api/providers/github-copilot/oauth/start\n"
	    "SECRET=...                                             # what nobody may read\n"
	    "SESSION=                                               # an id from /api/agents/{id}/sessions\n"
	    "UPLOAD=                                                # a file_id from /api/agents/{id}/upload\n```\n");
	for (size_t i = 0; i < n_routes; i++) {
		const struct route *r = &routes[i];

		if (strcmp(last, r->group) != 0)
			buf_printf(out, "\n## %s\n", r->group);
		last = r->group;
		buf_printf(out, "\n### %s %s\n\n%s. Role: %s. Cost: %u. Served by %s.%s%s\n", verb_names[r->verb], r->path,
		    r->summary, role_names[r->role], r->cost, r->runs == POOL ? "the pool" : "the daemon",
		    (r->flags & RT_NO_ALIAS) != 0 ? " Unversioned only." : "",
		    (r->flags & RT_IDEMPOTENT) != 0 ? " Honours Idempotency-Key." : "");
		fields(out, "Query", r->query);
		fields(out, "Body", r->body);
		fields(out, "Reply", r->reply);
		if ((r->flags & RT_SOCKET) == 0 && !(r->verb == GET && (r->flags & RT_STREAM) != 0))    /* these do not end */
			curl_line(out, r);
	}
}

void
gen_endpoints(struct buf *out)
{
	for (size_t i = 0; i < n_routes; i++)
		buf_printf(out, "%s\t%s\t%s\t%u\t%s\n", verb_names[routes[i].verb], routes[i].path,
		    role_names[routes[i].role], routes[i].cost, routes[i].runs == POOL ? "pool" : "daemon");
}
