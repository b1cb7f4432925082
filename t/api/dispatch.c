/*
 * Dispatch, with a small table of its own: who is let in, in which order
 * things are refused, and what each refusal looks like on the wire.
 */
#include <stdlib.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/api/api.h"
#include "lib/base/arena.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "t/tap.h"

struct note { const char *text; int64_t n; };

static const struct field note_fields[] = {
	F_STR(struct note, text, .flags = FF_REQUIRED, .max = 10),
	F_I64(struct note, n, .dflt = 3),
	F_END
};
static const struct schema note = { .name = "Note", .fields = note_fields, .flags = SF_STRICT, .bytes = sizeof(struct note) };
static const struct field lax_fields[] = { F_I64(struct note, n, .dflt = 3), F_END };
static const struct schema lax = { .name = "Lax", .fields = lax_fields, .bytes = sizeof(struct note) };
static const struct schema any = { .name = "Any", .flags = SF_ANY }, raw = { .name = "Raw", .flags = SF_RAW };

static unsigned runs;

static struct reply
who(struct ctx *c, const struct request *rq)
{
	(void)rq;
	runs++;
	return reply_words(c, 200, "who", c->who->name, "role", role_names[c->who->role], NULL);
}

static struct reply
echo(struct ctx *c, const struct request *rq)
{
	const struct note *in = rq->body_struct;
	struct jw *w = reply_open(c);

	runs++;
	jw_object(w, NULL);
	jw_str(w, "text", in != NULL ? in->text : NULL);
	jw_i64(w, "n", in != NULL ? in->n : runs);
	jw_strn(w, "body", rq->body, rq->body_bytes);
	jw_end(w);
	return reply_json(c, 201, w);
}

static struct reply
broken(struct ctx *c, const struct request *rq)
{
	runs++;
	if (strcmp(path_arg(rq, "how"), "db") == 0)
		ignore_err(fail(c, ERR_DB, "disk I/O error in table secret"));
	else if (strcmp(path_arg(rq, "how"), "told") == 0)
		ignore_err(fail_code(c, ERR_UPSTREAM, "auth_error", "provider x refused the key"));
	else if (strcmp(path_arg(rq, "how"), "details") == 0) {
		ignore_err(fail_code(c, ERR_CONFLICT, "taken", "taken \"twice\""));
		c->fault.details_json = "{\"at\":1}";
		c->fault.status = 423;
	} else if (strcmp(path_arg(rq, "how"), "busy") == 0)
		ignore_err(fail(c, ERR_BUSY, "the lock"));
	return reply_fail(c);
}

static struct reply
nothing_left(struct ctx *c, const struct request *rq)
{
	(void)rq;
	runs++;
	return reply_empty(c);
}

#define ROW(v, p, r, f, b, h, ...) { .verb = v, .path = p, .role = r, .cost = 5, .flags = f, .body = b, .handler = h, \
	.name = #h, .group = "T", .summary = "T", __VA_ARGS__ }

const struct route routes[] = {
	ROW(GET, "/api/health", PUBLIC, 0, NULL, who),
	ROW(GET, "/api/who", VIEWER, 0, NULL, who),
	ROW(GET, "/api/read", VIEWER, RT_READS, NULL, who),
	ROW(POST, "/api/user", USER, 0, NULL, who),
	ROW(PUT, "/api/admin", ADMIN, 0, NULL, who),
	ROW(DELETE, "/api/owner", OWNER, 0, NULL, nothing_left),
	ROW(POST, "/api/note", VIEWER, 0, &note, echo),
	ROW(POST, "/api/opt", VIEWER, RT_OPTIONAL_BODY, &lax, echo),
	ROW(POST, "/api/shape", VIEWER, RT_SHAPE_400, &note, echo),
	ROW(POST, "/api/any", VIEWER, 0, &any, echo),
	ROW(POST, "/api/raw", VIEWER, 0, &raw, echo),
	ROW(POST, "/api/idem", VIEWER, RT_IDEMPOTENT, &note, echo),
	ROW(POST, "/api/idem/{how}", VIEWER, RT_IDEMPOTENT, NULL, broken),
	ROW(GET, "/api/fail/{how}", VIEWER, 0, NULL, broken),
	ROW(GET, "/api/live", VIEWER, 0, NULL, NULL, .runs = LIVE),
	ROW(GET, "/v1/fail/{how}", VIEWER, RT_NO_ALIAS, NULL, broken),
	ROW(POST, "/v1/note", USER, RT_NO_ALIAS, &note, echo),
	ROW(GET, "/api/query", VIEWER, 0, NULL, who, .query = &lax),
};
const size_t n_routes = ARRAY_LEN(routes);

