/*
 * What dispatch gives back: the shape of errors, the header lines, and the
 * answers of keys that make a request happen once.
 */
#include "t/api/rig.h"

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

int
main(void)
{
	rig_open();
	test_errors();
	test_headers();
	test_cors();
	test_idem_keys();
	test_idem();
	test_idem_busy();
	rig_close();
	return done();
}
