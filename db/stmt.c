/*
 * Statements: prepared once per connection, found again by the address of
 * their literal, read by column name.
 */
#include <stdlib.h>
#include <string.h>

#include "db/db_internal.h"
#include "lib/base/util.h"

static struct stmt nowhere = { .rc = SQLITE_NOMEM, .busy = true };

static void
prepare(struct stmt *st)
{
	st->rc = sqlite3_prepare_v3(st->db->h, st->sql, -1, st->loose ? 0 : SQLITE_PREPARE_PERSISTENT, &st->s, NULL);
	st->writes = st->s != NULL && !sqlite3_stmt_readonly(st->s);
}

static struct stmt *
stmt_new(struct db *db, const char *sql, bool loose)
{
	struct stmt *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return NULL;
	st->db = db;
	st->sql = sql;
	st->loose = loose;
	prepare(st);
	return st;
}

struct stmt *
db_prepare(struct db *db, const char *sql)
{
	size_t at = ((uintptr_t)sql * 0x9e3779b97f4a7c15u >> 40) % DB_STMTS;
	struct stmt *st;
	unsigned i;

	if (db == NULL)
		return &nowhere;
	for (i = 0; i < DB_STMTS; i++, at = (at + 1) % DB_STMTS) {
		st = db->table[at];
		if (st == NULL || st->sql == sql)
			break;
	}
	if (i == DB_STMTS || (st != NULL && st->busy))
		st = stmt_new(db, sql, true);
	else if (st == NULL)
		st = db->table[at] = stmt_new(db, sql, false);
	else if (st->s == NULL)
		prepare(st);
	if (st == NULL)
		return &nowhere;
	st->busy = true;
	st->next_param = 1;
	if (st->s != NULL)
		st->rc = SQLITE_OK;
	return st;
}

void
db_stmt_done(struct stmt **stp)
{
	struct stmt *st = *stp;

	if (st == NULL || st == &nowhere)
		return;
	if (st->loose) {
		sqlite3_finalize(st->s);
		line_leave(&st->line);
		free(st);
		return;
	}
	if (st->s != NULL) {
		sqlite3_reset(st->s);
		sqlite3_clear_bindings(st->s);
	}
	line_leave(&st->line);
	st->busy = false;
}

static bool
bindable(struct stmt *st)
{
	return st->rc == SQLITE_OK && st->s != NULL;
}

void
bind_textn(struct stmt *st, const char *v, size_t n)
{
	if (bindable(st))
		st->rc = sqlite3_bind_text64(st->s, st->next_param++, v, n, SQLITE_STATIC, SQLITE_UTF8);
}

void
bind_text(struct stmt *st, const char *v)
{
	if (v == NULL)
		bind_null(st);
	else
		bind_textn(st, v, strlen(v));
}

void
bind_blob(struct stmt *st, const void *v, size_t n)
{
	if (bindable(st))
		st->rc = sqlite3_bind_blob64(st->s, st->next_param++, v, n, SQLITE_STATIC);
}

void
bind_i64(struct stmt *st, int64_t v)
{
	if (bindable(st))
		st->rc = sqlite3_bind_int64(st->s, st->next_param++, v);
}

void
bind_f64(struct stmt *st, double v)
{
	if (bindable(st))
		st->rc = sqlite3_bind_double(st->s, st->next_param++, v);
}

void
bind_null(struct stmt *st)
{
	if (bindable(st))
		st->rc = sqlite3_bind_null(st->s, st->next_param++);
}

/* A statement that is a transaction by itself stands in line like the others. */
static bool
may_write(struct stmt *st)
{
	if (!st->writes || st->db->line != NULL || st->line != NULL)
		return true;
	st->line = line_enter(st->db->wait_us, &st->db->stood_since_us);
	if (st->line == NULL)
		st->rc = SQLITE_BUSY;
	return st->line != NULL;
}

