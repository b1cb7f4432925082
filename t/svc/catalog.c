/* The catalog: what is shipped, names, prices, and what a configuration makes of it. */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/price.h"
#include "t/tap.h"

static const char *
id_of(const char *provider, const char *name)
{
	const struct model *m = catalog_model(provider, name);

	return m == NULL ? NULL : m->id;
}

static void
names(void)
{
	is_str(id_of(NULL, "GPT-5"), "gpt-5", "letter case of a model id does not matter");
	is_str(id_of(NULL, "haiku"), "claude-haiku-4-5-20251001", "an alias names a model");
	is_str(id_of("anthropic", "HAIKU"), "claude-haiku-4-5-20251001", "also within its provider");
	is_str(id_of(NULL, "Offline rules"), "offline", "a display name does");
	is_str(id_of("openrouter", "google/gemini-2.5-flash"), "openrouter/google/gemini-2.5-flash",
	    "a provider's prefix may be left out when it is named");
	is_str(id_of("openai", "openai/gpt-5"), "gpt-5", "or be there once too often");
	is_str(id_of("google", "gemini-2.5-flash"), "gemini-2.5-flash", "a provider is known by its alias");
	is_str(catalog_model("moonshot", "kimi-k2.5")->provider, "moonshot", "of equal ids the named provider's is taken");
	ok(catalog_model(NULL, "no-such-model") == NULL, "an unknown name names nothing");
	ok(catalog_model(NULL, "") == NULL && catalog_model(NULL, NULL) == NULL, "no name neither");
	ok(catalog_provider("google") == NULL && catalog_provider("OpenAI") == NULL, "provider ids are exact");
	is_str(catalog_provider_alias("google")->id, "gemini", "unless aliases are asked for");
}

static void
shipped(void)
{
	const struct model *models;
	const struct provider *providers;
	const struct catalog_alias *aliases;
	size_t n = catalog_models(&models), np = catalog_providers(&providers);
	size_t na = catalog_aliases(&aliases), lost = 0, bad = 0;

	is_int(n, 268, "267 models and our own are shipped");
	is_int(np, 66, "and 65 providers and our own");
	is_int(na, 144, "and 144 aliases");
	for (size_t i = 0; i < na; i++)
		lost += catalog_model(NULL, aliases[i].alias) == NULL;
	is_int(lost, 0, "every alias leads to a model");
	for (size_t i = 0; i < n; i++)
		bad += models[i].by == NULL || id_of(models[i].provider, models[i].id) == NULL ||
		    (strcmp(models[i].modality, "text") == 0 && models[i].context_window == 0);
	is_int(bad, 0, "every model is found, has a provider, and a window if it speaks");
	for (size_t i = 0; i + 1 < na; i++)
		bad += strcmp(aliases[i].alias, aliases[i + 1].alias) >= 0;
	is_int(bad, 0, "aliases are ordered");
	is_str(catalog_default_model("offline"), "offline", "the built-in provider has its model");
	ok(catalog_default_model("nobody") == NULL, "an unknown one has none");
}

static int64_t
cost(const char *provider, const char *model, int64_t in, int64_t out, int64_t read, int64_t write)
{
	return price_of(NULL, provider, model, &(struct call_tokens){ .input = in, .output = out, .cache_read = read, .cache_write = write });
}

