/*
 * No memory, no disk: each of the pool's rows is called again and again while the n-th allocation, or the
 * n-th write, fails, for n = 1, 2, 3 until none does. Each time the answer is the usual one or a 5xx in
 * the standard shape, never another: what cannot be looked up is not "not there". What was answered is what
 * the store holds, and the next call works.
 */
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/base/shm.h"
#include "lib/svc/catalog.h"
#include "t/refuse.h"
#include "t/svc/store.h"

#include <errno.h>
#include <sys/types.h>

#define HANDLER_POOL(h) h
#define HANDLER_LIVE(h) NULL
#include "lib/api/table.inc"

#if defined(__SANITIZE_ADDRESS__)
int
main(void)
{
	printf("1..0 # SKIP the sanitizer has its own allocator\n");
	return 0;
}
#else

/* --- who says no ------------------------------------------------------------------- */

static long until_disk;                 /* as until_memory, of writes */

ssize_t __pwrite64(int, const void *, size_t, off64_t);

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	if (!says_no(&until_disk))
		return __pwrite64(fd, p, n, at);
	errno = ENOSPC;
	return -1;
}

/* --- the rows ------------------------------------------------------------------------ */

static struct config cfg = {
	.generation = 1, .provider = "offline", .model = "offline", .home = "/h", .data_dir = "/h/data",
	.listen = "127.0.0.1:4545", .listen_port = 4545, .log_level = "off", .config_exists = true,
	.dashboard = { .user = "ada", .pass_sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" },
	.budget.alert_threshold = 0.8, .max_body_bytes = 8 << 20, .api_requests_per_minute = 1000000,
};
static struct config_user zoe_s = { .name = "zoe", .role = "user" };
static struct budget_named zoe_has = { .name = "zoe", .caps = { .nanousd = { 5000, 5000, 5000 } }, .alert_threshold = 0.5 };
static struct budget_named openai_has = { .name = "openai", .caps = { .tokens = { 5000, 5000, 5000 } }, .alert_threshold = 0.5 };
static struct shm segment;

#define KV "/api/memory/agents/" ADA "/kv"

static const struct ask { const char *method, *target, *body; int status; } asks[] = {
	{ "GET", "/api/health", NULL, 200 },
	{ "GET", "/api/health/detail", NULL, 200 },
	{ "GET", "/api/ready", NULL, 200 },
	{ "GET", "/api/status", NULL, 200 },
	{ "GET", "/api/dashboard/snapshot", NULL, 200 },
	{ "GET", "/api/audit/recent", NULL, 200 },
	{ "GET", "/api/audit/verify", NULL, 200 },
	{ "GET", "/api/commands", NULL, 200 },
	{ "GET", "/api/commands/help", NULL, 200 },
	{ "GET", "/api/version", NULL, 200 },
	{ "GET", "/api/versions", NULL, 200 },
	{ "GET", "/api/metrics", NULL, 200 },
	{ "GET", "/api/openapi.json", NULL, 200 },
	{ "GET", "/api/security", NULL, 200 },
	{ "POST", "/api/auth/link", "{\"token\":\"0000\"}", 401 },
	{ "GET", "/api/auth/dashboard-check", NULL, 200 },
	{ "POST", "/api/auth/dashboard-login", "{\"username\":\"ada\",\"password\":\"wrong\"}", 401 },
	{ "POST", "/api/auth/dashboard-login", "{\"username\":\"ada\",\"password\":\"secret\"}", 200 },
	{ "GET", "/api/agents?q=a&sort=name&limit=2", NULL, 200 },
	{ "GET", "/api/agents/" ADA, NULL, 200 },
	{ "GET", "/api/agents/" NOBODY, NULL, 404 },
	{ "GET", "/api/agents/" ADA "/session", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/sessions", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/tools", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/skills", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/mcp_servers", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/channels", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/metrics", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/stats", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/events", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/traces", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/runtime", NULL, 200 },
	{ "GET", "/api/agents/" ADA "/memory/export", NULL, 200 },
	{ "POST", "/api/agents/" ADA "/memory/import", "{\"kv\":5}", 400 },
	{ "GET", "/api/agents/" ADA "/sessions/by-label/none", NULL, 404 },
	{ "GET", "/api/agents/" ADA "/sessions/" NOBODY "/export", NULL, 404 },
	{ "POST", "/api/agents/" ADA "/sessions/import", "{\"version\":1,\"messages\":[{\"role\":\"user\",\"content\":5}]}", 400 },
	{ "GET", "/api/agents/identities", NULL, 200 },
	{ "POST", "/api/agents/identities/none/reset?confirm=true", NULL, 404 },
	{ "GET", "/api/sessions?limit=2", NULL, 200 },
	{ "GET", "/api/sessions/" NOBODY, NULL, 404 },
	{ "PUT", "/api/sessions/" NOBODY "/label", "{\"label\":\"x\"}", 404 },
	{ "PATCH", "/api/sessions/" NOBODY "/model", "{\"model_override\":null}", 404 },
	{ "POST", "/api/sessions/cleanup", NULL, 200 },
	{ "GET", KV, NULL, 200 },
	{ "GET", KV "/seen", NULL, 200 },
	{ "GET", KV "/unseen", NULL, 404 },
	{ "DELETE", KV "/unseen", NULL, 204 },
	{ "PUT", KV "/k", "{\"value\":", 400 },
	{ "GET", "/api/models?provider=openai", NULL, 200 },
	{ "GET", "/api/models/aliases", NULL, 200 },
	{ "GET", "/api/models/GPT-5", NULL, 200 },
	{ "GET", "/api/models/none", NULL, 404 },
	{ "GET", "/api/providers", NULL, 200 },
	{ "GET", "/api/providers/openai", NULL, 200 },
	{ "GET", "/api/usage", NULL, 200 },
	{ "GET", "/api/usage/summary", NULL, 200 },
	{ "GET", "/api/usage/by-model", NULL, 200 },
	{ "GET", "/api/usage/by-model/performance", NULL, 200 },
	{ "GET", "/api/usage/daily", NULL, 200 },
	{ "GET", "/api/budget", NULL, 200 },
	{ "GET", "/api/budget/agents", NULL, 200 },
	{ "GET", "/api/budget/agents/" ADA, NULL, 200 },
	{ "GET", "/api/budget/users", NULL, 200 },
	{ "GET", "/api/budget/users/zoe", NULL, 200 },
	{ "GET", "/api/tools", NULL, 200 },
	{ "GET", "/api/tools/file_read", NULL, 200 },
	{ "GET", "/api/profiles", NULL, 200 },
	{ "GET", "/api/profiles/coding", NULL, 200 },
	{ "GET", "/v1/models", NULL, 200 },
};

static struct reply
call(struct ctx *c, const struct ask *a)
{
	static char body[1024];         /* who reads a secret wipes it there */
	struct request rq = {
		.method = a->method, .target = a->target, .peer = "127.0.0.1", .control = true,
		.h = { .content_type = a->body != NULL ? "application/json" : NULL },
		.body = a->body == NULL ? NULL : body, .body_bytes = a->body == NULL ? 0 : strlen(a->body),
	};

	snprintf(body, sizeof(body), "%s", a->body == NULL ? "" : a->body);
	c->who = NULL;
	c->fault = (struct fault){ 0 };
	uuid4(c->rid);
	return dispatch(c, &rq, POOL);
}

/* A process that has just begun: nothing in the arena, no statement prepared. */
static void
anew(struct ctx *c, bool cold)
{
	char path[64];

	memset(&segment, 0, sizeof(segment));   /* who asked too often is forgotten */
	segment.daemon_ready = 1;
	arena_free(c->arena);
	c->arena = arena_new(4096);
	if (!cold)
		return;
	db_close(c->db);
	store_path(path);
	if (db_open(&c->db, path, false) != ERR_OK)
		exit(1);
}

static bool
good_refusal(const struct reply *r)
{
	return (r->status == 500 || r->status == 503) && r->body_bytes > 2 && r->body[0] == '{' &&
	    memmem(r->body, r->body_bytes, "\"error\"", 7) != NULL;
}

enum { NOT_DONE, DONE, WRONG };

/* One call with the n-th failing. */
static int
starved(struct ctx *c, const struct ask *a, long n, long *until, bool cold)
{
	struct reply r;

	anew(c, cold);
	refusals = 0;
	*until = n;
	r = call(c, a);
	*until = 0;
	if (r.status == a->status)
		return refusals == 0 ? DONE : NOT_DONE;
	if (good_refusal(&r))
		return NOT_DONE;
	printf("# %s %s, number %ld%s: %d %.*s\n", a->method, a->target, n, again ? " and all after it" : "", r.status,
	    r.body_bytes > 300 ? 300 : (int)r.body_bytes, r.body);
	return WRONG;
}

static long
step(long n)
{
	return n < 150 ? 1 : n / 40;
}

static void
reads(struct ctx *c, bool cold)
{
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		long n = 1;
		int how;

		while ((how = starved(c, &asks[i], n, &until_memory, cold)) == NOT_DONE)
			n += step(n);
		anew(c, cold);
		ok(how == DONE && call(c, &asks[i]).status == asks[i].status, "%s %s%s%s: %ld allocations", asks[i].method,
		    asks[i].target, cold ? ", at first" : "", again ? ", all" : "", n - 1);
	}
}

