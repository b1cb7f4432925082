/*
 * Prices, in whole numbers.
 *
 * The catalog's prices have at most nine decimals a million tokens. A cached read costs a tenth and a cached write five
 * quarters of the input's price where nobody told theirs, so everything is counted in twentieths, and rounded up once.
 */
#include "lib/svc/price.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "lib/svc/catalog.h"

enum { TWENTIETHS = 20, PER_MILLION = 1000000 };

/* Twentieths of nano-dollars for a million tokens; nano-dollars for each generation. */
struct prices { __int128 in, out, image_in, image_out, audio_in, audio_out, read, write, hour; int64_t call; };

static int64_t
nano(double usd)
{
	return usd > 0 && usd < 1e9 ? llround(usd * 1e9) : 0;
}

static int64_t
at_least_0(int64_t v)
{
	return v < 0 ? 0 : v;
}

/* On this machine, or paid by a subscription. */
static bool
is_free(const char *provider, bool *always)
{
	const struct provider *p = catalog_provider(provider);

	*always = p != NULL && p->cli;
	return p != NULL && (p->local || p->cli);
}

/* A name that only others have tells a price, unless one of the two takes none: what is free here is not so there. */
static const struct model *
model_of(const char *provider, const char *name)
{
	const struct model *m = catalog_model(provider, name);
	bool always;

	if (m == NULL || provider == NULL || strcmp(m->provider, provider) == 0)
		return m;
	return is_free(provider, &always) || is_free(m->provider, &always) ? NULL : m;
}

static bool
is_priced(const struct model *m)
{
	return m->pricing_known && (m->input_cost_per_m > 0 || m->output_cost_per_m > 0 ||
	    strcmp(m->provider, "chatgpt") != 0);
}

/* What the catalog tells, else what follows. */
static __int128
own_price(const struct model *m, enum price which, __int128 otherwise)
{
	return m != NULL && m->price[which] >= 0 ? (__int128)nano(m->price[which]) * TWENTIETHS : otherwise;
}

/* Dollars for a million tokens of a model that makes vectors; below 0: not known. */
static double
embedding_price(const char *provider, const char *model)
{
	static const struct { const char *provider, *model; double usd; } all[] = {
#define EMBEDDING(provider, model, usd) { provider, model, usd },
#include "lib/svc/embeddings.def"
#undef EMBEDDING
	};

	for (size_t i = 0; provider != NULL && model != NULL && i < ARRAY_LEN(all); i++)
		if (strcmp(all[i].provider, provider) == 0 && strcasecmp(all[i].model, model) == 0)
			return all[i].usd;
	return -1;
}

static struct prices
prices_of(const struct config *cfg, const char *provider, const char *name, const struct model *m)
{
	struct prices p = { .in = INT64_C(1000000000) * TWENTIETHS, .out = INT64_C(3000000000) * TWENTIETHS };
	bool always, free = is_free(provider, &always);
	double of_vectors = m == NULL ? embedding_price(provider, name) : -1;

	if (always)
		return (struct prices){ 0 };
	if (m != NULL && is_priced(m)) {
		p.in = (__int128)nano(m->input_cost_per_m) * TWENTIETHS;
		p.out = (__int128)nano(m->output_cost_per_m) * TWENTIETHS;
	} else if (m == NULL && free) {
		p.in = p.out = 0;
	} else if (of_vectors >= 0) {
		p.in = (__int128)nano(of_vectors) * TWENTIETHS;
		p.out = 0;
	} else if (cfg != NULL) {
		p.in = (__int128)cfg->budget.unpriced_input_nanousd * TWENTIETHS;
		p.out = (__int128)cfg->budget.unpriced_output_nanousd * TWENTIETHS;
	}
	p.image_in = own_price(m, PRICE_IMAGE_IN, p.in);
	p.image_out = own_price(m, PRICE_IMAGE_OUT, p.out);
	p.audio_in = own_price(m, PRICE_AUDIO_IN, p.in);
	p.audio_out = own_price(m, PRICE_AUDIO_OUT, p.out);
	p.read = own_price(m, PRICE_CACHE_READ, p.in / 10);
	p.write = own_price(m, PRICE_CACHE_WRITE, p.in / 4 * 5);
	p.hour = own_price(m, PRICE_CACHE_HOUR, p.in * 2);
	p.call = m != NULL ? nano(m->per_call_cost) : 0;
	return p;
}

static int64_t
rounded_up(__int128 sum, int64_t calls)
{
	sum = (sum + TWENTIETHS * PER_MILLION - 1) / (TWENTIETHS * PER_MILLION) + calls;
	return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

/* What of the input is in no cache. */
static int64_t
above_0(int64_t input, int64_t read, int64_t write)
{
	return read >= input || write >= input - read ? 0 : input - read - write;
}

/* So many of them, but not more than are left: each is paid once. */
static int64_t
taken(int64_t *left, int64_t n)
{
	n = at_least_0(n) < *left ? at_least_0(n) : *left;
	*left -= n;
	return n;
}

int64_t
price_of(const struct config *cfg, const char *provider, const char *model, const struct call_tokens *t)
{
	struct prices p = prices_of(cfg, provider, model, model_of(provider, model));
	int64_t read = at_least_0(t->cache_read), write = at_least_0(t->cache_write), hour = at_least_0(t->cache_hour);
	int64_t regular = above_0(at_least_0(t->input), read, write), words = at_least_0(t->output);
	int64_t image_in = taken(&regular, t->image_input), audio_in = taken(&regular, t->audio_input);
	int64_t image_out = taken(&words, t->image_output), audio_out = taken(&words, t->audio_output);
	__int128 sum, calls;

	if (hour > write)
		hour = write;
	sum = (__int128)regular * p.in + image_in * p.image_in + audio_in * p.audio_in + read * p.read + (write - hour) * p.write + hour * p.hour +
	    (__int128)words * p.out + image_out * p.image_out + audio_out * p.audio_out;
	calls = (__int128)at_least_0(t->generations) * p.call;
	return rounded_up(sum, calls > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)calls);
}

static __int128
dearer(__int128 a, __int128 b)
{
	return a > b ? a : b;
}

int64_t
price_bound(const struct config *cfg, const char *provider, const char *model, int64_t input, int64_t output, bool hour)
{
	struct prices p = prices_of(cfg, provider, model, model_of(provider, model));
	__int128 in = dearer(dearer(p.in, p.image_in), dearer(p.audio_in, dearer(p.read, p.write)));
	__int128 out = dearer(p.out, dearer(p.image_out, p.audio_out));

	if (hour)
		in = dearer(in, p.hour);
	return rounded_up(at_least_0(input) * in + at_least_0(output) * out, p.call);
}

int64_t
price_max_output(const struct config *cfg, const char *provider, const char *model)
{
	const struct model *m = model_of(provider, model);

	if (m != NULL && m->max_output_tokens > 0)
		return m->max_output_tokens;
	return cfg != NULL ? cfg->budget.unknown_max_output : 32768;
}

int64_t
price_max_input(const char *provider, const char *model)
{
	const struct model *m = model_of(provider, model);

	return m != NULL && m->context_window > 0 ? m->context_window : 0;
}
