/* The system prompt: what stands in it, what stays out, and that it keeps still. */
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/agent/manifest.h"
#include "lib/agent/prompt.h"
#include "lib/agent/tool.h"
#include "lib/base/file.h"
#include "lib/svc/kv.h"
#include "t/svc/store.h"
#include "t/tree.h"

static struct config cfg = { .provider = "offline", .model = "offline" };
static struct ctx ctx;
static char work[] = "/tmp/lf-prompt-XXXXXX";
static struct json_object *manifest, *tools;
static struct buf out = BUF_INIT(1 << 20);
static bool named;

static const char *
prompt(unsigned depth)
{
	struct agent a = { .id = ADA, .name = "ada", .manifest = manifest };

	buf_clear(&out);
	if (prompt_system(&ctx, &a, work, depth, named, tools, &out) != ERR_OK)
		return "";
	return out.p;
}

static void
put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", work, name);
	if (file_replace(path, text, strlen(text), 0600) != ERR_OK)
		exit(1);
}

static void
fresh(void)
{
	static const char toml[] = "name = 'ada'\n[model]\nsystem_prompt = 'You are kind.'\n";
	const char *p;
	char *first;

	if (manifest_parse(&ctx, toml, sizeof(toml) - 1, &manifest) != ERR_OK)
		exit(1);
	is_int(workspace_make(&ctx, work, manifest, toml), ERR_OK, "a workspace");
	tools = tools_for(&ctx, manifest, "full");
	p = prompt(0);
	ok(strncmp(p, "You are kind.\n\nYour name is ada.\nToday is ", 42) == 0, "the manifest's own words come first, then name and day");
	ok(strstr(p, "## Tools\nfiles:\n- file_read: Read a text file of the workspace\n") != NULL, "tools are grouped, with hints");
	ok(strstr(p, "## Character") == NULL && strstr(p, "<!--") == NULL, "files with headings and remarks only are left out");
	ok(strstr(p, "## First conversation") != NULL, "the first conversation is spoken of");
	ok(strlen(p) < 2500, "the default prompt is short");
	printf("# %zu bytes\n", strlen(p));
	first = strdup(p);
	is_str(prompt(0), first, "and the same the next time");
	free(first);
}

static void
files(void)
{
	char long_text[5000];
	const char *p;

	put(".identity/SOUL.md", "# Soul\n<!-- hidden -->Calm and precise.\n");
	ok(strstr(prompt(0), "Calm") == NULL, "files are looked at every half a minute");
	prompt_forget(work);
	p = prompt(0);
	ok(strstr(p, "## Character\n# Soul\nCalm and precise.\n\n") != NULL && strstr(p, "hidden") == NULL, "or when somebody says so");
	put("context.md", "The door is open.");
	ok(strstr(prompt(0), "## Current context\nThe door is open.\n") != NULL, "the live context is read every time");
	put("context.md", "The door is shut!");
	ok(strstr(prompt(0), "The door is shut!\n") != NULL, "and again when it changes");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	put(".identity/AGENTS.md", long_text);
	put(".identity/USER.md", "Name: Zoe\n");
	prompt_forget(work);
	p = prompt(0);
	p = strstr(p, "## Working rules\n");
	is_int(p != NULL ? strspn(p + 17, "x") : 0, 2000, "a long file is cut");
	ok(strstr(out.p, "## First conversation") == NULL, "who is known is not asked for the name");
	ok(strstr(prompt(1), "## Character") == NULL && strstr(prompt(1), "Safety") == NULL && strstr(prompt(1), "## Tools\n") != NULL,
	    "another agent's question gets a shorter prompt");
	unlink(ctx_printf(&ctx, "%s/.identity/SOUL.md", work));
	(void)!symlink("/etc/hostname", ctx_printf(&ctx, "%s/.identity/SOUL.md", work));
	put(".identity/TOOLS.md", "bad \xff bytes");
	prompt_forget(work);
	p = prompt(0);
	ok(strstr(p, "## Character") == NULL && strstr(p, "## Tool notes") == NULL, "neither symlinks nor broken text get in");
}

