/*
 * What the tools share: reading parameters, saying what went wrong, and the
 * borrowed database connection. Parameters come from a model, so a wrong one is
 * answered with a sentence that tells it how to mend the call.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/agent/tools/tools.h"
#include "lib/base/util.h"

enum err
tool_say(struct buf *out, enum err e, const char *fmt, ...)
{
	char s[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s, sizeof(s), fmt, ap);
	va_end(ap);
	buf_clear(out);
	if (n > 0)
		buf_add(out, s, utf8_cut(s, strlen(s), sizeof(s) - 4));
	return e;
}

unsigned
tool_left_ms(const struct tool_env *env)
{
	int64_t ms = (env->deadline_us - clock_mono_us()) / 1000;

	return env->deadline_us == 0 || ms > UINT_MAX ? UINT_MAX : ms < 1 ? 1 : (unsigned)ms;
}

enum err
tool_fault(struct tool_env *env, enum err e, struct buf *out)
{
	const char *msg = env->c->fault.err == e ? env->c->fault.msg : NULL;

	if (e == ERR_DB)        /* its sentence is for the log */
		msg = NULL;
	return tool_say(out, e, "%s", msg != NULL ? msg : e == ERR_NOMEM ? "out of memory" : "the store failed");
}

enum err
tool_text_opt(struct json_object *input, const char *name, const char **ret, size_t *ret_n,
    struct buf *out)
{
	struct json_object *v = js_get(input, name);
	const char *s;
	size_t n;

	if (v == NULL) {
		*ret = NULL;
		if (ret_n != NULL)
			*ret_n = 0;
		return ERR_OK;
	}
	if (!json_object_is_type(v, json_type_string))
		return tool_say(out, ERR_INVALID, "parameter %s: a string is expected", name);
	s = json_object_get_string(v);
	n = (size_t)json_object_get_string_len(v);
	if (ret_n == NULL && memchr(s, '\0', n) != NULL)
		return tool_say(out, ERR_INVALID, "parameter %s holds a NUL character", name);
	*ret = s;
	if (ret_n != NULL)
		*ret_n = n;
	return ERR_OK;
}

enum err
tool_text(struct json_object *input, const char *name, const char **ret, size_t *ret_n,
    struct buf *out)
{
	const char *s = NULL;
	enum err e = tool_text_opt(input, name, &s, ret_n, out);

	if (e != ERR_OK)
		return e;
	if (s == NULL)
		return tool_say(out, ERR_INVALID, "missing parameter: %s", name);
	*ret = s;
	return ERR_OK;
}

enum err
tool_count(struct json_object *input, const char *name, int64_t dflt, int64_t min, int64_t max,
    int64_t *ret, struct buf *out)
{
	struct json_object *v = js_get(input, name);
	int64_t n = dflt;

	if (v != NULL) {
		if (!json_object_is_type(v, json_type_int))
			return tool_say(out, ERR_INVALID, "parameter %s: a whole number is expected", name);
		n = json_object_get_int64(v);
	}
	*ret = n < min ? min : n > max ? max : n;
	return ERR_OK;
}

enum err
tool_db_take(struct tool_env *env, struct buf *out)
{
	env->c->db = env->db_get(env);
	if (env->c->db == NULL)
		return tool_say(out, ERR_UNAVAILABLE, "the store is busy; try again in a moment");
	return ERR_OK;
}

void
tool_db_give(struct tool_env *env)
{
	if (env->c->db != NULL)
		env->db_put(env, env->c->db);
	env->c->db = NULL;
}
