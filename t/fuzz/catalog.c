/*
 * Fuzz: a catalog that is fetched. The first byte says how it is proven: 0 by the digest on the first line, 1 by the signature
 * there, 2 by its true digest. The rest is the catalog. Only one that is proven and is one takes the place of the last; and then
 * each of its models is found and can be shown.
 * sources: lib/base/*.c db/*.c lib/svc/catalog*.c lib/svc/config.c lib/svc/config_budget.c lib/api/reply.c daemon/live/catalog.c
 * libs: sqlite3
 */
#include <sys/stat.h>

#include "daemon/dbpool.h"
#include "daemon/proxies.h"
#include "db/db.h"
#include "lib/api/api.h"
#include "lib/base/arena.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/net/http.h"
#include "lib/svc/catalog.h"
#include "t/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
struct reply catalog_update(struct ctx *, const struct request *);

#define KEPT "{\"providers\":[{\"id\":\"old\"}],\"models\":[{\"id\":\"m\",\"provider\":\"old\",\"modality\":\"image\"}]}"
#define URL "https://h.example/c.json"

static struct shm segment;
static struct db *db;
static struct config cfg = { .generation = 1, .home = place, .data_dir = place, .provider = "offline", .model = "offline" };
static struct { const char *text, *proof; size_t text_n, proof_n; } web;

/* --- the other end, and what the daemon has --------------------------------------------- */

enum err
http_do(const struct http_call *call, struct http_answer *ret)
{
	bool file = strcmp(call->url, URL) == 0;

	*ret = (struct http_answer){ .status = 200, .retry_after_s = -1, .body = BUF_INIT(call->max_bytes) };
	buf_add(&ret->body, file ? web.text : web.proof, file ? web.text_n : web.proof_n);
	return ret->body.failed ? ERR_TOO_LARGE : ERR_OK;
}

enum err
proxy_for(struct ctx *c, const char *provider, const char *url, const char **ret)
{
	(void)c;
	(void)provider;
	(void)url;
	*ret = NULL;
	return ERR_OK;
}

bool
cors_allowed(const struct config *c, const char *origin)
{
	return c == NULL && origin == NULL;
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

/* --- judging ------------------------------------------------------------------------------ */

static void
begin(void)
{
	char why[256];

	place_begin();
	shm = &segment;
	MUST(db_open(&db, place_of("x.db"), true) == ERR_OK && db_migrate(db, why, sizeof(why)) == ERR_OK);
	catalog_init();
}

static void
look(struct ctx *c)
{
	const struct provider *providers;
	const struct model *models;
	size_t n = catalog_models(&models), n_providers = catalog_providers(&providers);

	for (size_t i = 0; i < n && i < 50; i++) {
		SCOPED_BUF b = BUF_INIT(1 << 20);
		struct jw w = JW_INIT(&b);

		MUST(models[i].id != NULL && models[i].provider != NULL && catalog_model(models[i].provider, models[i].id) != NULL);
		catalog_write_model(&w, c->cfg, &models[i]);
		MUST(!b.failed && json_check(b.p, b.len, 64, NULL) == ERR_OK);
	}
	for (size_t i = 0; i < n_providers && i < 50; i++) {
		SCOPED_BUF b = BUF_INIT(16 << 20);
		struct jw w = JW_INIT(&b);

		catalog_write_provider(&w, c->cfg, &providers[i], true);
		MUST(!b.failed && json_check(b.p, b.len, 64, NULL) == ERR_OK && catalog_provider(providers[i].id) != NULL);
		(void)catalog_model(providers[i].id, "no such model");
	}
}

static void
update(struct ctx *c, int how)
{
	struct request rq = { .method = "POST", .target = "/api/catalog/update" };
	struct reply r;
	char digest[65];
	uint8_t sum[32];
	bool noted;

	place_put("catalog.json", KEPT, strlen(KEPT));
	sha256(web.text, web.text_n, sum);
	hex_of(sum, sizeof(sum), digest);
	if (how == 2) {
		web.proof = digest;
		web.proof_n = 64;
	}
	cfg.raw = json_stored(c, how == 1 ? "{\"registry\":{\"catalog_url\":\"" URL "\",\"catalog_public\":\"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"}}"
	    : "{\"registry\":{\"catalog_url\":\"" URL "\"}}");
	r = catalog_update(c, &rq);
	MUST(r.status == 200 && json_check(r.body, r.body_bytes, 16, NULL) == ERR_OK);
	noted = memmem(r.body, r.body_bytes, "\"note\"", 6) != NULL;
	MUST(noted ? place_holds("catalog.json", KEPT, strlen(KEPT)) : place_holds("catalog.json", web.text, web.text_n));
	MUST(noted || (how == 1 ? false : strncasecmp(web.proof, digest, 64) == 0));     /* nobody here can sign */
	if (!noted) {
		MUST(catalog_load(c) == ERR_OK);
		look(c);
		catalog_leave();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096), .cfg = &cfg, .now_ms = 1 };
	const char *s = (const char *)data, *nl;

	if (place[0] == '\0')
		begin();
	c.db = db;
	if (n > 0 && (nl = memchr(s, '\n', n)) != NULL) {
		web.proof_n = (size_t)(nl - s) - (nl > s);
		web.proof = ctx_strndup(&c, s + (nl > s), web.proof_n);
		web.text = nl + 1;
		web.text_n = n - (size_t)(nl + 1 - s);
		update(&c, s[0] & 3);
	}
	arena_free(c.arena);
	return 0;
}
