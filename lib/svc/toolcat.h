/*
 * The catalog of built-in tools, embedded from share/tools.json.
 */
#ifndef LF_TOOLCAT_H
#define LF_TOOLCAT_H
#include "lib/base/json.h"

/*
 * JSON array of {name, description, input_schema, group, read_only}; parsed at the
 * first call, shared by all threads, not to be changed. NULL: memory_short.
 */
struct json_object *toolcat(void);
/* One of them; NULL: no such tool, or memory_short. */
struct json_object *toolcat_find(const char *name);

/* What a manifest's profile stands for; a tool that is not there is named all the same. */
struct tool_profile {
	const char *name;
	const char *const *tools;       /* NULL-ended; "*": every tool */
};
size_t toolcat_profiles(const struct tool_profile **ret);
const struct tool_profile *toolcat_profile(const char *name);   /* NULL: no such profile, or custom */
#endif
