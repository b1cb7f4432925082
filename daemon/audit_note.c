/*
 * Entries of the audit log that stand alone. One that is written later is a job without a request: an arena of its
 * own holds all that the entry says, and the entry itself.
 */
#include "daemon/audit_note.h"

#include <string.h>

#include "daemon/conf.h"
#include "daemon/dbpool.h"
#include "daemon/threads.h"
#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"

enum { NOTE_BYTES = 2048 };

struct note {
	struct ctx c;
	struct caller who;
	struct audit entry;
	struct conf *conf;
};

void
note_alone(struct ctx *c, const struct audit *entry)
{
	enum err e;

	job_db_release(c);
	e = audit_alone(c, entry);
	if (e != ERR_OK)
		log_line(LOG_ERROR, "rid=%s err=%s what=\"a change is not in the audit log\" action=%s", c->rid, err_code(e), entry->action);
	job_db_acquire(c);
}

/* It goes with its arena, and the configuration that it holds. */
static void
note_end(struct note *n)
{
	struct conf *conf = n->conf;

	arena_free(n->c.arena);
	conf_drop(conf);
}

/* NULL: no memory. */
static struct note *
note_new(const struct ctx *asked, const struct audit *a)
{
	struct arena *arena = arena_new(NOTE_BYTES);
	struct note *n = arena != NULL ? arena_alloc(arena, sizeof(*n)) : NULL;

	if (n == NULL) {
		arena_free(arena);
		return NULL;
	}
	n->conf = conf_hold();
	n->who = *asked->who;
	n->who.name = "";
	n->c = (struct ctx){ .arena = arena, .cfg = conf_of(n->conf), .who = &n->who };
	memcpy(n->c.rid, asked->rid, sizeof(n->c.rid));
	n->entry = (struct audit){
		.agent_id = ctx_strdup(&n->c, a->agent_id), .action = ctx_strdup(&n->c, a->action),
		.detail = ctx_strdup(&n->c, a->detail), .outcome = ctx_strdup(&n->c, a->outcome),
		.channel = ctx_strdup(&n->c, a->channel),
	};
	return n;
}

static void
write_note(void *arg)
{
	struct note *n = arg;

	n->c.now_ms = clock_ms();
	note_alone(&n->c, &n->entry);
	job_db_release(&n->c);
	note_end(n);
}

/* That there was no memory for it is no fault of the job that it tells of. */
void
note_later(struct ctx *c, const struct audit *a)
{
	bool lacked = memory_short, whole;
	struct note *n;

	memory_short = false;
	n = note_new(c, a);
	whole = n != NULL && !memory_short;
	memory_short = lacked;
	if (whole && threads_run_now(write_note, n) == 0)
		return;
	if (n != NULL)
		note_end(n);
	log_line(LOG_WARN, "rid=%s what=\"a refusal is not in the audit log\" action=%s", c->rid, a->action);
}
