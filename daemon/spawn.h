/*
 * Making, changing and ending agents: rows, workspaces and running turns
 * together. The only writers of manifests.
 */
#ifndef LF_SPAWN_H
#define LF_SPAWN_H
#include "lib/svc/agent_write.h"

struct spawn {
	const char *toml; size_t toml_n;        /* the manifest; NULL: of the template */
	const char *template_name;              /* or NULL */
	const char *name;                       /* over the manifest's, or NULL */
	const char *parent_id;                  /* or NULL: then it may do no more than that one */
	unsigned depth;                         /* of the chain of events that makes it */
};

/*
 * Errors: BAD_REQUEST invalid_manifest, NOT_FOUND template_not_found, TOO_LARGE manifest_too_large, CONFLICT
 * agent_already_exists; with a parent FORBIDDEN capability_denied, RATE_LIMITED when that has enough children. Nothing is left behind by a failure. *ret_name lives in c's arena.
 */
enum err agent_spawn(struct ctx *, const struct spawn *, char ret_id[static 37], const char **ret_name) MUST_CHECK;
/* A whole new manifest; name, tags and workspace of the agent are kept. */
enum err agent_replace(struct ctx *, const struct agent *, const char *toml, size_t n) MUST_CHECK;
/* The changed JSON manifest is stored and agent.toml written again. */
enum err agent_update(struct ctx *, const struct agent *, struct json_object *manifest) MUST_CHECK;
/* And what changes with it, in the same commit. */
enum err agent_update_also(struct ctx *, const struct agent *, struct json_object *manifest, const struct agent_also *) MUST_CHECK;
/* Running or Suspended, in the row and in the manifest's `enabled`. What runs is not touched. */
enum err agent_enable(struct ctx *, const struct agent *, bool on) MUST_CHECK;
/* Cancel its turns, drop rows and workspace. */
enum err agent_end(struct ctx *, const char *id, bool purge, bool *ret_was) MUST_CHECK;
/* First start: the agent `assistant`, unless there ever was one. */
enum err agent_first(struct ctx *) MUST_CHECK;
#endif
