/* Pictures of a conversation: those of the question and the newest of earlier ones are shown, the rest are named. */
#include <string.h>

#include "lib/agent/pictures.h"
#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "lib/svc/config.h"
#include "t/tap.h"

#define ID "11111111-1111-4111-8111-111111111111"
#define PICTURE "{\"type\":\"image_file\",\"media_type\":\"image/png\",\"path\":\"" ID "\"}"

static struct config cfg = { .data_dir = "/data" };
static struct ctx c = { .cfg = &cfg };
static struct history h;

static void
add(enum said_by role, const char *json)
{
	if (!history_add(&c, &h, message_of(&c, role, json, strlen(json))))
		exit(1);
}

static size_t
count(const struct history *all, size_t at, const char *what)
{
	const char *s = json_object_to_json_string_ext(all->v[at].blocks, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t n = 0;

	for (; (s = strstr(s, what)) != NULL; s++)
		n++;
	return n;
}

int
main(void)
{
	const struct history *o;
	bool any;

	c.arena = arena_new(65536);
	add(BY_USER, "\"hello\"");
	add(BY_ASSISTANT, "\"hello\"");
	ok(history_pictures(&c, &h, false, &any) == &h && !any, "without pictures it is the same history");
	add(BY_USER, "[{\"type\":\"text\",\"text\":\"one\"}," PICTURE "]");
	add(BY_ASSISTANT, "\"seen\"");
	add(BY_USER, "[" PICTURE "," PICTURE "," PICTURE "," PICTURE "," PICTURE "," PICTURE "," PICTURE "]");
	add(BY_ASSISTANT, "\"seen\"");
	add(BY_USER, "[" PICTURE "]");
	add(BY_ASSISTANT, "\"seen\"");
	add(BY_USER, "[" PICTURE "," PICTURE "," PICTURE "," PICTURE "," PICTURE "," PICTURE "," PICTURE "," PICTURE "," PICTURE "," PICTURE "]");
	add(BY_ASSISTANT, "[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"system_time\",\"input\":{}}]");
	add(BY_USER, "[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":\"noon\",\"is_error\":false}]");
	o = history_pictures(&c, &h, false, &any);
	ok(any && o != &h && o->n == h.n, "with them it is another one");
	is_int((int64_t)count(o, 8, "/data/uploads/" ID), 10, "all of the question are shown, after a call of a tool as well");
	is_int((int64_t)count(o, 6, "/data/uploads/" ID), 1, "the newest of earlier ones");
	is_int((int64_t)count(o, 4, "/data/uploads/" ID), 7, "are too");
	is_int((int64_t)count(o, 2, "/data/uploads/" ID), 0, "older ones are not");
	is_int((int64_t)count(o, 2, "A picture from earlier"), 1, "but named");
	is_int((int64_t)count(o, 2, "one"), 1, "and what was said with them stays");
	is_int((int64_t)count(&h, 2, "image_file"), 1, "the history given is as it was");
	o = history_pictures(&c, &h, true, &any);
	is_int((int64_t)count(o, 8, "cannot see"), 10, "who cannot see has a word for each");
	arena_free(c.arena);
	return done();
}
