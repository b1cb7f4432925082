/*
 * How large a model's window is.
 */
#include "lib/agent/fit.h"
#include "lib/svc/catalog.h"

enum { WINDOW_UNKNOWN = 8192 };

int64_t
fit_window(struct json_object *mm, const char *provider, const char *model, const char **source)
{
	const struct model *known;

	*source = "manifest";
	if (js_i64(mm, "context_window", 0) > 0)
		return js_i64(mm, "context_window", 0);
	known = catalog_model(provider, model);
	*source = "catalog";
	if (known != NULL && known->context_window > 0)
		return known->context_window;
	*source = "fallback";
	return WINDOW_UNKNOWN;
}