/* --- one request -------------------------------------------------------------- */

#define KEY "master key"

static struct config cfg = {
	.generation = 1, .listen = "127.0.0.1:4545", .listen_host = "127.0.0.1", .listen_port = 4545,
	.api_requests_per_minute = 4000000000u, .retry_after_s = 60,
};
static struct config_user users[2];
static struct ctx c;
static struct request rq;
static struct reply re;
static struct json_object *body;

static const char *
str(const char *key)
{
	return js_str_or(body, key, "(none)");
}

/* A new request with the master key; members of rq may be set before go(). */
static void
ask(const char *method, const char *target)
{
	rq = (struct request){ .method = method, .target = target, .peer = "127.0.0.1",
		.h = { .host = "localhost:4545", .authorization = "Bearer " KEY } };
}

static void
send_body(const char *method, const char *target, const char *text)
{
	ask(method, target);
	rq.body = text;
	rq.body_bytes = text != NULL ? strlen(text) : 0;
	rq.h.content_type = "application/json";
}

static int
go(void)
{
	struct db *db = c.db;
	struct arena *a = c.arena;

	arena_reset(a);
	c = (struct ctx){ .arena = a, .db = db, .cfg = &cfg, .now_ms = clock_ms() };
	uuid4(c.rid);
	re = dispatch(&c, &rq, POOL);
	body = NULL;
	if (re.body_bytes > 0 && json_read(&c, re.body, re.body_bytes, &body) != ERR_OK)
		body = NULL;
	return re.status;
}

static bool
standard_shape(const char *code)
{
	return strcmp(str("code"), code) == 0 && strcmp(str("type"), code) == 0 && js_str(body, "error") != NULL &&
	    strcmp(str("error"), str("message")) == 0 && strcmp(str("request_id"), c.rid) == 0;
}

static bool
openai_shape(const char *type)
{
	struct json_object *e = js_obj(body, "error");

	return js_str(e, "message") != NULL && strcmp(js_str_or(e, "type", ""), type) == 0 && js_str(e, "code") != NULL;
}

static bool
has_header(const char *line)
{
	struct buf b = BUF_INIT(16384);
	bool there;

	buf_str(&b, "\r\n");
	reply_headers(&c, &rq, &re, &b);
	there = strstr(b.p, line) != NULL;
	buf_done(&b);
	return there;
}

/* --- who comes in ---------------------------------------------------------------- */

static void
test_keys(void)
{
	ask("GET", "/api/who");
	is_int(go(), 200, "the key opens a row");
	is_str(str("who"), "root", "for its owner");
	is_str(str("role"), "owner", "with the highest role");
	ask("GET", "/api/who");
	rq.h.authorization = NULL;
	is_int(go(), 401, "without a key there is none");
	ok(standard_shape("unauthorized"), "in the standard shape");
	is_str(str("error"), "Missing Authorization: Bearer <api_key> header", "in the words that clients know");
	ok(has_header("\r\nWWW-Authenticate: Bearer\r\n"), "with a challenge");
	rq.h.authorization = "Bearer wrong";
	is_int(go(), 401, "nor with a wrong key");
	is_str(str("error"), "Invalid API key", "which is told apart");
	ok(strstr(re.body, "wrong") == NULL, "without repeating it");
	rq.h.authorization = "bearer " KEY;
	is_int(go(), 401, "the scheme is written as it is written");
	rq.h.authorization = "Bearer ";
	is_int(go(), 401, "an empty key is none");
	rq.h.authorization = NULL;
	rq.h.x_api_key = KEY;
	is_int(go(), 200, "X-API-Key is as good");
	rq.h.x_api_key = NULL;
	rq.h.ws_protocol = "chat, bearer.viewerkey";
	is_int(go(), 200, "so is a WebSocket protocol");
	is_str(str("who"), "vera", "of a user");
	rq.control = true;
	rq.h.ws_protocol = NULL;
	is_int(go(), 200, "the control socket needs no key");
	is_str(str("role"), "owner", "and is the owner");
}