/* What stands there now, on a connection of its own. */
static bool
holds(struct ctx *c, const char *target, const char *want)
{
	struct reply r;

	anew(c, true);
	r = call(c, &(struct ask){ "GET", target, NULL, 200 });
	return want == NULL ? r.status == 404 : r.status == 200 && memmem(r.body, r.body_bytes, want, strlen(want)) != NULL;
}

/* A value is written over another; the answer and the store agree. */
static void
writes(struct ctx *c, const char *what, long *until, bool cold)
{
	static const struct ask put = { "PUT", KV "/k", "{\"value\":\"new\"}", 200 }, del = { "DELETE", KV "/k", NULL, 204 },
	    old = { "PUT", KV "/k", "{\"value\":\"old\"}", 200 };
	const struct ask *const each[] = { &put, &del };

	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		bool agree = true;
		long n = 1;
		int how;

		do {
			anew(c, true);
			if (call(c, &old).status != 200)
				exit(1);
			anew(c, cold);
			refusals = 0;
			*until = n;
			how = call(c, each[i]).status;
			*until = 0;
			agree = agree && (how == each[i]->status ? holds(c, KV "/k", i == 0 ? "\"new\"" : NULL) :
			    (how == 500 || how == 503) && holds(c, KV "/k", "\"old\""));
			n += step(n);
		} while (agree && refusals > 0 && n < 5000);
		ok(agree && refusals == 0, "%s%s: the answer and the store agree at each of %ld %s%s", each[i]->method,
		    cold ? ", at first" : "", n - 1, what, again ? ", and all after it" : "");
		if (!agree)
			printf("# it said %d\n", how);
	}
}

