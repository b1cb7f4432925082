/*
 * What came and must not stay: the secrets of a request, wherever they stand.
 */
#include <string.h>

#include "lib/api/api.h"
#include "lib/base/util.h"

static void
wipe_json(struct json_object *o)
{
	if (json_object_is_type(o, json_type_string)) {
		zero_bytes((void *)(uintptr_t)json_object_get_string(o), (size_t)json_object_get_string_len(o));
	} else if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, k, v) {
			(void)k;
			wipe_json(v);
		}
	}
}

void
request_wipe(const struct request *rq, const char *text)
{
	if (text != NULL)
		zero_bytes((void *)(uintptr_t)text, strlen(text));
	if (rq->body_bytes > 0)
		zero_bytes((void *)(uintptr_t)rq->body, rq->body_bytes);
	wipe_json(rq->json);
}
