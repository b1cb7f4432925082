/*
 * The store from outside: a copy of it while others write, and a look at one that nobody
 * has opened.
 *
 * The copy is the engine's own, page by page, in one step: one reading
 * transaction, so it is the store of one moment, with all that was committed before it began,
 * and writers are not held up. (VACUUM INTO would give rows new places, and the search
 * indexes remember the old ones.)
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_internal.h"

enum { BUSY_MS = 5000, COPY_TRIES = 20 };

static enum err
open_plain(const char *path, int flags, sqlite3 **ret, char *msg, size_t cap)
{
	int rc = sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(*ret, BUSY_MS);
		return ERR_OK;
	}
	snprintf(msg, cap, "%s", *ret != NULL ? sqlite3_errmsg(*ret) : "no memory");
	return db_err(rc) == ERR_OK ? ERR_DB : db_err(rc);
}

static int
copy_pages(sqlite3 *to, sqlite3 *from)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	int rc = SQLITE_ERROR;

	if (b == NULL)
		return sqlite3_errcode(to);
	for (int i = 0; i < COPY_TRIES; i++) {
		rc = sqlite3_backup_step(b, -1);
		if (rc != SQLITE_BUSY && rc != SQLITE_LOCKED)
			break;
		sqlite3_sleep(100);
	}
	sqlite3_backup_finish(b);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum err
db_copy(const char *from, const char *to, char *msg, size_t cap)
{
	sqlite3 *a = NULL, *b = NULL;
	enum err e = ERR_IO;
	int fd, rc;

	if (access(from, F_OK) != 0)
		return ERR_NOT_FOUND;
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		snprintf(msg, cap, "cannot make %s", to);
		return ERR_IO;
	}
	close(fd);
	e = open_plain(from, SQLITE_OPEN_READWRITE, &a, msg, cap);
	if (e == ERR_OK)
		e = open_plain(to, SQLITE_OPEN_READWRITE, &b, msg, cap);
	if (e == ERR_OK && (rc = copy_pages(b, a)) != SQLITE_OK) {
		snprintf(msg, cap, "%s", sqlite3_errstr(rc));
		e = db_err(rc) == ERR_OK ? ERR_DB : db_err(rc);
	}
	sqlite3_close(b);
	sqlite3_close(a);
	return e;
}

/* --- a look --------------------------------------------------------------------- */

/* The first cell of the first row; false: there is none. */
static bool
one_value(sqlite3 *h, const char *sql, char *out, size_t cap)
{
	sqlite3_stmt *s = NULL;
	bool got = false;

	if (sqlite3_prepare_v2(h, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(s, 0);

		snprintf(out, cap, "%s", text != NULL ? (const char *)text : "");
		got = true;
	}
	sqlite3_finalize(s);
	return got;
}

static int
one_number(sqlite3 *h, const char *sql)
{
	char text[32] = "";
	int n = -1;

	if (one_value(h, sql, text, sizeof(text)) && sscanf(text, "%d", &n) != 1)
		return -1;
	return n;
}

static void
look_inside(sqlite3 *h, bool whole, struct db_state *ret)
{
	char said[sizeof(ret->fault)] = "";

	if (!one_value(h, whole ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", said, sizeof(said)))
		snprintf(said, sizeof(said), "%s", sqlite3_errmsg(h));
	if (strcmp(said, "ok") != 0) {
		memcpy(ret->fault, said, sizeof(said));
		return;
	}
	ret->version = one_number(h, "SELECT max(version) FROM schema_version");
	ret->min_reader = one_number(h, "SELECT max(min_reader) FROM schema_version");
	if (ret->version < 0)
		snprintf(ret->fault, sizeof(ret->fault), "it is no store of LibreFang");
}

enum err
db_look(const char *path, bool whole, struct db_state *ret)
{
	sqlite3 *h = NULL;
	enum err e;

	*ret = (struct db_state){ .version = -1, .min_reader = -1 };
	if (access(path, F_OK) != 0)
		return ERR_NOT_FOUND;
	e = open_plain(path, SQLITE_OPEN_READWRITE, &h, ret->fault, sizeof(ret->fault));
	if (e == ERR_OK)
		look_inside(h, whole, ret);
	sqlite3_close(h);
	return e != ERR_OK ? e : ret->fault[0] != '\0' ? ERR_DB : ERR_OK;
}
