/* The pool's rows, each called through dispatch on a store of its own. */
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/base/shm.h"
#include "lib/svc/catalog.h"
#include "lib/svc/kv.h"
#include "t/svc/store.h"

#include <zlib.h>

/* The table as the pool has it. */
#define HANDLER_POOL(h) h
#define HANDLER_LIVE(h) NULL
#include "lib/api/table.inc"

static struct config cfg = {
	.generation = 1, .provider = "offline", .model = "offline", .home = "/h", .data_dir = "/h/data",
	.listen = "127.0.0.1:4545", .listen_port = 4545, .log_level = "info", .config_exists = true,
	.budget.alert_threshold = 0.8, .max_body_bytes = 8 << 20, .api_requests_per_minute = 1000000,
};
static struct shm segment;
static const struct headers as_json = { .content_type = "application/json" };

static struct reply
call(struct ctx *c, const char *method, const char *target, const char *body, struct headers h)
{
	struct request rq = {
		.method = method, .target = target, .peer = "127.0.0.1", .control = true, .h = h,
		.body = body, .body_bytes = body == NULL ? 0 : strlen(body),
	};

	arena_reset(c->arena);
	c->who = NULL;
	c->fault = (struct fault){ 0 };
	uuid4(c->rid);
	return dispatch(c, &rq, POOL);
}

/* --- does a reply have the shape that its row promises? ------------------------------ */

static const char *fits(const struct schema *, struct json_object *);

static bool
is_type(enum ftype t, struct json_object *v)
{
	switch (t) {
	case FT_STRING: return json_object_is_type(v, json_type_string);
	case FT_UUID: case FT_TIME: return json_object_is_type(v, json_type_string) &&
	    json_object_get_string_len(v) == (t == FT_UUID ? 36 : 24);
	case FT_INT: return json_object_is_type(v, json_type_int);
	case FT_NUMBER: return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
	case FT_BOOL: return json_object_is_type(v, json_type_boolean);
	case FT_OBJECT: case FT_MAP: return json_object_is_type(v, json_type_object);
	case FT_ARRAY: return json_object_is_type(v, json_type_array);
	default: return true;
	}
}

static bool
among(const char *const *words, const char *s)
{
	for (; words != NULL && *words != NULL; words++)
		if (strcmp(*words, s) == 0)
			return true;
	return words == NULL;
}

static const char *
field_fits(const struct field *f, struct json_object *v)
{
	const char *bad = NULL;

	if (v == NULL)
		return (f->flags & FF_NULLABLE) != 0 || f->type == FT_ANY ? NULL : f->name;
	if (!is_type(f->type, v) || (f->type == FT_STRING && !among(f->values, json_object_get_string(v))))
		return f->name;
	if (f->type == FT_OBJECT)
		return fits(f->of, v);
	if (f->type == FT_MAP && f->of != NULL) {
		json_object_object_foreach(v, k, e)
			bad = bad != NULL || k == NULL ? bad : fits(f->of, e);
	}
	for (size_t i = 0; f->type == FT_ARRAY && bad == NULL && i < json_object_array_length(v); i++) {
		struct json_object *e = json_object_array_get_idx(v, i);

		bad = f->of != NULL ? fits(f->of, e) : is_type(f->item, e) ? NULL : f->name;
	}
	return bad;
}

static const char *
fits(const struct schema *s, struct json_object *v)
{
	if (!json_object_is_type(v, json_type_object))
		return s->name;
	for (const struct field *f = s->fields; f != NULL && f->name != NULL; f++) {
		struct json_object *m;
		const char *bad;

		if (!json_object_object_get_ex(v, f->name, &m)) {
			if ((f->flags & FF_REQUIRED) != 0)
				return f->name;
			continue;
		}
		if ((bad = field_fits(f, m)) != NULL)
			return bad;
	}
	json_object_object_foreach(v, key, val) {
		const struct field *f = s->fields;

		(void)val;
		while (f != NULL && f->name != NULL && strcmp(f->name, key) != 0)
			f++;
		if ((s->flags & SF_OPEN) == 0 && (f == NULL || f->name == NULL))
			return key;
	}
	return NULL;
}

