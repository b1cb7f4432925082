/*
 * The tools that come with the program, as data.
 */
#include "lib/svc/toolcat.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/embed.h"

EMBED(tools_json, "share/tools.json");

static struct json_object *all;

static void
load(void)
{
	all = json_parse(tools_json, strlen(tools_json));
	if (!json_object_is_type(all, json_type_array))
		abort();                        /* our own data, or no memory at the start */
}

struct json_object *
toolcat(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, load);        /* cannot fail with a control of ours */
	return all;
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
