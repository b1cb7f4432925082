/*
 * Fuzz: sessions brought in. What is taken can be shown, exported, given away and made fit for a model; what
 * is not leaves nothing.
 * sources: lib/base/*.c db/*.c lib/svc/conversation.c lib/svc/history.c lib/svc/session_export.c lib/svc/session_show.c lib/svc/session_summary.c lib/svc/kv.c lib/svc/memory.c lib/svc/memory_words.c lib/svc/user.c lib/svc/user_policy.c lib/svc/picture_keep.c lib/svc/upload.c lib/svc/upload_name.c lib/svc/redact.c lib/agent/repair.c lib/agent/repair_look.c lib/agent/repair_merge.c lib/agent/tokens.c lib/agent/message.c lib/agent/clean.c lib/agent/pictures.c
 * libs: sqlite3
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/agent/pictures.h"
#include "lib/agent/repair.h"
#include "lib/base/arena.h"
#include "lib/svc/config.h"
#include "lib/svc/redact.h"
#include "lib/svc/session_admin.h"
#include "lib/svc/session_show.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define AGENT "11111111-2222-4333-8444-555555555555"

static char dir[] = "/tmp/lf-fuzz-XXXXXX", path[64];
static struct db *db;
static struct config cfg;

static void
clean_up(void)
{
	char line[128];

	db_close(db);
	snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	if (system(line) != 0)
		fprintf(stderr, "%s is left\n", dir);
}

static void
set_up(void)
{
	char why[256];

	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(path, sizeof(path), "%s/x.db", dir);
	if (db_open(&db, path, true) != ERR_OK || db_migrate(db, why, sizeof(why)) != ERR_OK)
		abort();
	cfg = (struct config){ .home = dir, .data_dir = dir, .workspaces_dir = dir, .db_path = path };
	SCOPED_STMT st = db_prepare(db, SQL("INSERT INTO agent (id, name, state, manifest_toml, manifest, session_id, created_ms,"
	    " last_active_ms) VALUES ('" AGENT "', 'ada', 'Running', '', '{}', 'x', 0, 0)"));
	if (db_exec(st) != ERR_OK)
		abort();
	atexit(clean_up);
}

static int64_t
sessions(void)
{
	SCOPED_STMT st = db_prepare(db, SQL("SELECT count(*) AS n FROM session"));

	return db_step(st) ? col_i64(st, "n") : -1;
}

/* JSON that we wrote must be some. */
static void
written(const struct buf *b)
{
	if (b->failed || json_check(b->p, b->len, 64, NULL) != ERR_OK)
		abort();
}

static void
use(struct ctx *c, const struct agent *a, const char *id)
{
	struct buf out = BUF_INIT(64 << 20);
	struct jw w = JW_INIT(&out);
	struct session s = { 0 };
	struct history h;
	bool any;

	if (session_load(c, id, &s) != ERR_OK || session_write_export(c, a, &s, &w) != ERR_OK)
		abort();
	written(&out);
	buf_clear(&out);
	w = (struct jw)JW_INIT(&out);
	if (session_write_history(c, a, id, NULL, &w) != ERR_OK)
		abort();
	written(&out);
	if (messages_load(c, id, 100, &h) != ERR_OK)
		abort();
	if (history_pictures(c, session_repair(c, &h, NULL), false, &any) == NULL)
		abort();
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct agent a = { .id = AGENT, .name = "ada", .session_id = AGENT };
	struct ctx c = { .arena = arena_new(4096), .cfg = &cfg, .now_ms = 1 };
	struct json_object *in = NULL;
	char id[37];

	if (db == NULL)
		set_up();
	c.db = db;
	if (json_read(&c, (const char *)bytes, n, &in) == ERR_OK && json_object_is_type(in, json_type_object)) {
		struct json_object *less = json_keep(&c, redact_json(&c, in));

		if (less == NULL)
			abort();
		if (session_import(&c, &a, in, id) == ERR_OK) {
			SCOPED_STMT st = db_prepare(db, SQL("DELETE FROM session WHERE id = ?"));

			use(&c, &a, id);
			bind_text(st, id);
			if (db_exec(st) != ERR_OK)
				abort();
		}
		if (sessions() != 0)
			abort();
	}
	arena_free(c.arena);
	return 0;
}