static void
prices(void)
{
	const struct config cfg = { .budget = { .unpriced_input_nanousd = 7000000000, .unpriced_output_nanousd = 9000000000 } };

	is_int(cost(NULL, "no-such", 1000000, 1000000, 0, 0), 4000000000, "an unknown model costs 1 and 3 dollars");
	is_int(cost("ollama", "no-such", 1000000, 1000000, 0, 0), 0, "one on this machine costs nothing");
	is_int(cost("claude-code", "whatever", 1000000, 1000000, 0, 0), 0, "nor does one that a program of its own subscribes to");
	is_int(cost("offline", "offline", 1000000, 5, 0, 0), 0, "our own costs nothing");
	is_int(cost(NULL, "aion-2.0", 1, 0, 0, 0), 800, "one token at 0.80 a million is 800 nano-dollars");
	is_int(cost(NULL, "aion-2.0", 10, 0, 5, 5), 400 + 5000, "cached reads cost a tenth, cache writes a quarter more");
	is_int(price_of(NULL, NULL, "no-such", &(struct call_tokens){ .input = 1000000, .cache_write = 1000000, .cache_hour = 400000 }), 1550000000,
	    "what is cached for an hour costs twice the input");
	is_int(price_of(NULL, NULL, "no-such", &(struct call_tokens){ .input = 10, .cache_write = 5, .cache_hour = 50 }), 5000 + 10000,
	    "no more of it than is written");
	is_int(price_of(NULL, "openai", "text-embedding-3-small", &(struct call_tokens){ .input = 1000000 }), 20000000, "vectors have prices of their own");
	is_int(price_of(NULL, "gemini", "Gemini-Embedding-001", &(struct call_tokens){ .input = 1000, .output = 1 }), 150000, "in any letter case, and nothing for what comes out");
	is_int(price_of(NULL, "groq", "text-embedding-3-small", &(struct call_tokens){ .input = 1000 }), 1000000, "of that provider alone");
	is_int(price_of(NULL, "ollama", "nomic-embed-text", &(struct call_tokens){ .input = 1000 }), 0, "on this machine they are free");
	is_int(price_bound(NULL, NULL, "no-such", 1000000, 1000000, false), 4250000000, "a call costs at most what it would if all of it were cached");
	is_int(price_bound(NULL, NULL, "no-such", 1000000, 1000000, true), 5000000000, "... for an hour, where that is wanted");
	is_int(price_bound(NULL, NULL, "gpt-image-2", 1000000, 1000000, false), 8000000000 + 30000000000, "... if all of it were pictures, in and out");
	is_int(cost(NULL, "no-such", 1, 0, 1, 0), 100, "reads count as part of the input");
	is_int(cost(NULL, "no-such", -5, -5, -5, -5), 0, "nothing is ever earned");
	is_int(cost(NULL, "no-such", INT64_MAX, INT64_MAX, 0, 0), INT64_MAX, "an absurd count stays within bounds");
	is_int(price_of(&cfg, NULL, "no-such", &(struct call_tokens){ .input = 1000000, .output = 1000000 }), 16000000000,
	    "what an unknown model costs can be configured");
	is_int(price_of(NULL, NULL, "music-2.6", &(struct call_tokens){ .generations = 2 }), 300000000, "a song has its price");
	is_int(price_of(NULL, NULL, "gpt-image-2", &(struct call_tokens){ .input = 3000000, .image_input = 1000000 }), 18000000000,
	    "tokens of images have theirs");
	ok(price_max_output(&cfg, NULL, "gpt-5") > 1000 && price_max_input(NULL, "gpt-5") > 1000, "limits are known");
}

static uint64_t seed = 88172645463325252u;

static int64_t
up_to(int64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (int64_t)(seed % (uint64_t)(n + 1));
}

/* Whatever a provider says of the parts, also more of them than there is: each token is paid once, so that what was put aside is enough. */
static void
bounds(void)
{
	const struct model *all;
	size_t n = catalog_models(&all);
	int64_t bad = 0, looked = 0;

	for (int i = 0; i < 200; i++)
		for (size_t k = 0; k < n; k++) {
			struct call_tokens t = { .input = up_to(200000), .output = up_to(90000) };

			t.cache_read = up_to(t.input);
			t.cache_write = up_to(t.input - t.cache_read);
			t.cache_hour = up_to(2 * t.cache_write);
			t.image_input = up_to(2 * t.input), t.audio_input = up_to(2 * t.input);
			t.image_output = up_to(2 * t.output), t.audio_output = up_to(2 * t.output);
			bad += price_of(NULL, all[k].provider, all[k].id, &t) > price_bound(NULL, all[k].provider, all[k].id, t.input, t.output, true);
			looked++;
		}
	is_int(bad, 0, "none of %lld calls costs more than its bound", (long long)looked);
}

