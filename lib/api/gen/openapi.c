/*
 * The OpenAPI 3.1 document (spec.openapis.org/oas/v3.1.0), complete: every row, its
 * arguments, bodies, replies and errors.
 *
 * Each named schema becomes one component; they are gathered by walking
 * the table before anything is written.
 */
#include <stdio.h>
#include <string.h>

#include "lib/api/gen/gen.h"
#include "version.h"

enum { SEEN_MAX = 512 };

struct gen {
	struct jw w;
	const struct schema *seen[SEEN_MAX];
	size_t n_seen;
};

static void
gather(struct gen *g, const struct schema *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < g->n_seen; i++)
		if (g->seen[i] == s)
			return;
	if (g->n_seen == SEEN_MAX)
		return;
	g->seen[g->n_seen++] = s;
	for (const struct field *f = s->fields; f != NULL && f->name != NULL; f++)
		gather(g, f->of);
}

static void
ref(struct jw *w, const char *key, const struct schema *s)
{
	char to[128];

	snprintf(to, sizeof(to), "#/components/schemas/%s", s->name);
	jw_object(w, key);
	jw_str(w, "$ref", to);
	jw_end(w);
}

static const char *
type_word(enum ftype t)
{
	switch (t) {
	case FT_STRING: case FT_UUID: case FT_TIME: return "string";
	case FT_INT: return "integer";
	case FT_NUMBER: return "number";
	case FT_BOOL: return "boolean";
	case FT_OBJECT: case FT_MAP: return "object";
	case FT_ARRAY: return "array";
	default: return NULL;
	}
}

static void
type_of(struct jw *w, const struct field *f)
{
	const char *t = type_word(f->type);

	if (f->type == FT_STRING_OR_ARRAY || (t != NULL && (f->flags & FF_NULLABLE) != 0)) {
		jw_array(w, "type");
		jw_str(w, NULL, t != NULL ? t : "string");
		if (f->type == FT_STRING_OR_ARRAY)
			jw_str(w, NULL, "array");
		if ((f->flags & FF_NULLABLE) != 0)
			jw_str(w, NULL, "null");
		jw_end(w);
	} else if (t != NULL) {
		jw_str(w, "type", t);
	}
}

static void
bounds(struct jw *w, const struct field *f, bool request)
{
	const char *lo = f->type == FT_STRING ? "minLength" : f->type == FT_ARRAY ? "minItems" : "minimum";
	const char *hi = f->type == FT_STRING ? "maxLength" : f->type == FT_ARRAY ? "maxItems" : "maximum";

	if (!request || f->type == FT_UUID || f->type == FT_BOOL)
		return;
	if (f->min > 0 || ((f->type == FT_INT || f->type == FT_NUMBER) && (f->min != 0 || f->max != 0)))
		jw_i64(w, lo, f->min);
	if (f->max > 0)
		jw_i64(w, hi, f->max);
}

static void
default_of(struct jw *w, const struct field *f)
{
	if (f->dflt_s != NULL)
		jw_str(w, "default", f->dflt_s);
	else if (f->type == FT_BOOL && f->dflt != 0)
		jw_bool(w, "default", true);
	else if ((f->type == FT_INT || f->type == FT_NUMBER) && f->dflt != 0)
		jw_i64(w, "default", f->dflt);
}

static void
items_of(struct jw *w, const char *key, const struct field *f)
{
	const char *t = type_word(f->item);

	if (f->of != NULL) {
		ref(w, key, f->of);
		return;
	}
	jw_object(w, key);
	if (t != NULL)
		jw_str(w, "type", t);
	jw_end(w);
}

