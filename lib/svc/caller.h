/*
 * Who asks, as every room above the store sees it (struct ctx.who).
 */
#ifndef LF_CALLER_H
#define LF_CALLER_H
#include "lib/base/base.h"

enum role { PUBLIC, VIEWER, USER, ADMIN, OWNER };

struct caller {
	enum role role;
	const char *name;               /* "root", a [[users]] name, dashboard_user */
	char user_id[37];
	bool open_mode;                 /* nobody is configured; trusted as loopback */
	bool dashboard;                 /* by the dashboard's password: a session, or the token made of it */
	bool control;                   /* the command, by SO_PEERCRED */
};

/*
 * The author whose agents alone exist for this job: the name of a user below
 * admin. NULL: all agents; so for the system itself, and for somebody
 * unnamed, who gets no further than reads that the configuration opens to all.
 */
static inline const char *
caller_scope(const struct ctx *c)
{
	const struct caller *w = c->who;

	if (w == NULL || w->role >= ADMIN || w->open_mode || w->user_id[0] == '\0')
		return NULL;
	return w->name != NULL ? w->name : "";
}
/* The owner's. */
#define CALLER_ROOT_ID "00000000-0000-0000-0000-72006f0074a0"
/* The id of a user of [[users]]. */
void caller_id_of(const char *name, char ret[static 37]);
#endif
