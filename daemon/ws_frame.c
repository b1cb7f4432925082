/*
 * Text frames of the chat socket: sorted, opened, cleaned. Anything may come.
 */
#include "daemon/ws_frame.h"

#include <string.h>

enum { ID_MAX = 128 };

void
ws_frame_sort(struct ctx *c, const char *text, size_t n, bool (*is_command)(const char *, size_t),
    struct ws_frame *ret)
{
	struct json_object *f = json_try(c, text, n);
	const char *type = "message", *content = text;

	if (json_object_is_type(f, json_type_object)) {
		type = js_str_or(f, "type", "message");
		content = js_str_or(f, "content", "");
	}
	if (strcmp(type, "ping") == 0)
		*ret = (struct ws_frame){ .kind = WS_PING };
	else if (strcmp(type, "command") == 0)
		*ret = (struct ws_frame){ .kind = WS_COMMAND,
			.line = ctx_printf(c, "%s %s", js_str_or(f, "command", ""), js_str_or(f, "args", "")) };
	else if (strcmp(type, "message") != 0)
		*ret = (struct ws_frame){ .kind = WS_UNKNOWN, .line = ctx_strndup(c, type, utf8_cut(type, strlen(type), 64)) };
	else if (content[0] == '/' && is_command(content + 1, strcspn(content + 1, " \n")))
		*ret = (struct ws_frame){ .kind = WS_COMMAND, .line = content + 1, .message_id = ws_frame_id(f) };
	else
		*ret = (struct ws_frame){ .kind = WS_MESSAGE };
}

const char *
ws_frame_content(struct ctx *c, const char *text, struct json_object **ret_frame)
{
	struct json_object *frame = json_try(c, text, strlen(text)), *inner;
	const char *content;

	*ret_frame = NULL;
	if (!json_object_is_type(frame, json_type_object))
		return text;
	*ret_frame = frame;
	content = js_str(frame, "content");
	if (content != NULL && content[0] == '{' && (inner = json_try(c, content, strlen(content))) != NULL &&
	    js_str(inner, "content") != NULL)
		content = js_str(inner, "content");
	return content;
}

const char *
ws_frame_id(struct json_object *frame)
{
	const char *id = js_str(frame, "message_id");

	return id != NULL && id[0] != '\0' && strlen(id) <= ID_MAX ? id : NULL;
}

const char *
ws_frame_clean(struct ctx *c, const char *content)
{
	char *s = ctx_strdup(c, content), *to = s;
	size_t n;

	for (const char *p = s; p != NULL && *p != '\0'; p++)
		if ((unsigned char)*p >= 0x20 || *p == '\n' || *p == '\t')
			if (*p != 0x7f)
				*to++ = *p;
	if (s == NULL)
		return NULL;
	*to = '\0';
	s += strspn(s, " \t\n");
	for (n = strlen(s); n > 0 && strchr(" \t\n", s[n - 1]) != NULL; n--)
		;
	s[n] = '\0';
	return n > 0 ? s : NULL;
}
