/* A migrated store in a directory of its own, and rows to put into it. */
#ifndef LF_T_STORE_H
#define LF_T_STORE_H
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/agent.h"
#include "lib/svc/caller.h"
#include "lib/svc/config.h"
#include "lib/svc/usage.h"
#include "t/tap.h"

#define ADA "11111111-1111-4111-8111-111111111111"
#define BEA "22222222-2222-4222-8222-222222222222"
#define NOBODY "99999999-9999-4999-8999-999999999999"
#define ADA_SESSION "aaaaaaaa-1111-4111-8111-111111111111"

static char store_dir[] = "/tmp/lf-svc-XXXXXX";
static struct caller root = { .role = OWNER, .name = "root", .user_id = "00000000-0000-0000-0000-72006f0074a0" };
static __attribute__((unused)) struct caller zoe = { .role = USER, .name = "Zoe", .user_id = "33333333-3333-4333-8333-333333333333" };

static inline void
store_path(char out[static 64])
{
	snprintf(out, 64, "%s/x.db", store_dir);
}

static inline void
store_open(struct ctx *c)
{
	char path[64], why[200];

	if (mkdtemp(store_dir) == NULL)
		exit(1);
	store_path(path);
	c->arena = arena_new(65536);
	c->who = &root;
	c->now_ms = clock_ms();
	if (db_open(&c->db, path, true) != ERR_OK || db_migrate(c->db, why, sizeof(why)) != ERR_OK)
		exit(1);
}

static inline void
store_close(struct ctx *c)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char path[64], file[80];

	db_close(c->db);
	arena_free(c->arena);
	store_path(path);
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		snprintf(file, sizeof(file), "%s%s", path, tails[i]);
		unlink(file);
	}
	rmdir(store_dir);
}

/* One agent; manifest is JSON. */
static inline void
store_agent(struct ctx *c, const char *id, const char *name, const char *author, const char *parent,
    const char *manifest)
{
	struct json_object *m = json_stored(c, manifest);
	const char *session = strcmp(id, ADA) == 0 ? ADA_SESSION : id;
	struct json_object *model = js_obj(m, "model");

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("INSERT INTO agent (id, name, state, author, description, provider, model, manifest_toml, "
	    "manifest, list_json, parent_id, session_id, created_ms, last_active_ms) "
	    "VALUES (?, ?, 'Running', ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?)"));

	bind_text(st, id);
	bind_text(st, name);
	bind_text(st, author);
	bind_text(st, js_str_or(m, "description", ""));
	bind_text(st, js_str_or(model, "provider", "default"));
	bind_text(st, js_str_or(model, "model", "default"));
	bind_text(st, manifest);
	bind_text(st, agent_list_fragment(c, m));
	bind_text(st, parent);
	bind_text(st, session);
	bind_i64(st, c->now_ms - 1000);
	bind_i64(st, c->now_ms);
	ok(db_exec(st) == ERR_OK, "an agent %s is stored", name);
}

static inline void
store_session(struct ctx *c, const char *id, const char *agent, const char *label, int64_t created_ms)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("INSERT INTO session (id, agent_id, label, created_ms, updated_ms) VALUES (?, ?, ?, ?, ?)"));

	bind_text(st, id);
	bind_text(st, agent);
	bind_text(st, label);
	bind_i64(st, created_ms);
	bind_i64(st, created_ms);
	ok(db_exec(st) == ERR_OK, "a session is stored");
}

static inline void
store_message(struct ctx *c, const char *session, int64_t seq, const char *role, const char *content)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("INSERT INTO message (session_id, seq, role, content, created_ms) VALUES (?, ?, ?, ?, ?)"));
	SCOPED_STMT up = db_prepare(c->db,
	    SQL("UPDATE session SET message_count = message_count + 1 WHERE id = ?"));

	bind_text(st, session);
	bind_i64(st, seq);
	bind_text(st, role);
	bind_text(st, content);
	bind_i64(st, c->now_ms);
	bind_text(up, session);
	ok(db_exec(st) == ERR_OK && db_exec(up) == ERR_OK, "message %d is stored", (int)seq);
}

static inline void
store_usage(struct ctx *c, const char *agent, int64_t ts_ms, int64_t nanousd)
{
	const struct usage u = { .agent_id = agent, .provider = "openai", .model = "gpt\"5\\", .tokens = { .input = 100, .output = 20 },
		.cost_nanousd = nanousd, .tool_calls = 1, .latency_ms = 5, .ts_ms = ts_ms };

	ok(usage_insert(c, &u) == ERR_OK, "usage is stored");
}
#endif