/* Sections in their order; 'S': not for who is asked by another agent. */
static void
order(void)
{
	static const char toml[] = "name = 'ada'\n[model]\nsystem_prompt = 'You are kind.'\n[autonomous]\n"
	    "[[context_injection]]\nname = 'House'\ncontent = 'a rule'\n";
	static const struct { const char *text; bool own; } sections[] = {
		{ "You are kind.", false }, { "Today is ", false }, { "## Tool calls\n", true }, { "## Working rules\n", true }, { "## Tools (catalog)\n", false },
		{ "## Memory\n", false }, { "## Tool notes\n", false }, { "## Character\n", true }, { "## The user\n", true }, { "## Worth remembering\n", true },
		{ "## Identity\n", true }, { "## Heartbeat checklist\n", true }, { "## Name\nThe name that you have kept of your user is Zoe (so): x.\n", true },
		{ "## Other agents\n", true }, { "## Safety\n", true }, { "## Work\n", false }, { "## Workspace\n", true }, { "## Current context\n", true },
		{ "## House\na rule\n", false }, { "\n\nAnswer in the language that you are spoken to in.\n", false },
	};
	static const struct { const char *name, *title; size_t max; } limits[] = {
		{ ".identity/AGENTS.md", "Working rules", 2000 }, { ".identity/TOOLS.md", "Tool notes", 2000 }, { ".identity/SOUL.md", "Character", 2000 },
		{ ".identity/USER.md", "The user", 2000 }, { ".identity/MEMORY.md", "Worth remembering", 2000 }, { ".identity/IDENTITY.md", "Identity", 2000 },
		{ ".identity/HEARTBEAT.md", "Heartbeat checklist", 1000 }, { ".identity/BOOTSTRAP.md", "First conversation", 1500 }, { "context.md", "Current context", 8000 },
	};
	static const char name[] = "\"Zoe [so]:\\nx\"";
	const char *p, *at, *child;
	char text[40001], title[64];
	size_t wrong = 0;

	if (manifest_parse(&ctx, toml, sizeof(toml) - 1, &manifest) != ERR_OK)
		exit(1);
	tools = tools_of(&ctx, manifest, "full", true, 0).granted;
	unlink(ctx_printf(&ctx, "%s/.identity/SOUL.md", work));
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		put(limits[i].name, text);
	prompt_forget(work);
	at = prompt(0);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		snprintf(title, sizeof(title), "## %s\n", limits[i].title);
		p = strstr(at, title);
		is_int(p != NULL ? (int64_t)strspn(p + strlen(title), "x") : 0, (int64_t)limits[i].max, "%s has its share", limits[i].name);
	}
	is_int(kv_put(&ctx, ADA, "user_name", 9, name, sizeof(name) - 1), ERR_OK, "the user says a name");
	at = prompt(0);
	ok(strstr(at, "## First conversation") == NULL, "then it is not asked for");
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if ((p = strstr(at, sections[i].text)) == NULL) {
			printf("# not there, or out of order: %s\n", sections[i].text);
			wrong++;
		} else {
			at = p;
		}
	is_int((int64_t)wrong, 0, "sections stand in their order");
	named = true;
	ok(strstr(prompt(0), "Zoe") == NULL, "where speakers are named it is nobody's");
	named = false;
	wrong = 0;
	child = prompt(1);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		wrong += (strstr(child, sections[i].text) == NULL) != sections[i].own;
	is_int((int64_t)wrong, 0, "who is asked by another agent is told what it needs for that");
}

static void
no_tools(void)
{
	const char *p;

	tools = NULL;
	p = prompt(0);
	ok(strstr(p, "## Tools") == NULL && strstr(p, "## Memory") == NULL && strstr(p, "## Workspace") == NULL, "without tools nothing is said of them");
	tree_remove(work);
	prompt_forget(work);
	ok(strncmp(prompt(0), "You are kind.", 13) == 0, "a workspace that is gone has no files");
}

int
main(void)
{
	store_open(&ctx);
	ctx.cfg = &cfg;
	if (mkdtemp(work) == NULL)
		return 1;
	fresh();
	files();
	order();
	no_tools();
	buf_done(&out);
	store_close(&ctx);
	return done();
}