static void
test_roles(void)
{
	static const struct { const char *key, *method, *target; int status; } all[] = {
		{ "Bearer viewerkey", "GET", "/api/who", 200 }, { "Bearer viewerkey", "POST", "/api/user", 403 },
		{ "Bearer viewerkey", "PUT", "/api/admin", 403 }, { "Bearer viewerkey", "DELETE", "/api/owner", 403 },
		{ "Bearer adminkey", "POST", "/api/user", 200 }, { "Bearer adminkey", "PUT", "/api/admin", 200 },
		{ "Bearer adminkey", "DELETE", "/api/owner", 403 }, { "Bearer " KEY, "DELETE", "/api/owner", 204 },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		ask(all[i].method, all[i].target);
		rq.h.authorization = all[i].key;
		is_int(go(), all[i].status, "%s %s with %s", all[i].method, all[i].target, all[i].key + 7);
	}
	ok(re.body_bytes == 0 && !has_header("\r\nContent-Type:"), "a reply without a body names no type");
	ask("PUT", "/api/admin");
	rq.h.authorization = "Bearer viewerkey";
	go();
	ok(standard_shape("forbidden"), "a refused role has the standard shape");
	is_str(str("error"), "Role 'viewer' is not allowed to access this endpoint", "and names the role");
}

static void
test_argon(void)
{
	static char phc[128];
	struct config_user slow = { "ada", "admin", phc };
	int tries = 0;

	if (!argon2_make("slow key", phc, sizeof(phc)))
		return;
	cfg.users = &slow;
	cfg.n_users = 1;
	ask("GET", "/api/who");
	rq.h.authorization = "Bearer slow key";
	rq.peer = "192.0.2.7";
	is_int(go(), 200, "a key kept as Argon2 opens");
	is_str(str("role"), "admin", "with its user's role");
	is_int(go(), 200, "and again from memory");
	rq.h.authorization = "Bearer no key";
	while (tries < 20 && go() == 401)
		tries++;
	is_int(tries, 10, "ten wrong guesses of a peer are tried");
	is_int(re.status, 429, "then it has to wait");
	ok(re.retry_after_s == 60 && standard_shape("rate_limited"), "a minute");
	rq.h.authorization = "Bearer slow key";
	is_int(go(), 200, "who is known already comes in");
	rq.h.authorization = "Bearer " KEY;
	is_int(go(), 200, "so does the master key");
	cfg.generation = 2;
	rq.h.authorization = "Bearer slow key";
	rq.peer = "192.0.2.8";
	snprintf(phc, sizeof(phc), "$argon2id$void");
	is_int(go(), 401, "a changed configuration forgets who is known");
	cfg.users = users;
	cfg.n_users = ARRAY_LEN(users);
}

static void
test_open_mode(void)
{
	static const struct { const char *host, *origin, *site, *peer; int status; const char *what; } all[] = {
		{ "localhost:4545", NULL, NULL, "127.0.0.1", 200, "a program on this host" },
		{ "[::1]:4545", NULL, NULL, "::1", 200, "one that speaks IPv6" },
		{ "127.0.0.1:4545", "http://127.0.0.1:4545", "same-origin", "127.0.0.1", 200, "our own page" },
		{ "localhost", NULL, "none", "127.0.0.1", 200, "a typed address" },
		{ "rebound.example:4545", NULL, NULL, "127.0.0.1", 403, "a rebound name" },
		{ "127.0.0.1.example", NULL, NULL, "127.0.0.1", 403, "a name that looks like loopback" },
		{ NULL, NULL, NULL, "127.0.0.1", 403, "no host at all" },
		{ "localhost:4545", "http://evil.example", NULL, "127.0.0.1", 403, "another site's page" },
		{ "localhost:4545", "null", NULL, "127.0.0.1", 403, "a page without an origin" },
		{ "localhost:4545", "http://localhost:9999", NULL, "127.0.0.1", 403, "a page of another port" },
		{ "localhost:4545", NULL, "cross-site", "127.0.0.1", 403, "a browser that says cross-site" },
		{ "localhost:4545", NULL, "same-site", "127.0.0.1", 403, "or same-site" },
		{ "localhost:4545", NULL, NULL, "192.0.2.1", 401, "a peer from elsewhere" },
	};

	cfg.open_mode = cfg.reads_open = true;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		ask("GET", "/api/who");
		rq.h = (struct headers){ .host = all[i].host, .origin = all[i].origin, .fetch_site = all[i].site };
		rq.peer = all[i].peer;
		is_int(go(), all[i].status, "open mode: %s", all[i].what);
	}
	ask("GET", "/api/health");
	rq.h.host = "rebound.example";
	is_int(go(), 403, "the guard stands before public rows too");
	cfg.allow_no_auth = true;
	ask("GET", "/api/who");
	rq.h = (struct headers){ .host = "any.example" };
	rq.peer = "192.0.2.1";
	is_int(go(), 200, "LIBREFANG_ALLOW_NO_AUTH lets everybody in");
	cfg.open_mode = cfg.reads_open = cfg.allow_no_auth = false;
}

