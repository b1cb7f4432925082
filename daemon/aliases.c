/*
 * aliases.toml, read and written.
 */
#include "daemon/aliases.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/catalog_edit.h"
#include "lib/toml/toml.h"

enum { FILE_MAX = 1 << 20 };

static void
path_of(const char *home, char out[static 4352])
{
	snprintf(out, 4352, "%s/aliases.toml", home);
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

/* The file is read in the transaction: who adds a name writes rows and file in one, too. */
void
aliases_take(struct ctx *c, const char *home)
{
	SCOPED_BUF b = BUF_INIT(FILE_MAX);
	SCOPED_TX tx = { 0 };
	struct json_object *doc = NULL;
	char path[4352], q[300];
	struct toml_fault f = { .why = "" };
	enum err e;

	path_of(home, path);
	if (access(path, R_OK) != 0)
		return;                         /* none, most likely */
	e = tx_begin(c, &tx);
	if (e == ERR_OK && buf_read_file(&b, path) != ERR_OK)
		return;
	if (e == ERR_OK && toml_parse(b.p != NULL ? b.p : "", b.len, &doc, NULL, &f) != ERR_OK) {
		log_line(LOG_WARN, "what=aliases.toml line=%d why=%s", f.line, log_quote(f.why, q, sizeof(q)));
		return;
	}
	if (e == ERR_OK)
		e = take(c, json_keep(c, doc));
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	if (e != ERR_OK)
		log_line(LOG_WARN, "what=aliases.toml why=\"the store does not take it\"");
}

/* What somebody wrote there and cannot be read is not thrown away. */
static enum err
is_whole(struct ctx *c, const char *path)
{
	SCOPED_BUF b = BUF_INIT(FILE_MAX);
	struct json_object *doc = NULL;
	struct toml_fault f = { .why = "" };

	if (access(path, F_OK) != 0)
		return ERR_OK;
	if (buf_read_file(&b, path) != ERR_OK)
		return fail_code(c, ERR_CONFLICT, "aliases_broken", "aliases.toml cannot be read, so it is not written");
	if (toml_parse(b.p != NULL ? b.p : "", b.len, &doc, NULL, &f) != ERR_OK)
		return fail_code(c, ERR_CONFLICT, "aliases_broken", "aliases.toml, line %d: %s. It is not written until that is mended", f.line, f.why);
	json_object_put(doc);
	return ERR_OK;
}

enum err
aliases_write(struct ctx *c, const char *home, struct file_next *f)
{
	SCOPED_BUF b = BUF_INIT(FILE_MAX);
	struct json_object *all = NULL;
	char path[4352];
	const char *kept;
	bool any = false;
	enum err e = alias_rows(c, &all);

	if (e != ERR_OK)
		return e;
	path_of(home, path);
	if ((e = is_whole(c, path)) != ERR_OK)
		return e;
	if ((kept = ctx_strdup(c, path)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	buf_str(&b, "# Names of models. Read at the start and on a reload; written when one is added or removed.\nremoved = [");
	json_object_object_foreach(all, name, id)
		if (json_object_get_string_len(id) == 0) {
			buf_str(&b, any ? ", " : "");
			toml_quote(&b, name);
			any = true;
		}
	buf_str(&b, "]\n\n[aliases]\n");
	json_object_object_foreach(all, alias, target)
		if (json_object_get_string_len(target) > 0) {
			toml_quote(&b, alias);
			buf_str(&b, " = ");
			toml_quote(&b, json_object_get_string(target));
			buf_ch(&b, '\n');
		}
	if (b.failed || memory_short || file_next(f, kept, b.p, b.len, 0600) != ERR_OK || file_put(f) != ERR_OK)
		return fail(c, ERR_IO, "aliases.toml cannot be written");
	return ERR_OK;
}
