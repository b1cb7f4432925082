/*
 * A table of rows, a store and a configuration, to call dispatch() upon
 * without a server. ask() and send_body() begin a request, go() runs it.
 */
#ifndef LF_T_RIG_H
#define LF_T_RIG_H
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

static inline void
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

static inline bool
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

static char rig_dir[] = "/tmp/lf-api-XXXXXX", rig_path[64], rig_shm[64];

static void
rig_open(void)
{
	struct shm *m = NULL;

	log_open("test", LOG_OFF);
	c.arena = arena_new(4096);
	snprintf(rig_shm, sizeof(rig_shm), "/lf-api-%d", (int)getpid());
	if (!open_store(rig_dir, rig_path, sizeof(rig_path)) || shm_open_segment(rig_shm, true, &m) != ERR_OK)
		exit(1);
	cfg.key_hash = digest(KEY);
	users[0] = (struct config_user){ "vera", "viewer", digest("viewerkey") };
	users[1] = (struct config_user){ "alma", "admin", digest("adminkey") };
	cfg.users = users;
	cfg.n_users = ARRAY_LEN(users);
	routes_init();
}

static void
rig_close(void)
{
	remove_store(rig_dir, rig_path);
	shm_remove(rig_shm);
	arena_free(c.arena);
}
#endif