int
main(void)
{
	struct ctx c = { .cfg = &cfg };

	cfg.users = &zoe_s;
	cfg.n_users = 1;
	cfg.budget.users = &zoe_has;
	cfg.budget.providers = &openai_has;
	cfg.budget.n_users = cfg.budget.n_providers = 1;
	shm = &segment;
	segment.daemon_ready = 1;
	log_open("starve", LOG_ERROR);
	if (freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	catalog_init();
	store_open(&c);
	routes_init();
	store_agent(&c, ADA, "Ada", "zoe", NULL, "{}");
	store_agent(&c, BEA, "bea", "", ADA, "{\"model\":{\"provider\":\"openai\",\"model\":\"gpt-5\"}}");
	store_session(&c, ADA_SESSION, ADA, NULL, c.now_ms);
	store_usage(&c, ADA, c.now_ms - 5, 2500);
	store_message(&c, ADA_SESSION, 1, "user", "\"hello\"");
	anew(&c, false);
	ok(call(&c, &(struct ask){ "PUT", KV "/seen", "[1]", 200 }).status == 200, "a value is there");
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		anew(&c, false);
		ok(call(&c, &asks[i]).status == asks[i].status, "%s %s answers %d", asks[i].method, asks[i].target, asks[i].status);
	}
	for (int all = 0; all < 2; all++) {
		again = all == 1;
		reads(&c, false);
		reads(&c, true);
		writes(&c, "allocations", &until_memory, false);
		writes(&c, "allocations", &until_memory, true);
		writes(&c, "writes", &until_disk, false);
	}
	shm = NULL;
	store_close(&c);
	return done();
}
#endif
