/*
 * A part of a conversation told in short: by a model, or by rule where there is none.
 */
#ifndef LF_SUMMARY_H
#define LF_SUMMARY_H
#include "daemon/side.h"

struct summary {
	struct ctx *c;
	const struct agent *a;
	const char *session_id;
	const char *text;               /* the summary so far, or NULL */
	size_t chunk, tokens;           /* of one question, in bytes; of an answer */
	unsigned calls_max;             /* questions at most */
	int64_t deadline_us;            /* monotonic; 0: none */
	int64_t calls;                  /* questions until now */
	struct side side;
};

/* A rule of the agent's, else the configuration's, [compaction]; held within min..max. */
size_t compaction_rule(struct ctx *, const struct agent *, const char *name, size_t dflt, size_t min, size_t max);
/*
 * As [compaction] says. task, own, n: as for side_ways(). window: of the agent's model in tokens. Errors: those of
 * side_ways().
 */
enum err summary_new(struct summary *ret, struct ctx *, const struct agent *, const char *task, const struct model_route *own, size_t n,
    const char *session_id, struct cancel *, int64_t window) MUST_CHECK;
/* text becomes that of all until `to`. Gives c->db back while the model writes. Errors: CANCELLED, those of a model. */
enum err summary_tell(struct summary *, const struct history *, size_t from, size_t to) MUST_CHECK;
/* One question of our own, counted with the others. *ret: what the model said. Errors as above. */
enum err summary_ask(struct summary *, const char *system, const struct buf *text, size_t tokens, const char **ret) MUST_CHECK;
#endif
