/*
 * Which tools there are, and which of them an agent may use.
 *
 * Granting follows the manifest: tools_disabled, then capabilities.tools
 * (patterns) or else the profile, then blocklist and allowlist, then the agent's
 * mode. The catalog is process-wide and read by many threads, so nothing here takes a
 * reference into it: json-c's counters are no atomics.
 */
#include <ctype.h>
#include <pthread.h>
#include <string.h>

#include "lib/agent/capability.h"
#include "lib/agent/tokens.h"
#include "lib/agent/tool.h"
#include "lib/agent/tools/tools.h"
#include "lib/base/json.h"
#include "lib/svc/config.h"
#include "lib/svc/toolcat.h"

enum { LISTS_MAX = 64, TIMEOUT_DEFAULT_S = 600, TIMEOUT_MAX_S = 86400 };

static const struct tool tools[] = {
	{ "agent_find", tool_agent_find, true, TOOL_READS, false },
	{ "agent_kill", tool_agent_kill, false, TOOL_ALONE, false },
	{ "agent_list", tool_agent_list, true, TOOL_READS, true },
	{ "agent_send", tool_agent_send, false, TOOL_ALONE, true },
	{ "agent_spawn", tool_agent_spawn, false, TOOL_ALONE, false },
	{ "apply_patch", tool_apply_patch, false, TOOL_ALONE, false },
	{ "code_search", tool_code_search, true, TOOL_READS, true },
	{ "event_publish", tool_event_publish, false, TOOL_ALONE, false },
	{ "file_list", tool_file_list, true, TOOL_READS, true },
	{ "file_read", tool_file_read, true, TOOL_READS, true },
	{ "file_write", tool_file_write, false, TOOL_WRITES_ITS, true },
	{ "memory_list", tool_memory_list, true, TOOL_READS, true },
	{ "memory_recall", tool_memory_recall, true, TOOL_READS, true },
	{ "memory_store", tool_memory_store, false, TOOL_ALONE, true },
	{ "read_artifact", tool_read_artifact, true, TOOL_READS, true },
	{ "system_time", tool_system_time, true, TOOL_READS, false },
	{ "task_claim", tool_task_claim, false, TOOL_ALONE, false },
	{ "task_complete", tool_task_complete, false, TOOL_ALONE, false },
	{ "task_list", tool_task_list, true, TOOL_READS, false },
	{ "task_post", tool_task_post, false, TOOL_ALONE, false },
	{ "task_status", tool_task_status, true, TOOL_READS, false },
	{ "tool_load", tool_tool_load, true, TOOL_ALONE, true },
	{ "tool_search", tool_tool_search, true, TOOL_READS, true },
	{ "web_fetch", tool_web_fetch, false, TOOL_READS, true },
	{ "web_fetch_to_file", tool_web_fetch_to_file, false, TOOL_ALONE, false },
};

static const char *const assist[] = { "file_read", "file_list", "memory_list", "memory_recall", "web_fetch",
	"web_search", "agent_list", NULL };

/* Names that models use for ours. */
static const struct { const char *alias, *name; } aliases[] = {
	{ "fs_read", "file_read" }, { "read_file", "file_read" },
	{ "fs_write", "file_write" }, { "write_file", "file_write" },
	{ "fs_list", "file_list" }, { "list_files", "file_list" }, { "list_dir", "file_list" },
	{ "memory_get", "memory_recall" }, { "memory_set", "memory_store" },
	{ "fetch_url", "web_fetch" }, { "get_time", "system_time" },
};

/* --- names ---------------------------------------------------------------- */

/* camelCase and dashes to snake_case. */
static bool
snake(const char *name, char *out, size_t cap)
{
	size_t n = 0;

	for (; *name != '\0'; name++) {
		unsigned char ch = (unsigned char)*name;

		if (n + 2 >= cap)
			return false;
		if (isupper(ch) && n > 0 && out[n - 1] != '_')
			out[n++] = '_';
		out[n++] = ch == '-' ? '_' : (char)tolower(ch);
	}
	out[n] = '\0';
	return true;
}

static const struct tool *
find_exact(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(tools); i++)
		if (strcmp(tools[i].name, name) == 0)
			return &tools[i];
	return NULL;
}

const struct tool *
tool_find(const char *name)
{
	const struct tool *t = find_exact(name);
	char plain[64];

	if (t != NULL || !snake(name, plain, sizeof(plain)))
		return t;
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(aliases[i].alias, plain) == 0)
			return find_exact(aliases[i].name);
	return find_exact(plain);
}

struct json_object *
tool_catalog(void)
{
	return toolcat();
}

/* --- patterns --------------------------------------------------------------- */

enum stops { STOP_NOWHERE, STOP_SLASH, STOP_DOT };

static bool
stops_at(enum stops s, char ch)
{
	return (s == STOP_SLASH && (ch == '/' || ch == '\\')) || (s == STOP_DOT && ch == '.');
}

