/*
 * Agents' places on the disk: the workspace, and agent.toml in it.
 *
 * The commit of the row is the moment that counts; the disk follows. What of it cannot be done at once is done later for
 * certain, by an alarm or the next start, and nobody takes what is stale meanwhile for an edit.
 */
#ifndef LF_PLACE_H
#define LF_PLACE_H
#include "lib/svc/agent_write.h"

/* The row and its place. A place that is taken is left alone: the agent's is another, and its manifest says so; one that its manifest names is refused then. Errors: agent_insert(), CONFLICT workspace_taken, IO. */
enum err place_take(struct ctx *, const struct agent_new *, char ret_id[static 37]) MUST_CHECK;
/*
 * agent_store() and agent.toml. saw: the agent that the manifest was made from: what others have changed since stays changed.
 */
enum err place_store(struct ctx *, const struct agent *saw, struct json_object *manifest, const struct agent_also *) MUST_CHECK;
/*
 * The row goes, and whatever runs for it can write nothing any more; its files are set aside. *ret_files: where they are, for
 * place_clear(); NULL: there are none, or they are somebody else's too.
 */
enum err place_leave(struct ctx *, const struct agent *, bool purge, bool *ret_was, const char **ret_files) MUST_CHECK;
void place_clear(struct ctx *, const char *files);

/* CONFLICT workspace_taken: an older store has two agents in one place, and whose agent.toml is there cannot be told. */
enum err place_alone(struct ctx *, const struct agent *) MUST_CHECK;
/* agent.toml is what people made of it: whoever reads it makes sure of that first. IO. */
enum err place_settled(struct ctx *, const struct agent *) MUST_CHECK;
/* Is it perhaps not? */
bool place_owes(struct ctx *, const char *id);

/* For underway.c: agent.toml from the row. */
enum err place_work_off(struct ctx *, const char *id) MUST_CHECK;
/* Directories of agents that are no more are removed. false: something is left. */
bool places_tidy(struct ctx *);
#endif
