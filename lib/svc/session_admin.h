/*
 * Sessions of all agents: found, listed, named, given a model, removed, taken out and brought in.
 * Somebody below admin sees those of their own agents; others do not exist for them.
 */
#ifndef LF_SESSION_ADMIN_H
#define LF_SESSION_ADMIN_H
#include "lib/svc/agent.h"
#include "lib/svc/history.h"

/* By UUID text, if the caller may see it. NOT_FOUND session_not_found. */
enum err session_seen(struct ctx *, const char *id, struct session *ret) MUST_CHECK;
/* The same, of that agent. */
enum err session_of(struct ctx *, const struct agent *, const char *id, struct session *ret) MUST_CHECK;
/* The same, for who reads along: NOT_FOUND session_agent_mismatch. */
enum err session_to_watch(struct ctx *, const struct agent *, const char *id, struct session *ret) MUST_CHECK;
/* Page of sessions, newest first; agent: of that id or name only, NULL: of all; limit at most 500. */
enum err sessions_write_page(struct ctx *, const char *agent, int64_t limit, int64_t offset, struct jw *) MUST_CHECK;
/* One session with its messages as they are stored. */
enum err session_write_raw(struct ctx *, const struct session *, struct jw *) MUST_CHECK;
/* The agent's session of that label, the newest if several have it. NOT_FOUND. */
enum err session_by_label(struct ctx *, const struct agent *, const char *label, struct session *ret) MUST_CHECK;
enum err session_set_label(struct ctx *, const char *id, const char *label) MUST_CHECK;            /* NULL: none */
enum err session_set_model(struct ctx *, const char *id, const char *model) MUST_CHECK;            /* NULL: the agent's */
/*
 * Gone with its messages; if it was its agent's current one, an empty one of the same id takes its place.
 */
enum err session_remove(struct ctx *, const char *id) MUST_CHECK;
/*
 * Drop what was not touched for `days` days, then what each agent has beyond `most` (0: no such rule). Current
 * sessions and those where a turn is open stay. *ret: how many went.
 */
enum err sessions_cleanup(struct ctx *, int64_t days, int64_t most, int64_t *ret) MUST_CHECK;

/* The messages as {role, content, pinned, timestamp}, into the open array; whole: with the bytes of their pictures. */
enum err session_write_messages(struct ctx *, const char *id, bool whole, struct jw *) MUST_CHECK;
/* A SessionExport. */
enum err session_write_export(struct ctx *, const struct agent *, const struct session *, struct jw *) MUST_CHECK;
/* From one: a new session of the agent. BAD_REQUEST: it is none, or another agent's. */
enum err session_import(struct ctx *, const struct agent *, struct json_object *in, char ret_id[static 37]) MUST_CHECK;
#endif
