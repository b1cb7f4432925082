/*
 * aliases.toml, read and written. While it is underway the rows are right, otherwise the file is.
 */
#include "daemon/aliases.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "daemon/underway.h"
#include "db/db.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/catalog_edit.h"
#include "lib/svc/config.h"
#include "lib/toml/toml.h"

enum { FILE_MAX = 1 << 20 };

static pthread_mutex_t file = PTHREAD_MUTEX_INITIALIZER;

static const char *
path_of(struct ctx *c)
{
	return ctx_printf(c, "%s/aliases.toml", c->cfg->home);
}

/* {alias: id} of a table; texts alone count. */
static enum err
put_all(struct ctx *c, struct json_object *table)
{
	char small[CATALOG_NAME_MAX + 1];
	enum err e = ERR_OK;

	if (table == NULL)
		return e;
	json_object_object_foreach(table, name, v)
		if (e == ERR_OK && json_object_is_type(v, json_type_string) && catalog_fold(name, small))
			e = alias_put(c, ctx_strdup(c, small), json_object_get_string(v));
	return e;
}

static enum err
take(struct ctx *c, struct json_object *doc)
{
	struct json_object *gone = js_arr(doc, "removed");
	enum err e = alias_clear(c);

	if (e == ERR_OK)
		e = put_all(c, doc);
	if (e == ERR_OK)
		e = put_all(c, js_obj(doc, "aliases"));
	for (size_t i = 0; e == ERR_OK && gone != NULL && i < json_object_array_length(gone); i++)
		e = alias_put(c, json_object_get_string(json_object_array_get_idx(gone, i)), "");
	return e;
}

/* --- written ------------------------------------------------------------------------------ */

/* The rows as they will be; folded NULL: as they are. */
static enum err
names_then(struct ctx *c, const char *folded, const char *model_id, struct json_object **ret)
{
	struct json_object *now = NULL, *then = json_keep(c, json_object_new_object());
	bool placed = folded == NULL || model_id == NULL;
	enum err e = alias_rows(c, &now);

	if (e != ERR_OK || then == NULL)
		return e != ERR_OK ? e : fail(c, ERR_NOMEM, "out of memory");
	json_object_object_foreach(now, name, id) {
		int order = folded != NULL ? strcmp(name, folded) : -1;

		if (!placed && order >= 0)
			json_object_object_add(then, folded, json_object_new_string(model_id));
		placed = placed || order >= 0;
		if (order != 0)
			json_object_object_add(then, name, json_object_get(id));
	}
	if (!placed)
		json_object_object_add(then, folded, json_object_new_string(model_id));
	*ret = then;
	return ERR_OK;
}

