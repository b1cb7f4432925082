/*
 * Agents, the writing side: rows made, changed and removed by the daemon.
 */
#ifndef LF_AGENT_WRITE_H
#define LF_AGENT_WRITE_H
#include "lib/svc/agent.h"

struct agent_new {
	const char *name, *manifest_toml;
	struct json_object *manifest;           /* defaults filled in */
	const char *template_name, *parent_id;  /* or NULL */
	const char *id;                         /* NULL: by the identity rule */
	unsigned depth;                         /* of the chain of events that makes it (event.h) */
};

/*
 * The id a top-level agent of that name gets: the one recorded for the name, else UUIDv5 of
 * it; a random one when a living agent has that id.
 */
enum err agent_identity(struct ctx *, const char *name, char ret[static 37]) MUST_CHECK;
/*
 * Row, first session and identity, in one transaction. ret_id receives the id.
 * CONFLICT agent_already_exists.
 */
enum err agent_insert(struct ctx *, const struct agent_new *, char ret_id[static 37]) MUST_CHECK;
/* CONFLICT agent_already_exists: somebody has that name. */
enum err agent_name_free(struct ctx *, const char *name) MUST_CHECK;
/* What changes with the manifest, in one commit; each or NULL. */
struct agent_also {
	const char *state;                      /* agent_set_state() */
	struct json_object *identity;           /* agent_set_identity() */
	const char *note;                       /* for the audit log: what of it was configured */
};
/*
 * A new manifest for the agent (name, columns, state, loop and fragment follow it), and what also changes (or NULL). CONFLICT when the
 * name is taken.
 */
enum err agent_store(struct ctx *, const char *id, const char *toml, struct json_object *manifest, const struct agent_also *) MUST_CHECK;
enum err agent_set_mode(struct ctx *, const char *id, const char *mode, bool stable) MUST_CHECK;
enum err agent_set_state(struct ctx *, const char *id, const char *state) MUST_CHECK;
/* What it looks like: an object of texts. */
enum err agent_set_identity(struct ctx *, const char *id, struct json_object *identity) MUST_CHECK;
/* Row, sessions, memory, turns; with its name's identity if purge. dir: a leftover from then on (or NULL). *ret_was: it existed. */
enum err agent_remove(struct ctx *, const char *id, bool purge, const char *dir, bool *ret_was) MUST_CHECK;
/* Names and the ids that they stand for, by name, into the open array. */
enum err agent_identities_write(struct ctx *, struct jw *) MUST_CHECK;
/* The name stands for nothing any more; *ret_id: what it stood for. NOT_FOUND identity_not_found. */
enum err agent_identity_forget(struct ctx *, const char *name, const char **ret_id) MUST_CHECK;
#endif
