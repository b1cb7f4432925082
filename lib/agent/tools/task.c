/*
 * task_post, task_claim, task_complete, task_list, task_status: the board on which agents put up work for each other.
 */
#include <stdio.h>
#include <string.h>

#include "lib/agent/tools/tools.h"
#include "lib/svc/event.h"
#include "lib/svc/task.h"

enum { LIST_MAX = 100, LIST_BYTES = 512 << 10 };

/* A text of 1 to max bytes. */
static enum err
text_within(struct json_object *input, const char *name, size_t max, const char **ret, struct buf *out)
{
	enum err e = tool_text(input, name, ret, NULL, out);

	if (e == ERR_OK && ((*ret)[0] == '\0' || strlen(*ret) > max))
		e = tool_say(out, ERR_INVALID, "parameter %s: 1 to %zu bytes are expected", name, max);
	return e;
}

/* What happened, for proactive agents; the task itself stands whatever becomes of the word. */
static void
publish(struct tool_env *env, const char *what, const char *id)
{
	char s[80];
	int n = snprintf(s, sizeof(s), "%s %s", what, id);

	ignore_err(event_publish(env->c, EVENT_CUSTOM, env->agent_id, s, (size_t)n, env->event_depth));
}

enum err
tool_task_post(struct tool_env *env, struct json_object *input, struct buf *out)
{
	const char *title, *description, *to = NULL, *to_id = NULL;
	char id[37];
	enum err e = text_within(input, "title", TASK_TITLE_MAX, &title, out);

	if (e == ERR_OK)
		e = text_within(input, "description", TASK_TEXT_MAX, &description, out);
	if (e == ERR_OK)
		e = tool_text_opt(input, "assigned_to", &to, NULL, out);
	if (e == ERR_OK && to != NULL && to[0] != '\0')
		e = tool_agent_meant(env, to, &to_id, NULL, out);
	if (e == ERR_OK)
		e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	e = task_post(env->c, env->agent_id, title, description, to_id != NULL ? to_id : "", env->event_depth, id);
	if (e == ERR_OK)
		publish(env, "task_posted", id);
	tool_db_give(env);
	if (e == ERR_OK && to_id != NULL && env->task_given != NULL)
		env->task_given();
	if (e == ERR_RATE_LIMITED)
		return (void)tool_fault(env, e, out), ERR_FORBIDDEN;
	return e == ERR_OK ? tool_say(out, ERR_OK, "Task %s is on the board.", id) : tool_fault(env, e, out);
}

enum err
tool_task_claim(struct tool_env *env, struct json_object *input, struct buf *out)
{
	struct json_object *task = NULL;
	struct jw w = JW_INIT(out);
	enum err e = tool_db_take(env, out);

	(void)input;
	if (e != ERR_OK)
		return e;
	e = task_claim(env->c, env->agent_id, env->agent_name, &task);
	if (e == ERR_OK && task != NULL)
		publish(env, "task_claimed", js_str_or(task, "id", ""));
	tool_db_give(env);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	buf_clear(out);
	if (task == NULL)
		return tool_say(out, ERR_OK, "none");
	jw_json(&w, NULL, task);
	return ERR_OK;
}

enum err
tool_task_complete(struct tool_env *env, struct json_object *input, struct buf *out)
{
	const char *id, *result;
	enum err e = text_within(input, "task_id", 64, &id, out);

	if (e == ERR_OK)
		e = text_within(input, "result", TASK_TEXT_MAX, &result, out);
	if (e == ERR_OK)
		e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	e = task_complete(env->c, id, env->agent_id, result);
	if (e == ERR_OK)
		publish(env, "task_completed", id);
	tool_db_give(env);
	if (e == ERR_CONFLICT)
		return (void)tool_fault(env, e, out), ERR_FORBIDDEN;
	return e == ERR_OK ? tool_say(out, ERR_OK, "Task %s is completed.", id) : tool_fault(env, e, out);
}

enum err
tool_task_list(struct tool_env *env, struct json_object *input, struct buf *out)
{
	SCOPED_BUF b = BUF_INIT(LIST_BYTES);
	struct jw w = JW_INIT(&b);
	const char *status = NULL;
	enum err e = tool_text_opt(input, "status", &status, NULL, out);

	if (e == ERR_OK)
		e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	jw_array(&w, NULL);
	e = task_write_list(env->c, status != NULL && status[0] != '\0' ? status : NULL, LIST_MAX, &w);
	jw_end(&w);
	tool_db_give(env);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	if (b.failed)
		return tool_say(out, ERR_TOO_LARGE, "the tasks are too many to be listed; ask for one status");
	buf_clear(out);
	buf_add(out, b.p, b.len);
	return ERR_OK;
}

enum err
tool_task_status(struct tool_env *env, struct json_object *input, struct buf *out)
{
	SCOPED_BUF b = BUF_INIT(LIST_BYTES);
	struct jw w = JW_INIT(&b);
	const char *id;
	enum err e = text_within(input, "task_id", 64, &id, out);

	if (e == ERR_OK)
		e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	e = task_write(env->c, id, &w);
	tool_db_give(env);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	buf_clear(out);
	buf_add(out, b.p, b.len);
	return ERR_OK;
}
