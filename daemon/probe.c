/*
 * Probes: one GET that costs nothing, for each wire format its own. A credential goes along only where it is what a call
 * shows too: an access key of AWS and a service account's key prove something else, and stay here.
 *
 * The addresses come from the configuration, so that they are asked by the same rule as a call: any host of the own
 * network, but never where clouds keep their secrets, whatever a name leads to.
 */
#include "daemon/probe.h"
#include "daemon/programs.h"
#include "daemon/proxies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/alarm.h"
#include "daemon/conf.h"
#include "daemon/dbpool.h"
#include "daemon/keys.h"
#include "daemon/threads.h"
#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/secret.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/llm/errors.h"
#include "lib/llm/google.h"
#include "lib/net/http.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/catalog_edit.h"

enum { LOCAL_MS = 2000, REMOTE_MS = 8000, CONNECT_MS = 3000, ANSWER_MAX = 16 << 20, LIVE_MAX = 2000, EVERY_MS = 60000, LIST_MS = 900000 };

/* --- whom ----------------------------------------------------------------------- */

static const char *
key_of(struct ctx *c, const struct provider *p, const char *id)
{
	const struct provider_state *st = catalog_state(id);
	const char *key = NULL;
	char name[128];

	if (!st->suppressed && (p == NULL || strcmp(p->api_format, "copilot") != 0 || st->key_set)) {
		key = key_named(c, catalog_key_name(c->cfg, id, name));
		if (key == NULL && p != NULL)
			key = key_named(c, p->alt_api_key_env);
	}
	return key != NULL ? key : "";
}

enum err
probe_whom(struct ctx *c, const char *id, struct probe *ret)
{
	const struct provider *p = catalog_provider(id);
	struct provider own;
	const char *url;

	if (p != NULL && !catalog_listed(c->cfg, p))
		p = NULL;
	if (p == NULL && catalog_provider_custom(c->cfg, id, &own))
		p = &own;
	if (p == NULL)
		return fail_code(c, ERR_NOT_FOUND, "provider_not_found", "Provider '%.64s' not found", id);
	url = catalog_url(c->cfg, id);
	if (url == NULL && strcmp(p->api_format, "azure_openai") == 0)
		url = js_str_or(js_obj(c->cfg->raw, "azure_openai"), "endpoint", getenv("AZURE_OPENAI_ENDPOINT"));
	*ret = (struct probe){
		.id = ctx_strdup(c, id), .format = ctx_strdup(c, p->api_format), .base_url = ctx_strdup(c, url),
		.key = key_of(c, p->custom ? NULL : p, id),
		.local = p->local, .cli = p->cli, .custom = p->custom, .key_required = p->key_required, .discovers = catalog_discovers(p),
	};
	return proxy_for(c, id, ret->base_url, &ret->proxy);
}

/* --- how -------------------------------------------------------------------------- */

static bool
is_router(const char *id)
{
	return strcmp(id, "openrouter") == 0;
}

/* The base without slashes at its end. */
static const char *
based(struct ctx *c, const struct probe *p, const char *rest)
{
	size_t n = strlen(p->base_url);

	while (n > 0 && p->base_url[n - 1] == '/')
		n--;
	return ctx_printf(c, "%.*s%s", (int)n, p->base_url, rest);
}

/* Ollama's own list lies beside what speaks OpenAI. */
static const char *
tags_url(struct ctx *c, const struct probe *p)
{
	size_t n = strlen(p->base_url);

	while (n > 0 && p->base_url[n - 1] == '/')
		n--;
	if (n > 3 && memcmp(p->base_url + n - 3, "/v1", 3) == 0)
		n -= 3;
	return ctx_printf(c, "%.*s/api/tags", (int)n, p->base_url);
}

static const char *
probe_url(struct ctx *c, const struct probe *p)
{
	static const struct { const char *format, *path; } paths[] = {
		{ "anthropic", "/v1/models" }, { "gemini", "/v1beta/models" }, { "chatgpt_responses", "/me" }, { "elevenlabs", "/user" },
	};

	if (strcmp(p->format, "ollama") == 0)
		return tags_url(c, p);
	if (strcmp(p->format, "azure_openai") == 0)
		return based(c, p, "/openai/models?api-version=2024-02-01");
	if (is_router(p->id) && !p->lists)      /* everybody gets its list, so that a key is tried on this */
		return based(c, p, "/key");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (strcmp(paths[i].format, p->format) == 0)
			return based(c, p, paths[i].path);
	return based(c, p, "/models");
}

static bool
shows_key(const struct probe *p)
{
	return strcmp(p->format, "bedrock_converse") != 0 && strcmp(p->format, "vertex_ai") != 0;
}