static void
test_open_reads(void)
{
	ask("GET", "/api/read");
	rq.h.authorization = NULL;
	is_int(go(), 401, "a dashboard read needs a key");
	cfg.reads_open = true;
	is_int(go(), 200, "unless reads are open");
	is_str(str("who"), "anonymous", "for anybody");
	ok(caller_scope(&c) == NULL, "who sees everything");
	rq.h.authorization = "Bearer viewerkey";
	is_int(go(), 200, "a known user may read too");
	is_str(str("who"), "vera", "as who they are");
	ask("GET", "/api/who");
	rq.h.authorization = NULL;
	is_int(go(), 401, "other rows stay closed");
	cfg.reads_open = false;
}

/* --- the order of refusals --------------------------------------------------------- */

static void
test_unmatched(void)
{
	ask("GET", "/api/none");
	is_int(go(), 404, "an unknown row is not found");
	ok(standard_shape("not_found"), "in the standard shape");
	ask("PATCH", "/api/note");
	is_int(go(), 405, "a wrong verb is told so");
	ok(standard_shape("method_not_allowed") && has_header("\r\nAllow: POST\r\n"), "with the right ones");
	ask("BREW", "/api/who");
	is_int(go(), 405, "an unknown verb too");
	ok(has_header("\r\nAllow: GET, HEAD\r\n"), "HEAD goes with GET");
	ask("GET", "/api/none");
	rq.h.authorization = NULL;
	is_int(go(), 401, "inside the API nobody learns what is there without a key");
	ask("PATCH", "/api/note");
	rq.h.authorization = NULL;
	is_int(go(), 401, "nor which verbs are right");
	ask("GET", "/v1/none");
	rq.h.authorization = NULL;
	is_int(go(), 401, "so it is below /v1");
	ask("GET", "/none");
	rq.h.authorization = NULL;
	is_int(go(), 404, "outside it is just not found");
	ask("GET", "/apiary");
	rq.h.authorization = NULL;
	is_int(go(), 404, "a longer name is outside");
	ask("GET", "/api/../api/who");
	is_int(go(), 400, "a path with dots is no path");
	ok(standard_shape("bad_request"), "in the standard shape");
	rq.h.authorization = NULL;
	is_int(go(), 401, "after the key was shown");
	ask("GET", "/api/fail/%ff");
	is_int(go(), 400, "nor is one that is not UTF-8");
}

static void
test_version(void)
{
	ask("GET", "/api/who");
	rq.h.accept = "text/html, application/vnd.librefang.v2+json;q=1";
	is_int(go(), 406, "an unknown version is not served");
	is_str(str("error"), "Unsupported API version: v2", "which is said");
	ok(standard_shape("bad_request") && json_object_array_length(js_arr(body, "available")) == 1, "with the known ones");
	rq.h.accept = "application/vnd.librefang.v1+json";
	is_int(go(), 200, "the known one is served");
	rq.target = "/api/v1/who";
	rq.h.accept = "application/vnd.librefang.v2+json";
	is_int(go(), 200, "a version in the path wins");
	send_body("POST", "/api/note", "{");
	rq.h.accept = "application/vnd.librefang.v2+json";
	is_int(go(), 406, "the version is looked at before the body");
}