static void
field_schema(struct jw *w, const char *key, const struct field *f, bool request)
{
	bool nullable_ref = f->type == FT_OBJECT && f->of != NULL && (f->flags & FF_NULLABLE) != 0;

	if (f->type == FT_OBJECT && f->of != NULL && !nullable_ref) {
		ref(w, key, f->of);
		return;
	}
	jw_object(w, key);
	if (nullable_ref) {
		jw_array(w, "oneOf");
		ref(w, NULL, f->of);
		jw_object(w, NULL);
		jw_str(w, "type", "null");
		jw_end(w);
		jw_end(w);
		jw_end(w);
		return;
	}
	type_of(w, f);
	if (f->type == FT_UUID)
		jw_str(w, "format", "uuid");
	if (f->type == FT_TIME)
		jw_str(w, "format", "date-time");
	if (f->type == FT_ARRAY)
		items_of(w, "items", f);
	if (f->type == FT_MAP)
		items_of(w, "additionalProperties", f);
	if (f->values != NULL) {
		jw_array(w, "enum");
		for (size_t i = 0; f->values[i] != NULL; i++)
			jw_str(w, NULL, f->values[i]);
		if ((f->flags & FF_NULLABLE) != 0)
			jw_null(w, NULL);
		jw_end(w);
	}
	bounds(w, f, request);
	default_of(w, f);
	if ((f->flags & FF_SECRET) != 0)
		jw_bool(w, "writeOnly", true);
	if (f->doc != NULL)
		jw_str(w, "description", f->doc);
	jw_end(w);
}

static void
component(struct gen *g, const struct schema *s)
{
	struct jw *w = &g->w;
	bool any = false, request = s->bytes > 0;

	jw_object(w, s->name);
	if ((s->flags & SF_ANY) != 0) {
		jw_str(w, "description", "Any JSON value");
		jw_end(w);
		return;
	}
	jw_str(w, "type", "object");
	jw_object(w, "properties");
	for (const struct field *f = s->fields; f != NULL && f->name != NULL; f++) {
		field_schema(w, f->name, f, request);
		any |= (f->flags & FF_REQUIRED) != 0;
	}
	jw_end(w);
	if (any) {
		jw_array(w, "required");
		for (const struct field *f = s->fields; f->name != NULL; f++)
			if ((f->flags & FF_REQUIRED) != 0)
				jw_str(w, NULL, f->name);
		jw_end(w);
	}
	if ((s->flags & SF_STRICT) != 0)
		jw_bool(w, "additionalProperties", false);
	jw_end(w);
}

static void
path_params(struct jw *w, const char *path)
{
	for (const char *p = path; (p = strchr(p, '{')) != NULL; p++) {
		size_t n = strcspn(p + 1, "*}");

		jw_object(w, NULL);
		jw_strn(w, "name", p + 1, n);
		jw_str(w, "in", "path");
		jw_bool(w, "required", true);
		jw_object(w, "schema");
		jw_str(w, "type", "string");
		jw_end(w);
		jw_end(w);
	}
}

static void
parameters(struct jw *w, const struct route *r)
{
	jw_array(w, "parameters");
	path_params(w, r->path);
	for (const struct field *f = r->query != NULL ? r->query->fields : NULL; f != NULL && f->name != NULL; f++) {
		jw_object(w, NULL);
		jw_str(w, "name", f->name);
		jw_str(w, "in", "query");
		jw_bool(w, "required", (f->flags & FF_REQUIRED) != 0);
		field_schema(w, "schema", f, true);
		jw_end(w);
	}
	if ((r->flags & RT_UPLOAD) != 0) {
		jw_object(w, NULL);
		jw_str(w, "name", "X-Filename");
		jw_str(w, "in", "header");
		jw_bool(w, "required", false);
		jw_object(w, "schema");
		jw_str(w, "type", "string");
		jw_end(w);
		jw_end(w);
	}
	if ((r->flags & RT_IDEMPOTENT) != 0) {
		jw_object(w, NULL);
		jw_str(w, "name", "Idempotency-Key");
		jw_str(w, "in", "header");
		jw_bool(w, "required", false);
		jw_object(w, "schema");
		jw_str(w, "type", "string");
		jw_i64(w, "maxLength", 255);
		jw_end(w);
		jw_end(w);
	}
	jw_end(w);
}

static void
binary(struct jw *w, const char *key)
{
	jw_object(w, key);
	jw_str(w, "type", "string");
	jw_str(w, "format", "binary");
	jw_end(w);
}