static void
headers_of(struct ctx *c, const struct probe *p, const char *out[static 4])
{
	const char *name = strcmp(p->format, "anthropic") == 0 ? "x-api-key: " : strcmp(p->format, "gemini") == 0 ? "x-goog-api-key: " :
	    strcmp(p->format, "azure_openai") == 0 ? "api-key: " : strcmp(p->format, "elevenlabs") == 0 ? "xi-api-key: " : strcmp(p->format, "copilot") == 0 ? "Authorization: token " :
	    "Authorization: Bearer ";
	size_t n = strlen(name) + strlen(p->key) + 1;
	char *line;
	unsigned k = 0;

	out[k++] = "Accept: application/json";
	if (strcmp(p->format, "anthropic") == 0)
		out[k++] = "anthropic-version: 2023-06-01";
	if (p->key[0] != '\0' && shows_key(p) && (line = malloc(n)) == NULL) {
		memory_short = true;    /* and without it nobody is asked */
	} else if (p->key[0] != '\0' && shows_key(p)) {
		snprintf(line, n, "%s%s", name, p->key);
		out[k++] = secret_keep(c, line, n - 1);
		zero_bytes(line, n);
		free(line);
	}
	out[k] = NULL;
}

static bool
is_near(const char *url)
{
	const char *host = strstr(url, "://");
	char name[256];

	if (host == NULL)
		return false;
	host += 3;
	snprintf(name, sizeof(name), "%.*s", (int)(host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#")), host);
	return addr_is_loopback(name) || strcmp(name, "localhost") == 0;
}

/* --- what it said ------------------------------------------------------------------- */

/* Dollars a token, as text; false: it has no price of its own (OpenRouter's "auto" says -1). */
static bool
price_in(struct json_object *prices, const char *key, double *ret)
{
	const char *s = js_str(prices, key);
	char *end;

	*ret = s != NULL ? strtod(s, &end) * 1e6 : -1;
	return s != NULL && end != s && *ret >= 0 && *ret < 1e9;
}

static bool
lists(struct json_object *list, const char *word)
{
	for (size_t i = 0, n = list != NULL ? json_object_array_length(list) : 0; i < n; i++)
		if (strcmp(js_item(list, i), word) == 0)
			return true;
	return false;
}

/* OpenRouter tells prices, limits and abilities with its models. */
static void
write_priced(struct jw *w, struct json_object *o)
{
	struct json_object *can = js_arr(o, "supported_parameters"), *prices = js_obj(o, "pricing");
	double in, out;

	if (!price_in(prices, "prompt", &in) || !price_in(prices, "completion", &out))
		return;
	jw_f64(w, "input_cost_per_m", in);
	jw_f64(w, "output_cost_per_m", out);
	if (js_str(o, "name") != NULL && strlen(js_str(o, "name")) <= CATALOG_NAME_MAX / 2)
		jw_str(w, "display_name", js_str(o, "name"));
	jw_i64(w, "context_window", js_i64(o, "context_length", 0));
	jw_i64(w, "max_output_tokens", js_i64(js_obj(o, "top_provider"), "max_completion_tokens", 0));
	jw_bool(w, "supports_tools", lists(can, "tools"));
	jw_bool(w, "supports_thinking", lists(can, "reasoning"));
	jw_bool(w, "supports_vision", lists(js_arr(js_obj(o, "architecture"), "input_modalities"), "image"));
}

/* What of a list's row is told on; details of Ollama stand one deeper. */
static void
write_found(struct jw *w, struct json_object *o, const char *name)
{
	static const char *const texts[] = { "parameter_size", "quantization_level", "family" };
	struct json_object *d = js_obj(o, "details");

	jw_object(w, NULL);
	jw_str(w, "name", name);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (js_str(d, texts[i]) != NULL)
			jw_str(w, texts[i], js_str(d, texts[i]));
	if (js_arr(d, "families") != NULL)
		jw_json(w, "families", js_arr(d, "families"));
	if (js_i64(o, "size", 0) > 0)
		jw_i64(w, "size", js_i64(o, "size", 0));
	if (js_arr(o, "capabilities") != NULL)
		jw_json(w, "capabilities", js_arr(o, "capabilities"));
	write_priced(w, o);
	jw_end(w);
}

const char *
probe_models(struct ctx *c, const char *text, size_t n)
{
	struct buf b = BUF_INIT(4 << 20);
	struct jw w = JW_INIT(&b);
	struct json_object *o = n > 0 ? json_try(c, text, n) : NULL, *list;
	const char *live = NULL;

	list = js_arr(o, "models") != NULL ? js_arr(o, "models") : js_arr(o, "data");
	if (list == NULL)
		return NULL;
	jw_array(&w, NULL);
	for (size_t i = 0; i < json_object_array_length(list) && i < LIVE_MAX; i++) {
		struct json_object *m = json_object_array_get_idx(list, i);
		const char *name = js_str(m, "id") != NULL ? js_str(m, "id") : js_str(m, "name");

		if (name != NULL && strncmp(name, "models/", 7) == 0)
			name += 7;                      /* as Gemini names them */
		if (name != NULL && name[0] != '\0' && strlen(name) <= CATALOG_NAME_MAX / 2)
			write_found(&w, m, name);
	}
	jw_end(&w);
	live = b.failed ? NULL : ctx_strdup(c, b.p);
	buf_done(&b);
	return live;
}

static void
read_answer(struct ctx *c, const struct probe *p, const struct http_answer *a, struct probed *r)
{
	bool refused = a->status == 401 || a->status == 403;

	r->answered = true;
	r->status = a->status;
	if (refused && (!shows_key(p) || (strcmp(p->format, "anthropic") == 0 && p->key[0] == '\0')))
		refused = false;                        /* it asks everybody; being there is all that was asked */
	if (refused) {
		r->error = LLM_AUTH;
		snprintf(r->why, sizeof(r->why), "The provider refused the key (%ld)", a->status);
	}
	if (a->status >= 200 && a->status < 300 && a->body.len > 0)
		r->live = probe_models(c, a->body.p, a->body.len);
}

/* Google Cloud: the credentials are good if they are worth a token. */
static void
try_google(struct ctx *c, const struct probe *p, struct probed *r)
{
	struct llm_request rq = { .provider = p->id, .model = "", .api_key = p->key, .proxy = p->proxy, .settings = js_obj(c->cfg->raw, "vertex_ai") };
	struct llm_answer a;
	int64_t since = clock_mono_us();
	enum err e;

	*r = (struct probed){ .error = LLM_OK };
	job_db_release(c);
	e = google_try(&rq, &a);
	job_db_acquire(c);
	r->latency_ms = (clock_mono_us() - since) / 1000;
	r->google = true;
	r->answered = e == ERR_OK || a.error == LLM_AUTH;
	r->status = e == ERR_OK ? 200 : a.error == LLM_AUTH ? 401 : a.http_status;
	if (e != ERR_OK) {
		r->error = a.error;
		snprintf(r->why, sizeof(r->why), "%.250s", a.why);
	}
}

void
probe_key(struct ctx *c, const struct probe *p, struct probed *r)
{
	if (strcmp(p->format, "vertex_ai") == 0)
		try_google(c, p, r);
	else
		probe_ask(c, p, r);
}

void
probe_ask(struct ctx *c, const struct probe *p, struct probed *r)
{
	const char *headers[4], *url = probe_url(c, p);
	struct http_call call = {
		.method = "GET", .url = url, .headers = headers, .proxy = p->proxy, .max_bytes = ANSWER_MAX, .connect_ms = CONNECT_MS,
		.timeout_ms = url != NULL && is_near(url) ? LOCAL_MS : REMOTE_MS,
	};
	struct http_answer a = { .status = 0 };
	int64_t since = clock_mono_us();
	enum err e;

	*r = (struct probed){ .error = LLM_OK };
	if (url == NULL)
		return;
	headers_of(c, p, headers);
	job_db_release(c);
	e = http_do(&call, &a);
	r->latency_ms = (clock_mono_us() - since) / 1000;
	if (e == ERR_OK) {
		read_answer(c, p, &a, r);
	} else {
		r->forbidden = e == ERR_FORBIDDEN && strstr(a.why, "the proxy refused") == NULL;
		r->error = e == ERR_NOMEM ? LLM_NO_MEMORY : e == ERR_TIMEOUT ? LLM_TIMEOUT : LLM_UPSTREAM;
		snprintf(r->why, sizeof(r->why), "%.250s", a.why[0] != '\0' ? a.why : "The provider cannot be reached");
		llm_redact(r->why, p->key);
	}
	buf_done(&a.body);
	job_db_acquire(c);
}

enum err
probe_note(struct ctx *c, const struct probe *p, const struct probed *r, bool auth)
{
	const char *verdict = NULL;
	bool none = false;
	enum err e;

	c->now_ms = clock_ms();
	e = provider_probed(c, p->id, r->error == LLM_OK, r->latency_ms, r->error != LLM_OK ? r->why : NULL,
	    p->discovers ? r->live : NULL);
	if (p->key[0] != '\0' && r->answered && (shows_key(p) || r->google)) {
		if ((r->status >= 200 && r->status < 300) || r->status == 429)
			verdict = "validated_key";
		else if (r->status == 401 || r->status == 403)
			verdict = "invalid_key";
	} else if (p->custom && p->key[0] == '\0' && r->answered) {
		verdict = r->status == 401 || r->status == 403 ? "invalid_key" : NULL;
		none = verdict == NULL;         /* it takes those without one */
	}
	if (e == ERR_OK && auth && (verdict != NULL || none))
		e = provider_auth(c, p->id, verdict);
	return e == ERR_OK ? catalog_changed(c) : e;
}

/* --- in the background ------------------------------------------------------------------ */

struct later { struct conf *conf; char id[65]; };

static void
ask_and_note(void *arg)
{
	struct later *l = arg;
	struct ctx c = { .arena = arena_new(4096), .cfg = conf_of(l->conf), .now_ms = clock_ms() };
	struct probed r;
	struct probe p;

	if (c.arena != NULL) {
		uuid4(c.rid);
		job_db_acquire(&c);
		if (probe_whom(&c, l->id, &p) == ERR_OK && p.base_url != NULL && !p.cli && strcmp(p.format, "bedrock_converse") != 0 &&
		    (!p.custom || p.key[0] != '\0')) {
			probe_key(&c, &p, &r);
			if (probe_note(&c, &p, &r, true) != ERR_OK)
				log_line(LOG_WARN, "what=probe provider=%s why=\"the store does not take it\"", p.id);
		}
		job_db_release(&c);
	}
	arena_free(c.arena);
	conf_drop(l->conf);
	free(l);
}

void
probe_later(struct ctx *c, const char *id)
{
	struct later *l = calloc(1, sizeof(*l));

	(void)c;
	if (l == NULL)
		return;
	snprintf(l->id, sizeof(l->id), "%s", id);
	l->conf = conf_hold();
	if (threads_run_now(ask_and_note, l) == 0)
		return;
	conf_drop(l->conf);
	free(l);
}

/*
 * Worth a row: it came or went, or has other models. That one is not there which nobody asked for is none: rows make
 * each process keep tables of its own.
 */
static bool
is_news(const struct probe *p, const struct probed *r, bool wanted)
{
	const struct provider_state *st = catalog_state(p->id);

	if (st->tested_ms == 0 && r->error != LLM_OK)
		return wanted;
	if (st->tested_ms == 0 || st->reachable != (r->error == LLM_OK))
		return true;
	return p->discovers && r->live != NULL &&
	    (is_router(p->id) || st->live == NULL || strcmp(json_object_to_json_string_ext(st->live, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), r->live) != 0);
}

/* Its long list is good for a quarter of an hour. */
static bool
is_fresh(const struct ctx *c, const struct provider *p)
{
	const struct provider_state *st = catalog_state(p->id);

	return is_router(p->id) && st->live != NULL && st->live_ms <= c->now_ms && st->live_ms > c->now_ms - LIST_MS;
}

static void
probe_all(struct ctx *c, bool wanted)
{
	const struct provider *all;
	size_t n = catalog_providers(&all);
	struct probed r;
	struct probe p;

	for (size_t i = 0; i < n; i++) {
		if (!catalog_discovers(&all[i]) || catalog_state(all[i].id)->suppressed || !catalog_listed(c->cfg, &all[i]) ||
		    (all[i].key_required && !auth_available(catalog_auth_status(c->cfg, all[i].id))))
			continue;
		if (is_fresh(c, &all[i]) || probe_whom(c, all[i].id, &p) != ERR_OK || p.base_url == NULL)
			continue;
		p.lists = true;
		if (p.proxy == NULL && http_nobody_near(p.base_url))
			r = (struct probed){ .error = LLM_UPSTREAM, .why = "cannot connect" };
		else
			probe_ask(c, &p, &r);
		if (is_news(&p, &r, wanted) && probe_note(c, &p, &r, false) != ERR_OK)
			return;
		n = catalog_providers(&all);            /* what was noted made other tables */
	}
}

/* Who looked at the list in the last minutes wants to know; nobody else does. */
static int64_t
ring(void)
{
	static int64_t done_ms;
	int64_t now = clock_ms(), asked = shm != NULL ? atomic_load(&shm->providers_asked_ms) : 0;
	struct later l = { .conf = conf_hold() };
	struct ctx c = { .arena = arena_new(4096), .cfg = conf_of(l.conf), .now_ms = now };

	if (c.arena != NULL && (done_ms == 0 || asked >= done_ms)) {
		uuid4(c.rid);
		done_ms = now;
		job_db_acquire(&c);
		if (asked > 0)
			programs_take(&c);
		probe_all(&c, asked > 0);
		job_db_release(&c);
	}
	arena_free(c.arena);
	conf_drop(l.conf);
	return clock_ms() + EVERY_MS;
}

static struct alarm probes = { .ring = ring };

void
probes_start(void)
{
	alarm_now(&probes);
}