static void
test_bodies(void)
{
	static const struct { const char *target, *type, *text; int status; const char *code, *what; } all[] = {
		{ "/api/note", "application/json", "{\"text\":\"x\"}", 201, NULL, "a body of the right shape is taken" },
		{ "/api/note", " application/JSON ; charset=utf-8", "{\"text\":\"x\"}", 201, NULL, "its type may have parameters" },
		{ "/api/note", "application/merge-patch+json", "{\"text\":\"x\"}", 201, NULL, "or be another kind of JSON" },
		{ "/api/note", "text/plain", "{\"text\":\"x\"}", 415, "bad_request", "another type is refused" },
		{ "/api/note", NULL, "{\"text\":\"x\"}", 415, "bad_request", "so is none" },
		{ "/api/note", NULL, "", 415, "bad_request", "and no body where one must be" },
		{ "/api/note", "text/plain", "{", 415, "bad_request", "the type is looked at before the text" },
		{ "/api/note", "application/json", "", 400, "bad_request", "an empty text is not JSON" },
		{ "/api/note", "application/json", "{\"text\":", 400, "bad_request", "half a text neither" },
		{ "/api/note", "application/json", "{\"text\":\"\xff\"}", 400, "bad_request", "nor bad UTF-8" },
		{ "/api/note", "application/json", "{\"text\":\"x\",\"text\":\"y\"}", 400, "bad_request", "nor a member twice" },
		{ "/api/note", "application/json", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 400, "validation_error", "too deep a text is refused" },
		{ "/api/note", "application/json", "{}", 422, "invalid_input", "a missing member is the wrong shape" },
		{ "/api/note", "application/json", "{\"text\":\"x\",\"z\":1}", 422, "invalid_input", "an unknown one too" },
		{ "/api/note", "application/json", "{\"text\":7}", 422, "invalid_input", "and a wrong type" },
		{ "/api/note", "application/json", "[]", 422, "invalid_input", "and an array" },
		{ "/api/opt", NULL, "", 201, NULL, "a body that may be left out may" },
		{ "/api/opt", "application/json", "{\"n\":4,\"z\":1}", 201, NULL, "an unknown member may come where nothing is strict" },
		{ "/api/opt", "text/plain", "x", 415, "bad_request", "what is sent must be JSON" },
		{ "/api/opt", "application/json", "{\"n\":\"x\"}", 422, "invalid_input", "of the right shape" },
		{ "/api/shape", "text/plain", "{\"text\":\"x\"}", 201, NULL, "a lenient row looks at no type" },
		{ "/api/shape", NULL, "{\"text\":7}", 400, "invalid_json", "and calls a wrong shape wrong JSON" },
		{ "/api/shape", NULL, "", 400, "invalid_json", "as it does an empty body" },
		{ "/api/any", "application/json", "[1,\"x\"]", 201, NULL, "any JSON is taken where any is meant" },
		{ "/api/any", "application/json", "nul", 400, "bad_request", "but only JSON" },
		{ "/api/raw", "application/json", " {\"a\" : 1.50} ", 201, NULL, "a raw body is taken" },
		{ "/api/raw", "application/json", "{\"a\":1,}", 400, "bad_request", "if it is JSON" },
		{ "/api/raw", "application/json", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 400, "validation_error", "and not too deep" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		unsigned before = runs;

		send_body("POST", all[i].target, all[i].text);
		rq.h.content_type = all[i].type;
		is_int(go(), all[i].status, "%s", all[i].what);
		if (all[i].code != NULL)
			ok(standard_shape(all[i].code) && runs == before, "in the standard shape, and nothing ran");
	}
	send_body("POST", "/api/raw", " {\"a\" : 1.50} ");
	go();
	is_str(str("body"), " {\"a\" : 1.50} ", "a raw body reaches the handler byte for byte");
	send_body("POST", "/api/note", NULL);
	is_int(go(), 400, "an absent body is an empty one");
	ask("POST", "/api/user");
	rq.body = "\xff not JSON";
	rq.body_bytes = 10;
	rq.h.content_type = "image/png";
	is_int(go(), 200, "a row without a body looks at none");
	ask("GET", "/api/query?n=x");
	is_int(go(), 400, "a bad query is refused");
	ok(standard_shape("bad_request"), "in the standard shape");
	send_body("POST", "/api/note", "{");
	rq.h.authorization = "Bearer wrong";
	is_int(go(), 401, "the key is looked at before the body");
}

static void
test_limit(void)
{
	struct shm *m = shm;

	cfg.api_requests_per_minute = 10;
	ask("GET", "/api/who");
	rq.peer = "198.51.100.1";
	ok(go() == 200 && go() == 200, "a budget of 10 lets two requests of cost 5 pass");
	is_int(go(), 429, "and no third");
	ok(standard_shape("rate_limited"), "in the standard shape");
	ok(has_header("\r\nRetry-After: 60\r\n"), "which says when to come back");
	rq.h.authorization = NULL;
	is_int(go(), 429, "the limit stands before the key");
	rq.peer = "198.51.100.2";
	is_int(go(), 401, "another peer is not touched");
	rq.target = "/none";
	ok(go() == 404 && go() == 429, "an unknown path costs too");
	rq.control = true;
	rq.target = "/api/who";
	ok(go() == 200 && go() == 200 && go() == 200, "the control socket has no limit");
	ask("OPTIONS", "/api/who");
	rq.peer = "198.51.100.2";
	rq.h.origin = "http://localhost:3000";
	rq.h.acr_method = "GET";
	is_int(go(), 200, "neither has a preflight");
	cfg.api_requests_per_minute = 4000000000u;
	shm = NULL;
	ask("GET", "/api/who");
	is_int(go(), 200, "without shared memory everything works");
	shm = m;
}

static struct reply
relay(struct ctx *ctx, struct request *request)
{
	return reply_words(ctx, 200, "relayed", request->target, NULL);
}

static void
test_programs(void)
{
	ask("GET", "/api/live");
	is_int(go(), 503, "a row of the daemon is not served by the pool");
	is_str(str("code"), "daemon_unavailable", "which says why");
	ok(has_header("\r\nRetry-After: 1\r\n"), "and when to try again");
	dispatch_other = relay;
	is_int(go(), 200, "unless somebody relays it");
	is_str(str("relayed"), "/api/live", "with its own target");
	rq.h.authorization = NULL;
	is_int(go(), 401, "after the key");
	dispatch_other = NULL;
}

/* --- what goes back ------------------------------------------------------------------ */

static void
test_errors(void)
{
	ask("GET", "/api/fail/db");
	is_int(go(), 500, "a fault of ours is 500");
	ok(standard_shape("internal_error"), "in the standard shape");
	is_str(str("error"), "Internal server error", "and says nothing of its inside");
	ok(strstr(re.body, "secret") == NULL, "anywhere");
	ask("GET", "/api/fail/busy");
	is_int(go(), 503, "a lock that is held is 503");
	is_str(str("error"), "Service unavailable", "with the fixed sentence");
	ok(has_header("\r\nRetry-After: 1\r\n"), "and an invitation");
	ask("GET", "/api/fail/told");
	is_int(go(), 502, "a failure elsewhere keeps its status");
	is_str(str("error"), "provider x refused the key", "and its sentence");
	is_str(str("code"), "auth_error", "and its word");
	ask("GET", "/api/fail/details");
	is_int(go(), 423, "a fault may bring its own status");
	is_int(js_i64(js_obj(body, "details"), "at", 0), 1, "and details");
	is_str(str("error"), "taken \"twice\"", "quotes in a sentence do no harm");
	ask("GET", "/api/fail/forgotten");
	is_int(go(), 500, "a failure that nobody explained is 500");
	ask("GET", "/v1/fail/db");
	is_int(go(), 500, "below /v1");
	ok(openai_shape("server_error"), "errors have OpenAI's shape");
	ok(strstr(re.body, "secret") == NULL, "and say as little");
	ask("GET", "/v1/fail/x");
	rq.h.authorization = NULL;
	go();
	ok(re.status == 401 && openai_shape("authentication_error"), "401 too");
	send_body("POST", "/v1/note", "{}");
	ok(go() == 422 && openai_shape("invalid_request_error"), "and wrong shapes");
	rq.h.authorization = "Bearer viewerkey";
	ok(go() == 403 && openai_shape("permission_error"), "and roles");
	ask("GET", "/v1/nowhere");
	ok(go() == 404 && openai_shape("invalid_request_error"), "and unknown rows");
}

static void
test_headers(void)
{
	static const char *const always[] = {
		"X-Api-Version: v1", "Content-Language: en", "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY",
		"X-XSS-Protection: 1; mode=block", "Referrer-Policy: strict-origin-when-cross-origin",
		"Strict-Transport-Security: max-age=63072000; includeSubDomains", "Content-Type: application/json",
		"Cache-Control: no-store, no-cache, must-revalidate",
	};
	char line[64];

	for (int k = 0; k < 2; k++) {
		ask("GET", k == 0 ? "/api/who" : "/api/none");
		go();
		for (size_t i = 0; i < ARRAY_LEN(always); i++) {
			snprintf(line, sizeof(line), "\r\n%s\r\n", always[i]);
			ok(has_header(line), "%d has %s", re.status, always[i]);
		}
		snprintf(line, sizeof(line), "\r\nX-Request-Id: %s\r\n", c.rid);
		ok(has_header(line) && has_header("\r\nContent-Security-Policy: default-src 'self';"), "and its id and policy");
	}
	ok(!has_header("\r\nAccess-Control-") && !has_header("\r\nAllow:") && !has_header("\r\nRetry-After:"),
	    "and none that have no cause");
	ask("GET", "/api/who");
	rq.h.origin = "http://localhost:3000";
	go();
	ok(has_header("\r\nAccess-Control-Allow-Origin: http://localhost:3000\r\n"), "an allowed origin is echoed");
	ok(has_header("\r\nVary: origin,"), "and varies the reply");
	rq.h.origin = "http://evil.example";
	is_int(go(), 200, "another one is served");
	ok(!has_header("\r\nAccess-Control-"), "and gets no permission");
	re.etag = "\"abc\"";
	re.encoding = "gzip";
	ok(has_header("\r\nETag: \"abc\"\r\nCache-Control: private, no-cache\r\n") && !has_header("no-store"),
	    "what has a tag may be kept");
	ok(has_header("\r\nContent-Encoding: gzip\r\n") && has_header("\r\nVary: accept-encoding\r\n"), "an encoding is told");
	re = reply_raw(&c, 200, "text/plain", "x", 1);
	ok(has_header("\r\nContent-Type: text/plain\r\n"), "another media type too");
	ask("OPTIONS", "/api/note");
	rq.h = (struct headers){ .origin = "tauri://localhost", .acr_method = "POST" };
	is_int(go(), 200, "a preflight needs no key");
	ok(re.body_bytes == 0 && has_header("\r\nAccess-Control-Allow-Methods: GET, HEAD, POST"), "and learns the verbs");
	ok(has_header("Authorization, Content-Type, X-API-Key, Idempotency-Key"), "and the headers");
	ask("HEAD", "/api/who");
	ok(go() == 200 && rq.head, "HEAD is answered as GET, its body to be left out");
	is_int(json_object_object_length(body), 2, "but made, for its length");
}

static void
test_cors(void)
{
	static const char *const mine[] = { "https://app.example" };

	cfg.cors_origins = mine;
	cfg.n_cors = 1;
	ok(cors_allowed(&cfg, "https://app.example") && cors_allowed(&cfg, "http://127.0.0.1:4545") &&
	    cors_allowed(&cfg, "http://localhost:4545"), "the configured origin and our own are allowed");
	ok(!cors_allowed(&cfg, "https://app.example.evil") && !cors_allowed(&cfg, "null") && !cors_allowed(&cfg, "") &&
	    !cors_allowed(&cfg, "http://localhost:45451"), "others are not");
	cfg.n_cors = 0;
	ok(caller_owns(NULL, "x") && caller_owns(&(struct caller){ .role = ADMIN, .name = "a" }, NULL), "system and admins own all");
	ok(caller_owns(&(struct caller){ .role = USER, .name = "Vera" }, "vera") &&
	    !caller_owns(&(struct caller){ .role = USER, .name = "vera" }, "ada") &&
	    !caller_owns(&(struct caller){ .role = USER, .name = "vera" }, NULL), "others what they made");
}

/* --- keys that make a request happen once ---------------------------------------------- */

static int
idem(const char *key, const char *text)
{
	send_body("POST", "/api/idem", text);
	rq.h.idempotency_key = key;
	return go();
}

static void
pending(const char *key, const char *owner, const char *text)
{
	SCOPED_STMT st = db_prepare(c.db, SQL("INSERT INTO idempotency"
	    " (principal, route, key, body_hash, owner, state, created_ms) VALUES ('root', 'POST /api/idem', ?, ?, ?, 'pending', 1)"));
	uint8_t d[32];
	char hex[65];

	sha256(text, strlen(text), d);
	hex_of(d, 32, hex);
	bind_text(st, key);
	bind_text(st, hex);
	bind_text(st, owner);
	is_int(db_exec(st), ERR_OK, "a request with key %s is under way", key);
}

static void
test_idem_keys(void)
{
	static const struct { const char *key, *text; } bad[] = {
		{ "", "Idempotency-Key must not be empty" }, { " \t ", "Idempotency-Key must not be empty" },
		{ "a b", "Idempotency-Key must be printable ASCII" }, { "\xC3\xA4", "Idempotency-Key must be printable ASCII" },
	};
	char wide[257];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		is_int(idem(bad[i].key, "{\"text\":\"x\"}"), 400, "key %zu is none", i);
		is_str(str("error"), bad[i].text, "which is said");
	}
	memset(wide, 'k', 256);
	wide[256] = '\0';
	is_int(idem(wide, "{\"text\":\"x\"}"), 400, "256 bytes are too many");
	ok(standard_shape("idempotency_key_invalid"), "with a word of its own");
	is_int(idem(wide + 1, "{\"text\":\"x\"}"), 201, "255 will do");
}

