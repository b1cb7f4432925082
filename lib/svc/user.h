/*
 * Users: entries of [[users]] in config.toml, which is all that is kept of them. Their id follows from their name (caller.h).
 */
#ifndef LF_USER_H
#define LF_USER_H
#include "lib/base/json.h"
#include "lib/svc/config.h"

enum { USER_NAME_MAX = 128 };

/* The entry of that name, else of that name in another letter case; NULL: there is none. */
const struct config_user *user_find(const struct config *, const char *name);
/* What config.toml says of it, secrets redacted; NULL: nothing. */
struct json_object *user_entry(const struct config *, const struct config_user *);

/* {name, role, channel_bindings, has_api_key, has_policy, has_memory_access, has_budget} */
void user_write(const struct config *, const struct config_user *, struct jw *);
/* {tool_policy, tool_categories, memory_access, channel_tool_rules} */
void user_write_policy(const struct config *, const struct config_user *, struct jw *);
/* Names of [[groups]] that list it, into the open array. */
void user_write_groups(const struct config *, const struct config_user *, struct jw *);

/*
 * BAD_REQUEST with the sentence: an empty or overlong name, one with control characters or blanks around it, "root", which is the
 * owner's; no role; no hash ($sha256$ with 64 hex digits, or Argon2id's PHC string); no bindings.
 */
enum err user_name_check(struct ctx *, const char *name) MUST_CHECK;
enum err user_role_check(struct ctx *, const char *role) MUST_CHECK;
enum err user_hash_check(struct ctx *, const char *hash) MUST_CHECK;
enum err user_bindings_check(struct ctx *, struct json_object *) MUST_CHECK;
/*
 * Of a policy: the value of that member, not null. What is left out is filled in: lists are empty, flags false. Errors: BAD_REQUEST
 * for another member, wrong types, blank or repeated entries, and what may be written but not read.
 */
enum err user_policy_check(struct ctx *, const char *member, struct json_object *in, struct json_object **ret) MUST_CHECK;

/*
 * Why that user may not do that with an agent's memory, as a sentence; NULL: they may, or nothing is said of memory in their entry.
 * An agent's memory is the namespace kv:<agent id>; a pattern may end in *. Removing is writing, and exporting reading, with a flag besides.
 */
enum memory_right { MEMORY_READ, MEMORY_WRITE, MEMORY_REMOVE, MEMORY_EXPORT };
const char *user_memory_denies(struct ctx *, const char *user, enum memory_right, const char *space);
#endif