/* The file itself, or a form with it. */
static void
upload_body(struct jw *w)
{
	jw_object(w, "requestBody");
	jw_bool(w, "required", true);
	jw_object(w, "content");
	jw_object(w, "*/*");
	binary(w, "schema");
	jw_end(w);
	jw_object(w, "multipart/form-data");
	jw_object(w, "schema");
	jw_str(w, "type", "object");
	jw_object(w, "properties");
	binary(w, "file");
	jw_object(w, "filename");
	jw_str(w, "type", "string");
	jw_end(w);
	jw_end(w);
	jw_array(w, "required");
	jw_str(w, NULL, "file");
	jw_end(w);
	jw_end(w);
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static void
media(struct jw *w, const char *type, const struct schema *s, bool array)
{
	jw_object(w, type);
	if (s == NULL) {
		jw_object(w, "schema");
		jw_str(w, "type", "string");
		jw_end(w);
	} else if (array) {
		jw_object(w, "schema");
		jw_str(w, "type", "array");
		ref(w, "items", s);
		jw_end(w);
	} else {
		ref(w, "schema", s);
	}
	jw_end(w);
}

static void
success(struct jw *w, const struct route *r)
{
	const struct schema *s = r->reply;
	char status[8];

	snprintf(status, sizeof(status), "%d", (s->flags & SF_EMPTY) != 0 ? 204 :
	    (r->flags & RT_SOCKET) != 0 ? 101 : s->status != 0 ? s->status : 200);
	jw_object(w, status);
	jw_str(w, "description", (s->flags & SF_EMPTY) != 0 ? "Done" :
	    (r->flags & RT_SOCKET) != 0 ? "A WebSocket" : "OK");
	if ((s->flags & SF_EMPTY) == 0 && (r->flags & RT_SOCKET) == 0) {
		jw_object(w, "content");
		if ((s->flags & SF_TEXT) != 0)
			media(w, s->media, NULL, false);
		else if (s->fields != NULL || (s->flags & SF_ANY) != 0)
			media(w, "application/json", s, (s->flags & SF_ARRAY) != 0);
		if ((r->flags & RT_STREAM) != 0 || (s->flags & SF_STREAM) != 0)
			media(w, "text/event-stream", NULL, false);
		jw_end(w);
	}
	jw_end(w);
}

static void
error_reply(struct jw *w, const char *status, const char *what, bool openai)
{
	jw_object(w, status);
	jw_str(w, "description", what);
	jw_object(w, "content");
	jw_object(w, "application/json");
	jw_object(w, "schema");
	jw_str(w, "$ref", openai ? "#/components/schemas/OpenAIError" : "#/components/schemas/Error");
	jw_end(w);
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static void
responses(struct jw *w, const struct route *r)
{
	bool v1 = strncmp(r->path, "/v1/", 4) == 0;

	jw_object(w, "responses");
	success(w, r);
	if (r->role != PUBLIC)
		error_reply(w, "401", "No key or a wrong one", v1);
	if (r->role > VIEWER)
		error_reply(w, "403", "The role does not allow it", v1);
	if (strchr(r->path, '{') != NULL)
		error_reply(w, "404", "No such thing", v1);
	error_reply(w, "4XX", "The request is refused", v1);
	error_reply(w, "429", "Too many requests", v1);
	error_reply(w, "5XX", "The server failed", v1);
	jw_end(w);
}

static void
operation(struct jw *w, const struct route *r, bool alias)
{
	static const char *const keys[VERB_COUNT] = { "get", "post", "put", "patch", "delete" };
	char id[128];

	snprintf(id, sizeof(id), "%s%s", r->name, alias ? "_v1" : "");
	jw_object(w, keys[r->verb]);
	jw_str(w, "operationId", id);
	jw_str(w, "summary", r->summary);
	jw_array(w, "tags");
	jw_str(w, NULL, r->group);
	jw_end(w);
	parameters(w, r);
	if ((r->flags & RT_UPLOAD) != 0)
		upload_body(w);
	if (r->body != NULL) {
		jw_object(w, "requestBody");
		jw_bool(w, "required", (r->flags & RT_OPTIONAL_BODY) == 0);
		jw_object(w, "content");
		media(w, "application/json", r->body, false);
		jw_end(w);
		jw_end(w);
	}
	responses(w, r);
	if (r->role == PUBLIC) {
		jw_array(w, "security");
		jw_end(w);
	}
	jw_end(w);
}

/* "{id*}" is "{id}" to everybody else. */
static void
plain_path(const char *path, bool alias, char out[static 256])
{
	size_t n = 0;

	if (alias) {
		memcpy(out, "/api/v1", 7);
		n = 7;
		path += 4;
	}
	for (; *path != '\0' && n < 254; path++)
		if (*path != '*')
			out[n++] = *path;
	out[n] = '\0';
}

static void
paths(struct jw *w, bool alias)
{
	for (size_t i = 0; i < n_routes; i++) {
		char path[256];
		bool first = true;

		if (alias && (strncmp(routes[i].path, "/api/", 5) != 0 || (routes[i].flags & RT_NO_ALIAS) != 0))
			continue;
		for (size_t k = 0; k < i; k++)
			if (strcmp(routes[k].path, routes[i].path) == 0)
				first = false;
		if (!first)
			continue;
		plain_path(routes[i].path, alias, path);
		jw_object(w, path);
		for (size_t k = i; k < n_routes; k++)
			if (strcmp(routes[k].path, routes[i].path) == 0)
				operation(w, &routes[k], alias);
		jw_end(w);
	}
}

static const char head[] =
    "\"openapi\":\"3.1.0\",\"info\":{\"title\":\"LibreFang for C\",\"version\":\"" LF_VERSION "\","
    "\"summary\":\"An agent operating system\",\"description\":\"Agents, sessions, memory and models over HTTP.\","
    "\"license\":{\"name\":\"MIT\",\"url\":\"https://spdx.org/licenses/MIT.html\"}},"
    "\"servers\":[{\"url\":\"/\",\"description\":\"This server\"}],\"security\":[{\"bearer\":[]},{\"apiKey\":[]}]";

static const char security[] =
    "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
    "\"apiKey\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\"}}";

static const char error_schema[] =
    "{\"type\":\"object\",\"required\":[\"error\",\"message\",\"code\",\"type\",\"request_id\"],\"properties\":{"
    "\"error\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"},\"code\":{\"type\":\"string\"},"
    "\"type\":{\"type\":\"string\"},\"request_id\":{\"type\":\"string\",\"format\":\"uuid\"},\"details\":{}}}";

static const char openai_schema[] =
    "{\"type\":\"object\",\"required\":[\"error\"],\"properties\":{\"error\":{\"type\":\"object\","
    "\"required\":[\"message\",\"type\"],\"properties\":{\"message\":{\"type\":\"string\"},\"type\":{\"type\":\"string\"},"
    "\"param\":{\"type\":[\"string\",\"null\"]},\"code\":{\"type\":[\"string\",\"null\"]}}},"
    "\"request_id\":{\"type\":\"string\",\"format\":\"uuid\"}}}";

static void
tags(struct jw *w)
{
	const char *last = "";

	jw_array(w, "tags");
	for (size_t i = 0; i < n_routes; i++) {
		if (strcmp(routes[i].group, last) == 0)
			continue;
		last = routes[i].group;
		jw_object(w, NULL);
		jw_str(w, "name", last);
		jw_end(w);
	}
	jw_end(w);
}

void
gen_openapi(struct buf *out)
{
	struct gen g = { .w = JW_INIT(out) };
	struct jw *w = &g.w;

	for (size_t i = 0; i < n_routes; i++) {
		gather(&g, routes[i].body);
		if (routes[i].reply != NULL && (routes[i].reply->fields != NULL || (routes[i].reply->flags & SF_ANY) != 0))
			gather(&g, routes[i].reply);
		for (const struct field *f = routes[i].query != NULL ? routes[i].query->fields : NULL;
		    f != NULL && f->name != NULL; f++)
			gather(&g, f->of);
	}
	jw_object(w, NULL);
	jw_raw(w, NULL, head, sizeof(head) - 1);
	tags(w);
	jw_object(w, "paths");
	paths(w, false);
	paths(w, true);
	jw_end(w);
	jw_object(w, "components");
	jw_raw(w, "securitySchemes", security, sizeof(security) - 1);
	jw_object(w, "schemas");
	jw_raw(w, "Error", error_schema, sizeof(error_schema) - 1);
	jw_raw(w, "OpenAIError", openai_schema, sizeof(openai_schema) - 1);
	for (size_t i = 0; i < g.n_seen; i++)
		component(&g, g.seen[i]);
	jw_end(w);
	jw_end(w);
	jw_end(w);
	buf_ch(out, '\n');
}
