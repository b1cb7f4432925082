/*
 * Prices, in whole numbers.
 *
 * The catalog's prices have at most nine decimals a million tokens. A cached read costs a tenth and a cached write five
 * quarters of the input's price, so everything is counted in twentieths, and rounded up once.
 */
#include "lib/svc/price.h"

#include <math.h>
#include <string.h>

#include "lib/svc/catalog.h"

enum { TWENTIETHS = 20, PER_MILLION = 1000000 };

/* Nano-dollars for a million tokens, and for each generation. */
struct prices { int64_t in, out, image_in, image_out, call; };

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

static bool
is_priced(const struct model *m)
{
	return m->pricing_known && (m->input_cost_per_m > 0 || m->output_cost_per_m > 0 ||
	    strcmp(m->provider, "chatgpt") != 0);
}

static struct prices
prices_of(const struct config *cfg, const char *provider, const struct model *m)
{
	struct prices p = { 1000000000, 3000000000, 0, 0, 0 };
	bool always, free = is_free(provider, &always);

	if (always)
		return (struct prices){ 0 };
	if (m != NULL && is_priced(m)) {
		p.in = nano(m->input_cost_per_m);
		p.out = nano(m->output_cost_per_m);
	} else if (m == NULL && free) {
		p.in = p.out = 0;
	} else if (cfg != NULL) {
		p.in = cfg->budget.unpriced_input_nanousd;
		p.out = cfg->budget.unpriced_output_nanousd;
	}
	p.image_in = m != NULL && m->has_image_costs ? nano(m->image_input_cost_per_m) : p.in;
	p.image_out = m != NULL && m->has_image_costs ? nano(m->image_output_cost_per_m) : p.out;
	p.call = m != NULL ? nano(m->per_call_cost) : 0;
	return p;
}

int64_t
price_of(const struct config *cfg, const char *provider, const char *model, const struct call_tokens *t)
{
	struct prices p = prices_of(cfg, provider, catalog_model(provider, model));
	int64_t read = at_least_0(t->cache_read), write = at_least_0(t->cache_write);
	int64_t image_in = at_least_0(t->image_input), image_out = at_least_0(t->image_output);
	__int128 regular = (__int128)at_least_0(t->input) - read - write - image_in;
	__int128 words = (__int128)at_least_0(t->output) - image_out, sum;

	if (regular < 0)
		regular = 0;
	if (words < 0)
		words = 0;
	sum = TWENTIETHS * (regular * p.in + (__int128)image_in * p.image_in + words * p.out + (__int128)image_out * p.image_out) +
	    (__int128)read * 2 * p.in + (__int128)write * 25 * p.in;
	sum = (sum + TWENTIETHS * PER_MILLION - 1) / (TWENTIETHS * PER_MILLION) + (__int128)at_least_0(t->generations) * p.call;
	return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

int64_t
price_max_output(const struct config *cfg, const char *provider, const char *model)
{
	const struct model *m = catalog_model(provider, model);

	if (m != NULL && m->max_output_tokens > 0)
		return m->max_output_tokens;
	return cfg != NULL ? cfg->budget.unknown_max_output : 32768;
}

int64_t
price_max_input(const char *provider, const char *model)
{
	const struct model *m = catalog_model(provider, model);

	return m != NULL && m->context_window > 0 ? m->context_window : 0;
}
