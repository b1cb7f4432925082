/*
 * The history as it goes to the model: short enough, whole, beginning with a user.
 *
 * A cut falls only where somebody asks something new and no tool call is open
 * before it; the search goes towards the end first (shorter is safer), then back.
 */
#include <string.h>

#include "lib/agent/prompt.h"
#include "lib/agent/repair.h"

enum { HISTORY_DEFAULT = 60, HISTORY_MIN = 4, HISTORY_MAX = 500, KEEP_MIN = 2, PINNED_MAX = 10 };

static bool
is_system(struct json_object *m)
{
	return strcmp(js_str_or(m, "role", ""), "system") == 0;
}

/* Take a reference into the array. */
static bool
share(struct json_object *array, struct json_object *m)
{
	if (json_object_array_add(array, json_object_get(m)) == 0)
		return true;
	json_object_put(m);
	return false;
}

/* Without system messages; the same object if there are none. NULL: out of memory. */
static struct json_object *
without_system(struct ctx *c, struct json_object *messages)
{
	size_t n = json_object_array_length(messages), systems = 0;
	struct json_object *ret;

	for (size_t i = 0; i < n; i++)
		systems += is_system(json_object_array_get_idx(messages, i));
	if (systems == 0)
		return messages;
	ret = json_keep(c, json_object_new_array());
	for (size_t i = 0; ret != NULL && i < n; i++) {
		struct json_object *m = json_object_array_get_idx(messages, i);

		if (!is_system(m) && !share(ret, m))
			return NULL;
	}
	return ret;
}

/* May the history begin at i? */
static bool
is_cut(struct json_object *messages, size_t i)
{
	return message_is_question(json_object_array_get_idx(messages, i)) &&
	    (i == 0 || !message_has_tool_use(json_object_array_get_idx(messages, i - 1)));
}

/* Where to begin so that about max are left; 0: no place found. */
static size_t
find_cut(struct json_object *messages, size_t max)
{
	size_t n = json_object_array_length(messages), want = n - max;

	for (size_t i = want; i + KEEP_MIN <= n; i++)
		if (is_cut(messages, i))
			return i;
	for (size_t i = want; i > 0; i--)
		if (is_cut(messages, i))
			return i;
	return 0;
}

/* A pinned message that can stand alone: tool results without their call become text. */
static struct json_object *
standing_alone(struct json_object *m)
{
	struct json_object *o = json_object_new_object(), *blocks = js_arr(m, "content");
	SCOPED_BUF b = BUF_INIT(1 << 20);

	for (size_t i = 0, n = blocks != NULL ? json_object_array_length(blocks) : 0; i < n; i++) {
		struct json_object *block = json_object_array_get_idx(blocks, i);

		if (js_str(block, "text") != NULL)
			buf_printf(&b, "%s\n", js_str(block, "text"));
		else if (js_str(block, "tool_use_id") != NULL && js_str(block, "content") != NULL)
			buf_printf(&b, "[earlier result of %s]\n%s\n", js_str_or(block, "tool_name", "a tool"),
			    js_str(block, "content"));
	}
	if (o == NULL || b.failed || b.len == 0 ||
	    json_object_object_add(o, "role", json_object_new_string("user")) != 0 ||
	    json_object_object_add(o, "content", json_object_new_string_len(b.p, (int)b.len)) != 0 ||
	    json_object_object_add(o, "pinned", json_object_new_boolean(true)) != 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}

static bool
keep_pinned(struct json_object *to, struct json_object *m)
{
	struct json_object *o;

	if (message_is_question(m))
		return share(to, m);
	o = standing_alone(m);
	if (o == NULL)
		return true;            /* nothing in it that could stand alone */
	if (json_object_array_add(to, o) == 0)
		return true;
	json_object_put(o);
	return false;
}

static struct json_object *
cut_at(struct ctx *c, struct json_object *messages, size_t from)
{
	struct json_object *ret = json_keep(c, json_object_new_array());
	size_t n = json_object_array_length(messages), pinned = 0;

	for (size_t i = 0; ret != NULL && i < n; i++) {
		struct json_object *m = json_object_array_get_idx(messages, i);

		if (i < from && (!js_bool(m, "pinned", false) || pinned++ >= PINNED_MAX))
			continue;
		if (i < from ? !keep_pinned(ret, m) : !share(ret, m))
			return NULL;
	}
	return ret;
}

/* From the first user message that is no answer to a tool call. */
static struct json_object *
start_with_user(struct ctx *c, struct json_object *messages)
{
	size_t n = json_object_array_length(messages), i = 0;
	struct json_object *ret;

	while (i < n && !message_is_question(json_object_array_get_idx(messages, i)))
		i++;
	if (i == 0)
		return messages;
	ret = json_keep(c, json_object_new_array());
	for (; ret != NULL && i < n; i++)
		if (!share(ret, json_object_array_get_idx(messages, i)))
			return NULL;
	return ret;
}

struct json_object *
history_for_model(struct ctx *c, struct json_object *messages, unsigned max)
{
	struct json_object *m = messages != NULL ? without_system(c, messages) : NULL;
	size_t cut;

	if (m == NULL)
		return NULL;
	max = max == 0 ? HISTORY_DEFAULT : max < HISTORY_MIN ? HISTORY_MIN : max > HISTORY_MAX ? HISTORY_MAX : max;
	cut = json_object_array_length(m) > max ? find_cut(m, max) : 0;
	if (cut > 0)
		m = cut_at(c, m, cut);
	m = m != NULL ? session_repair(c, m, NULL) : NULL;
	return m != NULL ? start_with_user(c, m) : NULL;
}
