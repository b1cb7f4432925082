/* What the parts of session repair share. For repair*.c only. */
#ifndef LF_REPAIR_PARTS_H
#define LF_REPAIR_PARTS_H
#include "lib/agent/message.h"
#include "lib/agent/repair.h"

enum { USES_MAX = 512 /* in one message */ };

/* A tool_result block and whose answer it is. */
struct result {
	struct json_object *block;
	const char *id;
	size_t at;              /* index of its message */
	bool in_assistant;
	int use;                /* index into uses, -1: orphan */
};

struct use {
	const char *id, *name;
	size_t at;
	int best;               /* index into results, -1: none */
};

struct work {
	struct ctx *c;
	const struct history *in;
	struct history out;
	struct use *uses, **by_id;      /* by place; by id, then place */
	struct result *results;
	size_t n_uses, n_results;
	struct repair_stats st;
	bool failed;
};

/* Text of a tool_result block, not ended; NULL: it has none. */
const char *repair_text(const struct json_object *block, size_t *n);

/* --- repair_look.c --- */
/* Is there nothing to do? */
bool repair_is_sound(const struct history *);
/* Neighbours of one role that are put together. */
bool repair_may_merge(const struct message *, const struct message *);

/* --- repair_merge.c --- */
/* w->out with its neighbours put together. */
void repair_merge(struct work *, struct history *to);

/* Building. What fails is noted in the work; objects given are taken over. */
void repair_add(struct work *, struct json_object *array, struct json_object *);
void repair_set(struct work *, struct json_object *, const char *key, struct json_object *value);
struct json_object *repair_array(struct work *);
void repair_put(struct work *, struct history *to, struct message);
/* A message like m of these blocks. */
struct message repair_message(struct work *, const struct message *, struct json_object *content);
#endif
