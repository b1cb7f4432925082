/*
 * Uploads that are over. Rows first, then whatever lies in the directory without one: so a crash
 * in between only leaves a file for the next time.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/upload.h"

enum { LASTS_MS = 86400000, STRANGER_S = 3600 };

static enum err
drop_rows(struct ctx *c)
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e != ERR_OK)
		return e;
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM upload WHERE created_ms < ? AND (session_id IS NULL OR"
	    " NOT EXISTS (SELECT 1 FROM session WHERE session.id = upload.session_id))"));

	bind_i64(st, clock_ms() - LASTS_MS);
	return db_exec(st) == ERR_OK ? tx_commit(c, &tx) : fail_db(c, st);
}

static bool
has_row(struct ctx *c, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM upload WHERE id = ?"));

	bind_text(st, id);
	return db_step(st) || db_end(st) != ERR_OK;
}

/* Written long ago, or by somebody who is no more: a name of its own comes with a row within a moment. */
static bool
is_left_over(int dir, const char *name, int64_t before_ms)
{
	struct stat sb;
	int64_t age;

	if (fstatat(dir, name, &sb, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(sb.st_mode))
		return false;
	age = clock_ms() / 1000 - (int64_t)sb.st_mtim.tv_sec;
	return age >= STRANGER_S || age < 0 || (int64_t)sb.st_mtim.tv_sec * 1000 + sb.st_mtim.tv_nsec / 1000000 < before_ms;
}

enum err
uploads_sweep(struct ctx *c, int64_t before_ms, int64_t *ret_removed)
{
	const char *path = ctx_printf(c, "%s/uploads", c->cfg->data_dir);
	enum err e = path == NULL ? fail(c, ERR_NOMEM, "out of memory") : drop_rows(c);
	struct dirent *de;
	DIR *d;

	*ret_removed = 0;
	if (e != ERR_OK || (d = opendir(path)) == NULL)
		return e;               /* no directory: no upload yet */
	while ((de = readdir(d)) != NULL) {
		char id[37];
		bool hidden = de->d_name[0] == '.' && strlen(de->d_name) == 42 && strcmp(de->d_name + 37, ".part") == 0;

		if (!hidden && (!uuid_parse(de->d_name, id) || has_row(c, id)))
			continue;
		if (is_left_over(dirfd(d), de->d_name, before_ms) && unlinkat(dirfd(d), de->d_name, 0) == 0)
			++*ret_removed;
	}
	closedir(d);
	return ERR_OK;
}
