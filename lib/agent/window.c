/*
 * How large a model's window is.
 */
#include "lib/agent/fit.h"
#include "lib/svc/catalog.h"

enum { WINDOW_UNKNOWN = 8192, WINDOW_MAX = 1 << 30 };

/* What people write is believed as far as it can be multiplied. */
static int64_t
bounded(int64_t tokens)
{
	return tokens > WINDOW_MAX ? WINDOW_MAX : tokens;
}

int64_t
fit_window(struct json_object *mm, const char *provider, const char *model, const char **source)
{
	const struct model *known;

	*source = "agent_override";
	if (js_i64(mm, "context_window", 0) > 0)
		return bounded(js_i64(mm, "context_window", 0));
	known = catalog_model(provider, model);
	*source = known != NULL && known->context_window != known->raw_window ? "model_override" : "catalog";
	if (known != NULL && known->context_window > 0)
		return bounded(known->context_window);
	*source = "fallback";
	return WINDOW_UNKNOWN;
}
