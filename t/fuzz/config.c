/*
 * Fuzz: config.toml and what stands beside it. The first line is a key, the second a value for it, the rest the file; where the
 * key is "env" or "ini", the rest is secrets.env or librefang.ini.
 * A file that is taken makes a snapshot that can be loaded, the same one each time, without the secrets; a change is seen where it
 * was made and nowhere else, and one that is refused changes nothing.
 * sources: lib/base/*.c db/*.c lib/svc/config*.c lib/svc/catalog*.c lib/svc/login.c lib/svc/run_paths.c lib/toml/*.c lib/toml/*.cc
 * libs: sqlite3
 * link: -liniparser
 */
#include <sys/stat.h>

#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/svc/config_file_parts.h"
#include "lib/toml/toml.h"
#include "t/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define SECRET "S3CR3T"

static struct run_paths paths;

/* --- the snapshot -------------------------------------------------------------------- */

/* How often it stands there. */
static size_t
times_in(const char *s, size_t n, const char *word)
{
	size_t k = 0, w = strlen(word);

	for (const char *p = s; n - (size_t)(p - s) >= w && (p = memmem(p, n - (size_t)(p - s), word, w)) != NULL; p += w)
		k++;
	return k;
}

/* Where a secret may stand, and it stands nowhere else. */
static bool
hides(const struct json_object *doc, const char *text, size_t n)
{
	static const char *const paths_of[] = { "api_key", "dashboard_pass", "network.shared_secret", "proxy.https_proxy" };
	bool good = false;

	if (times_in(text, n, SECRET) != 1)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(paths_of); i++) {
		struct json_object *o = toml_at((struct json_object *)(uintptr_t)doc, paths_of[i]);
		const char *s = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "", *at = strchr(s, '@');

		good |= strstr(s, SECRET) != NULL && strncmp(s, "vault:", 6) != 0 &&
		    (i < 3 || (strstr(s, "://") != NULL && at != NULL && strstr(s, SECRET) < at && strstr(s, SECRET) > strstr(s, "://")));
	}
	return good;
}

static enum err
snapshot(const char *text, size_t n, struct buf *out)
{
	char msg[1024] = "";
	enum err e;

	*out = (struct buf)BUF_INIT(16 << 20);
	e = config_snapshot_text(&paths, NULL, 7, text, n, true, false, out, msg, sizeof(msg));
	MUST(e == ERR_OK || msg[0] != '\0');
	return e;
}

static bool
settings(const char *text, size_t n)
{
	struct json_object *doc = NULL;
	struct config *cfg = NULL;
	struct toml_fault f;
	struct buf a, b;
	bool good = snapshot(text, n, &a) == ERR_OK;

	MUST(toml_parse(text, n, &doc, NULL, &f) == ERR_OK || !good);
	if (good) {
		MUST(snapshot(text, n, &b) == ERR_OK && a.len == b.len && memcmp(a.p, b.p, a.len) == 0);
		MUST(config_load(a.p, a.len, &cfg) == ERR_OK && cfg->generation == 7 && cfg->listen_port > 0 && cfg->listen_port < 65536);
		MUST(!hides(doc, text, n) || times_in(a.p, a.len, SECRET) == 0);
		config_free(cfg);
		buf_done(&b);
	}
	buf_done(&a);
	json_object_put(doc);
	return good;
}

/* --- changes ---------------------------------------------------------------------------- */

/* As it is in the file now: JSON, or "" where there is none. */
static void
value_of(const char *key, struct buf *out)
{
	char msg[1024] = "";

	buf_clear(out);
	if (config_file_get(&paths, key, out, msg, sizeof(msg)) != ERR_OK)
		buf_clear(out);
}

/* The document but for what the key names. */
static struct json_object *
others(const char *text, size_t n, const char *key)
{
	struct json_object *doc = NULL, *o;
	struct toml_fault f;
	char head[256];

	MUST(toml_parse(text, n, &doc, NULL, &f) == ERR_OK);
	snprintf(head, sizeof(head), "%.*s", (int)strcspn(key, ".[\""), key);
	if (json_object_object_get_ex(doc, head, &o))
		json_object_object_del(doc, head);
	return doc;
}

static void
change(struct ctx *c, const char *key, const char *value, const char *text, size_t n)
{
	SCOPED_BUF got = BUF_INIT(1 << 20);
	SCOPED_BUF now = BUF_INIT(2 << 20);
	struct json_object *doc = NULL, *a, *b, *is = NULL;
	bool plain = key[strspn(key, "abcdefghijklmnopqrstuvwxyz_.")] == '\0';
	char msg[1024] = "";
	struct toml_fault f;

	place_put("config.toml", text, n);
	if (config_file_set(&paths, key, value, msg, sizeof(msg)) != ERR_OK) {
		MUST(msg[0] != '\0' && place_holds("config.toml", text, n));
		return;
	}
	value_of(key, &got);
	MUST(got.len > 0 && json_read(c, got.p, got.len, &is) == ERR_OK);
	MUST(buf_read_file(&now, paths.config) == ERR_OK && settings(now.p, now.len));
	if (plain) {
		MUST(toml_parse(now.p, now.len, &doc, NULL, &f) == ERR_OK);
		json_object_put(doc);
		a = others(text, n, key);
		b = others(now.p, now.len, key);
		MUST(json_object_equal(a, b));
		json_object_put(a);
		json_object_put(b);
	}
	if (config_file_unset(&paths, key, msg, sizeof(msg)) == ERR_OK) {
		value_of(key, &got);
		MUST(got.len == 0);
	}
}

/* --- the two beside it -------------------------------------------------------------------- */

static void
variable(void *arg, const char *name, const char *value)
{
	(void)arg;
	MUST(name[0] != '\0' && config_is_env_name(name) && strchr(value, '\n') == NULL);
}

static void
beside(const char *which, const char *text, size_t n)
{
	char out[64];

	if (which[0] == 'e') {
		place_put("secrets.env", text, n);
		config_env_each(&paths, variable, NULL);
		unlink(place_of("secrets.env"));
		return;
	}
	place_put("librefang.ini", text, n);
	if (ini_get(&paths, "pool_size", out, sizeof(out)))
		MUST(strlen(out) < sizeof(out));
	(void)ini_get(&paths, "run_dir", out, sizeof(out));
	unlink(place_of("librefang.ini"));
}

static void
begin(void)
{
	place_begin();
	clearenv();
	snprintf(paths.home, sizeof(paths.home), "%s", place);
	snprintf(paths.config, sizeof(paths.config), "%s/config.toml", place);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data, *nl = n > 0 ? memchr(s, '\n', n) : NULL, *rest, *text, *key, *value;
	struct ctx c = { .arena = arena_new(4096) };

	if (place[0] == '\0')
		begin();
	if (nl != NULL && (rest = memchr(nl + 1, '\n', n - (size_t)(nl + 1 - s))) != NULL) {
		text = rest + 1;
		n -= (size_t)(text - s);
		key = ctx_strndup(&c, s, (size_t)(nl - s));
		value = ctx_strndup(&c, nl + 1, (size_t)(rest - nl - 1));
		if (strcmp(key, "env") == 0 || strcmp(key, "ini") == 0)
			beside(key, text, n);
		else if (settings(text, n) && key[0] != '\0')
			change(&c, key, value, text, n);
	}
	arena_free(c.arena);
	return 0;
}
