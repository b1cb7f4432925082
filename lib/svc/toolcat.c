/*
 * The tools that come with the program, as data.
 */
#include "lib/svc/toolcat.h"

#include <stdatomic.h>
#include <string.h>

#include "lib/base/embed.h"

EMBED(tools_json, "share/tools.json");

struct json_object *
toolcat(void)
{
	static _Atomic(struct json_object *) all;
	struct json_object *now = atomic_load(&all), *was = NULL;

	if (now != NULL)
		return now;
	now = json_parse(tools_json, strlen(tools_json));
	if (now == NULL || atomic_compare_exchange_strong(&all, &was, now))
		return now;
	json_object_put(now);           /* another thread was first */
	return was;
}

struct json_object *
toolcat_find(const char *name)
{
	struct json_object *list = toolcat();

	for (size_t i = 0, n = json_object_array_length(list); i < n; i++) {
		struct json_object *t = json_object_array_get_idx(list, i);

		if (strcmp(js_str_or(t, "name", ""), name) == 0)
			return t;
	}
	return NULL;
}
