/*
 * Work that nobody asked for: its context, and who it is done for.
 */
#ifndef LF_BACKGROUND_H
#define LF_BACKGROUND_H
#include "daemon/conf.h"
#include "lib/base/base.h"

struct background {
	struct ctx c;
	struct conf *conf;
};

/* Memory, configuration and a database connection. false: no memory; nothing is held. */
bool background_begin(struct background *);
void background_end(struct background *);
/*
 * What an alarm does: a look around in a context of its own, which says when the next one is due. A look that fails is logged
 * under that name; it, and one for which there is no memory, comes again after again_ms.
 */
int64_t background_look(const char *what, enum err (*look)(struct ctx *, int64_t *next_ms), int64_t again_ms);
/*
 * An agent that acts by itself sees what its author would: a [[users]] entry below admin binds it to that user's agents. NULL: the
 * system itself.
 */
const struct caller *background_caller(struct ctx *, const char *author);
#endif
