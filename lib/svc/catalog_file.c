/*
 * A catalog in a file, in the place of what is shipped: is it one, and which counts.
 */
#include <stdio.h>
#include <string.h>

#include "lib/svc/catalog_set.h"

enum { FILE_MAX = 16 << 20, MODELS_MAX = 20000, PRICE_MAX = 1000000 };

/* As the API takes them; what is more than price.c counts with would cost nothing. */
static bool
price_ok(const struct json_object *o, const char *name)
{
	double usd = js_f64(o, name, 0);

	return usd >= 0 && usd <= PRICE_MAX;
}

static bool
prices_ok(const struct json_object *o)
{
	for (int i = 0; i < PRICES; i++)
		if (!price_ok(o, price_names[i]))
			return false;
	return price_ok(o, "input_cost_per_m") && price_ok(o, "output_cost_per_m") && price_ok(o, "per_call_cost");
}

static bool
row_ok(const struct json_object *o, bool model)
{
	const char *id = js_str(o, "id"), *p = js_str(o, "provider");

	if (id == NULL || id[0] == '\0' || strlen(id) > CATALOG_NAME_MAX / 2)
		return false;
	if (!model)
		return strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(id);
	return p != NULL && p[0] != '\0' && prices_ok(o) &&
	    (strcmp(js_str_or(o, "modality", "text"), "text") != 0 ||
	    (js_i64(o, "context_window", 0) > 0 && js_i64(o, "max_output_tokens", 0) > 0));
}

bool
catalog_file_ok(struct ctx *c, const char *text, size_t n, size_t *ret_models, char *msg, size_t cap)
{
	static const char *const lists[] = { "providers", "models" };
	struct json_object *o = json_try(c, text, n);

	if (!json_object_is_type(o, json_type_object)) {
		snprintf(msg, cap, "the catalog is no JSON object");
		return false;
	}
	for (int i = 0; i < 2; i++) {
		struct json_object *a = js_arr(o, lists[i]);
		size_t k = a != NULL ? json_object_array_length(a) : 0;

		if (k == 0 || k > MODELS_MAX) {
			snprintf(msg, cap, "the catalog has no %s", lists[i]);
			return false;
		}
		for (size_t j = 0; j < k; j++)
			if (!row_ok(json_object_array_get_idx(a, j), i == 1)) {
				snprintf(msg, cap, "%s[%zu] of the catalog is none", lists[i], j);
				return false;
			}
		*ret_models = k;
	}
	return true;
}

struct json_object *
catalog_newer_file(struct ctx *c)
{
	static const char *const names[] = { "catalog.json", "catalog.json.prev" };
	char path[4352], msg[200];
	size_t n;

	for (size_t i = 0; c->cfg != NULL && i < ARRAY_LEN(names); i++) {
		SCOPED_BUF b = BUF_INIT(FILE_MAX);

		snprintf(path, sizeof(path), "%s/%s", c->cfg->data_dir, names[i]);
		if (buf_read_file(&b, path) == ERR_OK && b.p != NULL && catalog_file_ok(c, b.p, b.len, &n, msg, sizeof(msg)))
			return json_stored(c, b.p);
	}
	return NULL;
}
