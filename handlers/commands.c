/*
 * Slash commands: what a page may offer in a chat.
 */
#include "handlers/handlers.h"

#include "handlers/cached.h"
#include "lib/svc/chat_command.h"

static void
write_command(struct ctx *c, struct jw *w, const struct chat_command *k)
{
	jw_object(w, NULL);
	jw_str(w, "cmd", ctx_printf(c, "/%s", k->name));
	jw_str(w, "desc", k->desc);
	jw_str(w, "desc_key", ctx_printf(c, "cmd_%s", k->name));
	jw_bool(w, "no_args", k->args == NULL);
	if (k->args != NULL)
		jw_str(w, "args_hint", k->args);
	if (k->exec != NULL)
		jw_str(w, "exec", k->exec);
	jw_end(w);
}

static enum err
make_all(struct ctx *c, struct buf *out)
{
	const struct chat_command *all;
	size_t n = chat_commands(&all);
	struct jw w = JW_INIT(out);

	jw_object(&w, NULL);
	jw_array(&w, "commands");
	for (size_t i = 0; i < n; i++)
		write_command(c, &w, &all[i]);
	jw_end(&w);
	jw_end(&w);
	return ERR_OK;
}

struct reply
commands_list(struct ctx *c, const struct request *rq)
{
	static struct cached_body body;

	return cached_reply(c, rq, &body, NULL, make_all);
}

struct reply
commands_show(struct ctx *c, const struct request *rq)
{
	const struct path_arg *name = path_arg_n(rq, "name");
	const struct chat_command *k = chat_command_find(name->value, name->n);
	struct jw *w;

	if (k == NULL) {
		ignore_err(fail(c, ERR_NOT_FOUND, "Command '%s%.*s' not found", *name->value == '/' ? "" : "/",
		    (int)utf8_cut(name->value, name->n, 200), name->value));
		return reply_fail(c);
	}
	w = reply_open(c);
	write_command(c, w, k);
	return reply_json(c, 200, w);
}