static void
test_idem(void)
{
	unsigned before = runs;
	char *first;

	is_int(idem("k1", "{\"text\":\"x\"}"), 201, "the first request of a key runs");
	first = strndup(re.body, re.body_bytes);
	is_int(idem(" k1 ", "{\"text\":\"x\"}"), 201, "the second is answered");
	is_str(re.body, first, "with the same bytes");
	is_int(runs, before + 1, "and runs nothing");
	is_int(idem("k1", "{\"text\":\"y\"}"), 409, "another body is a conflict");
	ok(standard_shape("idempotency_key_conflict"), "with a word of its own");
	send_body("POST", "/api/idem", "{\"text\":\"x\"}");
	rq.h.idempotency_key = "k1";
	rq.h.authorization = "Bearer adminkey";
	go();
	is_int(runs, before + 2, "somebody else's key is another");
	is_int(idem("k2", "{}"), 422, "a request that is refused");
	is_int(idem("k2", "{\"text\":\"x\"}"), 201, "leaves its key free");
	for (int i = 0; i < 2; i++) {
		send_body("POST", "/api/idem/db", "{}");
		rq.h.idempotency_key = "k3";
		is_int(go(), 500, "a failure is not kept");
	}
	is_int(runs, before + 5, "it ran both times");
	pending("k4", "1:1", "{}");
	is_int(idem("k4", "{\"text\":\"x\"}"), 201, "a key of a process that is gone is free");
	free(first);
}

