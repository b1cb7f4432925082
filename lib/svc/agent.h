/*
 * Agents: registry rows, their manifests, and who may see them.
 */
#ifndef LF_AGENT_H
#define LF_AGENT_H
#include "lib/base/json.h"

struct config;

struct agent {
	const char *id, *name, *state, *mode, *author, *description;
	const char *provider, *model;           /* as in the manifest, may be "default" */
	const char *manifest_toml;
	struct json_object *manifest;           /* defaults filled in (manifest.h); shared: json_shared() */
	struct json_object *identity;
	const char *template_name, *parent_id, *session_id;
	const char *session_model;              /* of the current session; NULL: the agent's own */
	bool stable, is_hand, has_processed;
	int64_t created_ms, last_active_ms;
};

/* By UUID text. NOT_FOUND agent_not_found, also for agents of others (c->who). */
enum err agent_load(struct ctx *, const char *id, struct agent *ret) MUST_CHECK;
enum err agent_load_by_name(struct ctx *, const char *name, struct agent *ret) MUST_CHECK;
/* Replace NULL, "" and "default" by what the configuration says. */
void agent_resolve(const struct config *, const char **provider, const char **model);
/* Provider and model after defaults ("default"/"" follow the configuration). */
void agent_resolved_model(const struct ctx *, const struct agent *, const char **provider, const char **model);

struct agent_filter {
	const char *q, *status, *owner, *sort, *order;
	int64_t limit, offset;
	bool include_hands;
};
/* Write Page<AgentItem>. BAD_REQUEST for an unknown sort field. */
enum err agent_write_page(struct ctx *, const struct agent_filter *, struct jw *) MUST_CHECK;
/* Its items alone, into the open array. */
enum err agent_write_items(struct ctx *, const struct agent_filter *, struct jw *) MUST_CHECK;
void agent_write_detail(struct ctx *, const struct agent *, struct jw *);
/* What the manifest says of tools, skills, MCP servers, channels: members of the open object. */
void agent_write_tools(struct json_object *manifest, struct jw *);
void agent_write_skills(struct json_object *manifest, struct jw *);
void agent_write_servers(struct json_object *manifest, struct jw *);
void agent_write_channels(struct json_object *manifest, struct jw *);
/* The short rows of /api/status. Also counts: all, running. */
enum err agent_write_status_rows(struct ctx *, struct jw *, int64_t *all, int64_t *running) MUST_CHECK;
/* Each agent as an entry of OpenAI's model list, oldest first, into the open array. */
enum err agent_write_openai(struct ctx *, struct jw *) MUST_CHECK;
/* How many agents there are for this caller, and how many in state Running. */
enum err agent_count(struct ctx *, int64_t *all, int64_t *running) MUST_CHECK;
/* Ids of an author's agents, whoever asks. */
enum err agent_ids_of(struct ctx *, const char *author, char (**ret)[37], size_t *ret_n) MUST_CHECK;
/*
 * What the list shows of a manifest, as members of an object without its braces:
 * profile, schedule, tags, web_search_augmentation. Whoever writes agent.manifest puts it
 * into agent.list_json. NULL: no memory.
 */
char *agent_list_fragment(struct ctx *, struct json_object *manifest);
/* Path argument "id" to canonical UUID; BAD_REQUEST invalid_agent_id. */
struct path_arg;
enum err agent_id_arg(struct ctx *, const char *raw, size_t n, char out[static 37]) MUST_CHECK;
#endif
