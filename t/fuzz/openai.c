/*
 * Fuzz: what an OpenAI client sends, and what a provider lists as its models. Whatever is in it, a question is a text or blocks,
 * tools have names, and the list that is kept is JSON that a catalog can be made of.
 * sources: lib/base/*.c db/*.c lib/svc/catalog*.c lib/svc/config.c lib/svc/config_budget.c lib/llm/errors.c lib/net/guard.c daemon/live/openai_read.c daemon/probe.c
 * libs: sqlite3
 */
#include <sys/stat.h>

#include "daemon/alarm.h"
#include "daemon/conf.h"
#include "daemon/dbpool.h"
#include "daemon/keys.h"
#include "daemon/live/openai.h"
#include "daemon/probe.h"
#include "daemon/programs.h"
#include "daemon/proxies.h"
#include "daemon/threads.h"
#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/shm.h"
#include "t/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct shm segment;
static struct db *db;
static struct config cfg = { .generation = 1, .home = place, .data_dir = place, .provider = "offline", .model = "offline" };
static struct { const char *p; size_t n; } web;

/* --- what the daemon has ------------------------------------------------------------------ */

enum err
http_do(const struct http_call *call, struct http_answer *ret)
{
	*ret = (struct http_answer){ .status = 200, .retry_after_s = -1, .body = BUF_INIT(call->max_bytes) };
	buf_add(&ret->body, web.p, web.n);
	return ERR_OK;
}

void
job_db_release(struct ctx *c)
{
	(void)c;
}

void
job_db_acquire(struct ctx *c)
{
	c->db = db;
}

/* Nothing of this is asked for by a probe that is at hand. */
struct conf *conf_hold(void) { return NULL; }
const struct config *conf_of(const struct conf *k) { return k == NULL ? &cfg : NULL; }
void conf_drop(struct conf *k) { (void)k; }
int threads_run_now(void (*fn)(void *), void *arg) { (void)fn; (void)arg; return -1; }
void alarm_now(struct alarm *a) { (void)a; }
const char *key_named(struct ctx *c, const char *name) { (void)c; (void)name; return NULL; }
bool http_nobody_near(const char *url) { return url == NULL; }
void programs_take(struct ctx *c) { (void)c; }
struct llm_request;
struct llm_answer;
enum err google_try(const struct llm_request *rq, struct llm_answer *a) { (void)rq; (void)a; return ERR_UPSTREAM; }
enum err proxy_for(struct ctx *c, const char *id, const char *url, const char **ret) { (void)c; (void)id; (void)url; *ret = NULL; return ERR_OK; }

/* --- judging --------------------------------------------------------------------------------- */

static void
begin(void)
{
	char why[256];

	place_begin();
	shm = &segment;
	cfg.raw = json_object_new_object();
	MUST(db_open(&db, place_of("x.db"), true) == ERR_OK && db_migrate(db, why, sizeof(why)) == ERR_OK);
	catalog_init();
}

static void
asked(struct ctx *c, struct json_object *o)
{
	struct json_object *messages = js_arr(o, "messages"), *blocks = NULL, *tools = openai_tools(c, js_arr(o, "tools")), *results;
	const char *text = NULL, *first = NULL;

	for (size_t i = 0; tools != NULL && i < json_object_array_length(tools); i++) {
		struct json_object *t = json_object_array_get_idx(tools, i);

		MUST(js_str(t, "name") != NULL && js_str(t, "description") != NULL && js_obj(t, "input_schema") != NULL);
	}
	MUST(openai_extra(c, o, true) != NULL && openai_extra(c, o, false) != NULL);
	if (messages == NULL)
		return;
	if (openai_question(c, messages, &text, &blocks) == ERR_OK)
		MUST(text != NULL && (text[0] != '\0' || blocks != NULL));
	else
		MUST(c->fault.msg != NULL);
	results = openai_results(c, messages, &first);
	MUST(results == NULL || (first != NULL && json_object_object_length(results) > 0));
}

static void
listed(struct ctx *c, const char *s, size_t n)
{
	struct probe p = { .id = "openai", .format = "openai", .base_url = "https://h.example/v1", .key = "", .discovers = true };
	const struct model *models;
	struct probed r;

	web.p = s;
	web.n = n;
	probe_ask(c, &p, &r);
	if (r.live == NULL)
		return;
	MUST(json_check(r.live, strlen(r.live), 64, NULL) == ERR_OK);
	MUST(probe_note(c, &p, &r, true) == ERR_OK);
	n = catalog_models(&models);
	for (size_t i = 0; i < n; i++) {
		SCOPED_BUF b = BUF_INIT(1 << 20);
		struct jw w = JW_INIT(&b);

		if (!models[i].found)
			continue;
		catalog_write_model(&w, c->cfg, &models[i]);
		MUST(!b.failed && json_check(b.p, b.len, 64, NULL) == ERR_OK);
	}
	(void)catalog_model("openai", "no such model");
	catalog_leave();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096), .cfg = &cfg, .now_ms = 1 };
	struct json_object *o = NULL;

	if (place[0] == '\0')
		begin();
	c.db = db;
	if (json_read(&c, (const char *)data, n, &o) == ERR_OK && json_object_is_type(o, json_type_object)) {
		asked(&c, o);
		if (js_arr(o, "models") != NULL || js_arr(o, "data") != NULL)
			listed(&c, (const char *)data, n);
	}
	arena_free(c.arena);
	return 0;
}
