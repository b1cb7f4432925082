/* Agents that agents made, and finding agents by what they can do. */
#ifndef LF_AGENT_FAMILY_H
#define LF_AGENT_FAMILY_H
#include "lib/base/json.h"

/* How many children it has, and how many agents stand above it. */
enum err agent_family(struct ctx *, const char *id, int64_t *ret_children, int64_t *ret_depth) MUST_CHECK;
/* Was it made by that one, or by somebody whom that one made? */
enum err agent_descends(struct ctx *, const char *id, const char *ancestor_id, bool *ret) MUST_CHECK;
/* parent_agent_id and children as members of the open object. */
void agent_write_family(struct ctx *, const char *id, const char *parent_id, struct jw *);
/*
 * Agents with that text in their name, description, tags or tools, whatever its case, by name, at most limit, into the open array: id, name, state,
 * description, tags, tools, model.
 */
enum err agent_write_found(struct ctx *, const char *query, int64_t limit, struct jw *) MUST_CHECK;
#endif