static void
shaped(struct ctx *c, const char *target, const struct schema *s)
{
	struct reply r = call(c, "GET", target, NULL, (struct headers){ 0 });
	struct json_object *o;
	const char *bad;

	if (!ok(r.status == 200 && json_check(r.body, r.body_bytes, 32, NULL) == ERR_OK,
	    "GET %s answers JSON", target)) {
		printf("# %d %.*s\n", r.status, (int)r.body_bytes, r.body);
		return;
	}
	o = json_stored(c, ctx_strndup(c, r.body, r.body_bytes));
	bad = (s->flags & SF_ARRAY) == 0 ? fits(s, o) : json_object_is_type(o, json_type_array) ? NULL : "a list is expected";
	for (size_t i = 0; (s->flags & SF_ARRAY) != 0 && bad == NULL && i < json_object_array_length(o); i++)
		bad = fits(s, json_object_array_get_idx(o, i));
	if (!ok(bad == NULL, "of the shape %s", s->name))
		printf("# not as promised: %s\n# %.*s\n", bad, (int)r.body_bytes, r.body);
}

static void
refused(struct ctx *c, const char *method, const char *target, const char *body, int status, const char *code)
{
	struct reply r = call(c, method, target, body, as_json);
	struct json_object *o = json_stored(c, ctx_strndup(c, r.body, r.body_bytes));

	is_int(r.status, status, "%s %.60s is refused", method, target);
	is_str(js_str(o, "code"), code, "with its code");
}

static void
shapes(struct ctx *c)
{
	shaped(c, "/api/health", &health);
	shaped(c, "/api/health/detail", &health_detail);
	shaped(c, "/api/ready", &readiness);
	shaped(c, "/api/status", &system_state);
	shaped(c, "/api/dashboard/snapshot", &dashboard);
	shaped(c, "/api/audit/recent?n=2", &audit_page);
	shaped(c, "/api/audit/verify", &audit_state);
	shaped(c, "/api/commands", &command_list);
	shaped(c, "/api/commands/%2FHELP", &chat_command);
	shaped(c, "/api/version", &version_info);
	shaped(c, "/api/versions", &api_versions);
	shaped(c, "/api/openapi.json", &openapi_document);
	shaped(c, "/api/agents?limit=5&sort=last_active&order=desc", &agent_page);
	shaped(c, "/api/agents/" ADA, &agent_detail);
	shaped(c, "/api/agents/" BEA, &agent_detail);
	shaped(c, "/api/agents/" ADA "/session", &session_history);
	shaped(c, "/api/agents/" ADA "/session?session_id=" ADA_SESSION, &session_history);
	shaped(c, "/api/agents/" ADA "/sessions", &session_list);
	shaped(c, "/api/memory/agents/" ADA "/kv", &kv_all);
	shaped(c, "/api/models", &model_list);
	shaped(c, "/api/models?tier=FRONTIER&provider=OpenAI&available=false", &model_list);
	shaped(c, "/api/models/aliases", &alias_list);
	shaped(c, "/api/models/GPT-5", &model_detail);
	shaped(c, "/api/models/openrouter/google/gemini-2.5-pro", &model_detail);
	shaped(c, "/api/models/openrouter%2Fgoogle%2Fgemini-2.5-pro", &model_detail);
	shaped(c, "/api/providers", &provider_list);
	shaped(c, "/api/providers/openai", &provider_detail);
	shaped(c, "/api/providers/offline", &provider_detail);
	shaped(c, "/api/tools", &tool_list);
	shaped(c, "/api/tools/file_read", &tool_item);
	shaped(c, "/api/profiles", &profile_list);
	shaped(c, "/api/profiles/coding", &profile_item);
	shaped(c, "/v1/models", &openai_model_list);
	shaped(c, "/api/v1/agents", &agent_page);
}

static void
refusals(struct ctx *c)
{
	refused(c, "GET", "/api/agents?sort=colour", NULL, 400, "bad_request");
	refused(c, "GET", "/api/agents?limit=many", NULL, 400, "bad_request");
	refused(c, "GET", "/api/agents?limit=-1", NULL, 400, "bad_request");
	refused(c, "GET", "/api/agents?include_hands=maybe", NULL, 400, "bad_request");
	refused(c, "GET", "/api/agents/not-a-uuid", NULL, 400, "invalid_agent_id");
	refused(c, "GET", "/api/agents/" NOBODY, NULL, 404, "agent_not_found");
	refused(c, "GET", "/api/agents/" ADA "/session?session_id=x", NULL, 400, "invalid_session_id");
	refused(c, "GET", "/api/agents/" ADA "/session?session_id=" NOBODY, NULL, 404, "session_agent_mismatch");
	refused(c, "GET", "/api/agents/" NOBODY "/sessions", NULL, 404, "agent_not_found");
	refused(c, "GET", "/api/models/no/such/model", NULL, 404, "model_not_found");
	refused(c, "GET", "/api/providers/OpenAI", NULL, 404, "provider_not_found");
	refused(c, "GET", "/api/providers/chutes", NULL, 404, "provider_not_found");
	refused(c, "GET", "/api/tools/no_such_tool", NULL, 404, "not_found");
	refused(c, "GET", "/api/profiles/custom", NULL, 404, "not_found");
	refused(c, "GET", "/api/commands/no-such-command", NULL, 404, "not_found");
	refused(c, "GET", "/api/memory/agents/x/kv", NULL, 400, "invalid_agent_id");
	refused(c, "GET", "/api/memory/agents/" NOBODY "/kv/nothing", NULL, 404, "not_found");
	refused(c, "PUT", "/api/memory/agents/" ADA "/kv/k", "{\"value\":", 400, "bad_request");
	refused(c, "PUT", "/api/memory/agents/" ADA "/kv/k", "", 400, "bad_request");
	refused(c, "POST", "/api/memory/agents/" ADA "/kv", "{}", 405, "method_not_allowed");
	refused(c, "POST", "/api/agents", "{}", 503, "daemon_unavailable");
	is_int(call(c, "PUT", "/api/memory/agents/" ADA "/kv/k", "1", (struct headers){ 0 }).status, 415, "a body of no type is refused");
}

