/* Contexts of background work. */
#include "daemon/background.h"

#include <string.h>
#include <strings.h>

#include "daemon/dbpool.h"
#include "lib/api/api.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/config.h"

enum { ARENA_BYTES = 16384 };

bool
background_begin(struct background *b)
{
	*b = (struct background){ .c = { .arena = arena_new(ARENA_BYTES), .now_ms = clock_ms() } };
	if (b->c.arena == NULL)
		return false;
	b->conf = conf_hold();
	b->c.cfg = conf_of(b->conf);
	uuid4(b->c.rid);
	job_db_acquire(&b->c);
	return true;
}

void
background_end(struct background *b)
{
	job_db_release(&b->c);
	arena_free(b->c.arena);
	conf_drop(b->conf);
}

int64_t
background_look(const char *what, enum err (*look)(struct ctx *, int64_t *next_ms), int64_t again_ms)
{
	struct background b;
	int64_t next_ms = clock_ms() + again_ms;
	enum err e;

	if (!background_begin(&b))
		return next_ms;
	e = look(&b.c, &next_ms);
	if (e != ERR_OK)
		log_line(LOG_WARN, "rid=%s what=%s err=%s", b.c.rid, what, err_code(e));
	background_end(&b);
	return e == ERR_OK ? next_ms : clock_ms() + again_ms;
}

const struct caller *
background_caller(struct ctx *c, const char *author)
{
	for (size_t i = 0; author[0] != '\0' && i < c->cfg->n_users; i++) {
		const struct config_user *u = &c->cfg->users[i];
		struct caller *w;

		if (strcasecmp(u->name, author) != 0)
			continue;
		if ((w = ctx_alloc(c, sizeof(*w))) == NULL)
			return NULL;
		caller_of_user(w, u);
		return w->role < ADMIN ? w : NULL;
	}
	return NULL;
}
