/* The running side of each tool (see tool.h), and what they share. For lib/agent only. */
#ifndef LF_TOOLS_H
#define LF_TOOLS_H
#include "lib/agent/tool.h"

enum err tool_file_read(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_file_write(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_file_list(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_code_search(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_apply_patch(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_memory_store(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_memory_recall(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_memory_list(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_system_time(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_agent_list(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_agent_spawn(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_agent_kill(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_agent_find(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_agent_send(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_read_artifact(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_task_post(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_task_claim(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_task_complete(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_task_list(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_task_status(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_web_fetch_to_file(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_event_publish(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_tool_load(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_tool_search(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;
enum err tool_web_fetch(struct tool_env *, struct json_object *, struct buf *) MUST_CHECK;

/* Files of a workspace that no tool writes; NULL-ended. */
extern const char *const tool_managed_files[];

/* A path of a tool, relative to the workspace or absolute in it or in a directory that the agent shares. As sandbox.h says; errors in c->fault. */
enum err tool_read(struct tool_env *, const char *path, size_t n, size_t max, struct buf *out) MUST_CHECK;
enum err tool_write(struct tool_env *, const char *path, size_t n, const void *bytes, size_t size) MUST_CHECK;
enum err tool_remove(struct tool_env *, const char *path, size_t n) MUST_CHECK;
/* FORBIDDEN: it lies in a directory that is shared for reading only. */
enum err tool_may_write(struct tool_env *, const char *path, size_t n) MUST_CHECK;
/* The directory that it is to stay in. */
const char *tool_root(const struct tool_env *, const char *path, size_t n);

/* Does a capability pattern match? The rules of capabilities.tools and their kin. */
bool glob_match(const char *pattern, const char *value);

/* out := the sentence; returns e. */
enum err tool_say(struct buf *out, enum err e, const char *fmt, ...) PRINTF(3, 4);
/* out := what c->fault says of e. */
enum err tool_fault(struct tool_env *, enum err e, struct buf *out);

/* A parameter that must be a string. ret_n may be NULL: then NUL inside is refused as well. INVALID, said in out. */
enum err tool_text(struct json_object *input, const char *name, const char **ret, size_t *ret_n,
    struct buf *out) MUST_CHECK;
/* The same for one that may be absent: then *ret is NULL. */
enum err tool_text_opt(struct json_object *input, const char *name, const char **ret, size_t *ret_n,
    struct buf *out) MUST_CHECK;
/* A whole number, dflt when absent; held within min..max. */
enum err tool_count(struct json_object *input, const char *name, int64_t dflt, int64_t min, int64_t max,
    int64_t *ret, struct buf *out) MUST_CHECK;

/* The agent that is meant by an id or a name: id and name (or NULL) in the arena. NOT_FOUND, said in out. */
enum err tool_agent_meant(struct tool_env *, const char *who, const char **ret_id, const char **ret_name, struct buf *out) MUST_CHECK;

/* How long the call may still take; at least 1. */
unsigned tool_left_ms(const struct tool_env *);

/* Borrow a connection into e->c->db; UNAVAILABLE, said in out. Give it back before anything waits. */
enum err tool_db_take(struct tool_env *, struct buf *out) MUST_CHECK;
void tool_db_give(struct tool_env *);
#endif
