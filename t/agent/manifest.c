/* Manifests: read, refused, written back; workspaces made and removed; templates. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/agent/manifest.h"
#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "t/tap.h"
#include "t/tree.h"

static char home[] = "/tmp/lf-manifest-XXXXXX", spaces[64];
static struct config cfg;
static struct ctx ctx = { .cfg = &cfg };

static struct json_object *
parse(const char *toml)
{
	struct json_object *o = NULL;

	ctx.fault = (struct fault){ 0 };
	return manifest_parse(&ctx, toml, strlen(toml), &o) == ERR_OK ? o : NULL;
}

static void
refuses(const char *toml, const char *words)
{
	struct json_object *o = parse(toml);

	ok(o == NULL && ctx.fault.code != NULL && strcmp(ctx.fault.code, "invalid_manifest") == 0 &&
	    strstr(ctx.fault.msg, words) != NULL, "refused: %s", words);
	if (o != NULL || strstr(ctx.fault.msg, words) == NULL)
		printf("# %s\n", o != NULL ? "was accepted" : ctx.fault.msg);
}

static void
defaults(void)
{
	struct json_object *o = parse(""), *m = js_obj(o, "model");

	is_str(js_str(o, "name"), "unnamed", "an empty manifest has a name");
	is_str(js_str(o, "module"), "builtin:chat", "and a module");
	is_str(js_str(m, "provider"), "default", "and a model");
	is_str(js_str(m, "system_prompt"), "You are a helpful AI agent.", "with a prompt");
	ok(js_get(m, "max_tokens") == NULL && js_get(m, "temperature") == NULL && js_get(o, "profile") == NULL &&
	    js_get(o, "fallback_models") == NULL, "what tells set from unset stays absent");
	ok(js_arr(o, "tags") != NULL && js_arr(js_obj(o, "capabilities"), "tools") != NULL, "lists are there");
	is_int(js_i64(js_obj(o, "resources"), "max_tool_calls_per_minute", 0), 60, "resources have their numbers");
	ok(js_obj(o, "autonomous") == NULL, "optional tables are not");
	o = parse("[autonomous]\nquiet_hours = '22:00-06:00'");
	is_int(js_i64(js_obj(o, "autonomous"), "max_iterations", 0), 50, "but filled in when they are");
}

static void
reading(void)
{
	struct json_object *o = parse("name = 'x'\nmy_key = [1, 2]\n[model]\nname = 'openai/gpt-x'\nprovider = 'openai'\ntop_p = 0.5\n"
	    "[schedule.continuous]\n");

	is_str(js_str(js_obj(o, "model"), "model"), "gpt-x", "the older word for a model is read, the provider's prefix goes");
	ok(js_get(js_obj(o, "model"), "name") == NULL, "and leaves nothing behind");
	ok(js_f64(js_obj(o, "model"), "top_p", 0) == 0.5 && js_arr(o, "my_key") != NULL, "unknown keys are kept");
	is_int(js_i64(js_obj(js_obj(o, "schedule"), "continuous"), "check_interval_secs", 0), 300, "a schedule gets its default");
	o = parse("tags = 'one'\nskills = ['a', 5, 'b']\n[capabilities]\ntools = 7\n");
	is_int(json_object_array_length(js_arr(o, "tags")), 0, "a list that is none is empty");
	is_int(json_object_array_length(js_arr(o, "skills")), 2, "what is no text in a list is left out");
	o = parse("fallback_models = 5\nmetadata = 1\n");
	ok(o != NULL && js_get(o, "fallback_models") == NULL && js_obj(o, "metadata") != NULL, "lenient tables");
	ok(parse("exec_policy = 'Full'\n") != NULL && parse("[exec_policy]\nmode = 'deny'") != NULL, "an exec policy is a word or a table");
}

static void
refusals(void)
{
	char big[400], *huge;
	struct json_object *o;

	refuses("name = ", "line 1");
	refuses("name = 'a'\n\n[model]\nmax_tokens = 'x'\n", "line 4: model.max_tokens: a whole number");
	refuses("[model]\nmax_tokens = -1\n", "model.max_tokens");
	refuses("[model]\ntemperature = 'hot'\n", "model.temperature: a number");
	refuses("name = 5", "line 1: name: a string is expected");
	refuses("name = ''", "name: 1 to 256 bytes");
	refuses("name = ' '", "name: 1 to 256 bytes");
	refuses("name = \"a\\nb\"", "control character");
	refuses("name = \"a\\u0000b\"", "NUL");
	refuses("name = '_operator:x'", "reserved");
	memset(big, 'x', sizeof(big));
	snprintf(big, 9, "name = '");
	big[8] = 'x';
	memcpy(big + 300, "'", 2);
	refuses(big, "name: 1 to 256 bytes");
	refuses("module = 'exec:sh'", "module:");
	refuses("module = 'wasm:../x'", "module:");
	refuses("module = 'python:/x'", "module:");
	refuses("module = 'wasm:C:/x'", "module:");
	ok(parse("module = 'wasm:a/b.wasm'") != NULL && parse("module = 'builtin:router'") != NULL, "good modules pass");
	refuses("workspace = '../x'", "workspace:");
	refuses("workspace = 'a/../../x'", "workspace:");
	refuses("workspace = '/etc'", "workspace:");
	refuses("workspace = '.'", "workspace:");
	refuses("workspace = 'agents'", "workspace:");
	refuses("workspace = './agents/.'", "workspace:");
	refuses("workspace = ''", "workspace:");
	refuses("workspace = '.ended-x/y'", "workspace:");
	refuses("priority = 'high'", "one of these is expected: Low Normal High Critical");
	refuses("profile = 'all'", "profile:");
	refuses("schedule = 'daily'", "schedule:");
	refuses("schedule = { periodic = {} }", "schedule.periodic");
	refuses("schedule = { continuous = { check_interval_secs = 0 } }", "above 0");
	refuses("model = 'gpt'", "model: a table is expected");
	refuses("triggers = 1", "triggers: a list of tables");
	refuses("exec_policy = 'sometimes'", "exec_policy:");
	refuses("[[context_injection]]\nname = 'x'", "context_injection");
	refuses("[response_format]\nname = 'x'", "response_format");
	huge = malloc(MANIFEST_BYTES_MAX + 2);
	memset(huge, '#', MANIFEST_BYTES_MAX + 1);
	huge[MANIFEST_BYTES_MAX + 1] = '\0';
	is_int(manifest_parse(&ctx, huge, MANIFEST_BYTES_MAX + 1, &o), ERR_TOO_LARGE, "more than a mebibyte is too large");
	is_str(ctx.fault.code, "manifest_too_large", "and says so");
	free(huge);
	ok(manifest_check_name(&ctx, "ada", 3) == ERR_OK && manifest_check_name(&ctx, "_operator:a", 11) == ERR_BAD_REQUEST,
	    "a name alone is checked as well");
}

static void
round_trip(const char *toml, const char *what)
{
	struct json_object *o = parse(toml), *again;
	char *written = o != NULL ? manifest_to_toml(&ctx, o) : NULL;

	again = written != NULL ? parse(written) : NULL;
	ok(again != NULL && json_object_equal(o, again), "%s", what);
	if (again == NULL || !json_object_equal(o, again))
		printf("# %s\n# written: %s\n# again: %s\n", json_object_to_json_string(o), written != NULL ? written : "",
		    again != NULL ? json_object_to_json_string(again) : ctx.fault.msg);
}

static void
writing(void)
{
	const char *const *names;
	size_t n;

	is_str(manifest_to_toml(&ctx, parse("")), "name = \"unnamed\"\n", "defaults are not written");
	is_str(manifest_to_toml(&ctx, parse("tags = ['a']\nname = 'b'\n[model]\ntemperature = 1\nx = 2.0\n[autonomous]\n")),
	    "name = \"b\"\ntags = [\"a\"]\n\n[model]\ntemperature = 1\nx = 2.0\n\n[autonomous]\n", "the rest in order");
	round_trip("description = \"q\\\"\\\\\\n\\t\\u0001\\u00e9\"", "text with everything comes back");
	round_trip("[schedule.periodic]\ncron = '* * * * *'\n", "schedules do");
	round_trip("[[fallback_models]]\nprovider = 'a'\n[[fallback_models]]\nmodel = 'b'\nextra = { deep = [1, { x = 2 }] }\n", "lists of tables do");
	round_trip("fallback_models = []\n", "an empty list that means something does");
	round_trip("[metadata.routing]\naliases = ['x']\n[metadata.\"odd key\".\"a.b\"]\n\"\" = 1\n[tools.web.params]\nq = 1.5e300\n", "free tables do");
	round_trip("[[triggers]]\npattern = { task_posted = {} }\n[[triggers]]\npattern = 'all'\n", "triggers do");
	round_trip("mixed = [1, 'a', { b = true }, []]\nday = 2026-01-02\n[unknown]\n[unknown.sub]\na = 9223372036854775807\n", "unknown ones do");
	for (size_t i = 0, k = template_names(&names); i < k; i++)
		round_trip(template_text(names[i], &n), names[i]);
}

static void
places(void)
{
	static const char id[] = "01234567-89ab-4def-8123-456789abcdef";
	char want[128];

	snprintf(want, sizeof(want), "%s/agents/ada_1-x", spaces);
	is_str(manifest_workspace(&ctx, parse("name = 'ada_1-x'"), id), want, "a workspace is named by its agent");
	snprintf(want, sizeof(want), "%s/agents/adab-01234567", spaces);
	is_str(manifest_workspace(&ctx, parse("name = 'ada/../b'"), id), want, "what no directory may be called is left out");
	snprintf(want, sizeof(want), "%s/agents/%s", spaces, id);
	is_str(manifest_workspace(&ctx, parse("name = '...'"), id), want, "or the id serves");
	snprintf(want, sizeof(want), "%s/own/place", spaces);
	is_str(manifest_workspace(&ctx, parse("workspace = 'own/place'"), id), want, "the manifest may name one");
	is_str(manifest_workspace(&ctx, parse(ctx_printf(&ctx, "workspace = '%s'", want)), id), want, "also absolutely");
	is_str(manifest_workspace(&ctx, parse("workspace = './own//place/.'"), id), want, "a directory has one name");
}

static bool
there(const char *dir, const char *name)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return lstat(path, &st) == 0;
}

static void
make_deep(const char *dir)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY);

	for (int i = 0; i < 1500 && at >= 0; i++) {
		int next;

		(void)!mkdirat(at, "deep", 0700);
		next = openat(at, "deep", O_RDONLY | O_DIRECTORY);
		close(openat(at, "f", O_CREAT | O_WRONLY, 0600));
		close(at);
		at = next;
	}
	close(at);
}

static void
life(void)
{
	struct json_object *o = parse("name = 'ada'");
	const char *dir = manifest_workspace(&ctx, o, "x");
	char path[256], keep[128], *toml = manifest_to_toml(&ctx, o);
	struct stat st;

	is_int(workspace_make(&ctx, dir, o, toml), ERR_OK, "a workspace is made");
	ok(there(dir, "agent.toml") && there(dir, "output") && there(dir, ".identity/SOUL.md") && there(dir, ".identity/HEARTBEAT.md"),
	    "with manifest, directories and identity files");
	ok(stat(dir, &st) == 0 && (st.st_mode & 0777) == 0700, "for its owner only");
	snprintf(path, sizeof(path), "%s/.identity/SOUL.md", dir);
	(void)!file_replace(path, "mine", 4, 0600);
	is_int(workspace_make(&ctx, dir, o, toml), ERR_OK, "made again");
	ok(stat(path, &st) == 0 && st.st_size == 4, "it keeps what is there");
	is_int(workspace_make(&ctx, ctx_printf(&ctx, "%s-b", dir), parse("generate_identity_files = false"), ""), ERR_OK, "another one");
	ok(!there(dir, "../ada-b/.identity/SOUL.md"), "without identity files, if so wished");

	snprintf(keep, sizeof(keep), "%s/keep", home);
	(void)!mkdir(keep, 0700);
	close(open(ctx_printf(&ctx, "%s/f", keep), O_CREAT | O_WRONLY, 0600));
	(void)!symlink(keep, ctx_printf(&ctx, "%s/out", dir));
	(void)!mkdir(ctx_printf(&ctx, "%s/dark", dir), 0700);
	close(open(ctx_printf(&ctx, "%s/dark/f", dir), O_CREAT | O_WRONLY, 0600));
	(void)!chmod(ctx_printf(&ctx, "%s/dark", dir), 0);
	make_deep(dir);
	workspace_remove(dir, ctx_printf(&ctx, "%s/nowhere", home));
	workspace_remove(spaces, spaces);
	workspace_remove(ctx_printf(&ctx, "%s/agents/../../keep", spaces), spaces);
	workspace_remove(keep, spaces);
	ok(there(dir, "agent.toml") && there(keep, "f"), "nothing is removed that does not lie below the root");
	workspace_remove(dir, spaces);
	ok(!there(dir, "."), "a workspace is removed, however deep");
	ok(there(keep, "f") && there(spaces, "agents/ada-b"), "and nothing else");
	(void)!symlink(keep, ctx_printf(&ctx, "%s/agents/link", spaces));
	workspace_remove(ctx_printf(&ctx, "%s/agents/link", spaces), spaces);
	ok(there(keep, "f"), "a symlink is no workspace");
}

static void
templates(void)
{
	const char *toml;
	size_t n;

	ok(template_load(&ctx, "assistant", &toml, &n) == ERR_OK && strstr(toml, "name = \"assistant\"") != NULL, "a shipped template");
	is_int(template_load(&ctx, "nobody", &toml, &n), ERR_NOT_FOUND, "an unknown one");
	is_str(ctx.fault.msg, "Template 'nobody' not found", "is named");
	is_int(template_load(&ctx, "../x", &toml, &n), ERR_BAD_REQUEST, "a name that can be none");
	is_int(template_load(&ctx, "", &toml, &n), ERR_BAD_REQUEST, "nor the empty one");
	dir_make(ctx_printf(&ctx, "%s/agent-types/two", home), 0700);
	(void)!file_replace(ctx_printf(&ctx, "%s/agent-types/assistant.toml", home), "name='mine'", 11, 0600);
	(void)!file_replace(ctx_printf(&ctx, "%s/agent-types/two/agent.toml", home), "name='two'", 10, 0600);
	(void)!file_replace(ctx_printf(&ctx, "%s/agents/ada-b/agent.toml", spaces), "name='b'", 8, 0600);
	ok(template_load(&ctx, "assistant", &toml, &n) == ERR_OK && strcmp(toml, "name='mine'") == 0, "the home's goes first");
	ok(template_load(&ctx, "two", &toml, &n) == ERR_OK && n == 10, "also from a directory");
	ok(template_load(&ctx, "ada-b", &toml, &n) == ERR_OK && n == 8, "and an agent serves as one");
}

int
main(void)
{
	if (mkdtemp(home) == NULL)
		return 1;
	snprintf(spaces, sizeof(spaces), "%s/workspaces", home);
	(void)!mkdir(spaces, 0700);
	cfg.home = home;
	cfg.workspaces_dir = spaces;
	ctx.arena = arena_new(4096);
	defaults();
	reading();
	refusals();
	writing();
	places();
	life();
	templates();
	tree_remove(home);
	arena_free(ctx.arena);
	return done();
}