static void
test_idem_busy(void)
{
	char owner[64], text[1024] = "", *p;
	FILE *f = fopen("/proc/self/stat", "r");

	if (f == NULL || fgets(text, sizeof(text), f) == NULL)
		return;
	fclose(f);
	p = strrchr(text, ')');
	for (int i = 0; p != NULL && i < 20; i++)
		p = strchr(p + 1, ' ');
	snprintf(owner, sizeof(owner), "%d:%lu", (int)getpid(), p != NULL ? strtoul(p, NULL, 10) : 0);
	pending("k5", owner, "{\"text\":\"x\"}");
	is_int(idem("k5", "{\"text\":\"x\"}"), 409, "the same request while one runs is refused");
	ok(standard_shape("idempotency_key_in_use"), "with a word of its own");
	is_int(idem("k5", "{\"text\":\"y\"}"), 409, "another request with its key too");
	ok(standard_shape("idempotency_key_conflict"), "with another word");
}

static bool
open_store(char *dir, char *path, size_t cap)
{
	char why[200];

	if (mkdtemp(dir) == NULL)
		return false;
	snprintf(path, cap, "%s/x.db", dir);
	return db_open(&c.db, path, true) == ERR_OK && db_migrate(c.db, why, sizeof(why)) == ERR_OK;
}