/* What is sold under a name elsewhere, and what is free. */
static void
elsewhere(void)
{
	static const struct { const char *provider, *model; int64_t nano; const char *name; } all[] = {
		{ "openai", "gpt-5", 11250000000, "at home a model has its price" },
		{ "groq", "gpt-5", 11250000000, "from a provider whose catalog lacks it the same" },
		{ "nobody", "gpt-5", 11250000000, "from one that nobody knows, too" },
		{ "ollama", "gpt-5", 0, "from this machine nothing" },
		{ "lmstudio", "gpt-5", 0, "from another program of it neither" },
		{ "claude-code", "gpt-5", 0, "nor from one that is subscribed to" },
		{ "ollama", "gemma4", 0, "one of this machine is free" },
		{ "vllm", "gemma4", 0, "in each of its programs" },
		{ "groq", "gemma4", 4000000000, "but not from somebody who sells" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		is_int(cost(all[i].provider, all[i].model, 1000000, 1000000, 0, 0), all[i].nano, "%s (%s/%s)", all[i].name, all[i].provider, all[i].model);
}

static void
configured(struct ctx *c)
{
	struct config cfg = { .provider = "offline", .model = "offline" };
	char env[128];

	cfg.providers = json_stored(c, "{\"openai\":{\"key_present\":true},\"gemini\":{\"alt\":true},"
	    "\"ollama\":{\"reachable\":false},\"my-own\":{\"key_present\":false}}");
	cfg.provider_urls = json_stored(c, "{\"my-own\":\"http://u:p@127.0.0.1:9/v1\",\"venice\":\"https://v/v1\"}");
	cfg.provider_key_env = json_stored(c, "{\"groq\":\"MY_GROQ\"}");
	is_str(catalog_auth_status(&cfg, "openai"), "configured", "a key in the environment makes a provider configured");
	is_str(catalog_auth_status(&cfg, "google"), "auto_detected", "a key under another name is detected");
	is_str(catalog_auth_status(&cfg, "anthropic"), "missing", "no key: missing");
	is_str(catalog_auth_status(&cfg, "offline"), "not_required", "our own needs none");
	is_str(catalog_auth_status(&cfg, "ollama"), "missing", "a local server that did not answer is missing");
	is_str(catalog_auth_status(&cfg, "vllm"), "not_required", "one that was not asked needs no key");
	is_str(catalog_auth_status(&cfg, "claude-code"), "cli_not_installed", "a command that is not there");
	is_str(catalog_auth_status(&cfg, "my-own"), "not_required", "a provider known by its URL wants no key that anybody knows of");
	is_str(catalog_auth_status(&cfg, "nobody"), "unknown", "of others nothing is known");
	ok(auth_available("auto_detected") && !auth_available("missing") && !auth_available("unknown"), "some states can be used");
	is_str(catalog_key_env(&cfg, "groq", env), "MY_GROQ", "the configuration may name the variable");
	is_str(catalog_key_env(&cfg, "google", env), "GEMINI_API_KEY", "else the catalog does");
	is_str(catalog_key_env(&cfg, "my-own", env), "MY_OWN_API_KEY", "else it follows from the id");
	ok(catalog_listed(&cfg, catalog_provider("venice")), "a hidden provider with a URL is listed");
	ok(!catalog_listed(&cfg, catalog_provider("chutes")), "one without is not");

	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);

	jw_array(&w, NULL);
	is_int(catalog_write_providers(&w, &cfg), 60, "58 are listed, one by its URL, and one of our user's");
	jw_end(&w);
	ok(json_check(b.p, b.len, 32, NULL) == ERR_OK, "the list is JSON");
	ok(strstr(b.p, "u:p@") == NULL && strstr(b.p, "http://127.0.0.1:9/v1") != NULL, "a URL is shown without its password");
}

int
main(void)
{
	struct ctx c = { .arena = arena_new(4096) };
	int64_t t0 = clock_mono_us();

	catalog_init();
	printf("# read in %lld us\n", (long long)(clock_mono_us() - t0));
	catalog_init();
	names();
	shipped();
	prices();
	elsewhere();
	bounds();
	configured(&c);
	arena_free(c.arena);
	return done();
}