static void
kv(struct ctx *c, const char *key, const char *body, const char *want)
{
	char path[256];
	struct reply r;

	snprintf(path, sizeof(path), "/api/memory/agents/" ADA "/kv/%s", key);
	r = call(c, "PUT", path, body, as_json);
	is_int(r.status, 200, "PUT %s %s", key, body);
	r = call(c, "GET", path, NULL, (struct headers){ 0 });
	is_str(ctx_strndup(c, r.body, r.body_bytes), want, "and it is read back");
	r = call(c, "DELETE", path, NULL, as_json);
	ok(r.status == 204 && r.body_bytes == 0 && r.media == NULL, "and forgotten without a word");
}

static void
cached(struct ctx *c)
{
	struct reply r = call(c, "GET", "/api/models", NULL, (struct headers){ .accept_encoding = "br, gzip;q=0.5" });
	char plain[32], packed[32], both[80], *out = malloc(400000);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)r.body, .avail_in = (uInt)r.body_bytes };
	size_t n;

	ok(r.status == 200 && r.encoding != NULL && r.body_bytes < 40000, "the catalog comes compressed");
	snprintf(packed, sizeof(packed), "%s", r.etag);
	z.next_out = (Bytef *)out;
	z.avail_out = 400000;
	ok(inflateInit2(&z, 31) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END, "and can be unpacked");
	n = z.total_out;
	inflateEnd(&z);
	r = call(c, "GET", "/api/models", NULL, (struct headers){ .accept_encoding = "gzip;q=0, br" });
	ok(r.encoding == NULL && r.body_bytes == n && memcmp(r.body, out, n) == 0, "or plain, the same bytes");
	printf("# %zu bytes\n", n);
	snprintf(plain, sizeof(plain), "%s", r.etag);
	ok(strcmp(plain, packed) != 0, "under another tag");
	r = call(c, "GET", "/api/models", NULL, (struct headers){ .if_none_match = plain });
	ok(r.status == 304 && r.body_bytes == 0 && r.etag != NULL, "who has it gets nothing");
	snprintf(both, sizeof(both), "\"x\", W/%s", packed);
	is_int(call(c, "GET", "/api/models", NULL, (struct headers){ .if_none_match = both }).status, 304, "also from a list of weak tags");
	is_int(call(c, "GET", "/api/models", NULL, (struct headers){ .if_none_match = "\"x\"" }).status, 200, "another tag gets it anew");
	cfg.providers = json_tokener_parse("{\"openai\":{\"key_present\":true}}");
	cfg.generation++;
	r = call(c, "GET", "/api/models", NULL, (struct headers){ .if_none_match = plain });
	is_int(r.status, 200, "and so does everybody once the configuration changed");
	is_int(call(c, "GET", "/api/models?provider=", NULL, (struct headers){ 0 }).body_bytes,
	    strlen("{\"models\":[],\"total\":268,\"available\":26}"), "an empty filter finds nothing");
	free(out);
}

static bool
listed(struct ctx *c, const char *target, const char *text)
{
	struct reply r = call(c, "GET", target, NULL, (struct headers){ 0 });

	return strstr(ctx_strndup(c, r.body, r.body_bytes), text) != NULL;
}

