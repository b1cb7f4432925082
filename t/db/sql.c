/*
 * Every statement in the sources is prepared on a migrated store: a literal
 * that no longer fits the schema is found here, not by a user.
 */
#include <ctype.h>
#include <ftw.h>
#include <sqlite3.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/base/buf.h"
#include "t/tap.h"

static sqlite3 *store;
static unsigned n_found;

static size_t
line_of(const char *text, const char *at)
{
	size_t n = 1;

	for (; text < at; text++)
		n += *text == '\n';
	return n;
}

static const char *
skip_blank(const char *p)
{
	for (;;) {
		const char *end;

		while (isspace((unsigned char)*p))
			p++;
		if (p[0] != '/' || p[1] != '*' || (end = strstr(p, "*/")) == NULL)
			return p;
		p = end + 2;
	}
}

/* One string literal at p, its meaning added to out; NULL: it has no end. */
static const char *
literal(const char *p, struct buf *out)
{
	for (p++; *p != '"'; p++) {
		if (*p == '\0')
			return NULL;
		if (*p == '\\' && *++p == 'n')
			buf_ch(out, '\n');
		else if (*p != '\n')
			buf_ch(out, *p);
	}
	return p + 1;
}

/* What stands between SQL( and its bracket. false: something else than literals. */
static bool
statement(const char *p, struct buf *out)
{
	for (p = skip_blank(p); *p == '"'; p = skip_blank(p))
		if ((p = literal(p, out)) == NULL)
			return false;
	return *p == ')' && out->len > 0;
}

static void
try_statement(const char *path, size_t line, const char *sql)
{
	sqlite3_stmt *st = NULL;
	const char *tail = NULL;
	int rc = sqlite3_prepare_v2(store, sql, -1, &st, &tail);

	n_found++;
	if (!ok(rc == SQLITE_OK && st != NULL && *skip_blank(tail) == '\0', "%s:%zu fits the schema", path, line))
		printf("#   %s\n#   %s\n", rc == SQLITE_OK ? "more than one statement" : sqlite3_errmsg(store), sql);
	sqlite3_finalize(st);
}

static void
scan(const char *path, const char *text)
{
	struct buf sql = BUF_INIT(1 << 20);

	for (const char *p = text; (p = strstr(p, "SQL(")) != NULL; p += 4) {
		if (p > text && (isalnum((unsigned char)p[-1]) || p[-1] == '_'))
			continue;
		buf_clear(&sql);
		if (strncmp(p + 4, "text)", 5) == 0 || strncmp(p + 4, ")", 1) == 0)
			continue;               /* the macro itself, and prose */
		if (statement(p + 4, &sql))
			try_statement(path, line_of(text, p), sql.p);
		else
			ok(false, "%s:%zu: SQL() holds string literals alone", path, line_of(text, p));
	}
	buf_done(&sql);
}

static int
visit(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	size_t n = strlen(path);
	struct buf b = BUF_INIT(1 << 22);

	(void)st;
	(void)at;
	if (kind != FTW_F || n < 2 || path[n - 2] != '.' || strchr("ch", path[n - 1]) == NULL)
		return 0;
	if (buf_read_file(&b, path) == ERR_OK && b.p != NULL)
		scan(path, b.p);
	buf_done(&b);
	return 0;
}

int
main(void)
{
	static const char *const rooms[] = { "lib", "db", "handlers", "fcgi", "daemon", "cli" };
	static const char *const tails[] = { "", "-wal", "-shm" };
	const char *src = getenv("LF_SRCDIR");
	char dir[] = "/tmp/lf-sql-XXXXXX", path[64], file[80], why[200];
	struct db *db = NULL;

	if (chdir(src != NULL ? src : ".") != 0 || mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/x.db", dir);
	if (db_open(&db, path, true) != ERR_OK || db_migrate(db, why, sizeof(why)) != ERR_OK ||
	    sqlite3_open(path, &store) != SQLITE_OK)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
		(void)nftw(rooms[i], visit, 16, FTW_PHYS);      /* a room may not be there yet */
	ok(n_found > 30, "%u statements were found", n_found);
	sqlite3_close(store);
	db_close(db);
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		snprintf(file, sizeof(file), "%s%s", path, tails[i]);
		unlink(file);
	}
	rmdir(dir);
	return done();
}
