/*
 * Many users at once. Each row is judged for itself against what there is and what the rows before it make; those that are good
 * are written together.
 */
#include <string.h>
#include <strings.h>

#include "daemon/live/users.h"
#include "daemon/user_follow.h"
#include "lib/svc/user.h"

struct reply users_import(struct ctx *, const struct request *);

enum { ROWS_MAX = 1000, CHANGES_A_ROW = 5 };

struct import {
	struct json_object *names;      /* folded name → name as it stands, of all who are there then */
	struct json_object *bound;      /* "channel id" → name */
	struct json_object *touched;    /* folded names of rows before */
	struct config_change *ch;
	size_t n;
	int64_t created, updated, failed;
	bool dry;
};

static const char *
folded(struct ctx *c, const char *s)
{
	char *p = ctx_strdup(c, s);

	for (char *q = p; q != NULL && *q != '\0'; q++)
		if (*q >= 'A' && *q <= 'Z')
			*q = (char)(*q - 'A' + 'a');
	return p != NULL ? p : "";
}

static void
bind(struct ctx *c, struct import *im, struct json_object *bindings, const char *name)
{
	if (bindings == NULL)
		return;
	json_object_object_foreach(bindings, channel, v) {
		const char *key = ctx_printf(c, "%s %s", channel, json_object_get_string(v));

		if (key != NULL)
			json_object_object_add(im->bound, key, json_object_new_string(name));
	}
}

static void
unbind(struct import *im, const char *name)
{
	json_object_object_foreach(im->bound, key, v) {
		if (strcmp(json_object_get_string(v), name) == 0)
			json_object_object_del(im->bound, key);
	}
}

static enum err
bindings_free(struct ctx *c, struct import *im, struct json_object *bindings, const char *name)
{
	if (bindings == NULL)
		return ERR_OK;
	json_object_object_foreach(bindings, channel, v) {
		const char *key = ctx_printf(c, "%s %s", channel, json_object_get_string(v));
		const char *whose = key != NULL ? js_str(im->bound, key) : "";

		if (whose != NULL && (name == NULL || strcmp(whose, name) != 0))
			return fail(c, ERR_CONFLICT, "user '%s' has this id on %s already", whose, channel);
	}
	return ERR_OK;
}

static enum err
take_row(struct ctx *c, struct import *im, const struct user_request *in, bool *ret_new)
{
	const char *name, *fold = folded(c, in->name);
	bool again = json_object_object_get_ex(im->touched, fold, NULL);
	enum err e = user_request_check(c, in);

	if (e != ERR_OK)
		return e;
	name = js_str(im->names, fold);
	if ((e = bindings_free(c, im, in->channel_bindings, name)) != ERR_OK)
		return e;
	*ret_new = name == NULL;
	if (name == NULL) {
		name = in->name;
		e = user_members(c, in, &im->ch[im->n]);
		im->n += e == ERR_OK;
		json_object_object_add(im->names, fold, json_object_new_string(name));
	} else {
		struct user_request same = *in;

		same.name = name;                               /* an import renames nobody */
		e = user_changes(c, again ? NULL : user_find(c->cfg, name), &same, false, im->ch, &im->n);
		unbind(im, name);
	}
	json_object_object_add(im->touched, fold, NULL);
	if (e == ERR_OK)
		bind(c, im, in->channel_bindings, name);
	return e;
}

/* A row may be no good; what we lack is not its fault. */
static enum err
write_row(struct ctx *c, struct import *im, struct json_object *row, size_t i, struct jw *w)
{
	const struct user_request in = { .name = js_str_or(row, "name", ""), .role = js_str_or(row, "role", "user"),
		.channel_bindings = js_obj(row, "channel_bindings"), .api_key_hash = js_str(row, "api_key_hash") };
	size_t had = im->n;
	bool new = false;
	enum err e = take_row(c, im, &in, &new);

	if (e == ERR_NOMEM || memory_short)
		return fail(c, ERR_NOMEM, "out of memory");
	if (e != ERR_OK)
		im->n = had;
	*(e != ERR_OK ? &im->failed : new ? &im->created : &im->updated) += 1;
	jw_object(w, NULL);
	jw_i64(w, "index", (int64_t)i);
	jw_str(w, "name", in.name);
	jw_str(w, "status", e != ERR_OK ? "failed" : new ? "created" : "updated");
	jw_str(w, "error", e != ERR_OK ? c->fault.msg : NULL);
	jw_end(w);
	c->fault = (struct fault){ 0 };
	return ERR_OK;
}

static enum err
begin(struct ctx *c, struct import *im, size_t rows)
{
	im->names = json_keep(c, json_object_new_object());
	im->bound = json_keep(c, json_object_new_object());
	im->touched = json_keep(c, json_object_new_object());
	im->ch = ctx_alloc(c, rows * CHANGES_A_ROW * sizeof(*im->ch));
	if (im->names == NULL || im->bound == NULL || im->touched == NULL || im->ch == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < c->cfg->n_users; i++) {
		const struct config_user *u = &c->cfg->users[i];

		json_object_object_add(im->names, folded(c, u->name), json_object_new_string(u->name));
		bind(c, im, js_obj(user_entry(c->cfg, u), "channel_bindings"), u->name);
	}
	return ERR_OK;
}

struct reply
users_import(struct ctx *c, const struct request *rq)
{
	const struct users_import_request *in = rq->body_struct;
	size_t rows = in->rows != NULL ? json_object_array_length(in->rows) : 0;
	struct import im = { .dry = in->dry_run };
	struct jw *w = reply_open(c);
	enum err e = ERR_OK;

	if (rows == 0)
		e = fail(c, ERR_BAD_REQUEST, "bulk array is empty");
	else if (rows > ROWS_MAX)
		e = fail(c, ERR_BAD_REQUEST, "at most %d rows", ROWS_MAX);
	if (e == ERR_OK)
		e = begin(c, &im, rows);
	if (e != ERR_OK)
		return reply_fail_user(c);
	jw_object(w, NULL);
	jw_array(w, "rows");
	for (size_t i = 0; i < rows; i++)
		if (write_row(c, &im, json_object_array_get_idx(in->rows, i), i, w) != ERR_OK)
			return reply_fail_user(c);
	jw_end(w);
	jw_i64(w, "created", im.created);
	jw_i64(w, "updated", im.updated);
	jw_i64(w, "failed", im.failed);
	jw_bool(w, "dry_run", im.dry);
	jw_end(w);
	if (!im.dry && im.n > 0) {
		if (user_settled(c) != ERR_OK || config_take(c, im.ch, im.n) != ERR_OK)
			return reply_fail_user(c);
		user_note(c, "and others imported:", "list", ctx_printf(c, "%lld made, %lld changed", (long long)im.created, (long long)im.updated));
	}
	return reply_json(c, 200, w);
}
