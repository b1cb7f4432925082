/* Directories that are to be removed. */
#include "lib/svc/leftover.h"

#include "db/db.h"

enum { AT_ONCE = 1000 };

enum err
leftover_add(struct ctx *c, const char *dir)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO leftover (dir) VALUES (?) ON CONFLICT (dir) DO NOTHING"));

	bind_text(st, dir);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
leftover_drop(struct ctx *c, const char *dir)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM leftover WHERE dir = ?"));

	bind_text(st, dir);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
leftover_has(struct ctx *c, const char *dir, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM leftover WHERE dir = ?"));

	bind_text(st, dir);
	*ret = db_step(st);
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
leftovers(struct ctx *c, const char ***ret, size_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT dir FROM leftover ORDER BY dir LIMIT 1000"));
	const char **all = ctx_alloc(c, AT_ONCE * sizeof(*all));
	size_t n = 0;

	if (all == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	while (n < AT_ONCE && db_step(st))
		if ((all[n++] = col_text(c, st, "dir")) == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	if (n < AT_ONCE && db_end(st) != ERR_OK)
		return fail_db(c, st);
	*ret = all;
	*ret_n = n;
	return ERR_OK;
}
