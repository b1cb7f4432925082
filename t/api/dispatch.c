/*
 * Dispatch, with a small table of its own: who is let in, and in which order
 * things are refused.
 */
#include "t/api/rig.h"

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
		{ "/api/opt", "application/json", "null", 201, NULL, "or be null" },
		{ "/api/opt", "text/plain", "null", 415, "bad_request", "which is JSON as well" },
		{ "/api/note", "application/json", "null", 422, "invalid_input", "but is no body where one is needed" },
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

int
main(void)
{
	rig_open();
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
	rig_close();
	return done();
}