/* Lists are kept while nothing changes; somebody else's commit counts as much as our own. */
static void
fresh_rows(struct ctx *c)
{
	char path[64];
	struct db *other = NULL;
	struct ctx o = { .arena = c->arena };

	store_path(path);
	ok(db_open(&other, path, false) == ERR_OK, "another process opens the store");
	o.db = other;
	ok(listed(c, "/api/agents", "\"mode\":\"full\"") && !listed(c, "/api/agents", "\"mode\":\"assist\""), "an agent has a mode");
	{
		SCOPED_STMT st = db_prepare(o.db, SQL("UPDATE agent SET mode = 'assist'"));
		ok(db_exec(st) == ERR_OK, "the other process changes it");
	}
	ok(listed(c, "/api/agents", "\"mode\":\"assist\""), "the next list shows it");
	ok(listed(c, "/api/status", "\"mode\":\"assist\""), "so does the status");
	{
		SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent SET mode = 'observe'"));
		ok(db_exec(st) == ERR_OK, "this process changes it");
	}
	ok(listed(c, "/api/agents", "\"mode\":\"observe\""), "the next list shows it");
	ok(listed(c, "/api/agents?limit=0", "\"items\":[]") && !listed(c, "/api/agents?limit=1", "\"items\":[]"), "other questions have other answers");
	db_close(other);
}

static void
metrics(struct ctx *c)
{
	struct reply r;
	char *text;
	FILE *f;

	metrics_count(&routes[0], 200, 900);
	metrics_count(&routes[0], 418, 90000000);
	metrics_count(NULL, 404, 10);
	r = call(c, "GET", "/api/metrics", NULL, (struct headers){ 0 });
	text = ctx_strndup(c, r.body, r.body_bytes);
	is_str(r.media, "text/plain; version=0.0.4; charset=utf-8", "metrics are text");
	ok(strstr(text, "librefang_http_requests_total{method=\"GET\",path=\"/api/health\",status=\"200\"} 1\n") != NULL, "requests are counted by row and status");
	ok(strstr(text, "status=\"other\"} 1\n") != NULL, "rare statuses together");
	ok(strstr(text, "path=\"<unmatched>\",status=\"404\"} 1\n") != NULL, "as are those for no row");
	ok(strstr(text, "path=\"/api/health\",le=\"+Inf\"} 2\n") != NULL, "times add up");
	ok(strstr(text, "librefang_tokens{agent=\"Ada\",provider=\"openai\",model=\"gpt\\\"5\\\\\"} 120\n") != NULL, "labels are escaped");
	ok(strstr(text, "librefang_agents_total 2\n") != NULL, "agents are counted");
	if (getenv("LF_METRICS_OUT") != NULL && (f = fopen(getenv("LF_METRICS_OUT"), "w")) != NULL) {
		fputs(text, f);
		fclose(f);
	}
}

int
main(void)
{
	struct ctx c = { .cfg = &cfg };
	struct reply r;

	shm = &segment;
	segment.daemon_ready = 1;
	catalog_init();
	store_open(&c);
	routes_init();
	store_agent(&c, ADA, "Ada", "zoe", NULL, "{}");
	store_agent(&c, BEA, "bea", "", ADA, "{\"model\":{\"provider\":\"openai\",\"model\":\"gpt-5\"},\"fallback_models\":[{\"provider\":\"x\",\"model\":\"y\"}]}");
	store_session(&c, ADA_SESSION, ADA, NULL, c.now_ms);
	store_usage(&c, ADA, c.now_ms - 5, 2500);
	store_message(&c, ADA_SESSION, 1, "assistant", "[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"x\",\"input\":{}}]");
	store_message(&c, ADA_SESSION, 2, "user", "[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"r\"}]");
	ok(kv_put(&c, ADA, "seen", 4, "[1]", 3) == ERR_OK, "a value is stored");
	shapes(&c);
	refusals(&c);
	kv(&c, "a%2Fb%20c%3Fd", "{\"value\":0.7}", "{\"key\":\"a/b c?d\",\"value\":0.7}");
	kv(&c, "k", "{\"a\": 1, \"b\": [2]}", "{\"key\":\"k\",\"value\":{\"a\":1,\"b\":[2]}}");
	kv(&c, "k", "\"bare text\"", "{\"key\":\"k\",\"value\":\"bare text\"}");
	kv(&c, "k", "[1, 2]", "{\"key\":\"k\",\"value\":[1,2]}");
	kv(&c, "k", "{\"value\":null}", "{\"key\":\"k\",\"value\":null}");
	kv(&c, "%00", "true", "{\"key\":\"\\u0000\",\"value\":true}");
	cached(&c);
	fresh_rows(&c);
	metrics(&c);
	segment.daemon_ready = 0;
	r = call(&c, "GET", "/api/ready", NULL, (struct headers){ 0 });
	ok(r.status == 503 && strstr(ctx_strndup(&c, r.body, r.body_bytes), "not_ready") != NULL, "without the daemon the server is not ready");
	shm = NULL;
	json_object_put(cfg.providers);
	store_close(&c);
	return done();
}