bool
db_step(struct stmt *st)
{
	if (st->writes && memory_short)
		st->rc = SQLITE_NOMEM;
	if (st->db != NULL && st->db->lost != SQLITE_OK)
		st->rc = st->db->lost;          /* alone it would be its own transaction */
	if (st->s == NULL || (st->rc != SQLITE_OK && st->rc != SQLITE_ROW) || !may_write(st))
		return false;
	st->rc = sqlite3_step(st->s);
	if (st->rc != SQLITE_ROW && st->rc != SQLITE_DONE && st->db->in_tx && sqlite3_get_autocommit(st->db->h))
		st->db->lost = st->rc;
	if (st->line != NULL)
		st->db->stood_since_us = 0;
	if (st->rc != SQLITE_ROW)
		line_leave(&st->line);
	return st->rc == SQLITE_ROW;
}

enum err
db_end(struct stmt *st)
{
	return db_err(st->rc);
}

enum err
db_exec(struct stmt *st)
{
	while (db_step(st))
		;
	return db_end(st);
}

int64_t
db_changes(struct stmt *st)
{
	return st->db == NULL ? 0 : sqlite3_changes64(st->db->h);
}

/* The column's place; found by name once, then by the name's address. */
static int
column(struct stmt *st, const char *name)
{
	size_t i;

	if (st->rc != SQLITE_ROW)
		return -1;
	for (i = 0; i < STMT_NAMES && st->names[i].name != NULL; i++)
		if (st->names[i].name == name)
			return st->names[i].at;
	for (int k = 0; k < sqlite3_column_count(st->s); k++)
		if (strcmp(sqlite3_column_name(st->s, k), name) == 0) {
			if (i < STMT_NAMES) {
				st->names[i].name = name;
				st->names[i].at = k;
			}
			return k;
		}
	return -1;
}

const char *
col_peek(struct stmt *st, const char *name, size_t *n)
{
	int k = column(st, name);
	const char *t = k < 0 ? NULL : (const char *)sqlite3_column_text(st->s, k);

	*n = t == NULL ? 0 : (size_t)sqlite3_column_bytes(st->s, k);
	return t;
}

const void *
col_blob(struct stmt *st, const char *name, size_t *n)
{
	int k = column(st, name);
	const void *v = k < 0 ? NULL : sqlite3_column_blob(st->s, k);

	*n = v == NULL ? 0 : (size_t)sqlite3_column_bytes(st->s, k);
	return v;
}

const char *
col_textn(struct ctx *c, struct stmt *st, const char *name, size_t *n)
{
	const char *t = col_peek(st, name, n);

	return t == NULL ? NULL : ctx_strndup(c, t, *n);
}

const char *
col_text(struct ctx *c, struct stmt *st, const char *name)
{
	size_t n;

	return col_textn(c, st, name, &n);
}

int64_t
col_i64(struct stmt *st, const char *name)
{
	int k = column(st, name);

	return k < 0 ? 0 : sqlite3_column_int64(st->s, k);
}

double
col_f64(struct stmt *st, const char *name)
{
	int k = column(st, name);

	return k < 0 ? 0 : sqlite3_column_double(st->s, k);
}

bool
col_is_null(struct stmt *st, const char *name)
{
	int k = column(st, name);

	return k < 0 || sqlite3_column_type(st->s, k) == SQLITE_NULL;
}

enum err
fail_db(struct ctx *c, struct stmt *st)
{
	enum err e = st->rc == SQLITE_OK ? ERR_DB : db_err(st->rc);

	if (e == ERR_OK)
		e = ERR_DB;
	if (e != ERR_CONFLICT)
		log_line(LOG_WARN, "rid=%s err=db rc=%d what=\"%s\"", c->rid, st->rc,
		    st->db == NULL ? "no connection" : sqlite3_errmsg(st->db->h));
	c->fault = (struct fault){
		.err = e,
		.msg = e == ERR_CONFLICT ? "it exists already" :
		    err_status(e) == 503 ? "Service unavailable" : "Internal server error",
		.retry_after_s = err_status(e) == 503 ? 1 : 0,
	};
	if (e == ERR_NOMEM)
		memory_short = false;   /* that is told now */
	return e;
}