static void
remove_store(const char *dir, const char *path)
{
	char p[128];

	db_close(c.db);
	for (const char *const *s = (const char *const[]){ "", "-wal", "-shm", NULL }; *s != NULL; s++) {
		snprintf(p, sizeof(p), "%s%s", path, *s);
		unlink(p);
	}
	rmdir(dir);
}

static char *
digest(const char *key)
{
	static char out[3][80];
	static int n;
	uint8_t d[32];
	char *o = out[n++ % 3];

	sha256(key, strlen(key), d);
	memcpy(o, "$sha256$", 8);
	hex_of(d, 32, o + 8);
	return o;
}

int
main(void)
{
	char dir[] = "/tmp/lf-dispatch-XXXXXX", path[64], name[64];
	struct shm *m = NULL;

	log_open("test", LOG_OFF);
	c.arena = arena_new(4096);
	snprintf(name, sizeof(name), "/lf-dispatch-%d", (int)getpid());
	if (!open_store(dir, path, sizeof(path)) || shm_open_segment(name, true, &m) != ERR_OK)
		return 1;
	cfg.key_hash = digest(KEY);
	users[0] = (struct config_user){ "vera", "viewer", digest("viewerkey") };
	users[1] = (struct config_user){ "alma", "admin", digest("adminkey") };
	cfg.users = users;
	cfg.n_users = ARRAY_LEN(users);
	routes_init();
	test_keys();
	test_roles();
	test_argon();
	test_open_mode();
	test_open_reads();
	test_unmatched();
	test_version();
	test_bodies();
	test_limit();
	test_programs();
	test_errors();
	test_headers();
	test_cors();
	test_idem_keys();
	test_idem();
	test_idem_busy();
	remove_store(dir, path);
	shm_remove(name);
	arena_free(c.arena);
	return done();
}