/* Has the value a path segment "." or ".."? Such a one never matches a wildcard. */
static bool
has_dots(const char *s)
{
	while (*s != '\0') {
		size_t k = strcspn(s, "/\\");

		if ((k == 1 && s[0] == '.') || (k == 2 && s[0] == '.' && s[1] == '.'))
			return true;
		s += k;
		s += *s != '\0';
	}
	return false;
}

/* Where to go on when a guess of a star's length was wrong. */
struct retry { const char *p, *s; };

/* '*' within a segment, '**' across. Only the last star of each kind need be thought of again. */
static bool
wild(const char *p, const char *s, enum stops stops)
{
	struct retry one = { 0 }, two = { 0 };

	while (*s != '\0' || *p != '\0') {
		if (*p == '*') {
			bool across = stops == STOP_NOWHERE || p[1] == '*';

			while (*p == '*')
				p++;
			if (across)
				two = (struct retry){ p, s };
			one = (struct retry){ across ? NULL : p, s };
		} else if (*s != '\0' && *p == *s) {
			p++;
			s++;
		} else if (one.p != NULL && *one.s != '\0' && !stops_at(stops, *one.s)) {
			s = ++one.s;
			p = one.p;
		} else if (two.p != NULL && *two.s != '\0') {
			s = ++two.s;
			p = two.p;
			one.p = NULL;
		} else {
			return false;
		}
	}
	return true;
}

bool
glob_match(const char *pattern, const char *value)
{
	enum stops stops = STOP_NOWHERE;

	if (strchr(pattern, '*') == NULL)
		return strcmp(pattern, value) == 0;
	if (has_dots(value))
		return false;
	if (strcmp(pattern, "*") == 0)
		return true;
	if (strpbrk(pattern, "/\\") != NULL)
		stops = STOP_SLASH;
	else if (strchr(pattern, '.') != NULL && strchr(value, '.') != NULL)
		stops = STOP_DOT;
	return wild(pattern, value, stops);
}

/* --- time ------------------------------------------------------------------------ */

unsigned
tool_timeout(const struct config *cfg, const char *name)
{
	int64_t s = cfg->tool_timeout_s;
	size_t longest = 0;

	if (cfg->tool_timeouts != NULL) {
		json_object_object_foreach(cfg->tool_timeouts, pattern, v) {
			bool exact = strcmp(pattern, name) == 0;
			size_t n = exact ? SIZE_MAX : strlen(pattern);

			if (n <= longest || (!exact && !glob_match(pattern, name)))
				continue;
			longest = n;
			s = json_object_get_int64(v);
		}
	}
	return s < 1 ? TIMEOUT_DEFAULT_S : s > TIMEOUT_MAX_S ? TIMEOUT_MAX_S : (unsigned)s;
}

/* --- granting ----------------------------------------------------------------- */

static bool
in_words(const char *const *words, const char *name)
{
	for (; *words != NULL; words++)
		if (glob_match(*words, name))
			return true;
	return false;
}

static bool
in_patterns(struct json_object *patterns, const char *name)
{
	for (size_t i = 0, n = patterns != NULL ? json_object_array_length(patterns) : 0; i < n; i++) {
		struct json_object *p = json_object_array_get_idx(patterns, i);

		if (json_object_is_type(p, json_type_string) && glob_match(json_object_get_string(p), name))
			return true;
	}
	return false;
}

static bool
is_filled(struct json_object *list)
{
	return list != NULL && json_object_array_length(list) > 0;
}

static bool
in_profile(const char *profile, const char *name)
{
	const struct tool_profile *p = profile != NULL ? toolcat_profile(profile) : NULL;

	return p == NULL || in_words(p->tools, name);           /* none named, or custom: all */
}

/* What a manifest and a mode say of all tools, looked up once. */
struct grant {
	struct json_object *manifest, *declared, *block, *allow;
	const char *profile;
	bool none, assists;
};

static struct grant
grant_of(struct json_object *manifest, const char *mode)
{
	return (struct grant){
		.manifest = manifest,
		.declared = js_arr(js_obj(manifest, "capabilities"), "tools"),
		.block = js_arr(manifest, "tool_blocklist"),
		.allow = js_arr(manifest, "tool_allowlist"),
		.profile = js_str(manifest, "profile"),
		.none = js_bool(manifest, "tools_disabled", false) || (mode != NULL && strcasecmp(mode, "observe") == 0),
		.assists = mode != NULL && strcasecmp(mode, "assist") == 0,
	};
}

static bool
grants(const struct grant *g, const char *name)
{
	if (g->none)
		return false;
	if (is_filled(g->declared) ? !in_patterns(g->declared, name) : !in_profile(g->profile, name))
		return false;
	if (in_patterns(g->block, name))
		return false;
	if (is_filled(g->allow) && !in_patterns(g->allow, name))
		return false;
	if ((strcmp(name, "agent_spawn") == 0 || strcmp(name, "agent_kill") == 0) && !caps_may_spawn(g->manifest))
		return false;
	return !g->assists || in_words(assist, name);
}