static enum err
text_of_rows(struct ctx *c, const char *folded, const char *model_id, struct buf *b)
{
	struct json_object *all = NULL;
	bool any = false;
	enum err e = names_then(c, folded, model_id, &all);

	if (e != ERR_OK)
		return e;
	buf_str(b, "# Names of models. Read at the start and on a reload; written when one is added or removed.\nremoved = [");
	json_object_object_foreach(all, name, id)
		if (json_object_get_string_len(id) == 0) {
			buf_str(b, any ? ", " : "");
			toml_quote(b, name);
			any = true;
		}
	buf_str(b, "]\n\n[aliases]\n");
	json_object_object_foreach(all, alias, target)
		if (json_object_get_string_len(target) > 0) {
			toml_quote(b, alias);
			buf_str(b, " = ");
			toml_quote(b, json_object_get_string(target));
			buf_ch(b, '\n');
		}
	return b->failed || memory_short ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* With the mutex. */
static enum err
work_off(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(FILE_MAX);
	enum err e;

	if (!underway_is(c, ALIASES_NOTE))
		return ERR_OK;
	e = text_of_rows(c, NULL, NULL, &b);
	if (e == ERR_OK)
		e = underway_hold(c, ALIASES_NOTE, b.p, b.len);
	return e == ERR_OK ? underway_put(c, ALIASES_NOTE, path_of(c)) : e;
}

enum err
aliases_work_off(struct ctx *c)
{
	enum err e;

	pthread_mutex_lock(&file);
	e = work_off(c);
	pthread_mutex_unlock(&file);
	return e;
}

/* What somebody wrote there and cannot be read is not thrown away. */
static enum err
is_whole(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(FILE_MAX);
	struct json_object *doc = NULL;
	struct toml_fault f = { .why = "" };
	const char *path = path_of(c);
	enum err e = path == NULL ? ERR_NOMEM : buf_read_file(&b, path);

	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e == ERR_TOO_LARGE)
		return fail_code(c, ERR_CONFLICT, "aliases_broken", "aliases.toml has more than %d bytes, so it is not written", FILE_MAX);
	if (e == ERR_OK)
		e = toml_parse(b.p != NULL ? b.p : "", b.len, &doc, NULL, &f);
	if (e != ERR_OK && e != ERR_BAD_REQUEST)
		return fail(c, e == ERR_NOMEM ? e : ERR_IO, "aliases.toml cannot be read: %s", e == ERR_NOMEM ? "out of memory" : strerror(errno));
	if (e != ERR_OK)
		return fail_code(c, ERR_CONFLICT, "aliases_broken", "aliases.toml, line %d: %s. It is not written until that is mended", f.line, f.why);
	json_object_put(doc);
	return ERR_OK;
}

static enum err
change_rows(struct ctx *c, const char *folded, const char *model_id)
{
	SCOPED_BUF b = BUF_INIT(FILE_MAX);
	SCOPED_TX tx = { 0 };
	enum err e = is_whole(c);

	if (e == ERR_OK)
		e = text_of_rows(c, folded, model_id, &b);
	if (e == ERR_OK)
		e = underway_hold(c, ALIASES_NOTE, b.p, b.len);         /* the disk is waited for before the store's lock is taken */
	if (e == ERR_OK)
		e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = model_id != NULL ? alias_put(c, folded, model_id) : alias_drop(c, folded);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

enum err
aliases_change(struct ctx *c, const char *folded, const char *model_id)
{
	struct fault f;
	bool owed, left;
	enum err e;

	pthread_mutex_lock(&file);
	owed = underway_is(c, ALIASES_NOTE);
	e = change_rows(c, folded, model_id);
	f = c->fault;
	if (e == ERR_OK)
		left = underway_put(c, ALIASES_NOTE, path_of(c)) != ERR_OK && work_off(c) != ERR_OK;
	else
		left = owed || underway_drop(c, ALIASES_NOTE) != ERR_OK;
	c->fault = f;
	pthread_mutex_unlock(&file);
	if (left)
		underway_later();
	return e;
}

/* --- read ----------------------------------------------------------------------------------- */

static void
take_file(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(FILE_MAX);
	SCOPED_TX tx = { 0 };
	struct json_object *doc = NULL;
	const char *path = path_of(c);
	char q[300];
	struct toml_fault f = { .why = "" };
	enum err e;

	e = path == NULL ? ERR_NOMEM : buf_read_file(&b, path);
	if (e == ERR_NOT_FOUND)
		return;
	if (e != ERR_OK) {
		log_line(LOG_WARN, "what=aliases.toml why=\"it cannot be read\" err=%s", err_code(e));
		return;
	}
	if (toml_parse(b.p != NULL ? b.p : "", b.len, &doc, NULL, &f) != ERR_OK) {
		log_line(LOG_WARN, "what=aliases.toml line=%d why=%s", f.line, log_quote(f.why, q, sizeof(q)));
		return;
	}
	e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = take(c, json_keep(c, doc));
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	if (e != ERR_OK)
		log_line(LOG_WARN, "what=aliases.toml why=\"the store does not take it\"");
}

void
aliases_take(struct ctx *c)
{
	pthread_mutex_lock(&file);
	if (work_off(c) == ERR_OK)
		take_file(c);
	pthread_mutex_unlock(&file);
}