bool
tool_granted(struct json_object *manifest, const char *mode, const char *name)
{
	struct grant g = grant_of(manifest, mode);

	return grants(&g, name);
}

static struct json_object *
definition(struct json_object *t)
{
	static const char *const members[] = { "name", "description", "input_schema", "group" };
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; o != NULL && i < ARRAY_LEN(members); i++) {
		struct json_object *copy = NULL;

		if (json_object_deep_copy(js_get(t, members[i]), &copy, NULL) != 0 ||
		    json_object_object_add(o, members[i], copy) != 0) {
			json_object_put(copy);
			json_object_put(o);
			return NULL;
		}
	}
	return o;
}

/*
 * Lists that were asked for, by the tools in them. Made once and never
 * changed or freed, so that a turn shares one without touching json-c's counters.
 */
static struct {
	pthread_mutex_t mu;
	struct { uint64_t set; struct json_object *list; int64_t tokens; } all[LISTS_MAX];
	size_t n;
} lists = { .mu = PTHREAD_MUTEX_INITIALIZER };

static struct json_object *
list_make(uint64_t set)
{
	struct json_object *all = tool_catalog(), *ret = json_object_new_array();

	for (size_t i = 0, n = json_object_array_length(all); ret != NULL && i < n; i++) {
		struct json_object *o;

		if ((set >> i & 1) == 0)
			continue;
		o = definition(json_object_array_get_idx(all, i));
		if (o == NULL || json_object_array_add(ret, o) != 0) {
			json_object_put(o);
			json_object_put(ret);
			return NULL;
		}
	}
	return ret;
}

bool
tools_last(const struct json_object *list)
{
	bool last = false;

	pthread_mutex_lock(&lists.mu);
	for (size_t i = 0; i < lists.n && !last; i++)
		last = lists.all[i].list == list;
	pthread_mutex_unlock(&lists.mu);
	return last;
}

int64_t
tools_tokens(const struct json_object *list)
{
	int64_t n = -1;

	pthread_mutex_lock(&lists.mu);
	for (size_t i = 0; i < lists.n && n < 0; i++)
		if (lists.all[i].list == list)
			n = lists.all[i].tokens;
	pthread_mutex_unlock(&lists.mu);
	return n >= 0 ? n : tokens_of_json(list);
}

/* The list of a set, made once; the caller's own when there are too many. */
static struct json_object *
list_of(struct ctx *c, uint64_t set)
{
	struct json_object *ret = NULL;

	pthread_mutex_lock(&lists.mu);
	for (size_t i = 0; i < lists.n && ret == NULL; i++)
		if (lists.all[i].set == set)
			ret = lists.all[i].list;
	if (ret == NULL && lists.n < LISTS_MAX && (ret = list_make(set)) != NULL) {
		lists.all[lists.n].set = set;
		lists.all[lists.n].tokens = tokens_of_json(ret);
		lists.all[lists.n++].list = ret;
	}
	pthread_mutex_unlock(&lists.mu);
	return ret != NULL ? ret : json_keep(c, list_make(set));
}

uint64_t
tool_bit(const char *name)
{
	struct json_object *all = tool_catalog();

	for (size_t i = 0, n = json_object_array_length(all); i < n && i < 64; i++)
		if (strcmp(js_str_or(json_object_array_get_idx(all, i), "name", ""), name) == 0)
			return (uint64_t)1 << i;
	return 0;
}

/* What a name of the catalog is to the loading of tools. */
static void
sort_bits(const struct tool *t, uint64_t bit, uint64_t *always, uint64_t *loaders)
{
	if (t->run == tool_tool_load || t->run == tool_tool_search)
		*loaders |= bit;
	if (t->always)
		*always |= bit;
}

struct toolset
tools_of(struct ctx *c, struct json_object *manifest, const char *mode, bool may_load, uint64_t loaded)
{
	struct json_object *all = tool_catalog();
	struct grant g = grant_of(manifest, mode);
	uint64_t set = 0, always = 0, loaders = 0;

	for (size_t i = 0, n = json_object_array_length(all); i < n && i < 64; i++) {
		const char *name = js_str_or(json_object_array_get_idx(all, i), "name", "");
		const struct tool *t = find_exact(name);

		if (t == NULL || !grants(&g, name))
			continue;
		set |= (uint64_t)1 << i;
		sort_bits(t, (uint64_t)1 << i, &always, &loaders);
	}
	if (!may_load || loaders == 0 || (set & ~always) == 0 || !js_bool(js_obj(manifest, "metadata"), "lazy_tools", true)) {
		struct json_object *list = list_of(c, set & ~loaders);

		return (struct toolset){ list, list };
	}
	return (struct toolset){ list_of(c, set), list_of(c, set & (always | loaded)) };
}

struct json_object *
tools_for(struct ctx *c, struct json_object *manifest, const char *mode)
{
	return tools_of(c, manifest, mode, false, 0).granted;
}
